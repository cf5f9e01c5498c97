//! An AXI4 slave in front of a RAM.

use crate::cells::Fifo;
use rtl_gen::bundle::{Axi4, Axi4Config, Axi4Slave};
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Turns AXI4 bursts into requests for single beats of a RAM.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `s_axi_*` | | | AXI4 slave, ID of one bit: INCR bursts of full-width beats |
/// | `read_valid`, `read_addr`, `read_ready` | out, out, in | bit, uint, bit | beat wanted; taken when `read_ready` |
/// | `read_done`, `read_data` | in | bit, bits | the oldest beat taken and not yet given |
/// | `write_valid`, `write_addr`, `write_data`, `write_strb`, `write_ready` | | | beat to be written |
///
/// Beats outside the RAM answer DECERR and change nothing. One beat a cycle each way when the RAM grants it, also
/// when bursts are one beat long. Latency from address to first beat 2 cycles more than the RAM's, from the last beat
/// to its response 1.
#[derive(Clone, Copy, Debug)]
pub struct AxiRamPort {
    /// Bytes of a beat.
    pub bus_bytes: u32,
    /// Bits of a bus address.
    pub addr_bits: u32,
    /// Bytes of the RAM; a power of two. It begins at bus address 0.
    pub memory_bytes: u32,
    /// Beats asked for before the master has taken them: a power of two, as many as the RAM has on the way and two.
    pub ahead: u32,
}

const DECERR: i128 = 3;

/// A burst that is being worked on.
struct Burst<'m> {
    active: Sig<'m>,
    /// Beat address in the RAM.
    word: Sig<'m>,
    outside: Sig<'m>,
    last: Sig<'m>,
    id: Sig<'m>,
    /// A new one may come.
    free: Sig<'m>,
}

impl AxiRamPort {
    fn burst<'m>(
        &self,
        m: &'m Builder,
        take: Sig<'m>,
        fields: [Sig<'m>; 3],
        step: Sig<'m>,
    ) -> Burst<'m> {
        let [id, addr, len] = fields;
        let shift = self.bus_bytes.trailing_zeros();
        let word_bits = self.memory_bytes.trailing_zeros() - shift;
        let beat_bits = self.addr_bits - shift;
        let active = m.state("active", bit(), 0);
        let beat = m.reg_decl("beat", uint(beat_bits));
        let left = m.reg_decl("left", uint(8));
        let last = left.q().is(0);
        let over = (step & last).named("over");
        active.drive(take | (active.q() & !over));
        beat.update(&[
            (take, addr.slice(self.addr_bits - 1, shift).as_u()),
            (step, beat.q().inc()),
        ]);
        left.update(&[(take, len), (step, left.q().dec())]);
        let outside = match beat_bits > word_bits {
            true => beat.q().slice(beat_bits - 1, word_bits).red_or(),
            false => m.low(),
        };
        Burst {
            active: active.q(),
            word: beat.q().trunc(word_bits),
            outside,
            last,
            id: m.reg_when("id", take, id),
            free: !active.q() | over,
        }
    }

    fn reads<'m>(&self, m: &'m Builder, bus: &Axi4Slave<'m>) {
        let ready = m.input("ready", bit());
        let step = m.forward("step", bit());
        let fields = ["id", "addr", "len"].map(|f| bus.ar.field(f));
        let burst = self.burst(m, bus.ar.fire(), fields, step.sig());
        bus.ar.ready.assign(burst.free);

        // What is known of a beat waits for its data, and there is room for both.
        let note = cat(&[burst.last, burst.outside, burst.id.as_bits()]);
        let notes = m.inst("notes", &Fifo { width: 3, depth: self.ahead });
        let done = m.input("done", bit());
        notes.set("in_valid", step.sig()).set("in_data", note).set("out_ready", done);
        let width = 8 * self.bus_bytes;
        let queue = m.inst("queue", &Fifo { width: width + 3, depth: self.ahead });
        queue.set("in_valid", done);
        queue.set("in_data", cat(&[notes.get("out_data"), m.input("data", bits(width))]));
        let held = m.state("held", uint(self.ahead.ilog2() + 1), 0);
        let given = queue.get("out_valid") & bus.r.ready;
        held.update(&[
            (step.sig() & !given, held.q().inc()),
            (given & !step.sig(), held.q().dec()),
        ]);
        let valid = (burst.active & !held.q().is(self.ahead.into())).named("wanted");
        step.assign(valid & ready);
        m.output("valid", valid);
        m.output("addr", burst.word);

        let front = queue.get("out_data");
        let flag = |i| front.bit(width + i);
        queue.set("out_ready", bus.r.ready);
        let resp = flag(1).rep(2);
        bus.r.drive(
            queue.get("out_valid"),
            &[
                ("id", flag(0)),
                ("data", front.slice(width - 1, 0)),
                ("resp", resp),
                ("last", flag(2)),
            ],
        );
        m.assert("room_for_data", !done | (queue.get("in_ready") & notes.get("out_valid")));
    }

    fn writes<'m>(&self, m: &'m Builder, bus: &Axi4Slave<'m>) {
        let ready = m.input("ready", bit());
        let step = bus.w.fire();
        let fields = ["id", "addr", "len"].map(|f| bus.aw.field(f));
        let burst = self.burst(m, bus.aw.fire(), fields, step);
        bus.aw.ready.assign(burst.free);

        let answered = m.state("answered", bit(), 0);
        let room = !answered.q() | bus.b.ready;
        let valid = (burst.active & bus.w.valid & room).named("offered");
        bus.w.ready.assign(burst.active & room & ready);
        let failed = m.state("failed", bit(), 0);
        let bad = failed.q() | burst.outside;
        failed.drive_when(step, bad & !burst.last);
        let over = (step & burst.last).named("written");
        answered.drive(over | (answered.q() & !bus.b.ready));
        let resp = bad.gate(m.lit(bits(2), DECERR));
        bus.b.drive(
            answered.q(),
            &[
                ("id", m.reg_when("answer_id", over, burst.id)),
                ("resp", m.reg_when("answer", over, resp)),
            ],
        );
        m.output("valid", valid);
        m.output("addr", burst.word);
        m.output("data", bus.w.field("data"));
        let strobes = bus.w.field("strb");
        m.output("strb", (!burst.outside).gate(strobes));
        m.assert("last_in_its_place", !step | burst.last.eq(bus.w.field("last")));
    }
}

impl Module for AxiRamPort {
    fn name(&self) -> String {
        let Self { bus_bytes, addr_bits, memory_bytes, ahead } = self;
        format!("axi_ram_port_w{bus_bytes}_a{addr_bits}_m{memory_bytes}_q{ahead}")
    }

    fn build(&self, m: &Builder) {
        m.doc("AXI4 slave in front of a RAM: bursts become requests for beats.");
        let config = Axi4Config { addr: self.addr_bits, data: 8 * self.bus_bytes, id: 1 };
        let bus = Axi4::slave(m, "s_axi", config);
        bus.check_protocol();
        for (channel, stream) in [("ar", &bus.ar), ("aw", &bus.aw)] {
            let full = self.bus_bytes.trailing_zeros();
            let kept = stream.field("burst").is(1) & stream.field("size").is(full.into());
            m.assert(&format!("{channel}_is_plain"), !stream.valid | kept);
        }
        m.scope("read", || self.reads(m, &bus));
        m.scope("write", || self.writes(m, &bus));
    }
}
