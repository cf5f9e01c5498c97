//! Where the engine meets block RAM on its own card: its two loaders and its store unit ask for beats, without AXI.

use super::geometry::Geometry;
use crate::cells::{Fifo, Skid, Stage};
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, uint};

/// Joins the reads of the A and the B loader on the reading side of a direct port of
/// [`CardMemory`](crate::memory::CardMemory), hands the beats back, passes writes on.
///
/// | port | dir | meaning |
/// |---|---|---|
/// | `a_cmd_*`, `b_cmd_*` | in | read commands of the loaders: beat-aligned byte address, beats |
/// | `a_beat_*`, `b_beat_*` | out | their beats in order |
/// | `wr_valid`, `wr_addr`, `wr_data`, `wr_strobes`, `wr_ready` | in | beats of the store unit, each with its byte address |
/// | `rd_fault`, `wr_fault`, `rd_fault_addr`, `wr_fault_addr` | out | the beat that moves is not in memory: 3, as AXI's DECERR, and its address |
/// | `rd_beat`, `wr_beat` | out | a beat is read or written |
/// | `idle` | out | nothing is waiting |
/// | `m_near_*` | | direct port of the memory: a beat that is granted is read in the next cycle |
///
/// One beat a cycle in all, as the memory has. A loader that takes a beat in two cycles or more has two of them asked for
/// or waiting, another four; on the narrowest bus one, and takes a cycle longer for each.
#[derive(Clone, Copy, Debug)]
pub struct NearBus {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl NearBus {
    /// Beats asked for or waiting, at most.
    fn ahead(&self) -> u32 {
        let g = &self.geometry;
        let most = g.a_side().lanes.max(g.b_side().lanes) * g.element_bits();
        match (g.is_frugal(), 2 * most <= 8 * g.bus_bytes) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 4,
        }
    }

    /// Bits of a beat's address in memory.
    fn word_bits(&self) -> u32 {
        self.geometry.near.map_or(0, u32::ilog2) - self.geometry.bus_bytes.ilog2()
    }

    /// Whether a beat's address is past the end of memory.
    fn outside<'m>(&self, m: &'m Builder, beat: Sig<'m>) -> Sig<'m> {
        match beat.width() > self.word_bits() {
            true => beat.slice(beat.width() - 1, self.word_bits()).red_or(),
            false => m.low(),
        }
    }

    /// Tells of a beat that `moves`, and whether it is `outside`.
    fn account<'m>(
        &self,
        m: &'m Builder,
        side: &str,
        beat: Sig<'m>,
        moves: Sig<'m>,
        outside: Sig<'m>,
    ) {
        let g = &self.geometry;
        let address = cat(&[beat, m.lit(bits(g.bus_bytes.ilog2()), 0)]);
        let low = address.slice((g.addr_bits - 1).min(31), 0);
        m.scope(side, || {
            m.output("fault", (moves & outside).rep(2));
            m.output("fault_addr", low.as_u().resize(32));
            m.output("beat", moves);
        });
    }
}

/// The runs of one loader.
struct Runs<'m> {
    /// A beat is wanted and there is room for it.
    wanted: Sig<'m>,
    /// Its address in beats.
    at: Sig<'m>,
    active: Sig<'m>,
}

