//! A register in a stream.

use rtl_gen::{Builder, Module, bit, bits};

/// One-entry buffer: half the registers of a [`Skid`](super::Skid), where a path through `ready` does no harm.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_data` | in | bit, bits(`width`) | beat offered |
/// | `in_ready` | out | bit | empty, or `out_ready`: a path through the cell |
/// | `out_valid`, `out_data` | out | bit, bits(`width`) | registers |
/// | `out_ready` | in | bit | beat taken |
///
/// Latency 1, throughput one beat a cycle.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Bits a beat.
    pub width: u32,
}

impl Module for Stage {
    fn name(&self) -> String {
        format!("stage_w{}", self.width)
    }

    fn build(&self, m: &Builder) {
        m.doc("One-entry buffer: registers valid and data, not ready.");
        let (in_valid, in_data) =
            (m.input("in_valid", bit()), m.input("in_data", bits(self.width)));
        let valid = m.state("out_valid_q", bit(), 0);
        let ready = (!valid.q() | m.input("out_ready", bit())).named("ready");
        valid.drive_when(ready, in_valid);
        m.output("in_ready", ready);
        m.output("out_valid", valid.q());
        m.output("out_data", m.reg_when("out_data_q", ready & in_valid, in_data));
    }
}
