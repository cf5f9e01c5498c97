//! The exact text of every kind of mistake.

use rtl_gen::{Builder, Design, MemSpec, Module, Value, bit, bits, case, cat, sint, uint};

/// A module from a closure. `Debug` is its identity.
struct Draw<F>(&'static str, &'static str, F);

impl<F> std::fmt::Debug for Draw<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }
}

impl<F: Fn(&Builder)> Module for Draw<F> {
    fn name(&self) -> String {
        self.0.into()
    }
    fn build(&self, m: &Builder) {
        (self.2)(m);
    }
}

fn draw<F: Fn(&Builder)>(name: &'static str, body: F) -> Draw<F> {
    Draw(name, name, body)
}

/// The messages without source lines, which move with every edit of this file.
fn errors(module: &dyn Module) -> String {
    let errors = Design::elaborate(module).expect_err("a mistake");
    let lines = errors.0.iter().map(|e| {
        assert!(e.at.file().ends_with("errors.rs"), "{e}");
        format!("{}: {}", e.path, e.kind)
    });
    lines.collect::<Vec<_>>().join("\n")
}

macro_rules! reports {
    ($name:ident, $body:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), errors(&draw("top", $body)));
        }
    };
}

reports!(mismatch, |m: &Builder| {
    let (a, b) = (m.input("a", uint(8)), m.input("b", sint(8)));
    m.output("sum", a.add_wrap(b.as_u().trunc(7)));
    m.output("both", a & b.as_u().zext(9));
    m.output("mixed", a + b);
    m.output("mux", m.input("s", bit()).mux(a, b.as_bits().as_u().zext(10)));
    m.output("chosen", case(a, &[(1, b)], b.sext(9)));
    m.reg_decl("r", uint(4)).drive(a);
    m.forward("w", bits(4)).assign(a.as_bits());
});

reports!(operand, |m: &Builder| {
    let (a, s) = (m.input("a", bits(8)), m.input("s", sint(8)));
    m.output("sum", a + a);
    m.output("less", a.lt(a));
    m.output("mux", a.mux(s, s));
    m.output("shift", s.shl(s));
    m.output("sra", a.sra(a.as_u()));
    m.reg_when("r", a, s);
    m.assert("claim", a);
});

reports!(range, |m: &Builder| {
    let a = m.input("a", uint(8));
    m.output("slice", a.slice(8, 0));
    m.output("backwards", a.slice(2, 5));
    m.output("trunc", a.trunc(9));
    m.output("zext", a.zext(4));
    m.output("shift", a.shr_k(8));
    m.output("rep", a.rep(0));
    m.output("as_type", a.as_type(bits(9)));
    m.output("lane", a.dyn_lane(a, 3));
    a.lanes(5);
});

reports!(constants, |m: &Builder| {
    m.output("u", m.lit(uint(4), 16));
    m.output("negative", m.lit(uint(4), -1));
    m.output("s", m.lit(sint(4), -9));
    m.state("r", uint(2), 4).drive(m.lit(uint(2), 0));
    let select = m.input("select", uint(2));
    m.output("chosen", case(select, &[(4, select)], select));
});

/// Uses a signal of its parent.
struct Thief<'p>(rtl_gen::Sig<'p>);

impl std::fmt::Debug for Thief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Thief")
    }
}

impl Module for Thief<'_> {
    fn name(&self) -> String {
        "thief".into()
    }
    fn build(&self, m: &Builder) {
        let mine = m.input("mine", bit());
        m.output("direct", self.0);
        m.output("mixed", mine & self.0);
        m.reg("register", self.0);
        m.forward("late", bit()).assign(self.0);
    }
}

reports!(foreign, |m: &Builder| {
    let theirs = m.input("theirs", bit());
    m.inst("thief_0", &Thief(theirs)).set("mine", theirs);
});

