//! The AXI4 write master.

use super::burst::{self, Splitter};
use super::fault::sticky_fault;
use crate::cells::{Fifo, Skid};
use rtl_gen::bundle::Stream;
use rtl_gen::{Builder, Instance, Module, Sig, bit, bits, cat, mux, uint};

/// Writes runs of bus beats: commands and data in, responses counted.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `cmd_valid`, `cmd_ready` | in, out | bit | command stream |
/// | `cmd_addr` | in | uint(`addr_bits`) | byte address, a multiple of the bus width |
/// | `cmd_beats` | in | uint | beats, 1 to 65536, or to all of the address range; 17 bits or fewer |
/// | `data_valid`, `data_ready` | in, out | bit | data stream, in the order of the commands; may run ahead of or behind them |
/// | `data`, `data_strb` | in | bits(`data_bits`), bits(`data_bits`/8) | one beat; bytes with strobe 0 are not written |
/// | `fault`, `fault_addr` | out | bits(2), bits(32) | first error: response code (2 SLVERR, 3 DECERR, 0 none), address of its burst |
/// | `fault_clear` | in | bit | forget it |
/// | `flush` | in | bit | level: drop commands and data, start nothing, finish begun bursts without writing a byte; hold until `idle` |
/// | `idle` | out | bit | no command is in work and every response is back |
/// | `m_axi_aw*`, `m_axi_w*`, `m_axi_b*` | | | AXI4 write channels, ID of one bit |
///
/// Throughput one beat a cycle, and one burst a cycle when commands are one beat each, as long as `outstanding`
/// covers the memory's latency. Latency 2 cycles from command to `awvalid`; data leaves one cycle after it was
/// taken, never before its burst was issued.
#[derive(Clone, Copy, Debug)]
pub struct AxiWriteMaster {
    /// Data bus width.
    pub data_bits: u32,
    /// Address bus width.
    pub addr_bits: u32,
    /// Longest burst in beats; a power of two, at most 4 KiB of data.
    pub max_burst: u32,
    /// Bursts in flight at most; a power of two.
    pub outstanding: u32,
}

impl Module for AxiWriteMaster {
    fn name(&self) -> String {
        let Self { data_bits, addr_bits, max_burst, outstanding } = self;
        format!("axi_write_master_d{data_bits}_a{addr_bits}_b{max_burst}_o{outstanding}")
    }

    fn check(&self) -> Result<(), String> {
        burst::check(self.data_bits, self.addr_bits, self.max_burst, self.outstanding)
    }

    fn build(&self, m: &Builder) {
        m.doc(
            "AXI4 write master: commands and data in, INCR bursts on the bus, responses counted.",
        );
        let flush = m.input("flush", bit());
        let low = self.addr_bits.min(32);
        let lengths = m.inst("lengths", &Fifo { width: 8, depth: self.outstanding });
        let flight = m.inst("flight", &Fifo { width: low, depth: self.outstanding });
        // A length leaves its queue before its response can: one queue's room is enough.
        let slot = flight.get("in_ready");
        let (data_bits, max_burst) = (self.data_bits, self.max_burst);
        let splitter = Splitter { data_bits, max_burst, channel: "aw", slot, flush };
        let burst = splitter.draw(m, self.addr_bits);
        lengths.set("in_valid", burst.issue).set("in_data", burst.len);
        flight.set("in_valid", burst.issue).set("in_data", burst.addr_low);
        m.assert("lengths_have_room", lengths.get("in_ready") | !burst.issue);
        self.data_channel(m, flush, lengths);

        let bus = Stream::input_with_prefix(m, "m_axi_b", &[("id", bit()), ("resp", bits(2))]);
        bus.unused("id");
        bus.assume_protocol();
        bus.ready.assign(m.high());
        let (bvalid, bresp) = (bus.valid, bus.field("resp"));
        flight.set("out_ready", bvalid);
        m.output("idle", !burst.active & flight.get("count").is(0));
        sticky_fault(m, bvalid, bresp, flight.get("out_data"));
        m.assume("answers_a_request", !bvalid | flight.get("out_valid"));
    }
}

impl AxiWriteMaster {
    fn data_channel<'m>(&self, m: &'m Builder, flush: Sig<'m>, lengths: Instance<'m>) {
        let valid = m.input("data_valid", bit());
        let data = m.input("data", bits(self.data_bits));
        let strobes = m.input("data_strb", bits(self.data_bits / 8));
        let width = self.data_bits + self.data_bits / 8 + 1;
        let stage = m.inst("data_stage", &Skid { width });

        let ready = (lengths.get("out_valid") & stage.get("in_ready")).named("ready");
        let push = ((valid | flush) & ready).named("push");
        let index = m.state("beat_index", uint(8), 0);
        let last = index.q().as_bits().eq(lengths.get("out_data")).named("last_beat");
        index.drive_when(push, mux(last, index.q().lit(0), index.q().inc()));
        lengths.set("out_ready", push & last);
        let strobes = (!flush).gate(strobes);
        stage.set("in_valid", push).set("in_data", cat(&[last, strobes, data]));
        m.output("data_ready", ready | flush);

        let fields = [("data", data.ty()), ("strb", strobes.ty()), ("last", bit())];
        let bus = Stream::output_with_prefix(m, "m_axi_w", &fields);
        let beat = stage.get("out_data");
        let (data, strobes) =
            (beat.slice(self.data_bits - 1, 0), beat.slice(width - 2, self.data_bits));
        bus.drive(
            stage.get("out_valid"),
            &[("data", data), ("strb", strobes), ("last", beat.msb())],
        );
        stage.set("out_ready", bus.ready);
        bus.assert_protocol();
        m.output("beat", bus.fire());
        m.port_doc("beat", "a data beat moves on the bus this cycle");
    }
}
