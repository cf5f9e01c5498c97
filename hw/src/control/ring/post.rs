//! Writes completion records.

use super::{COUNT_BITS, fault_code};
use crate::bus::AxiWriteMaster;
use crate::cells::Fifo;
use mattock_spec::ErrorCode;
use mattock_spec::command::COMPLETION_BYTES;
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Records that may be on their way to memory.
const OUTSTANDING: u32 = 8;
/// Bits of a record.
const RECORD_BITS: u32 = 8 * COMPLETION_BYTES as u32;

/// Writes a record for every command that ended, and tells when it has reached memory.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | a command ended; `in_ready` does not wait for `in_valid` |
/// | `in_code`, `in_info`, `in_result`, `in_cycles` | in | bits(8), bits(32), bits(32), bits(64) | how |
/// | `in_first`, `in_cookie` | in | bits(32), bits(64) | word 0 and cookie of its ring entry |
/// | `ring` | in | uint(`addr_bits`) | address of the completion ring, a multiple of 64 |
/// | `mask` | in | uint(16) | records of the ring less 1 |
/// | `start` | in | bit | pulse: begin anew at record 0, of phase 1 |
/// | `flush` | in | bit | level: as told at [`AxiWriteMaster`] |
/// | `posted`, `written` | out | uint(16) | records taken; records whose response has come |
/// | `cause` | out | bit | pulse: one whose entry asks for an interrupt has |
/// | `fault`, `fault_code`, `fault_addr` | out | bit, bits(8), bits(32) | one has not, and why |
/// | `quiet` | out | bit | no record is on its way |
/// | `m_axi_*` | | | AXI4 write channels |
///
/// A record is one burst, so its response tells that it is in memory as a whole. One every 32 / `bus_bytes` + 2
/// cycles; 4 cycles from `in_valid` to the address channel.
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
        let beats = (COMPLETION_BYTES as u32 / self.bus_bytes).max(1);
        let writer = m.inst(
            "writer",
            &AxiWriteMaster {
                data_bits,
                addr_bits,
                max_burst: beats.max(2),
                outstanding: OUTSTANDING,
            },
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

        // One record at a time: its address, then its beats.
        let count = uint(COUNT_BITS);
        let posted = m.state("posted_q", uint(COUNT_BITS + 1), 0);
        let (address_due, data_due) =
            (m.state("address_due", bit(), 0), m.state("data_due", bit(), 0));
        let ready = (!(address_due.q() | data_due.q()) & !flush).named("ready");
        let take = (m.input("in_valid", bit()) & ready).named("take");
        m.output("in_ready", ready);
        let mask = m.input("mask", count);
        // The bit above the index tells the pass over the ring.
        let pass_bit = mask.zext(COUNT_BITS + 1).inc();
        let phase = !(posted.q() & pass_bit).red_or();
        let first = m.input("in_first", bits(32));
        let record = m.reg_when("record", take, layout(m, first, phase));
        let posted_count = posted.q().trunc(COUNT_BITS);
        let index = (posted_count & mask).named("index");
        let held_index = m.reg_when("held_index", take, index);
        let asks = first.bit(8);
        posted.update(&[(start | flush, posted.q().lit(0)), (take, posted.q().inc())]);

        let offset = held_index.shl_k(COMPLETION_BYTES.trailing_zeros()).resize(addr_bits);
        let place = m.input("ring", uint(addr_bits)).add_wrap(offset);
        let low = self.bus_bytes.trailing_zeros();
        let aligned = cat(&[place.slice(addr_bits - 1, low), m.lit(bits(low), 0)]).as_u();
        writer.set("cmd_valid", address_due.q()).set("cmd_addr", aligned);
        writer.set("cmd_beats", m.lit(uint(17), beats.into()));
        address_due.drive((take | (address_due.q() & !writer.get("cmd_ready"))) & !flush);

        let sent = (data_due.q() & writer.get("data_ready")).named("sent");
        let (data, strobes, last) = if beats > 1 {
            let beat = m.state("beat_index", uint(beats.trailing_zeros()), 0);
            beat.update(&[(take | flush, beat.q().lit(0)), (sent, beat.q().inc())]);
            let all = m.lit(bits(self.bus_bytes), (1 << self.bus_bytes) - 1);
            (record.dyn_lane(beat.q(), data_bits), all, beat.q().is(i128::from(beats) - 1))
        } else {
            let copies = data_bits / RECORD_BITS;
            let (ones, none) = (m.lit(bits(32), 0xffff_ffff), m.lit(bits(32), 0));
            let strobes = match copies {
                1 => ones,
                _ => held_index.bit(0).mux(cat(&[ones, none]), cat(&[none, ones])),
            };
            (record.rep(copies), strobes, m.high())
        };
        writer.set("data_valid", data_due.q()).set("data", data).set("data_strb", strobes);
        data_due.drive((take | (data_due.q() & !(sent & last))) & !flush);

        // Responses come in order.
        let asked = m.inst("asked", &Fifo { width: 1, depth: 2 * OUTSTANDING });
        asked.set("in_valid", take).set("in_data", asks).set("out_ready", answer | flush);
        m.assert("asked_has_room", asked.get("in_ready") | !take);
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

/// The 32 bytes of a record, as [`mattock_spec::command::Completion`] lays them out.
fn layout<'m>(m: &'m Builder, first: Sig<'m>, phase: Sig<'m>) -> Sig<'m> {
    let (opcode, queue) = (first.slice(7, 0), first.slice(31, 16));
    cat(&[
        m.lit(bits(7), 0),
        phase,
        m.lit(bits(24), 0),
        queue,
        opcode,
        m.input("in_code", bits(8)),
        m.input("in_result", bits(32)),
        m.input("in_info", bits(32)),
        m.input("in_cycles", bits(64)),
        m.input("in_cookie", bits(64)),
    ])
}
