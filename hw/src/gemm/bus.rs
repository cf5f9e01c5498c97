//! The one place where the engine meets the bus: its two loaders and its store unit on one AXI4 master.

use super::geometry::Geometry;
use super::load::Operand;
use crate::bus::{AxiReadMaster, AxiWriteMaster};
use crate::cells::Fifo;
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, sint, uint};

/// Joins the reads of the A and the B loader, hands the beats back, passes writes on.
///
/// | port | dir | meaning |
/// |---|---|---|
/// | `a_cmd_*`, `b_cmd_*` | in | read commands of the loaders: beat-aligned byte address, beats |
/// | `list_cmd_*`, `list_beat_*` | in, out | reads of a batch's [`List`](super::List), only on cards with batches; its beats are not queued |
/// | `a_beat_*`, `b_beat_*` | out | their beats in order, queued so that one loader does not hold up the other |
/// | `wr_cmd_*`, `wr_*` | in | write commands and beats of the store unit |
/// | `fault_clear` | in | forget earlier bus errors |
/// | `rd_fault`, `wr_fault`, `rd_fault_addr`, `wr_fault_addr` | out | first bus error: AXI response, burst address |
/// | `rd_beat`, `wr_beat` | out | a beat moves on the bus |
/// | `idle` | out | nothing is waiting or unanswered |
/// | `m_axi_*` | | AXI4 master |
///
/// Reads take turns by beats; one beat per cycle each way.
#[derive(Clone, Copy, Debug)]
pub struct GemmBus {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl GemmBus {
    /// Beats asked for and not yet taken by a loader that is slower than the bus, and its queue: 200 cycles of
    /// latency at a quarter of the bus.
    const SLOW: u32 = 64;
    /// Beats asked for by a loader that takes one a cycle: the whole bus at 200 cycles of latency.
    const FAST: u32 = 256;
    /// Either, when memory is on the card.
    const NEAR: u32 = 16;

