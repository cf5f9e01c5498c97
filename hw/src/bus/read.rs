//! The AXI4 read master.

use super::burst::{self, Splitter};
use super::fault::sticky_fault;
use crate::cells::Fifo;
use rtl_gen::bundle::Stream;
use rtl_gen::{Builder, Module, bit, bits, cat, uint};

/// Reads runs of bus beats: commands in, data out in order.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `cmd_valid`, `cmd_ready` | in, out | bit | command stream |
/// | `cmd_addr` | in | uint(`addr_bits`) | byte address, a multiple of the bus width |
/// | `cmd_beats` | in | uint | beats, 1 to 65536, or to all of the address range; 17 bits or fewer |
/// | `data_valid`, `data_ready` | out, in | bit | data stream, in the order of the commands |
/// | `data` | out | bits(`data_bits`) | straight from the bus |
/// | `data_last` | out | bit | last beat of its command |
/// | `data_error` | out | bit | the bus answered this beat with SLVERR or DECERR; data is void |
/// | `fault`, `fault_addr` | out | bits(2), bits(32) | first error: response code (2 SLVERR, 3 DECERR, 0 none), address of its burst |
/// | `fault_clear` | in | bit | forget it |
/// | `flush` | in | bit | level: drop commands and data, start nothing; hold until `idle` |
/// | `idle` | out | bit | no command and no burst is in work |
/// | `m_axi_ar*`, `m_axi_r*` | | | AXI4 read channels, ID of one bit |
///
/// Throughput one beat a cycle, and one burst a cycle when commands are one beat each, as long as
/// `outstanding` covers the memory's latency. Latency from command to `arvalid` 2 cycles, from `rvalid` to
/// `data_valid` none. `data_ready` may stay 1: then this is a line reader without back-pressure.
#[derive(Clone, Copy, Debug)]
pub struct AxiReadMaster {
    /// Data bus width.
    pub data_bits: u32,
    /// Address bus width.
    pub addr_bits: u32,
    /// Longest burst in beats; a power of two, at most 4 KiB of data.
    pub max_burst: u32,
    /// Bursts in flight at most; a power of two.
    pub outstanding: u32,
}

impl Module for AxiReadMaster {
    fn name(&self) -> String {
        let Self { data_bits, addr_bits, max_burst, outstanding } = self;
        format!("axi_read_master_d{data_bits}_a{addr_bits}_b{max_burst}_o{outstanding}")
    }

    fn check(&self) -> Result<(), String> {
        burst::check(self.data_bits, self.addr_bits, self.max_burst, self.outstanding)
    }

    fn build(&self, m: &Builder) {
        m.doc("AXI4 read master: commands in, INCR bursts on the bus, data in order.");
        let flush = m.input("flush", bit());
        let low = self.addr_bits.min(32);
        let flight = m.inst("flight", &Fifo { width: 9 + low, depth: self.outstanding });
        let (data_bits, max_burst) = (self.data_bits, self.max_burst);
        let slot = flight.get("in_ready");
        let splitter = Splitter { data_bits, max_burst, channel: "ar", slot, flush };
        let burst = splitter.draw(m, self.addr_bits);
        let note = cat(&[burst.last, burst.len, burst.addr_low]);
        flight.set("in_valid", burst.issue).set("in_data", note);

        let fields =
            [("id", bit()), ("data", bits(self.data_bits)), ("resp", bits(2)), ("last", bit())];
        let bus = Stream::input_with_prefix(m, "m_axi_r", &fields);
        bus.unused("id");
        bus.assume_protocol();
        let (rvalid, rdata) = (bus.valid, bus.field("data"));
        let (rresp, rlast) = (bus.field("resp"), bus.field("last"));
        bus.ready.assign(m.input("data_ready", bit()) | flush);
        let beat = bus.fire().named("beat_taken");
        let note = flight.get("out_data");
        flight.set("out_ready", beat & rlast);
        m.output("data_valid", rvalid & !flush);
        m.output("data", rdata);
        m.output("data_last", rlast & note.bit(low + 8));
        m.output("data_error", rresp.bit(1));
        m.output("beat", beat);
        m.port_doc("beat", "a data beat moves on the bus this cycle");
        m.output("idle", !burst.active & flight.get("count").is(0));
        sticky_fault(m, beat, rresp, note.slice(low - 1, 0));

        let index = m.state("beat_index", uint(8), 0);
        index.drive_when(beat, rlast.gate(index.q().lit(0)) | (!rlast).gate(index.q().inc()));
        let expected = flight.get("out_valid");
        m.assume("answers_a_request", !rvalid | expected);
        m.assume(
            "rlast_on_time",
            !(rvalid & expected) | rlast.eq(index.q().as_bits().eq(note.slice(low + 7, low))),
        );
    }
}
