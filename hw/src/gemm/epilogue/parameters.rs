//! Parameters of a command's epilogue, fetched on the way of A's operands.

use crate::gemm::geometry::Geometry;
use mattock_spec::EpilogueStep;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Asks for a block of parameters before the loader of A asks for its first run, and keeps the beats that answer.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | fetch a block; ask for nothing any more |
/// | `base` | in | uint | its bus address, a multiple of 64 |
/// | `by_column`, `columns` | in | bit, uint | it has a record for each of so many columns |
/// | `cmd_*`, `beat_*` | | | the loader of A |
/// | `bus_cmd_*`, `bus_beat_*` | | | the bus, in A's place |
/// | `by_table` | in | bit | only with a table: the block has one |
/// | `tab_write`, `tab_word`, `tab_data` | out | bit, uint(8), bits(16) | its entries, one a cycle |
/// | `loaded` | out | bit | what was asked for is in its place |
/// | `active` | out | bit | beats are still to come |
/// | `zero`, `low`, `high`, `slope`, `factor`, `shift` | out | bits(32) | of the block's header; hold until the next block |
/// | `wr_lanes`, `wr_word`, `wr_data` | out | bits(C), uint, bits | records to be written to the banks of these columns, a beat's width |
///
/// A beat per cycle, of a table an entry; beats of A follow without a gap. Block layout: [`mattock_spec::epilogue`].
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// The engine's sizes.
    pub geometry: Geometry,
}

/// Words of the header in their order.
const HEADER: [&str; 6] = ["zero", "low", "high", "slope", "factor", "shift"];
/// Bytes of header, record and table.
const HEADER_BYTES: u32 = EpilogueStep::HEADER_BYTES;
const RECORD_BYTES: u32 = EpilogueStep::RECORD_BYTES;
const TABLE_BYTES: u32 = EpilogueStep::TABLE_BYTES;

impl Parameters {
    /// Columns whose records come in a beat.
    fn lanes(&self) -> u32 {
        (self.geometry.bus_bytes / RECORD_BYTES).max(1)
    }

    /// Bits of what is written to the banks: whole records of a beat's columns.
    pub(super) fn data_bits(&self) -> u32 {
        self.lanes() * RECORD_BYTES * 8
    }
}

impl Module for Parameters {
    fn name(&self) -> String {
        format!("gemm_parameters_{}", self.geometry.suffix())
    }