impl Module for NearBus {
    fn name(&self) -> String {
        format!("gemm_near_bus_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("The loaders and the store unit of the dense engine at block RAM on the card.");
        let g = &self.geometry;
        let data_bits = g.bus_bytes * 8;
        let shift = g.bus_bytes.ilog2();
        let word_bits = self.word_bits();

        // ---- reads: the loaders take turns, a beat each ----
        let grants = ["a_granted", "b_granted"].map(|name| m.forward(name, bit()));
        let taken = ["a_taken", "b_taken"].map(|name| m.forward(name, bit()));
        let [a, b] = [0, 1]
            .map(|i| m.scope(["a", "b"][i], || self.runs(m, grants[i].sig(), taken[i].sig())));
        let a_before = m.state("a_before", bit(), 0);
        let for_a = (a.wanted & !(b.wanted & a_before.q())).named("for_a");
        let valid = a.wanted | b.wanted;
        let granted = (valid & m.input("m_near_read_ready", bit())).named("granted");
        grants[0].assign(granted & for_a);
        grants[1].assign(granted & !for_a);
        a_before.drive_when(granted, for_a);
        let beat = for_a.mux(a.at, b.at).named("read_beat");
        m.output("m_near_read_valid", valid);
        m.output("m_near_read_addr", beat.trunc(word_bits).as_u());
        let outside = self.outside(m, beat);
        self.account(m, "rd", beat, granted, outside);

        let (done, data) =
            (m.input("m_near_read_done", bit()), m.input("m_near_read_data", bits(data_bits)));
        for (i, (name, mine)) in [("a", a_before.q()), ("b", !a_before.q())].into_iter().enumerate()
        {
            m.scope(name, || {
                let queue = match self.ahead() {
                    1 => m.inst("beats", &Stage { width: data_bits }),
                    2 => m.inst("beats", &Skid { width: data_bits }),
                    depth => m.inst("beats", &Fifo { width: data_bits, depth }),
                };
                queue.set("in_valid", done & mine).set("in_data", data);
                m.assert("room_for_beat", !(done & mine) | queue.get("in_ready"));
                let take = m.input("beat_ready", bit());
                queue.set("out_ready", take);
                taken[i].assign(take & queue.get("out_valid"));
                m.output("beat_valid", queue.get("out_valid"));
                m.output("beat_data", queue.get("out_data"));
            });
        }

        // ---- writes ----
        let at = m.input("wr_addr", uint(g.addr_bits));
        let beat = at.slice(g.addr_bits - 1, shift);
        let lost = self.outside(m, beat);
        let (wanted, ready) = (m.input("wr_valid", bit()), m.input("m_near_write_ready", bit()));
        m.output("m_near_write_valid", wanted);
        m.output("m_near_write_addr", beat.trunc(word_bits).as_u());
        m.output("m_near_write_data", m.input("wr_data", bits(data_bits)));
        let strobes = m.input("wr_strobes", bits(g.bus_bytes));
        m.output("m_near_write_strb", (!lost).gate(strobes));
        m.output("wr_ready", ready);
        self.account(m, "wr", beat, wanted & ready, lost);
        m.output("idle", !any(&[a.active, b.active, wanted]));
    }
}

impl NearBus {
    /// The run in hand of one loader, a beat at a time.
    fn runs<'m>(&self, m: &'m Builder, granted: Sig<'m>, taken: Sig<'m>) -> Runs<'m> {
        let g = &self.geometry;
        let shift = g.bus_bytes.ilog2();
        let addr = m.input("cmd_addr", uint(g.addr_bits));
        let beats = m.input("cmd_beats", uint(g.beats_bits()));
        let valid = m.input("cmd_valid", bit());

        let active = m.state("active", bit(), 0);
        let at = m.reg_decl("at", uint(g.addr_bits - shift));
        let left = m.reg_decl("left", beats.ty());
        let over = (granted & left.q().is(1)).named("over");
        let ready = !active.q() | over;
        let take = (valid & ready).named("take");
        active.drive(take | (active.q() & !over));
        at.update(&[(take, addr.slice(g.addr_bits - 1, shift).as_u()), (granted, at.q().inc())]);
        left.update(&[(take, beats), (granted, left.q().dec())]);
        m.output("cmd_ready", ready);

        let ahead = self.ahead();
        let owed = m.state("owed", uint(ahead.ilog2() + 1), 0);
        owed.update(&[(granted & !taken, owed.q().inc()), (taken & !granted, owed.q().dec())]);
        let room = !owed.q().is(ahead.into());
        let room = if ahead == 1 { room | taken } else { room };
        let wanted = active.q() & room;
        Runs { wanted, at: at.q(), active: active.q() }
    }
}