    /// Most beats asked for, and the depth of the queue, of an operand.
    fn beats(&self, operand: Operand) -> (u32, u32) {
        if self.geometry.memory_on_card {
            return (Self::NEAR, Self::NEAR);
        }
        let nibbles = 2 * self.geometry.bus_bytes;
        match operand.side(&self.geometry).lanes >= nibbles {
            true => (Self::FAST, 16),
            false => (Self::SLOW, Self::SLOW),
        }
    }
}

impl Module for GemmBus {
    fn name(&self) -> String {
        format!("gemm_bus_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("The loaders and the store unit of the dense engine on one AXI4 master.");
        let g = &self.geometry;
        let (data_bits, addr_bits) = (g.bus_bytes * 8, g.addr_bits);
        let (max_burst, outstanding) = ((4096 / g.bus_bytes).min(256), g.in_flight());
        let reader = AxiReadMaster { data_bits, addr_bits, max_burst, outstanding };
        // Lines of small results are bursts of a beat.
        let writes = if g.batch && !g.memory_on_card { Self::FAST } else { outstanding };
        let writer = AxiWriteMaster { data_bits, addr_bits, max_burst, outstanding: writes };
        let (reader, writer) = (m.inst("reader", &reader), m.inst("writer", &writer));
        expose(m, reader, "m_axi_", "m_axi_");
        expose(m, writer, "m_axi_", "m_axi_");
        let clear = m.input("fault_clear", bit());
        for (name, master) in [("rd", reader), ("wr", writer)] {
            // An aborted command finishes what it has begun, so that notes and beats stay paired.
            master.set("flush", m.low()).set("fault_clear", clear);
            for (port, from) in [("fault", "fault"), ("fault_addr", "fault_addr"), ("beat", "beat")]
            {
                m.output(&format!("{name}_{port}"), master.get(from));
            }
        }

        // ---- read commands take turns; `order` remembers whose beats come next ----
        let beats_bits = g.beats_bits();
        let cmd_bits = addr_bits + beats_bits;
        let queues = ["a", "b"].map(|name| {
            m.scope(name, || {
                let queue = m.inst("commands", &Fifo { width: cmd_bits, depth: 2 });
                let addr = m.input("cmd_addr", uint(addr_bits));
                let beats = m.input("cmd_beats", uint(beats_bits));
                queue.set("in_valid", m.input("cmd_valid", bit()));
                queue.set("in_data", cat(&[addr, beats]));
                m.output("cmd_ready", queue.get("in_ready"));
                queue
            })
        });
        let list = g.batch.then(|| {
            m.scope("list", || {
                let addr = m.input("cmd_addr", uint(addr_bits));
                let beats = m.input("cmd_beats", uint(beats_bits));
                (m.input("cmd_valid", bit()), addr, beats)
            })
        });
        let width = 1 + u32::from(g.batch);
        let order = m.inst("order", &Fifo { width, depth: outstanding });
        let requests = queues.map(|q| q.get("out_valid"));
        let mut runs = requests.to_vec();
        runs.extend(list.map(|(valid, ..)| valid));
        let waiting_runs = any(&runs);
        let room = order.get("in_ready");
        let taken = reader.get("cmd_ready") & room;
        // Beats come in order, so a loader that is slower than the bus would hold up the other: it asks for what
        // its queue has room for.
        let taken_beats = ["a", "b"].map(|name| m.forward(&format!("{name}_beat_taken"), bit()));
        let owed_ty = uint(beats_bits + 1);
        let owed = ["a", "b"].map(|name| m.state(&format!("{name}_owed"), owed_ty, 0));
        let operands = [Operand::A, Operand::B].map(|operand| self.beats(operand));
        // A long run goes in pieces of half of that, so that the next is asked for while one is taken.
        let beats_ty = uint(beats_bits);
        let asked = ["a", "b"].map(|name| m.state(&format!("{name}_asked"), beats_ty, 0));
        let pieces = [0, 1].map(|i| {
            let data = queues[i].get("out_data");
            let beats = data.slice(beats_bits - 1, 0).as_u();
            let left = beats.sub_wrap(asked[i].q());
            let most = m.lit(beats_ty, (operands[i].0 / 2).into());
            let last = left.le(most);
            let size = last.mux(left, most);
            let bytes = asked[i].q().shl_k(g.bus_bytes.ilog2()).resize(addr_bits);
            let at = data.slice(cmd_bits - 1, beats_bits).as_u().add_wrap(bytes);
            (at, size, last, asked[i].q().add_wrap(most))
        });
        let wanted = pieces.map(|(_, size, ..)| size.zext(owed_ty.width()));
        let fits = [0, 1].map(|i| {
            let all = owed[i].q() + wanted[i];
            owed[i].q().is(0) | all.le(m.lit(all.ty(), operands[i].0.into()))
        });
        let requests =
            [requests[0] & fits[0].named("a_fits"), requests[1] & fits[1].named("b_fits")];
        // Turns go by beats: where A's runs are longer than B's, B gets more of them.
        let ahead = m.state("a_ahead", sint(beats_bits + 1), 0);
        let for_a = requests[0] & (!requests[1] | ahead.q().msb());
        // A list has room for what it asks for, which is little.
        let turn_of = |operand| list.map_or(operand, |(valid, ..)| operand & !valid);
        let grant = [turn_of(for_a), turn_of(requests[1] & !for_a)];
        for i in 0..2 {
            let (_, _, last, next) = pieces[i];
            queues[i].set("out_ready", grant[i] & taken & last);
            asked[i].drive_when(grant[i] & taken, last.mux(next.lit(0), next));
        }
        let [(at_a, size_a, ..), (at_b, size_b, ..)] = pieces;
        let size = grant[1].mux(size_b, size_a);
        let at = grant[1].mux(at_b, at_a);
        let (asks, at_now, size_now) = match list {
            None => (any(&grant), at, size),
            Some((valid, addr, beats)) => {
                m.output("list_cmd_ready", taken);
                (any(&grant) | valid, valid.mux(addr, at), valid.mux(beats, size))
            }
        };
        reader.set("cmd_valid", asks & room).set("cmd_addr", at_now).set("cmd_beats", size_now);
        let beats = size.zext(ahead.q().width()).as_s();
        let both = requests[0] & requests[1];
        let turn = for_a.mux(ahead.q().add_wrap(beats), ahead.q().sub_wrap(beats));
        ahead.drive_when(any(&grant) & taken, both.mux(turn, ahead.q().lit(0)));
        for i in 0..2 {
            let left = owed[i].q().sub_wrap(taken_beats[i].sig().as_u().zext(owed_ty.width()));
            owed[i].drive(left.add_wrap((grant[i] & taken).gate(wanted[i])));
        }
        let whose = match list {
            None => grant[1],
            Some((valid, ..)) => cat(&[valid, grant[1]]),
        };
        order.set("in_valid", asks & taken).set("in_data", whose);

        // ---- beats to the loader whose command is oldest ----
        let (valid, data) = (reader.get("data_valid"), reader.get("data"));
        let (known, whose) = (order.get("out_valid"), order.get("out_data"));
        let for_b = whose.bit(0);
        let for_list = g.batch.then(|| whose.bit(1));
        let mut ready: Vec<Sig> = vec![];
        if let Some(mine) = for_list {
            m.output("list_beat_valid", valid & known & mine);
            m.output("list_beat_data", data);
            ready.push(known & mine & m.input("list_beat_ready", bit()));
        }
        for (i, (name, mine)) in [("a", !for_b), ("b", for_b)].into_iter().enumerate() {
            let mine = for_list.map_or(mine, |list| mine & !list);
            m.scope(name, || {
                let depth = operands[i].1;
                let queue = m.inst("beats", &Fifo { width: data_bits, depth });
                queue.set("in_valid", valid & known & mine).set("in_data", data);
                ready.push(known & mine & queue.get("in_ready"));
                let take = m.input("beat_ready", bit());
                queue.set("out_ready", take);
                taken_beats[i].assign(take & queue.get("out_valid"));
                m.output("beat_valid", queue.get("out_valid"));
                m.output("beat_data", queue.get("out_data"));
            });
        }
        let ready = any(&ready);
        reader.set("data_ready", ready);
        order.set("out_ready", valid & ready & reader.get("data_last"));

        // ---- writes ----
        writer
            .set("cmd_valid", m.input("wr_cmd_valid", bit()))
            .set("cmd_addr", m.input("wr_cmd_addr", uint(addr_bits)))
            .set("cmd_beats", m.input("wr_cmd_beats", uint(beats_bits)))
            .set("data_valid", m.input("wr_valid", bit()))
            .set("data", m.input("wr_data", bits(data_bits)))
            .set("data_strb", m.input("wr_strobes", bits(g.bus_bytes)));
        m.output("wr_cmd_ready", writer.get("cmd_ready"));
        m.output("wr_ready", writer.get("data_ready"));
        let waiting = any(&[waiting_runs, known]);
        m.output("idle", reader.get("idle") & writer.get("idle") & !waiting);
    }
}
