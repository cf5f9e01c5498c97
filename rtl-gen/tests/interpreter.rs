//! The interpreter on small designs with known answers.

use rtl_gen::sim::{Interpreter, Options, SimError, Start};
use rtl_gen::{BlackBox, BlackBoxModel, Builder, Collision, Design, MemSpec, Module};
use rtl_gen::{Value, bit, bits, cat, sint, uint};
use std::rc::Rc;

/// A module from a closure, for tests.
struct Draw<F>(&'static str, F);

impl<F> std::fmt::Debug for Draw<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl<F: Fn(&Builder)> Module for Draw<F> {
    fn name(&self) -> String {
        self.0.into()
    }
    fn build(&self, m: &Builder) {
        (self.1)(m);
    }
}

fn simulate(draw: impl Fn(&Builder)) -> Interpreter {
    let design = Design::elaborate(&Draw("top", draw)).unwrap_or_else(|e| panic!("{e}"));
    Interpreter::new(&design).unwrap()
}

#[test]
fn arithmetic_is_exact_and_wraps_where_asked() {
    let mut sim = simulate(|m| {
        let (a, b) = (m.input("a", sint(8)), m.input("b", sint(8)));
        m.output("sum", a + b);
        m.output("product", a * b);
        m.output("wrapped", a.add_wrap(b));
        m.output("less", a.lt(b));
        m.output("wide", cat(&[a.sext(100).as_bits(), b.as_bits()]));
    });
    sim.set("a", -100i64 as u64);
    sim.set("b", -100i64 as u64);
    assert_eq!(sim.get_i64("sum"), -200);
    assert_eq!(sim.get_i64("product"), 10_000);
    assert_eq!(sim.get_i64("wrapped"), 56);
    sim.set("b", 1);
    assert_eq!(sim.get("less"), 1);
    let mut words = [0; 5];
    sim.get_words("wide", &mut words);
    assert_eq!(words, [0xffff_9c01, 0xffff_ffff, 0xffff_ffff, 0xfff, 0]);
}

#[test]
fn combinational_paths_through_instances() {
    let mut sim = simulate(|m| {
        let x = m.input("x", uint(8));
        let stage = Draw("stage", |m: &Builder| {
            let (p, q) = (m.input("p", uint(8)), m.input("q", uint(8)));
            m.output("p_next", p.inc());
            m.output("q_next", q.inc());
        });
        let inst = m.inst("stage_0", &stage);
        // Out of one path of the instance and into the other: no loop.
        inst.set("p", x).set("q", inst.get("p_next"));
        m.output("y", inst.get("q_next"));
    });
    sim.set("x", 254);
    assert_eq!(sim.get("y"), 0);
    assert_eq!(sim.peek("stage_0/p_next").map(|v| v.to_u64()), Some(255));
    assert_eq!(sim.peek("stage_0/nothing"), None);
}

#[test]
fn a_constant_of_a_later_instance_reaches_an_earlier_one() {
    let mut sim = simulate(|m| {
        let sink = Draw("sink", |m: &Builder| m.output("low", m.input("x", bits(64)).slice(7, 0)));
        let source = Draw("source", |m: &Builder| m.output("x", m.lit(bits(64), 0x1234)));
        let (sink, source) = (m.inst("sink_0", &sink), m.inst("source_0", &source));
        sink.set("x", source.get("x"));
        m.output("y", sink.get("low"));
    });
    assert_eq!(sim.get("y"), 0x34);
}

#[test]
fn registers_swap_and_reset() {
    let mut sim = simulate(|m| {
        let (a, b) = (m.state("a", uint(4), 3), m.state("b", uint(80), 5));
        a.drive(b.q().trunc(4));
        b.drive_when(m.input("enable", bit()), a.q().zext(80));
        m.output("out", cat(&[b.q().as_bits(), a.q().as_bits()]));
    });
    sim.set("rst", 1);
    sim.set("enable", 1);
    sim.tick();
    sim.set("rst", 0);
    assert_eq!(sim.get("out"), 0x53);
    sim.tick();
    assert_eq!(sim.get("out"), 0x35);
    sim.set("enable", 0);
    sim.tick();
    assert_eq!(sim.get("out"), 0x33);
    assert_eq!(sim.cycle(), 3);
}

#[test]
fn asynchronous_reset_acts_at_once() {
    let mut sim = simulate(|m| {
        let n = m.state_async("n", uint(8), 7);
        n.drive(n.q().inc());
        m.output("out", n.q());
    });
    sim.set("rst", 1);
    assert_eq!(sim.get("out"), 7);
    sim.set("rst", 0);
    sim.tick();
    assert_eq!(sim.get("out"), 8);
}

#[test]
fn two_clocks_tick_alone_or_together() {
    let mut sim = simulate(|m| {
        let fast = m.domain("fast");
        let slow = m.state("slow", uint(8), 0);
        slow.drive(slow.q().inc());
        m.output("slow_count", slow.q());
        m.in_domain(fast, || {
            let count = m.state("fast_count", uint(8), 0);
            count.drive(count.q().inc());
            m.output("fast_out", count.q());
        });
    });
    sim.set("rst", 1);
    sim.set("fast_rst", 1);
    sim.tick();
    sim.set("rst", 0);
    sim.set("fast_rst", 0);
    sim.tick_clock("fast_clk");
    sim.tick_clock("fast_clk");
    sim.tick();
    sim.tick_clock("clk");
    assert_eq!((sim.get("slow_count"), sim.get("fast_out")), (2, 3));
}

fn one_port(collision: Collision) -> Interpreter {
    simulate(|m| {
        let (addr, data) = (m.input("addr", uint(4)), m.input("data", bits(72)));
        let (write, lanes) = (m.input("write", bit()), m.input("lanes", bits(9)));
        let mem = m.mem("store", MemSpec::block(16, 72).lanes(8).collision(collision));
        mem.write_lanes(addr, data, write, lanes);
        m.output("q", mem.read("q_reg", addr, m.high()));
    })
}

#[test]
fn memory_collisions_follow_the_policy() {
    for (collision, expected) in [
        (Collision::Old, Some(0x1111)),
        (Collision::New, Some(0x1122)),
        (Collision::DontCare, None),
    ] {
        let mut sim = one_port(collision);
        sim.set("addr", 3);
        sim.set("write", 1);
        sim.set_words("data", &[0x1111, 0, 0xab]);
        sim.set("lanes", 0x1ff);
        sim.tick();
        sim.set_words("data", &[0x2222, 0, 0xcd]);
        sim.set("lanes", 0x101);
        sim.tick();
        match expected {
            Some(value) => assert_eq!(sim.get("q"), value, "{collision:?}"),
            None => assert!(![0x1111, 0x1122].contains(&sim.get("q"))),
        }
        sim.set("write", 0);
        sim.tick();
        let mut words = [0; 3];
        sim.get_words("q", &mut words);
        assert_eq!(words, [0x1122, 0, 0xcd]);
        assert_eq!(format!("{:x}", sim.peek("store[3]").unwrap()), "cd0000000000001122");
    }
}

#[test]
fn start_values() {
    let draw = Draw("top", |m: &Builder| {
        m.output("plain", m.reg("r", m.input("x", bits(64))));
        m.output("given", m.reg_decl("g", bits(8)).init(0x5a).q_held());
    });
    let design = Design::elaborate(&draw).unwrap();
    let mut random = Interpreter::new(&design).unwrap();
    let zero = Options { start: Start::Zero, ..Options::default() };
    let mut zero = Interpreter::with_options(&design, zero).unwrap();
    assert_ne!(random.get("plain"), 0);
    assert_eq!(zero.get("plain"), 0);
    assert_eq!((random.get("given"), zero.get("given")), (0x5a, 0x5a));
}

trait Held<'m> {
    fn q_held(self) -> rtl_gen::Sig<'m>;
}

