//! Storing results: rows of the result buffer to strided rows of memory.

use super::JoinBeats;
use super::geometry::{Geometry, at_most, min, plus};
use super::rotate::rotate_up;
use super::walk::{WalkInputs, walk};
use crate::cells::{Fifo, Skid, Stage};
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, case, cat, uint};

/// Writes the tiles of a command to memory, one burst per row of a tile, byte strobes at the edges.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | begin; stop after the row in hand |
/// | `m`, `n`, `m_block`, `n_block` | in | uint | the command and its [`Plan`](super::Plan) |
/// | `base`, `stride` | in | uint | bytes, multiples of an element: first element, distance of rows |
/// | `products`, `batch`, `next_base`, `next_there`, `next_take` | | | only on cards with batches: how many products follow one another, and D's address of each, of [`Bases`](super::Bases) |
/// | `size` | in | uint(2) | only with an epilogue: log2 of the bytes of an element, 0 to 2; otherwise there are 4 |
/// | `all_done` | in | bit | the tiles are in the buffer already |
/// | `tile_done`, `rd_*` | | | of [`Results`](super::Results) |
/// | `slot_free` | out | bit | one cycle: a tile has been read |
/// | `cmd_valid`, `cmd_addr`, `cmd_beats`, `cmd_ready` | | | a burst: beat-aligned byte address, beats |
/// | `data_valid`, `data`, `strobes`, `data_ready` | | | its beats |
/// | `data_addr` | out | uint | only at [memory beside the engine](Geometry::near), in the place of `cmd_*`: the beat's byte address |
/// | `active` | out | bit | rows or beats are still to come |
///
/// One beat per cycle; three cycles of latency. Commands never wait for data.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl Module for Store {
    fn name(&self) -> String {
        format!("gemm_store_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Writes result tiles to memory, one burst per row of a tile.");
        let g = &self.geometry;
        // Lanes of a beat hold the smallest results.
        let lane_bytes = g.least_result();
        let (lanes, byte_bits) = (g.bus_bytes / lane_bytes, lane_bytes.ilog2());
        let lane_bits = lanes.ilog2();
        let size = g.lane.map(|_| m.input("size", uint(2)));
        let inputs = WalkInputs::ports(m, g, false);
        let base = m.input("base", uint(g.addr_bits));
        let stride = m.input("stride", uint(g.stride_bits()));
        let all_done = m.input("all_done", bit());
        let tile_done = m.input("tile_done", bit());
        let rd_data = m.input("rd_data", bits(g.cols * 32));
        let data_ready = m.input("data_ready", bit());
        let (start, stop) = (inputs.start, inputs.stop);

        // ---- tiles ----
        let next_tile = m.forward("next_tile", bit());
        let w = walk(m, g, inputs, next_tile.sig());
        let tiles = m.state("tiles_ready", uint(g.result_slots().ilog2() + 1), 0);
        let next = next_tile.sig();
        // The address of a product's D is taken with its first tile, or when it is known.
        let batch = g.batch.then(|| m.input("batch", bit()));
        let next_base = batch.zip(w.to_product).map(|(batch, to_product)| {
            let (base, there) =
                (m.input("next_base", uint(g.addr_bits)), m.input("next_there", bit()));
            let waits = m.state("waits_for_base", bit(), 0);
            let wants = (waits.q() | (next & to_product)).named("wants_base");
            let take = (wants & there).named("take_base");
            waits.update(&[(start, batch), (m.high(), wants & !there)]);
            m.output("next_take", take);
            (base, take, waits.q())
        });
        tiles.update(&[
            (start, tiles.q().lit(0)),
            (tile_done & !next, tiles.q().inc()),
            (next & !tile_done & !all_done, tiles.q().dec()),
        ]);
        let tile_there = w.active & (all_done | !tiles.q().is(0));
        let tile_there = next_base.map_or(tile_there, |(.., waits)| tile_there & !waits);

        // ---- addresses: tile row offset runs down the block, column offset along the row ----
        let address = uint(g.addr_bits);
        let tile_stride = match g.rows.is_power_of_two() {
            true => stride.zext(stride.width() + g.rows.ilog2()).shl_k(g.rows.ilog2()),
            false => m.reg("tile_stride", stride * m.lit(uint(9), g.rows.into())),
        };
        let at_block = m.reg_decl("at_block", address);
        let at_tile = m.reg_decl("at_tile", address);
        let at_row = m.reg_decl("at_row", address);
        let at_col = m.reg_decl("at_col", address);
        let down = plus(at_tile.q(), tile_stride);
        let end_of_cols = w.last_row_tile & w.last_col_tile & w.last_cols;
        let tile_bytes = match size {
            None => m.lit(address, (g.cols * 4).into()),
            Some(size) => m.reg("tile_bytes", m.lit(address, g.cols.into()).shl(size)),
        };
        let mut tile_moves: Vec<_> =
            next_base.iter().map(|(base, take, _)| (*take, *base)).collect();
        tile_moves.push((start, base));
        let mut block_moves = tile_moves.clone();
        tile_moves.push((next & (!w.last_row_tile | end_of_cols), down));
        tile_moves.push((next, at_block.q()));
        at_tile.update(&tile_moves);
        block_moves.push((next & end_of_cols, down));
        at_block.update(&block_moves);
        at_col.update(&[
            (start | (next & end_of_cols), at_col.q().lit(0)),
            (next & w.last_row_tile, plus(at_col.q(), tile_bytes)),
        ]);

        // ---- rows of a tile: read requests ----
        let row_ty = uint(g.slot_rows().ilog2().max(1));
        let row = m.state("row", row_ty, 0);
        let first_row = row.q().is(0).named("first_row");
        let request = m.forward("request", bit());
        let rows_in_tile = min(w.m_left, m.lit(w.m_left.ty(), g.rows.into()), row_ty.width() + 1);
        let last_row = (row.q() + row.q().lit(1)).eq(rows_in_tile).named("last_row");
        row.update(&[
            (start | (request.sig() & last_row), row.q().lit(0)),
            (request.sig(), row.q().inc()),
        ]);
        next_tile.assign(request.sig() & last_row);
        let row_base = first_row.mux(plus(at_tile.q(), at_col.q()), at_row.q()).named("row_base");
        at_row.drive_when(request.sig(), plus(row_base, stride));
        let slot = m.state("slot", uint(g.result_slots().ilog2()), 0);
        slot.update(&[(start, slot.q().lit(0)), (next, slot.q().inc())]);
        let word = match g.slot_rows() {
            1 => slot.q(),
            _ => cat(&[slot.q(), row.q()]).as_u(),
        };
        m.output("rd_enable", request.sig());
        m.output("rd_word", word);
        m.output("slot_free", m.reg_reset("slot_free_q", next, 0));

        // ---- stage 1: the row is at the buffer's output; stage 2: it is cut into beats ----
        // Beside the memory there is time for both at once.
        let read_valid = m.state("read_valid", bit(), 0);
        let cut = m.forward("cut", bit());
        let (held_valid, room_1, take) = match g.near {
            Some(_) => (read_valid.q(), !read_valid.q() | cut.sig(), None),
            None => {
                let held_valid = m.state("held_valid", bit(), 0);
                let room_2 = (!held_valid.q() | cut.sig()).named("room_2");
                held_valid.drive_when(room_2, read_valid.q());
                (held_valid.q(), !read_valid.q() | room_2, Some(read_valid.q() & room_2))
            }
        };
        let room_1 = room_1.named("room_1");
        let to_stage_2 =
            |name: &str, value| take.map_or(value, |take| m.reg_when(name, take, value));
        request.assign(all(&[tile_there, room_1, !stop]));
        read_valid.drive_when(room_1, request.sig());
        let cols_ty = uint(g.cols.ilog2() + 1);
        let cols = min(w.n_left, m.lit(w.n_left.ty(), g.cols.into()), cols_ty.width());
        let address_1 = m.reg_when("address_1", request.sig(), row_base);
        let cols_1 = m.reg_when("cols_1", request.sig(), cols);
        let address_2 = to_stage_2("address_2", address_1);
        let cols_2 = to_stage_2("cols_2", cols_1);
        let values = to_stage_2("values", size.map_or(rd_data, |s| packed(rd_data, s)));
        // Lanes of the row in stage 2.
        let cols_2 = match size {
            None => cols_2,
            Some(size) => cols_2.zext(cols_ty.width() + 2).shl(size).named("lanes_2"),
        };

        // ---- beats of the row in stage 2 ----
        let head = match lanes {
            1 => m.lit(uint(1), 0),
            _ => address_2.slice(lane_bits + byte_bits - 1, byte_bits).as_u().named("head"),
        };
        let segments = (g.cols * 4).div_ceil(g.bus_bytes);
        let beat_ty = uint((segments + 1).ilog2() + 1);
        let beat = m.state("beat", beat_ty, 0);
        let end = (head + cols_2).named("row_end"); // one past the last result, counted from the first beat
        let beats =
            plus(end.zext(end.width() + 1), m.lit(uint(end.width() + 1), i128::from(lanes) - 1));
        let beats = beats.shr_k(lane_bits).named("beats");
        let last_beat = at_most(beats, beat.q().inc()).named("last_beat");
        let lane_width = 8 * lane_bytes;
        let padded = values.zext(segments * lanes * lane_width);
        let segment = match segments {
            1 => padded,
            _ => padded.dyn_lane(beat.q(), lanes * lane_width),
        };
        let turned = rotate_up(&segment.lanes(lane_width), head);
        let send = m.forward("send", bit());
        // The part of a segment that belongs to the next beat waits in `carry`.
        let carry =
            m.reg_when("carry", send.sig(), cat(&turned.iter().rev().copied().collect::<Vec<_>>()));
        let carry = carry.lanes(lane_width);
        let at_beat = beat.q().shl_k(lane_bits).zext(end.width() + beat_ty.width() + lane_bits);
        let first_beat = beat.q().is(0).named("first_beat");
        let mut data = vec![];
        let mut strobes = vec![];
        for j in (0..lanes).rev() {
            let lane = m.lit(head.ty(), j.into());
            let before_head = lane.lt(head);
            data.push(before_head.mux(carry[j as usize], turned[j as usize]));
            let position = plus(at_beat, m.lit(at_beat.ty(), j.into()));
            let on = position.lt(end.zext(at_beat.width())) & !(first_beat & before_head);
            strobes.push(on.rep(lane_bytes));
        }

        // ---- to the bus ----
        let beat_bits = g.bus_bytes * 9;
        let packed = cat(&[cat(&strobes), cat(&data)]);
        let low = lane_bits + byte_bits;
        let row_beat = address_2.slice(g.addr_bits - 1, low);
        let zeros = m.lit(bits(low), 0);
        let (out, ready, queued) = match g.near {
            // A beat with its address.
            Some(_) => {
                let out = m.inst("beat_stage", &Stage { width: beat_bits + g.addr_bits });
                let at = plus(row_beat.as_u(), beat.q());
                out.set("in_valid", send.sig());
                out.set("in_data", cat(&[at.as_bits(), zeros, packed]));
                let at = out.get("out_data").slice(beat_bits + g.addr_bits - 1, beat_bits);
                m.output("data_addr", at.as_u());
                (out, out.get("in_ready"), m.low())
            }
            // A command for each row, and its beats.
            None => {
                let out = match batch {
                    None => m.inst("beat_stage", &Skid { width: beat_bits }),
                    // Bursts of a beat each: their data waits until the bus has their addresses.
                    Some(_) => m.inst("beat_stage", &Fifo { width: beat_bits, depth: 8 }),
                };
                let cmd_bits = g.addr_bits + g.beats_bits();
                let commands = m.inst("commands", &Fifo { width: cmd_bits, depth: 4 });
                let command = cat(&[row_beat, zeros, beats.resize(g.beats_bits()).as_bits()]);
                let (mut burst, mut beats) =
                    ((send.sig() & first_beat, command), (send.sig(), packed));
                let mut ready = out.get("in_ready") & (!first_beat | commands.get("in_ready"));
                let mut queued = commands.get("out_valid");
                if let Some(batch) = batch {
                    let addr_bits = g.addr_bits - low;
                    let join = m.inst("join_beats", &JoinBeats { bytes: g.bus_bytes, addr_bits });
                    let room = out.get("in_ready") & commands.get("in_ready");
                    join.set("in_valid", held_valid & batch)
                        .set("in_beat", plus(row_beat.as_u(), beat.q()))
                        .set("in_data", cat(&data))
                        .set("in_strobes", cat(&strobes))
                        .set("finish", !any(&[w.active, read_valid.q(), held_valid]))
                        .set("out_ready", room);
                    let gone = join.get("out_valid") & room;
                    let one = m.lit(bits(g.beats_bits()), 1);
                    let command = cat(&[join.get("out_beat").as_bits(), zeros, one]);
                    let packed = cat(&[join.get("out_strobes"), join.get("out_data")]);
                    burst = (batch.mux(gone, burst.0), batch.mux(command, burst.1));
                    beats = (batch.mux(gone, beats.0), batch.mux(packed, beats.1));
                    ready = batch.mux(join.get("in_ready"), ready);
                    queued = queued | join.get("active");
                }
                out.set("in_valid", beats.0).set("in_data", beats.1);
                commands
                    .set("in_valid", burst.0)
                    .set("in_data", burst.1)
                    .set("out_ready", m.input("cmd_ready", bit()));
                let command = commands.get("out_data");
                m.output("cmd_valid", commands.get("out_valid"));
                m.output("cmd_addr", command.slice(cmd_bits - 1, g.beats_bits()).as_u());
                m.output("cmd_beats", command.slice(g.beats_bits() - 1, 0).as_u());
                (out, ready, queued)
            }
        };
        send.assign(held_valid & ready);
        cut.assign(send.sig() & last_beat);
        beat.drive_when(send.sig(), last_beat.mux(beat.q().lit(0), beat.q().inc()));
        out.set("out_ready", data_ready);

        let sent = out.get("out_data");
        m.output("data_valid", out.get("out_valid"));
        m.output("data", sent.slice(g.bus_bytes * 8 - 1, 0));
        m.output("strobes", sent.slice(beat_bits - 1, g.bus_bytes * 8));
        let queued = queued | out.get("out_valid");
        m.output("active", any(&[w.active, read_valid.q(), held_valid, queued]));
    }
}

/// The codes of a row close together: `2^size` bytes each, in the low bits.
fn packed<'m>(row: Sig<'m>, size: Sig<'m>) -> Sig<'m> {
    let codes = row.lanes(32);
    let of_width = |width: u32| {
        let low: Vec<Sig> = codes.iter().rev().map(|code| code.slice(width - 1, 0)).collect();
        cat(&low).zext(row.width())
    };
    case(size, &[(0, of_width(8)), (1, of_width(16))], row)
}