    fn check(&self) -> Result<(), String> {
        let Geometry { cols, bus_bytes, .. } = self.geometry;
        let beats =
            (HEADER_BYTES + TABLE_BYTES + EpilogueStep::RECORDS * RECORD_BYTES * cols) / bus_bytes;
        if !cols.is_multiple_of(self.lanes()) {
            return Err(format!("gemm.cols is {cols}; a multiple of {} is needed", self.lanes()));
        }
        if beats >> self.geometry.beats_bits() > 0 {
            return Err(format!("gemm.cols is {cols}; parameters need a wider bus"));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Fetches the parameters of an epilogue before the operands of A.");
        let g = &self.geometry;
        let (start, stop) = (m.input("start", bit()), m.input("stop", bit()));
        let base = m.input("base", uint(g.addr_bits));
        let (by_column, columns) =
            (m.input("by_column", bit()), m.input("columns", uint(g.dim_bits())));
        let beats_ty = uint(g.beats_bits());

        // ---- the run: header and records, rounded up to beats ----
        let wide = g.dim_bits() + 6;
        let records = by_column.gate(columns.zext(wide).shl_k(RECORD_BYTES.ilog2()).resize(wide));
        let fixed = |bytes: u32| m.lit(uint(wide), (HEADER_BYTES + bytes + g.bus_bytes - 1).into());
        let by_table = g.lane.filter(|lane| lane.table).map(|_| m.input("by_table", bit()));
        let head = by_table.map_or(fixed(0), |table| table.mux(fixed(TABLE_BYTES), fixed(0)));
        let bytes = records.add_wrap(head);
        let run = bytes.shr_k(g.bus_bytes.ilog2()).resize(g.beats_bits()).named("run_beats");
        let bus_ready = m.input("bus_cmd_ready", bit());
        let asking = m.state("asking", bit(), 0);
        asking.drive(start | (asking.q() & !bus_ready & !stop));
        let asked = (asking.q() & bus_ready).named("asked");
        let cmd_valid = m.input("cmd_valid", bit());
        m.output("bus_cmd_valid", asking.q() | cmd_valid);
        let cmd_addr = m.input("cmd_addr", uint(g.addr_bits));
        m.output("bus_cmd_addr", asking.q().mux(base, cmd_addr));
        let cmd_beats = m.input("cmd_beats", beats_ty);
        m.output("bus_cmd_beats", asking.q().mux(run, cmd_beats));
        m.output("cmd_ready", bus_ready & !asking.q());

        // ---- its beats come before those of A, which was asked for later ----
        let left = m.state("left", beats_ty, 0);
        let mine = (!left.q().is(0)).named("mine");
        let valid = m.input("bus_beat_valid", bit());
        let room = m.forward("room", bit());
        let take = (mine & valid & room.sig()).named("take");
        left.update(&[(asked, run), (take, left.q().dec())]);
        m.output("bus_beat_ready", mine.mux(room.sig(), m.input("beat_ready", bit())));
        m.output("beat_valid", valid & !mine);
        m.output("loaded", !asking.q() & !mine);
        m.output("active", asking.q() | mine);

        // ---- the header, its beats counted; then records ----
        let data = m.input("bus_beat_data", bits(g.bus_bytes * 8));
        let header_beats = HEADER_BYTES / g.bus_bytes;
        let beat_ty = uint(header_beats.ilog2() + 1);
        let beat = m.state("beat", beat_ty, 0);
        let in_header = beat.q().lt(m.lit(beat_ty, header_beats.into())).named("in_header");
        beat.update(&[(start, beat.q().lit(0)), (take & in_header, beat.q().inc())]);
        for (i, name) in HEADER.into_iter().enumerate() {
            let at = 4 * i as u32;
            let here = take & beat.q().is((at / g.bus_bytes).into());
            let word = data.lane(at % g.bus_bytes / 4, 32);
            m.output(name, m.reg_when(&format!("{name}_q"), here, word));
        }
        // ---- the table, one entry a cycle ----
        let in_table = by_table.map(|by_table| {
            let left = m.state("entries_left", uint(9), 0);
            let in_table = (!left.q().is(0) & !in_header).named("in_table");
            let here = (mine & valid & in_table).named("entry");
            left.update(&[
                (start, by_table.mux(left.q().lit(256), left.q().lit(0))),
                (here, left.q().dec()),
            ]);
            let number = left.q().lit(0).sub_wrap(left.q()).trunc(8).as_u();
            let in_beat = (g.bus_bytes / 2).ilog2();
            let at = number.trunc(in_beat).as_u();
            room.assign(!in_table | at.is((1 << in_beat) - 1));
            m.output("tab_write", m.reg_reset("tab_write_q", here, 0));
            m.output("tab_word", m.reg("tab_word_q", number));
            m.output("tab_data", m.reg("tab_data_q", data.dyn_lane(at, 16)));
            in_table
        });
        if in_table.is_none() {
            room.assign(m.high());
        }
        let in_records = in_table.map_or(!in_header, |table| !in_header & !table);
        self.records(m, start, take & in_records, data);
    }
}

impl Parameters {
    /// Where the records of a beat go: to columns side by side, then to the next ones, then to the next word.
    fn records<'m>(&self, m: &'m Builder, start: Sig<'m>, beat: Sig<'m>, data: Sig<'m>) {
        let (cols, lanes) = (self.geometry.cols, self.lanes());
        // On the narrowest bus a record takes two beats.
        let (write, data) = match self.geometry.bus_bytes < RECORD_BYTES {
            false => (beat, data),
            true => {
                let second = m.state("second_half", bit(), 0);
                second.update(&[(start, m.low()), (beat, !second.q())]);
                let first = m.reg_when("first_half", beat & !second.q(), data);
                (beat & second.q(), cat(&[data, first]))
            }
        };
        let groups = cols / lanes;
        let group_ty = uint(groups.ilog2() + 1);
        let group = m.state("group", group_ty, 0);
        let last = group.q().is((groups - 1).into());
        group.update(&[(start | (write & last), group.q().lit(0)), (write, group.q().inc())]);
        let word = m.state("word", uint(EpilogueStep::RECORDS.ilog2()), 0);
        word.update(&[(start, word.q().lit(0)), (write & last, word.q().inc())]);
        let enables: Vec<Sig> =
            (0..groups).rev().map(|i| (write & group.q().is(i.into())).rep(lanes)).collect();
        m.output("wr_lanes", cat(&enables));
        m.output("wr_word", word.q());
        m.output("wr_data", data);
    }
}
