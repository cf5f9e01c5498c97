//! Writes completion records.

use super::{COUNT_BITS, fault_code};
use crate::bus::{AxiWriteMaster, beats_bits};
use crate::cells::Fifo;
use mattock_spec::ErrorCode;
use mattock_spec::command::{COMPLETION_BYTES, Counters};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Records that may be on their way to memory.
const OUTSTANDING: u32 = 8;

/// Writes a record for every command that ended, and tells when it has reached memory.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | a command ended; it and how it ended hold still until `in_ready` |
/// | `in_counted` | in | bit | it has counters; else they are 0 and it is taken at once |
/// | `busy` | out | bit | a record with counters is on its way out: its source must not change |
/// | `in_code`, `in_info`, `in_result`, `in_cycles` | in | bits(8), bits(32), bits(32), bits(64) | how |
/// | `in_counters` | in | bits | what it cost: [`Counters::LAYOUT`], the first lowest |
/// | `in_first`, `in_cookie` | in | bits(32), bits(64) | word 0 and cookie of its ring entry |
/// | `ring` | in | uint(`addr_bits`) | address of the completion ring, a multiple of 128 |
/// | `mask` | in | uint(16) | records of the ring less 1 |
/// | `start` | in | bit | pulse: begin anew at record 0, of phase 1 |
/// | `flush` | in | bit | level: as told at [`AxiWriteMaster`] |
/// | `posted`, `written` | out | uint(16) | records taken; records whose response has come |
/// | `cause` | out | bit | pulse: one whose entry asks for an interrupt has |
/// | `fault`, `fault_code`, `fault_addr` | out | bit, bits(8), bits(32) | one has not, and why |
/// | `quiet` | out | bit | no record is on its way |
/// | `m_axi_*` | | | AXI4 write channels |
///
/// A record is one burst, so its response tells that it is in memory as a whole. Counters are not held here but taken from
/// where they are. One every 128 / `bus_bytes` + 2 cycles; 4 cycles from `in_valid` to the address channel.
#[derive(Clone, Copy, Debug)]
pub struct Post {
    /// Bytes of a beat.
    pub bus_bytes: u32,
    /// Address bus width.
    pub addr_bits: u32,
}

