//! A cell that only breaks timing paths.

use rtl_gen::{Builder, Module, bit, bits};

/// Two-entry buffer that registers `valid`, `ready` and data: no path from one side to the other.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_data` | in | bit, bits(`width`) | beat offered |
/// | `in_ready` | out | bit | a register |
/// | `out_valid`, `out_data` | out | bit, bits(`width`) | registers |
/// | `out_ready` | in | bit | beat taken |
///
/// Latency 1, throughput one beat a cycle.
#[derive(Clone, Copy, Debug)]
pub struct Skid {
    /// Bits a beat.
    pub width: u32,
}

impl Module for Skid {
    fn name(&self) -> String {
        format!("skid_w{}", self.width)
    }

    fn build(&self, m: &Builder) {
        m.doc("Skid buffer: registers valid, ready and data.");
        let (in_valid, in_data) =
            (m.input("in_valid", bit()), m.input("in_data", bits(self.width)));
        let out_ready = m.input("out_ready", bit());
        let out_valid = m.state("out_valid_q", bit(), 0);
        let spare_valid = m.state("spare_valid", bit(), 0);
        let (out, spare) =
            (m.reg_decl("out_data_q", bits(self.width)), m.reg_decl("spare", bits(self.width)));

        let ready = !spare_valid.q();
        let room = (!out_valid.q() | out_ready).named("room");
        let accept = (in_valid & ready).named("accept");
        out_valid.drive_when(room, spare_valid.q() | accept);
        out.drive_when(room, spare_valid.q().mux(spare.q(), in_data));
        spare_valid.drive((spare_valid.q() | accept) & !room);
        spare.drive_when(accept, in_data);

        m.output("in_ready", ready);
        m.output("out_valid", out_valid.q());
        m.output("out_data", out.q());
    }
}
