//! Does what requests ask for.

use super::access::Access;
use mattock_spec::regs::BAR0_BYTES;
use mattock_spec::serial::{
    HELLO_BYTES, MAX_PAYLOAD, Op, REPLY_HEADER_BYTES, REQUEST_HEADER_BYTES, SERIAL_VERSION, Status,
    WINDOW_BYTES,
};
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, uint};

/// Takes checked requests, reads and writes registers and card memory, and answers.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_data`, `in_ready` | in, in, out | bit, bits(8), bit | requests: header and payload |
/// | `out_valid`, `out_data`, `out_last`, `out_ready` | out, out, out, in | bit, bits(8), bit, bit | replies: header and payload |
/// | `write`, `write_addr`, `write_data`, `write_strb`, `read`, `read_addr`, `read_data` | | | register bus, as [`crate::bus::AxiLiteSlave`] has it |
/// | `mem_*` | | | request port of [`crate::memory::CardMemory`] |
/// | `irq` | in | bit | interrupt level, told in every reply |
///
/// A request is done once: one with the expected sequence number is executed; one behind it was executed before, so
/// a write is only answered again, and a read is read again; one ahead of it is refused, because one is missing.
/// A byte of payload takes a cycle, a bus beat two to four more.
#[derive(Clone, Copy, Debug)]
pub struct SerialBridge {
    /// Bytes of a beat of card memory.
    pub bus_bytes: u32,
    /// Bytes of card memory; a power of two.
    pub memory_bytes: u32,
}

const HEAD: i128 = 0;
const CHECK: i128 = 1;
const DECIDE: i128 = 2;
const TAKE: i128 = 3;
const STORE: i128 = 4;
const ANSWER: i128 = 5;
const FETCH: i128 = 6;
const SEND: i128 = 7;

/// The fields of the request in work.
struct Request<'m> {
    seq: Sig<'m>,
    op: Sig<'m>,
    length: Sig<'m>,
    address: Sig<'m>,
}

impl<'m> Request<'m> {
    fn new(header: Sig<'m>) -> Self {
        Request {
            seq: header.slice(7, 0).as_u(),
            op: header.slice(15, 8).as_u(),
            length: header.slice(31, 16).as_u(),
            address: header.slice(63, 32).as_u(),
        }
    }

    fn is(&self, op: Op) -> Sig<'m> {
        self.op.is(op as i128)
    }
}

/// What is known of a request before anything is done.
struct Verdict<'m> {
    status: Sig<'m>,
    execute: Sig<'m>,
    expected: Sig<'m>,
}

impl SerialBridge {
    /// Judges the request in work; `decide` is 1 for the one cycle in which the outcome counts.
    fn judge<'m>(&self, m: &'m Builder, request: &Request<'m>, decide: Sig<'m>) -> Verdict<'m> {
        let hello = request.is(Op::Hello).named("hello");
        let memory = request.is(Op::ReadMemory) | request.is(Op::WriteMemory);
        let session = m.state("session", bit(), 0);
        let expected = m.state("expected", uint(8), 0);
        session.drive_when(decide & hello, m.high());
        let ahead = request.seq.sub_wrap(expected.q());
        let fresh = ahead.is(0).named("fresh");
        let missing = (!fresh & !ahead.msb()).named("missing");
        expected.drive_when(decide & (hello | (session.q() & fresh)), request.seq.inc());

        // The header stands still from the cycle before the decision on.
        // As wide as the longer of a length and an address in memory.
        let low = (self.memory_bytes.max(BAR0_BYTES).ilog2() + 1).max(16);
        let end = m.reg("end_q", request.address.trunc(low) + request.length.zext(low));
        let far = request.address.slice(31, low).red_or();
        let limit = |bytes: u32| end.gt(end.lit(bytes.into()));
        let past = memory.mux(limit(self.memory_bytes), limit(BAR0_BYTES));
        let outside = (far | past).named("outside");
        let whole = request.address.slice(1, 0).is(0) & request.length.slice(1, 0).is(0);
        let uneven = (!memory & !whole).named("uneven");
        let status = |s: Status| m.lit(uint(4), s as i128);
        let fault = outside.mux(status(Status::Range), status(Status::Okay));
        let fault = uneven.mux(status(Status::Refused), fault);
        let fault = missing.mux(status(Status::Sequence), fault);
        let fault = session.q().mux(fault, status(Status::NoSession));
        let fault = hello.mux(status(Status::Okay), fault).named("fault");
        let writes = request.is(Op::WriteRegisters) | request.is(Op::WriteMemory);
        Verdict {
            status: m.reg_when("status", decide, fault),
            execute: m.reg_when("execute", decide, fault.is(0) & (fresh | !writes | hello)),
            expected: expected.q(),
        }
    }

    /// The answer to a hello.
    fn hello<'m>(&self, m: &'m Builder, nonce: Sig<'m>) -> Sig<'m> {
        let half = |value: u32| m.lit(bits(16), value.into());
        cat(&[
            m.lit(bits(32), self.memory_bytes.into()),
            half(0),
            half(WINDOW_BYTES),
            half(MAX_PAYLOAD),
            half(SERIAL_VERSION),
            nonce.as_bits(),
        ])
    }
}

