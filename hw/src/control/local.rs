//! The processor's own registers, and its signs of life.

use super::ring::{GLANCE, tag_type};
use crate::cells::counter;
use mattock_spec::regs::controller::WATCHDOG_CYCLES;
use mattock_spec::regs::local::{ALIVE, ANSWER, ANSWER_INFO, DENSE, DENSE_HIGH, PROGRAM, STATUS};
use mattock_spec::regs::{Field, Reg};
use rtl_gen::{Builder, Module, Sig, bit, bits, case, uint};

/// The registers of [`mattock_spec::regs::local`].
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `run` | in | bit | level: the processor runs |
/// | `read`, `read_addr`, `answer` | in, in, out | bit, uint(6), bits(32) | reads a register; the value follows by a cycle |
/// | `write`, `write_addr`, `data` | in | bit, uint(6), bits(32) | writes one |
/// | `ready`, `tail`, `code`, `head` | in | bit, bit, bits(8), uint | the entry to be judged, as at [`Ring`](super::ring::Ring) |
/// | `dense_*` | in | | its block at a glance, as at [`Slots`](super::ring::Slots) |
/// | `gemm_armed`, `spgemm_armed` | in | bit | the engine's registers are taken |
/// | `started` | in | bit | pulse: an engine has taken the entry |
/// | `take` | out | bit | pulse: the entry has its answer |
/// | `f_valid`, `f_ready`, `f_tag`, `f_code`, `f_info` | out, in, out, out, out | | that answer, on its way to the record |
/// | `alive`, `watchdog`, `version` | out | bit, bit, bits(32) | for the host |
/// | `entries`, `refused` | out | bits(32) | entries judged, and refused |
#[derive(Clone, Copy, Debug)]
pub struct LocalRegisters;

impl Module for LocalRegisters {
    fn name(&self) -> String {
        "local_registers".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("Registers of the card's own processor: the entry to be judged, its answer, signs of life.");
        let run = m.input("run", bit());
        let address = |name| m.input(name, uint(6));
        let (read_addr, write_addr) = (address("read_addr"), address("write_addr"));
        let (write, data) = (m.input("write", bit()), m.input("data", bits(32)));
        let hit = |reg: &Reg| write & write_addr.is((reg.offset >> 2).into());
        let part = |field: Field| data.slice(field.low + field.width - 1, field.low);

        // An answer waits here until the record writer takes it; until then no further entry is shown.
        let waiting = m.state("waiting", bit(), 0);
        let ready = (m.input("ready", bit()) & !waiting.q()).named("shown");
        let take = (hit(&ANSWER) & ready & run).named("answered");
        let taken = m.input("f_ready", bit());
        waiting.drive((take | (waiting.q() & !taken)) & run);
        let code = m.reg_when("answer_code", take, part(ANSWER::CODE));
        let info = m.state("answer_info", bits(32), 0);
        info.update(&[(!run, info.q().lit(0)), (hit(&ANSWER_INFO), data)]);
        m.output("take", take);
        m.output("f_valid", waiting.q());
        m.output("f_tag", m.reg_when("answer_tag", take, m.input("head", tag_type())));
        m.output("f_code", code);
        m.output("f_info", m.reg_when("answer_info_held", take, info.q()));

        let started = m.input("started", bit());
        let refuses = take & part(ANSWER::CODE).red_or();
        for (name, event) in [("entries", take | started), ("refused", refuses)] {
            m.output(name, counter(m, name, 32, !run, event).as_bits());
        }

        let alive = m.state("alive_q", bit(), 0);
        let sign = ((hit(&ALIVE) & run) | take | started).named("sign");
        alive.drive((sign | alive.q()) & run);
        let silence = m.state("silence", uint(WATCHDOG_CYCLES.trailing_zeros()), 0);
        let dead = m.state("dead", bit(), 0);
        silence.drive((run & !sign).gate(silence.q().inc()));
        dead.drive((dead.q() | silence.q().as_bits().red_and()) & run);
        m.output("alive", alive.q());
        m.output("watchdog", dead.q());
        let program = m.state("program_q", bits(32), 0);
        program.update(&[(!run, program.q().lit(0)), (hit(&PROGRAM), data)]);
        m.output("version", program.q());

        let armed = ["gemm_armed", "spgemm_armed"].map(|name| m.input(name, bit()));
        let status: [(Field, Sig); 5] = [
            (STATUS::READY, ready),
            (STATUS::TAIL, m.input("tail", bit())),
            (STATUS::GEMM_ARMED, armed[0]),
            (STATUS::SPGEMM_ARMED, armed[1]),
            (STATUS::FETCH, m.input("code", bits(8))),
        ];
        let placed = status.map(|(f, s)| s.zext(32 - f.low).shl_k(f.low));
        let word = placed.into_iter().reduce(|a, b| a | b).unwrap_or(data);
        let fields = [DENSE::WIDE, DENSE::SET, DENSE::LOW];
        let dense = fields.into_iter().zip(GLANCE);
        let dense =
            dense.map(|(f, port)| m.input(port, bits(f.width)).zext(32 - f.low).shl_k(f.low));
        let dense = dense.reduce(|a, b| a | b).unwrap_or(data);
        let values = [
            (STATUS, word),
            (ANSWER_INFO, info.q()),
            (PROGRAM, program.q()),
            (DENSE, dense),
            (DENSE_HIGH, m.input(GLANCE[3], bits(32))),
        ];
        let arms = values.map(|(reg, value)| (i128::from(reg.offset >> 2), value));
        let found = case(read_addr, &arms, m.lit(bits(32), 0)).named("found");
        m.output("answer", m.reg_when("answer_q", m.input("read", bit()), found));
    }
}
