//! Finds requests in a stream of bytes.

use super::crc::crc_step;
use mattock_spec::serial::{
    CRC_BYTES, CRC_RESIDUE, CRC_START, MAX_PAYLOAD, Op, REQUEST_HEADER_BYTES, REQUEST_START,
};
use rtl_gen::{Builder, Module, bit, bits, cat, uint};

/// Recognises requests, checks them, and hands header and payload on; what comes between them is dropped.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `valid`, `data` | in | bit, bits(8) | pulse: a byte from the line |
/// | `error` | in | bit | pulse: a byte was spoiled |
/// | `put`, `put_data` | out | bit, bits(8) | a byte of a request, not yet checked |
/// | `commit` | out | bit | pulse: the bytes put since the last pulse are a request |
/// | `rollback` | out | bit | pulse: they are none |
/// | `full` | in | bit | no room for another byte; the request under way is given up |
///
/// Never holds up the line. A request under way is given up at a spoiled byte, at a header that cannot be one, at a
/// wrong check, and when the line is silent for `2^silence_bits` clocks. Then the next start byte counts.
#[derive(Clone, Copy, Debug)]
pub struct FrameReceiver {
    /// Clocks of silence within a request, as a power of two.
    pub silence_bits: u32,
}

const HUNT: i128 = 0;
const HEADER: i128 = 1;
const PAYLOAD: i128 = 2;
const CHECK: i128 = 3;

impl Module for FrameReceiver {
    fn name(&self) -> String {
        format!("frame_receiver_s{}", self.silence_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("Finds requests in a stream of bytes and checks them.");
        let (valid, data) = (m.input("valid", bit()), m.input("data", bits(8)));
        let (error, full) = (m.input("error", bit()), m.input("full", bit()));

        let phase = m.state("phase", uint(2), HUNT);
        let is = |value| phase.q().is(value);
        let (hunt, header, payload, check) = (is(HUNT), is(HEADER), is(PAYLOAD), is(CHECK));
        // Bytes to come in this phase.
        let left = m.state("left", uint(9), 0);
        let last = left.q().is(1);
        let start = (valid & hunt & data.is(REQUEST_START.into())).named("start");
        let taken = (valid & !hunt).named("taken");

        // Byte `place` of the header.
        let byte = |name: &str, place: u32| {
            let here = left.q().is((REQUEST_HEADER_BYTES - place).into());
            m.reg_when(name, valid & header & here, data)
        };
        let op = byte("op", 1).as_u();
        let length = cat(&[byte("length_high", 3), byte("length_low", 2)]).as_u();
        let known = op.le(op.lit(Op::Hello as i128)) & length.le(length.lit(MAX_PAYLOAD.into()));
        let known = known.named("known");
        let writes = op.is(Op::WriteRegisters as i128) | op.is(Op::WriteMemory as i128);
        let has_payload = (writes & !length.is(0)).named("has_payload");

        let crc = m.reg_decl("crc", bits(32));
        let next_crc = crc_step(crc.q(), data).named("next_crc");
        crc.update(&[(start, crc.q().lit(CRC_START.into())), (taken, next_crc)]);

        let silence = m.state("silence", uint(self.silence_bits + 1), 0);
        silence.drive((valid | hunt).mux(silence.q().lit(0), silence.q().inc()));
        let silent = silence.q().msb();

        let put = (taken & !check).named("put_now");
        let ends = (taken & check & last).named("ends");
        let good = next_crc.is(CRC_RESIDUE.into()).named("good");
        let no_header = taken & header & last & !known;
        let lost = !hunt & (error | silent | (put & full));
        let rollback = (no_header | lost | (ends & !good)).named("rollback_now");
        let commit = (ends & good & !lost).named("commit_now");

        let after_header =
            has_payload.mux(phase.q().lit(PAYLOAD), phase.q().lit(CHECK)).named("after_header");
        phase.update(&[
            (rollback | commit, phase.q().lit(HUNT)),
            (start, phase.q().lit(HEADER)),
            (taken & header & last, after_header),
            (taken & payload & last, phase.q().lit(CHECK)),
        ]);
        let check_bytes = left.q().lit(CRC_BYTES.into());
        left.update(&[
            (start, left.q().lit(REQUEST_HEADER_BYTES.into())),
            (taken & header & last, has_payload.mux(length.trunc(9), check_bytes)),
            (taken & payload & last, check_bytes),
            (taken, left.q().dec()),
        ]);

        m.output("put", put);
        m.output("put_data", data);
        m.output("commit", commit);
        m.output("rollback", rollback);
        m.assert("one_outcome", !(commit & rollback));
    }
}