impl Module for SerialBridge {
    fn name(&self) -> String {
        format!("serial_bridge_w{}_m{}", self.bus_bytes, self.memory_bytes)
    }

    fn check(&self) -> Result<(), String> {
        let Self { bus_bytes, memory_bytes } = *self;
        if bus_bytes.is_power_of_two()
            && (4..=64).contains(&bus_bytes)
            && memory_bytes.is_power_of_two()
            && memory_bytes >= 2 * bus_bytes
        {
            return Ok(());
        }
        Err(format!("{memory_bytes} bytes in beats of {bus_bytes} are no powers of two"))
    }

    fn build(&self, m: &Builder) {
        m.doc("Does what serial requests ask for, and answers.");
        let (in_valid, in_data) = (m.input("in_valid", bit()), m.input("in_data", bits(8)));
        let out_ready = m.input("out_ready", bit());
        let irq = m.input("irq", bit());

        let phase = m.state("phase", uint(3), HEAD);
        let is = |value| phase.q().is(value);
        let header = m.reg_decl("header", bits(8 * REQUEST_HEADER_BYTES));
        let request = Request::new(header.q());
        let take_header = (in_valid & is(HEAD)).named("take_header");
        header.drive_when(
            take_header,
            cat(&[in_data, header.q().slice(8 * REQUEST_HEADER_BYTES - 1, 8)]),
        );
        let verdict = self.judge(m, &request, is(DECIDE));
        let hello = request.is(Op::Hello);
        let registers = request.is(Op::ReadRegisters) | request.is(Op::WriteRegisters);
        let has_payload =
            (request.is(Op::WriteRegisters) | request.is(Op::WriteMemory)) & !request.length.is(0);

        // Bytes of the reply's payload.
        let reads = (verdict.execute
            & (request.is(Op::ReadRegisters) | request.is(Op::ReadMemory)))
        .named("reads");
        let replies =
            hello.mux(m.lit(uint(9), HELLO_BYTES.into()), reads.gate(request.length.trunc(9)));
        let replies = replies.named("reply_bytes");

        // Bytes done in this phase.
        let count = m.state("count", uint(9), 0);
        let next_count = count.q().inc().named("next_count");
        let take = (in_valid & is(TAKE)).named("take");
        let send = (is(SEND) & out_ready).named("send");
        let answer = (is(ANSWER) & out_ready).named("answer");
        let head_last = take_header & next_count.is(REQUEST_HEADER_BYTES.into());
        let answer_last = next_count.is(REPLY_HEADER_BYTES.into()).named("answer_last");
        let take_last = next_count.eq(request.length.trunc(9)).named("take_last");
        let send_last = next_count.eq(replies).named("send_last");
        let is_decided = is(DECIDE);

        let access = Access {
            bus_bytes: self.bus_bytes,
            memory_bytes: self.memory_bytes,
            registers,
            store: is(STORE),
            fetch: is(FETCH),
            start: is_decided,
            address: request.address,
            take: (take & verdict.execute).named("take_byte"),
            byte: in_data,
            step: take | (send & !hello),
        };
        let access = access.draw(m);

        let stored = is(STORE) & access.done;
        let store_due = (take & verdict.execute & (access.beat_end | take_last)).named("store_due");
        let all_taken = m.reg_when("all_taken", take, take_last);
        let answer_over = (answer & answer_last).named("answer_over");
        let no_reply = replies.is(0);
        let to = |value: i128| phase.q().lit(value);
        phase.update(&[
            (head_last, to(CHECK)),
            (is(CHECK), to(DECIDE)),
            (is_decided, has_payload.mux(to(TAKE), to(ANSWER))),
            (store_due, to(STORE)),
            (take & take_last, to(ANSWER)),
            (stored, all_taken.mux(to(ANSWER), to(TAKE))),
            (answer_over, no_reply.mux(to(HEAD), hello.mux(to(SEND), to(FETCH)))),
            (is(FETCH) & access.done, to(SEND)),
            (send & send_last, to(HEAD)),
            (send & access.beat_end & !hello, to(FETCH)),
        ]);
        let done_phase = [head_last, take & take_last, answer_over, send & send_last];
        let zero = count.q().lit(0);
        count.update(&[(any(&done_phase), zero), (take_header | take | answer | send, next_count)]);

        let reply_length = replies.zext(16).as_bits();
        let status = cat(&[irq, m.lit(bits(3), 0), verdict.status.as_bits()]);
        let reply = cat(&[reply_length, status, verdict.expected.as_bits(), request.seq.as_bits()]);
        let reply_byte = reply.dyn_lane(count.q().trunc(3), 8);
        let info = self.hello(m, request.address).dyn_lane(count.q().trunc(4), 8);
        let payload = hello.mux(info, access.byte);
        m.output("in_ready", is(HEAD) | is(TAKE));
        m.output("out_valid", is(ANSWER) | is(SEND));
        m.output("out_data", is(SEND).mux(payload, reply_byte));
        m.output("out_last", is(SEND).mux(send_last, answer_last & no_reply));
    }
}