impl Module for Post {
    fn name(&self) -> String {
        format!("ring_post_w{}_a{}", self.bus_bytes, self.addr_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("Writes completion records.");
        let (data_bits, addr_bits) = (8 * self.bus_bytes, self.addr_bits);
        let beats = COMPLETION_BYTES as u32 / self.bus_bytes;
        let writer = m.inst(
            "writer",
            &AxiWriteMaster { data_bits, addr_bits, max_burst: beats, outstanding: OUTSTANDING },
        );
        for channel in ["m_axi_aw", "m_axi_w"] {
            expose(m, writer, channel, channel);
        }
        let answer = m.input("m_axi_bvalid", bit());
        writer.set("m_axi_bvalid", answer).set("m_axi_bid", m.input("m_axi_bid", bit()));
        let response = m.input("m_axi_bresp", bits(2));
        writer.set("m_axi_bresp", response);
        m.output("m_axi_bready", writer.get("m_axi_bready"));
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        writer.set("flush", flush).set("fault_clear", start);

        // One record at a time: its address, then its beats. The counters are read where they are.
        let count = uint(COUNT_BITS);
        let posted = m.state("posted_q", uint(COUNT_BITS + 1), 0);
        let (address_due, data_due) =
            (m.state("address_due", bit(), 0), m.state("data_due", bit(), 0));
        let free = (!(address_due.q() | data_due.q()) & !flush).named("free");
        let begins = (m.input("in_valid", bit()) & free).named("begins");
        let mask = m.input("mask", count);
        // The bit above the index tells the pass over the ring.
        let pass_bit = mask.zext(COUNT_BITS + 1).inc();
        let phase = m.reg_when("phase", begins, !(posted.q() & pass_bit).red_or());
        let first = m.input("in_first", bits(32));
        let counts = m.input("in_counted", bit());
        let counted = m.reg_when("counted", begins, counts);
        let counters = counted.gate(m.input("in_counters", bits(Counters::BITS)));
        let head = m.reg_when("head", begins, head(m, first));
        let filled = 8 * Counters::OFFSET as u32 + Counters::BITS;
        let rest = m.lit(bits(8 * (COMPLETION_BYTES as u32 - 1) - filled), 0);
        let record = cat(&[m.lit(bits(7), 0), phase, rest, counters, head]);
        let posted_count = posted.q().trunc(COUNT_BITS);
        let index = m.reg_when("index", begins, posted_count & mask);
        posted.update(&[(start | flush, posted.q().lit(0)), (begins, posted.q().inc())]);

        let offset = index.shl_k(COMPLETION_BYTES.trailing_zeros()).resize(addr_bits);
        let place = m.input("ring", uint(addr_bits)).add_wrap(offset);
        let low = COMPLETION_BYTES.trailing_zeros();
        let aligned = cat(&[place.slice(addr_bits - 1, low), m.lit(bits(low), 0)]).as_u();
        writer.set("cmd_valid", address_due.q()).set("cmd_addr", aligned);
        writer.set("cmd_beats", m.lit(uint(beats_bits(data_bits, addr_bits)), beats.into()));
        address_due.drive((begins | (address_due.q() & !writer.get("cmd_ready"))) & !flush);

        let sent = (data_due.q() & writer.get("data_ready")).named("sent");
        let beat = m.state("beat_index", uint(beats.trailing_zeros()), 0);
        beat.update(&[(begins | flush, beat.q().lit(0)), (sent, beat.q().inc())]);
        let last = beat.q().is(i128::from(beats) - 1);
        let all = m.lit(bits(self.bus_bytes), (1 << self.bus_bytes) - 1);
        writer.set("data_valid", data_due.q()).set("data_strb", all);
        writer.set("data", record.dyn_lane(beat.q(), data_bits));
        let take = (sent & last & !flush).named("take");
        data_due.drive((begins | (data_due.q() & !take)) & !flush);
        m.output("busy", data_due.q() & counted);
        m.output("in_ready", (begins & !counts) | (take & counted));

        // Responses come in order.
        let asked = m.inst("asked", &Fifo { width: 1, depth: 2 * OUTSTANDING });
        asked.set("in_valid", begins).set("in_data", first.bit(8)).set("out_ready", answer | flush);
        m.assert("asked_has_room", asked.get("in_ready") | !begins);
        m.output("posted", posted_count);
        let reached = (answer & !response.bit(1) & !flush).named("reached");
        let written = m.state("written_q", count, 0);
        written.update(&[(start | flush, written.q().lit(0)), (reached, written.q().inc())]);
        m.output("written", written.q());
        // A cycle after the count, so that who is woken finds it.
        m.output("cause", m.reg_reset("cause_q", reached & asked.get("out_data").bit(0), 0));
        let fault = writer.get("fault");
        m.output("fault", fault.bit(1));
        m.output("fault_code", fault_code(fault, ErrorCode::WriteSlaveError));
        m.output("fault_addr", writer.get("fault_addr"));
        let busy = address_due.q() | data_due.q() | asked.get("out_valid");
        m.output("quiet", writer.get("idle") & !busy);
    }
}

/// The first 32 bytes of a record, as [`mattock_spec::command::Completion`] lays them out.
fn head<'m>(m: &'m Builder, first: Sig<'m>) -> Sig<'m> {
    let (opcode, queue) = (first.slice(7, 0), first.slice(31, 16));
    cat(&[
        m.lit(bits(32), 0),
        queue,
        opcode,
        m.input("in_code", bits(8)),
        m.input("in_result", bits(32)),
        m.input("in_info", bits(32)),
        m.input("in_cycles", bits(64)),
        m.input("in_cookie", bits(64)),
    ])
}