impl<'m> Held<'m> for rtl_gen::Reg<'m> {
    fn q_held(self) -> rtl_gen::Sig<'m> {
        self.drive(self.q());
        self.q()
    }
}

#[test]
fn assertions_and_covers() {
    let mut sim = simulate(|m| {
        let guard = Draw("guard", |m: &Builder| {
            let x = m.input("x", uint(4));
            m.assert("below_nine", x.lt(m.lit(uint(4), 9)));
            m.cover("seven", x.is(7));
        });
        m.inst("guard_0", &guard).set("x", m.input("x", uint(4)));
    });
    for (reset, x) in [(1, 15), (0, 7), (0, 7), (0, 3)] {
        sim.set("rst", reset);
        sim.set("x", x);
        sim.tick();
    }
    assert_eq!(sim.failure(), None);
    assert_eq!(sim.covers().collect::<Vec<_>>(), [("top/guard_0", "seven", 2)]);
    sim.set("x", 12);
    sim.tick();
    let failure = sim.failure().unwrap().to_string();
    assert_eq!(failure, "assertion `top/guard_0.below_nine` failed at cycle 4");
}

/// Sum of all inputs so far; with a path from the input when `.1`.
struct Adder(u64, bool);

impl BlackBoxModel for Adder {
    fn outputs(&mut self, inputs: &[Value], outputs: &mut [Value]) {
        let through = if self.1 { inputs[0].to_u64() } else { 0 };
        outputs[0] = Value::from_i128(16, (through + self.0) as i128);
    }
    fn clock(&mut self, inputs: &[Value]) {
        self.0 += inputs[0].to_u64();
    }
}

fn boxed(registered: bool, model: bool) -> Result<Interpreter, SimError> {
    use rtl_gen::ir::Direction::{Input, Output};
    let draw = Draw("top", |m: &Builder| {
        let ports =
            [("ck", Input, rtl_gen::Type::Clock), ("x", Input, uint(8)), ("y", Output, uint(16))];
        let target = BlackBox {
            name: "adder".into(),
            parameters: vec![],
            ports: ports.map(|(n, d, t)| (n.to_string(), d, t)).to_vec(),
            registered_outputs: registered,
            model: match (model, registered) {
                (false, _) => None,
                (true, false) => Some(|| Box::new(Adder(0, true))),
                (true, true) => Some(|| Box::new(Adder(0, false))),
            },
            simulation_text: None,
        };
        let inst = m.black_box("box_0", Rc::new(target));
        inst.set("x", m.input("x", uint(8)).inc());
        m.output("y", inst.get("y").inc());
    });
    Interpreter::new(&Design::elaborate(&draw).unwrap())
}

#[test]
fn black_boxes_run_their_model() {
    let mut sim = boxed(false, true).unwrap();
    sim.set("x", 4);
    assert_eq!(sim.get("y"), 6);
    sim.tick();
    assert_eq!(sim.get("y"), 11);
    let message = boxed(false, false).err().unwrap().to_string();
    assert_eq!(
        message,
        "`top/box_0` is the black box `adder`, which has no model: give it one, or simulate its Verilog"
    );
    let mut sim = boxed(true, true).unwrap();
    sim.set("x", 4);
    sim.tick();
    sim.tick();
    assert_eq!(sim.get("y"), 11);
}
