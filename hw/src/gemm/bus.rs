//! Where the engine meets the bus masters: reads shared by two loaders, writes counted until answered.
//!
//! Streams: a command is a beat-aligned byte address and a number of beats; the data of commands comes back
//! (or is taken) in the order of the commands, `last` marks a command's last beat. `resp` is AXI's: 0 is
//! good, 2 SLVERR, 3 DECERR. Bursts and the 4 KiB rule are the master's.

use super::geometry::Geometry;
use super::load::Planner;
use crate::cells::{Fifo, Skid, round_robin};
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, uint};

/// Joins the read commands of the A and the B loader and hands the beats back.
///
/// | port | dir | meaning |
/// |---|---|---|
/// | `a_cmd_*`, `b_cmd_*` | in | commands of the loaders |
/// | `a_beat_*`, `b_beat_*` | out | their beats, queued so that one loader does not hold up the other |
/// | `cmd_*`, `beat_*` | out, in | the bus master's read side |
/// | `failed`, `failed_resp`, `failed_addr` | out | a beat with a bad response, its command's address (low half) |
/// | `active` | out | commands are waiting or unanswered |
#[derive(Clone, Copy, Debug)]
pub struct ReadShare {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl ReadShare {
    /// Beats a loader may be ahead.
    const BEATS: u32 = 16;
    /// Commands in flight.
    const COMMANDS: u32 = 64;
}

impl Module for ReadShare {
    fn name(&self) -> String {
        format!("gemm_read_share_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Joins the read commands of the two loaders and hands the beats back.");
        let g = &self.geometry;
        let beats_bits = Planner::beats_bits(g);
        let cmd_bits = g.addr_bits + beats_bits;
        let data_bits = g.bus_bytes * 8;
        let queues = ["a", "b"].map(|name| {
            m.scope(name, || {
                let queue = m.inst("commands", &Fifo { width: cmd_bits, depth: 2 });
                let addr = m.input("cmd_addr", uint(g.addr_bits));
                let beats = m.input("cmd_beats", uint(beats_bits));
                queue
                    .set("in_valid", m.input("cmd_valid", bit()))
                    .set("in_data", cat(&[addr, beats]));
                m.output("cmd_ready", queue.get("in_ready"));
                queue
            })
        });
        let order = m.inst("order", &Fifo { width: 33, depth: Self::COMMANDS });
        let out = m.inst("out", &Skid { width: cmd_bits });
        let requests = queues.map(|q| q.get("out_valid"));
        let can = out.get("in_ready") & order.get("in_ready");
        let grant = round_robin(m, "turn", &requests, can);
        let taken = [grant[0] & can, grant[1] & can];
        for (queue, taken) in queues.iter().zip(taken) {
            queue.set("out_ready", taken);
        }
        let command = grant[1].mux(queues[1].get("out_data"), queues[0].get("out_data"));
        let valid = any(&taken);
        let low_addr = command.slice(beats_bits + 31, beats_bits);
        order.set("in_valid", valid).set("in_data", cat(&[grant[1], low_addr]));
        out.set("in_valid", valid).set("in_data", command);
        out.set("out_ready", m.input("cmd_ready", bit()));
        m.output("cmd_valid", out.get("out_valid"));
        m.output("cmd_addr", out.get("out_data").slice(cmd_bits - 1, beats_bits).as_u());
        m.output("cmd_beats", out.get("out_data").slice(beats_bits - 1, 0).as_u());

        // ---- beats to whom the oldest command belongs ----
        let beat_valid = m.input("beat_valid", bit());
        let data = m.input("beat_data", bits(data_bits));
        let (last, resp) = (m.input("beat_last", bit()), m.input("beat_resp", bits(2)));
        let for_b = order.get("out_data").bit(32);
        let known = order.get("out_valid");
        let mut ready: Vec<Sig> = vec![];
        for (name, mine) in [("a", !for_b), ("b", for_b)] {
            m.scope(name, || {
                let queue = m.inst("beats", &Fifo { width: data_bits, depth: Self::BEATS });
                queue.set("in_valid", beat_valid & known & mine).set("in_data", data);
                ready.push(mine & queue.get("in_ready"));
                queue.set("out_ready", m.input("beat_ready", bit()));
                m.output("beat_valid", queue.get("out_valid"));
                m.output("beat_data", queue.get("out_data"));
            });
        }
        let ready = known & any(&ready);
        let accepted = (beat_valid & ready).named("accepted");
        order.set("out_ready", accepted & last);
        m.output("beat_ready", ready);
        m.output("accepted_beat", accepted);
        m.output("failed", accepted & resp.bit(1));
        m.output("failed_resp", resp.bit(0));
        m.output("failed_addr", order.get("out_data").slice(31, 0));
        m.output("active", any(&[known, requests[0], requests[1]]));
    }
}

/// Lets write commands pass and remembers them until they are answered.
///
/// `in_*` are the store unit's commands, `cmd_*` the bus master's; `done` and `done_resp` answer them in
/// order. `failed`, `failed_resp`, `failed_addr` as in [`ReadShare`]; `active` while answers are outstanding.
#[derive(Clone, Copy, Debug)]
pub struct WriteTrack {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl WriteTrack {
    /// Commands in flight.
    const COMMANDS: u32 = 64;
}

impl Module for WriteTrack {
    fn name(&self) -> String {
        format!("gemm_write_track_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Remembers write commands until they are answered.");
        let (in_valid, cmd_ready) = (m.input("in_valid", bit()), m.input("cmd_ready", bit()));
        let addr = m.input("in_addr", uint(self.geometry.addr_bits));
        let (done, resp) = (m.input("done", bit()), m.input("done_resp", bits(2)));
        let waiting = m.inst("waiting", &Fifo { width: 32, depth: Self::COMMANDS });
        let room = waiting.get("in_ready");
        waiting.set("in_valid", in_valid & cmd_ready).set("in_data", addr.slice(31, 0));
        waiting.set("out_ready", done);
        m.output("cmd_valid", in_valid & room);
        m.output("in_ready", cmd_ready & room);
        m.output("failed", done & resp.bit(1));
        m.output("failed_resp", resp.bit(0));
        m.output("failed_addr", waiting.get("out_data"));
        m.output("active", waiting.get("out_valid"));
    }
}
