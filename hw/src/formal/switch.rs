//! The switch of the two halves: which window fills, drains and retires when.

use crate::spgemm::control::{Sequencer, WindowTable};
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, cat, mux, uint};

/// Sequencer and window table between a planner, lanes and a merge core that do what their contracts allow, whenever they like.
///
/// Chunks and products are counted, to three at a time; a product may be dropped, a fault may come, drains take any time.
#[derive(Clone, Copy, Debug)]
pub struct SwitchProof;

impl Module for SwitchProof {
    fn name(&self) -> String {
        "proof_switch".into()
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Harness: a half drains when its window is complete, and fills for one window at a time.");
        let free = |name: &str| m.input(name, bit());
        let sequencer = m.inst("sequencer", &Sequencer);
        let table = m.inst("windows", &WindowTable { lanes: 1, open_windows: 2, ordered: false });
        for port in [
            "complete", "bad", "none", "single", "ended", "oldest", "row", "rows", "reals",
            "ranged",
        ] {
            sequencer.set(&format!("w_{port}"), table.get(port));
        }
        let (restart, retire) = (sequencer.get("restart"), sequencer.get("retire"));
        table.set("restart", restart).set("retire", retire);
        for (port, width) in
            [("from_row", 32), ("p_done", 32), ("p_left", 32), ("p_rows", 9), ("p_reals", 9)]
        {
            sequencer.set(port, m.lit(uint(width), 0));
        }
        for port in ["cache_ready", "batch_ready", "plan_busy", "written"] {
            sequencer.set(port, free(port));
        }
        let start = free("starts") & !sequencer.get("active");
        let fail = m.state("fail", bit(), 0);
        fail.update(&[(start, m.low()), (free("faults"), m.high())]);
        sequencer.set("start", start).set("fail", fail.q());

        // The planner: windows in order, each opened and later closed, from `run` until it is stopped or has finished.
        let flush = sequencer.get("flush");
        let runs = m.state("runs", bit(), 0);
        let finished = m.state("finished", bit(), 0);
        let opened = m.state("opened", bit(), 0);
        let number = m.state("number", uint(2), 0);
        let goes = runs.q() & !flush & !finished.q();
        let is_free = table.get("free").dyn_lane(number.q(), 1);
        let open = (free("opens") & goes & !opened.q() & is_free).named("open");
        // Chunks: one in the dispatcher, one in the lane.
        let (waiting, working) = (m.state("waiting", bit(), 0), m.state("working", bit(), 0));
        let dispatch = (waiting.q() & !working.q() & free("dispatches")).named("dispatch");
        let room = !waiting.q() | dispatch;
        let sends_chunk = (free("chunk") & goes & opened.q() & room).named("sends_chunk");
        let close = (free("closes") & goes & opened.q() & !sends_chunk).named("close");
        runs.update(&[(restart | flush, m.low()), (sequencer.get("run"), m.high())]);
        let ends = free("ends") & goes & !opened.q() & !open;
        finished.update(&[(restart | sequencer.get("run"), m.low()), (ends, m.high())]);
        opened.update(&[(restart | flush, m.low()), (open, m.high()), (close, m.low())]);
        let oldest = table.get("oldest").as_u();
        number.update(&[(restart, oldest), (close, number.q().inc())]);
        let number_bits = number.q().as_bits();
        table.set("open", open).set("open_seq", number_bits);
        table.set("close", close).set("close_seq", number_bits);
        for (port, width) in
            [("open_row", 32), ("open_pass", 9), ("close_rows", 9), ("close_reals", 9)]
        {
            table.set(port, m.lit(uint(width), 0));
        }
        for port in ["open_single", "open_ranged", "open_stack"] {
            table.set(port, m.low());
        }

        let drops = (flush & free("lanes_forget")).named("drops");
        let waiting_of = m.reg_when("waiting_of", sends_chunk, number.q());
        let working_of = m.reg_when("working_of", dispatch, waiting_of);
        waiting.update(&[(drops, m.low()), (sends_chunk, m.high()), (dispatch, m.low())]);
        let finishes = (working.q() & free("finishes")).named("lane_finishes");
        working.update(&[(drops, m.low()), (dispatch, m.high()), (finishes, m.low())]);
        let in_dispatch: Vec<_> = (0..4).rev().map(|s| waiting.q() & waiting_of.is(s)).collect();
        table.set("in_dispatch", cat(&in_dispatch));
        table.set("dispatched", dispatch).set("dispatched_seq", waiting_of.as_bits());
        table.set("done", finishes).set("done_seqs", working_of.as_bits());

        // Products: the lane sends while its window may, the core takes them in or drops them.
        let may = table.get("lanes_open").dyn_lane(working_of, 1);
        let sends = (working.q() & may & free("sends")).named("sends_product");
        let half = working_of.bit(0);
        let (leaves, lost) = (m.input("leaves", bits(2)), m.input("lost", bits(2)));
        let drain_busy = m.state("drain_busy", bit(), 0);
        let drain_half = m.state("drain_half", bit(), 0);
        let (begins, of) = (sequencer.get("drain_start"), sequencer.get("drain_half"));
        let discard = sequencer.get("drain_discard");
        drain_busy.update(&[(begins, m.high()), (free("drained"), m.low())]);
        drain_half.drive_when(begins, of);
        sequencer.set("drain_busy", drain_busy.q());
        let (mut busy, mut overflow, mut holds) = (vec![], vec![], vec![]);
        for h in 0..2u32 {
            let inside = m.state(&format!("inside_{h}"), uint(2), 0);
            let room = !inside.q().is(3);
            let comes = sends & half.is(h.into()) & room;
            let goes = leaves.bit(h) & !inside.q().is(0);
            inside.update(&[(comes & !goes, inside.q().inc()), (goes & !comes, inside.q().dec())]);
            busy.push(!inside.q().is(0));
            overflow.push(goes & lost.bit(h));
            // What is in the half: products of which window, and whether one of them was lost.
            let of_this = begins & of.is(h.into());
            let full = m.state(&format!("full_{h}"), bit(), 0);
            full.update(&[(of_this, m.low()), (comes, m.high())]);
            let owner = m.reg_when(&format!("owner_{h}"), comes, working_of);
            let spoilt = m.state(&format!("spoilt_{h}"), bit(), 0);
            spoilt.update(&[(of_this, m.low()), (goes & lost.bit(h), m.high())]);
            m.assert(
                &format!("half_{h}_fills_for_one_window"),
                !comes | !full.q() | owner.eq(working_of),
            );
            m.assert(
                &format!("half_{h}_does_not_fill_while_it_drains"),
                !(comes & drain_busy.q() & drain_half.q().is(h.into())),
            );
            m.assert(&format!("half_{h}_is_still_when_it_drains"), !of_this | inside.q().is(0));
            let kept = of_this & !discard;
            m.assert(&format!("half_{h}_drains_without_a_loss"), !(kept & spoilt.q()));
            m.assert(
                &format!("half_{h}_drains_for_the_oldest_window"),
                !(kept & full.q()) | owner.eq(oldest),
            );
            holds.push(full.q());
        }
        let pair = |flags: &[Sig<'m>]| cat(&[flags[1], flags[0]]);
        table.set("busy", pair(&busy)).set("overflow", pair(&overflow));
        let quiet = all(&[!waiting.q(), !working.q(), !busy[0], !busy[1], !opened.q() | flush]);
        sequencer.set("finished", finished.q()).set("quiet", quiet);

        let kept = (begins & !discard).named("kept");
        let unfinished = |of_window: Sig<'m>| {
            any(&[
                waiting.q() & waiting_of.eq(of_window),
                working.q() & working_of.eq(of_window),
                opened.q() & number.q().eq(of_window),
            ])
        };
        m.assert("one_drain_at_a_time", !(begins & drain_busy.q()));
        m.assert("a_window_drains_complete", !(kept & unfinished(oldest)));
        let half_of_oldest = mux(oldest.bit(0), holds[1], holds[0]);
        m.assert("a_window_retires_drained", !retire | !half_of_oldest);
        m.assert("a_replay_begins_with_empty_halves", !restart | !any(&holds));
        m.cover("drains_a_window", kept & any(&holds));
        m.cover(
            "drains_while_the_other_half_fills",
            sends & drain_busy.q() & !half.eq(drain_half.q()),
        );
        m.cover("replays", sequencer.get("replayed") & any(&holds));
    }
}