reports!(undriven, |m: &Builder| {
    m.output("from_wire", m.forward("late", bit()).sig());
    m.output("from_reg", m.reg_decl("hold", bit()).q());
    m.output_decl("port", bit());
    let child = draw("child", |m: &Builder| m.output("y", m.input("x", bit())));
    m.output("y", m.inst("child_0", &child).get("y"));
});

reports!(doubly_driven, |m: &Builder| {
    let a = m.input("a", bit());
    let w = m.forward("late", bit());
    w.assign(a);
    w.assign(a);
    let r = m.reg_decl("hold", bit());
    r.drive(a);
    r.drive(a);
    let child = draw("child", |m: &Builder| m.output("y", m.input("x", bit())));
    m.output("y", m.inst("child_0", &child).set("x", a).set("x", a).get("y"));
    m.output("all", w.sig() & r.q());
});

reports!(unused_input, |m: &Builder| {
    m.input("nobody", uint(8));
    m.input("waived", uint(8));
    m.unused("waived");
    m.output("y", m.high());
});

reports!(plain_loop, |m: &Builder| {
    let w = m.forward("ring", uint(8));
    let next = w.sig().inc().named("next");
    w.assign(next);
    m.output("y", next);
});

reports!(loop_through_instances, |m: &Builder| {
    let child = draw("stage", |m: &Builder| m.output("y", !m.input("x", bit())));
    let (a, b) = (m.inst("first", &child), m.inst("second", &child));
    a.set("x", b.get("y"));
    b.set("x", a.get("y"));
    m.output("y", b.get("y"));
});

reports!(loop_through_memory, |m: &Builder| {
    let mem = m.mem("store", MemSpec::distributed(4, 2).init(vec![]));
    let w = m.forward("at", uint(2));
    let data = mem.read_async("data", w.sig());
    w.assign(data.as_u());
    m.output("y", data);
});

reports!(crossing_into_register, |m: &Builder| {
    let a = m.input("a", bit());
    let fast = m.domain("fast");
    m.in_domain(fast, || m.output("y", m.reg("q", a)));
});

reports!(crossing_through_logic, |m: &Builder| {
    let fast = m.domain("fast");
    let a = m.input("a", bit());
    let b = m.in_domain(fast, || m.input("b", bit()));
    m.output("y", m.reg("q", (a & b).named("both")));
});

reports!(crossing_into_instance, |m: &Builder| {
    let child = draw("child", |m: &Builder| m.output("y", m.reg("q", m.input("x", bit()))));
    let fast = m.domain("fast");
    let b = m.in_domain(fast, || m.input("b", bit()));
    m.output("y", m.inst("child_0", &child).set("x", b).get("y"));
});

reports!(crossing_into_memory, |m: &Builder| {
    let fast = m.domain("fast");
    let b = m.in_domain(fast, || m.input("b", uint(2)));
    let mem = m.mem("store", MemSpec::block(4, 2));
    mem.write(b, b.as_bits(), m.input("write", bit()));
    m.output("y", mem.read("q", m.input("addr", uint(2)), m.high()));
});

reports!(crossing_from_outside, |m: &Builder| {
    let a = m.input_async("button", bit());
    m.output("y", m.reg("q", a));
    m.output("z", m.synchronizer("sync", a, 2));
});

reports!(names, |m: &Builder| {
    let a = m.input("logic", bit());
    m.output("2nd", a);
    m.output("a-b", a);
    m.output("twice", a);
    m.output("twice", a);
});

reports!(module_names, |m: &Builder| {
    let a = m.input("a", bit());
    let child =
        |parameters| Draw("child", parameters, |m: &Builder| m.output("y", m.input("x", bit())));
    for (i, parameters) in ["Child { width: 1 }", "Child { width: 2 }"].into_iter().enumerate() {
        let inst = m.inst(&format!("child_{i}"), &child(parameters)).set("x", a);
        m.output(&format!("y_{i}"), inst.get("y"));
    }
});

