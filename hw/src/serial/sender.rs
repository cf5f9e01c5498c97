//! Wraps replies into frames.

use super::crc::crc_step;
use mattock_spec::serial::{CRC_BYTES, CRC_START, REPLY_START};
use rtl_gen::{Builder, Module, bit, bits, case, uint};

/// Puts the start byte before a reply and the check behind it.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_data`, `in_last`, `in_ready` | in, in, in, out | bit, bits(8), bit, bit | header and payload |
/// | `out_valid`, `out_data`, `out_ready` | out, out, in | bit, bits(8), bit | bytes for the line |
///
/// Adds no cycle to a byte.
#[derive(Clone, Copy, Debug)]
pub struct FrameSender;

const START: i128 = 0;
const BODY: i128 = 1;
const CHECK: i128 = 2;

impl Module for FrameSender {
    fn name(&self) -> String {
        "frame_sender".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("Puts the start byte before a reply and the check behind it.");
        let (in_valid, in_data) = (m.input("in_valid", bit()), m.input("in_data", bits(8)));
        let (in_last, out_ready) = (m.input("in_last", bit()), m.input("out_ready", bit()));

        let phase = m.state("phase", uint(2), START);
        let (start, body, check) = (phase.q().is(START), phase.q().is(BODY), phase.q().is(CHECK));
        let valid = (check | in_valid).named("valid");
        let sent = (valid & out_ready).named("sent");
        let index = m.state("index", uint(2), 0);
        index.drive_when(sent & check, index.q().inc());
        let ends = index.q().is((CRC_BYTES - 1).into());
        phase.update(&[
            (sent & start, phase.q().lit(BODY)),
            (sent & body & in_last, phase.q().lit(CHECK)),
            (sent & check & ends, phase.q().lit(START)),
        ]);

        let crc = m.reg_decl("crc", bits(32));
        crc.update(&[
            (start, crc.q().lit(CRC_START.into())),
            (sent & body, crc_step(crc.q(), in_data)),
        ]);
        let check_byte = (!crc.q()).dyn_lane(index.q(), 8);
        let first = m.lit(bits(8), REPLY_START.into());
        m.output("in_ready", body & out_ready);
        m.output("out_valid", valid);
        m.output("out_data", case(phase.q(), &[(BODY, in_data), (CHECK, check_byte)], first));
    }
}
