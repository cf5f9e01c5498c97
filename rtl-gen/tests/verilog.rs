//! Snapshots of the Verilog of a few modules, read without complaint by the lint tools.

use rtl_gen::{Builder, Design, MemSpec, Module, bit, bits, sint, uint};
use std::process::Command;

/// Multiply-accumulate cell.
#[derive(Debug)]
struct Mac;

impl Module for Mac {
    fn name(&self) -> String {
        "mac".into()
    }
    fn build(&self, m: &Builder) {
        m.doc("Multiply-accumulate cell: `sum <= first ? a * b : sum + a * b`.");
        let (first, valid) = (m.input("first", bit()), m.input("valid", bit()));
        let (a, b) = (m.input("a", sint(8)), m.input("b", sint(8)));
        m.port_doc("valid", "operands are present");
        let product = m.reg_when("product", valid, a * b).sext(32);
        let acc = m.reg_decl("acc", sint(32));
        acc.drive(first.mux(product, acc.q().add_wrap(product)));
        m.output("sum", acc.q());
    }
}

/// Queue with registered occupancy and a block RAM.
#[derive(Debug)]
struct Queue;

impl Module for Queue {
    fn name(&self) -> String {
        "queue".into()
    }
    fn build(&self, m: &Builder) {
        let (push, data) = (m.input("push", bit()), m.input("data", bits(32)));
        let pop = m.input("pop", bit());
        let [head, tail] = ["head", "tail"].map(|n| m.state(n, uint(5), 0));
        let used = tail.q().sub_wrap(head.q()).named("used");
        tail.drive_when(push, tail.q().inc());
        head.drive_when(pop, head.q().inc());
        let store = m.mem("store", MemSpec::block(16, 32));
        store.write(tail.q().trunc(4), data, push);
        m.output("word", store.read("word_q", head.q().trunc(4), pop & !push));
        m.output("full", used.is(16));
        m.output("empty", used.is(0));
        m.assert("no_overflow", !(push & used.is(16)));
        m.cover("half_full", used.is(8));
    }
}

/// A flag and a counter that pass from one clock to another.
#[derive(Debug)]
struct TwoClocks;

impl Module for TwoClocks {
    fn name(&self) -> String {
        "two_clocks".into()
    }
    fn build(&self, m: &Builder) {
        let fast = m.domain("fast");
        let flag = m.reg_reset("flag", m.input("request", bit()), 0);
        m.in_domain(fast, || {
            let seen = m.synchronizer("seen", flag, 2);
            let count = m.state_async("count", uint(8), 0);
            count.drive_when(seen, count.q().inc());
            m.output("count_now", count.q());
        });
    }
}

fn print(module: &dyn Module) -> String {
    let text = Design::elaborate(module).unwrap_or_else(|e| panic!("{e}")).verilog_text();
    read_by_tools(&module.name(), &text);
    text
}

/// Icarus and Verilator read the text and say nothing.
fn read_by_tools(top: &str, text: &str) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(format!("{top}.v")), text).unwrap();
    let file = format!("{top}.v");
    let tools: [(&str, Vec<&str>); 2] = [
        ("iverilog", vec!["-g2012", "-Wall", "-t", "null", &file]),
        ("verilator", vec!["--lint-only", "-Wall", &file]),
    ];
    for (tool, arguments) in tools {
        let output = Command::new(tool).args(&arguments).current_dir(dir.path()).output();
        let output = output.unwrap_or_else(|e| panic!("{tool}: {e}; `cargo xtask setup` gets it"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.trim().is_empty(), "{tool}: {said}\n{text}");
    }
}

#[test]
fn cell_text() {
    insta::assert_snapshot!("mac", print(&Mac));
}

#[test]
fn queue_text() {
    insta::assert_snapshot!("queue", print(&Queue));
}

#[test]
fn two_clocks_text() {
    insta::assert_snapshot!("two_clocks", print(&TwoClocks));
}