reports!(no_such_port, |m: &Builder| {
    let child = draw("child", |m: &Builder| {
        m.output("sum", m.input("left", uint(4)) + m.input("right", uint(4)));
    });
    let a = m.input("a", uint(4));
    let inst = m.inst("child_0", &child).set("left", a).set("right", a).set("middle", a);
    m.output("y", inst.get("product"));
    inst.clock("fast", m.default_domain());
});

reports!(connection_of_another_type, |m: &Builder| {
    let child = draw("child", |m: &Builder| m.output("y", m.input("x", uint(4))));
    m.output("y", m.inst("child_0", &child).set("x", m.input("a", uint(5))).get("y"));
});

reports!(memories, |m: &Builder| {
    let (addr, data) = (m.input("addr", uint(2)), m.input("data", bits(8)));
    let write = m.input("write", bit());
    m.mem("odd_depth", MemSpec::block(5, 8)).read("q0", addr, write);
    m.mem("no_width", MemSpec::block(4, 0));
    m.mem("bad_lanes", MemSpec::block(4, 8).lanes(3));
    m.mem("much_init", MemSpec::block(4, 8).init(vec![Value::zero(8); 5]));
    m.mem("wide_init", MemSpec::block(4, 8).init(vec![Value::zero(9)]));
    m.mem("wrong_data", MemSpec::block(4, 8)).write(addr, cat(&[data, data]), write);
    m.mem("wrong_addr", MemSpec::block(8, 8)).write(addr, data, write);
    m.mem("wrong_enable", MemSpec::block(4, 8)).write(addr, data, data);
    m.mem("no_lanes", MemSpec::block(4, 8)).write_lanes(addr, data, write, data);
    m.mem("block_async", MemSpec::block(4, 8)).read_async("q1", addr);
});

reports!(memory_ports, |m: &Builder| {
    let (addr, data) = (m.input("addr", uint(2)), m.input("data", bits(8)));
    let (other, write) = (m.input("other", uint(2)), m.input("write", bit()));
    m.mem("never_read", MemSpec::block(4, 8)).write(addr, data, write);
    m.mem("never_written", MemSpec::block(4, 8)).read("q0", addr, write);
    let three =
        m.mem("three_writers", MemSpec { style: rtl_gen::RamStyle::Auto, ..MemSpec::block(4, 8) });
    (0..3).for_each(|_| three.write(addr, data, write));
    three.read("q1", addr, write);
    let two = m.mem("two_writers", MemSpec::distributed(4, 8));
    (0..2).for_each(|_| two.write(addr, data, write));
    two.read("q2", addr, write);
    let readers = m.mem("two_readers", MemSpec::block(4, 8));
    readers.write(addr, data, write);
    readers.read("q3", addr, write);
    readers.read("q4", other, write);
    let unpaired = m.mem("unpaired", MemSpec::block(4, 8));
    unpaired.write(addr, data, write);
    unpaired.write(other, data, write);
    unpaired.read("q5", other, write);
});

#[test]
fn refused_parameters_and_paths() {
    #[derive(Debug)]
    struct Cell {
        width: u32,
    }
    impl Module for Cell {
        fn name(&self) -> String {
            format!("cell_w{}", self.width)
        }
        fn check(&self) -> Result<(), String> {
            match self.width {
                1..=18 => Ok(()),
                w => Err(format!("cell.width is {w}; one multiplier takes 1 to 18 bits")),
            }
        }
        fn build(&self, m: &Builder) {
            m.output("y", m.input("x", uint(self.width)));
        }
    }
    let row = draw("row", |m: &Builder| {
        m.inst("cell_3", &Cell { width: 19 });
    });
    let top = draw("top", move |m: &Builder| {
        m.inst("row_0", &row);
    });
    insta::assert_snapshot!("refused_parameters", errors(&top));
}

#[test]
fn a_message_names_the_line_of_rust() {
    let top = draw("top", |m: &Builder| {
        m.input("nobody", bit());
    });
    let line = line!() - 2;
    let message = Design::elaborate(&top).expect_err("a mistake").to_string();
    assert!(message.ends_with(&format!("at rtl-gen/tests/errors.rs:{line}")), "{message}");
}
