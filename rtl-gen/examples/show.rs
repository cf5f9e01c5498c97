//! Prints a small module that uses most of the language: `cargo run -p rtl-gen --example show`.

use rtl_gen::{Builder, Design, MemSpec, Module, bit, bits, case, cat, sint, uint};

#[derive(Debug)]
struct Pe {
    width: u32,
}

impl Module for Pe {
    fn name(&self) -> String {
        format!("pe_w{}", self.width)
    }
    fn build(&self, m: &Builder) {
        m.doc("Multiply-accumulate cell.");
        let (first, valid) = (m.input("first", bit()), m.input("valid", bit()));
        let (a, b) = (m.input("a", sint(self.width)), m.input("b", sint(self.width)));
        let product = m.reg_when("product", valid, a * b);
        let acc = m.reg_decl("acc", sint(32));
        acc.drive(first.mux(product.sext(32), acc.q().add_wrap(product.sext(32))));
        m.output("sum", acc.q());
    }
}

#[derive(Debug)]
struct Top;

impl Module for Top {
    fn name(&self) -> String {
        "top".into()
    }
    fn build(&self, m: &Builder) {
        let (first, valid) = (m.input("first", bit()), m.input("valid", bit()));
        let (a, b) = (m.input("a", bits(16)), m.input("b", sint(8)));
        let lanes = a.lanes(8);
        let sums: Vec<_> = (0..2)
            .map(|i| {
                let pe = m.inst(&format!("pe_{i}"), &Pe { width: 8 });
                pe.set("first", first).set("valid", valid).set("a", lanes[i].as_s()).set("b", b);
                pe.get("sum")
            })
            .collect();
        let count = m.state("count", uint(4), 0);
        count.drive_when(valid, count.q().inc());
        let mem = m.mem("store", MemSpec::block(16, 32).lanes(8));
        mem.write_lanes(count.q(), sums[0].as_bits(), valid, a.slice(3, 0));
        let read = mem.read("read", count.q(), m.high());
        let wide = cat(&[read, sums[1].as_bits(), a]);
        let lane = wide.dyn_lane(count.q(), 8);
        let pick = case(count.q(), &[(0, sums[0]), (5, sums[1])], m.lit(sint(32), -3));
        m.assert("count_small", count.q().le(m.lit(uint(4), 15)));
        m.output("lane", lane);
        m.output("pick", pick);
        m.output("less", sums[0].lt(sums[1]) & !count.q().is(3));
        m.output("diff", b - lanes[0].as_s());
    }
}

fn main() -> Result<(), rtl_gen::BuildErrors> {
    print!("{}", Design::elaborate(&Top)?.verilog_text());
    Ok(())
}
