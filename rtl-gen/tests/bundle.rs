//! Streams and AXI bundles: joined by prefix, checked by their own assertions.

use rtl_gen::bundle::{self, Axi4, Axi4Config, AxiLite, AxiLiteConfig, Stream};
use rtl_gen::{Builder, Design, Interpreter, Module, bits, uint};

/// One word of buffer: ready when empty.
#[derive(Debug)]
struct OneWord;

impl Module for OneWord {
    fn name(&self) -> String {
        "one_word".into()
    }
    fn build(&self, m: &Builder) {
        let input = Stream::input(m, "in", &[("data", uint(8)), ("tag", bits(2))]);
        let output = Stream::output(m, "out", &[("data", uint(8)), ("tag", bits(2))]);
        let full = m.state("full", bits(1), 0);
        input.ready.assign(!full.q());
        full.update(&[(input.fire(), m.high()), (output.fire(), m.low())]);
        let data = m.reg_when("data", input.fire(), input.field("data"));
        let tag = m.reg_when("tag", input.fire(), input.field("tag"));
        output.drive(full.q(), &[("data", data), ("tag", tag)]);
        input.assume_protocol();
        output.assert_protocol();
    }
}

#[derive(Debug)]
struct Chain;

impl Module for Chain {
    fn name(&self) -> String {
        "chain".into()
    }
    fn build(&self, m: &Builder) {
        let (a, b) = (m.inst("a", &OneWord), m.inst("b", &OneWord));
        bundle::connect(a, "out_", b, "in_");
        bundle::expose(m, a, "in_", "request_");
        bundle::expose(m, b, "out_", "reply_");
    }
}

#[test]
fn a_chain_passes_words_in_order() {
    let mut sim = Interpreter::new(&Design::elaborate(&Chain).unwrap()).unwrap();
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    let (mut sent, mut got) = (0, vec![]);
    for cycle in 0..100 {
        sim.set("request_valid", (sent < 20) as u64);
        sim.set("request_data", sent);
        sim.set("request_tag", sent % 4);
        sim.set("reply_ready", (cycle % 3 != 0) as u64);
        if sim.get("reply_valid") == 1 && cycle % 3 != 0 {
            got.push((sim.get("reply_data"), sim.get("reply_tag")));
        }
        let accepted = sim.get("request_ready") == 1 && sent < 20;
        sim.tick();
        sent += accepted as u64;
    }
    assert_eq!(got, (0..20).map(|i| (i, i % 4)).collect::<Vec<_>>());
    assert_eq!(sim.failure(), None);
}

#[test]
fn a_sender_that_changes_its_mind_is_caught() {
    let mut sim = Interpreter::new(&Design::elaborate(&Chain).unwrap()).unwrap();
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    sim.set("reply_ready", 0);
    sim.set("request_valid", 1);
    // Two words fill the chain; the third is withdrawn.
    for word in [1, 2, 2, 3, 4] {
        sim.set("request_data", word);
        sim.tick();
    }
    assert_eq!(sim.failure().map(|f| f.label.as_str()), Some("in_kept"));
}

#[test]
fn axi_ports_have_the_names_of_the_specification() {
    #[derive(Debug)]
    struct Bridge;
    impl Module for Bridge {
        fn name(&self) -> String {
            "bridge".into()
        }
        fn build(&self, m: &Builder) {
            let lite = AxiLite::slave(m, "s_axil", AxiLiteConfig { addr: 12, data: 32 });
            let full = Axi4::master(m, "m_axi", Axi4Config { addr: 40, data: 32, id: 4 });
            lite.check_protocol();
            full.check_protocol();
            let address = |from: &rtl_gen::bundle::StreamIn<'_>,
                           to: &rtl_gen::bundle::StreamOut<'_>| {
                from.ready.assign(to.ready);
            };
            address(&lite.aw, &full.aw);
            address(&lite.ar, &full.ar);
            address(&lite.w, &full.w);
            for (from, to) in [(&lite.aw, &full.aw), (&lite.ar, &full.ar)] {
                to.drive(
                    from.valid,
                    &[
                        ("id", m.lit(bits(4), 0)),
                        ("addr", from.field("addr").zext(40)),
                        ("len", m.lit(uint(8), 0)),
                        ("size", m.lit(uint(3), 2)),
                        ("burst", m.lit(bits(2), 1)),
                        ("cache", m.lit(bits(4), 3)),
                        ("prot", from.field("prot")),
                    ],
                );
            }
            let (data, strb) = (lite.w.field("data"), lite.w.field("strb"));
            full.w.drive(lite.w.valid, &[("data", data), ("strb", strb), ("last", m.high())]);
            lite.b.drive(full.b.valid, &[("resp", full.b.field("resp"))]);
            full.b.ready.assign(lite.b.ready);
            let (data, resp) = (full.r.field("data"), full.r.field("resp"));
            lite.r.drive(full.r.valid, &[("data", data), ("resp", resp)]);
            full.r.ready.assign(lite.r.ready);
        }
    }
    let design = Design::elaborate(&Bridge).unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<String> =
        design.top().ports.iter().map(|p| format!("{} {}", p.name, p.ty)).collect();
    for port in ["s_axil_awaddr uint(12)", "s_axil_wstrb bits(4)", "s_axil_bready bits(1)"] {
        assert!(names.contains(&port.to_string()), "{port}");
    }
    for port in ["m_axi_arid bits(4)", "m_axi_arlen uint(8)", "m_axi_rlast bits(1)"] {
        assert!(names.contains(&port.to_string()), "{port}");
    }
    let mut sim = Interpreter::new(&design).unwrap();
    sim.set("s_axil_araddr", 0x123);
    sim.set("s_axil_arvalid", 1);
    assert_eq!((sim.get("m_axi_araddr"), sim.get("m_axi_arvalid")), (0x123, 1));
}
