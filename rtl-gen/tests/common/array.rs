//! The reference array of the measurements: R x C output-stationary, int8 x int8 into int32, with a drain
//! chain down each column.

use rtl_gen::sim::Simulator;
use rtl_gen::{Builder, Module, bit, bits, cat, sint};

/// One cell: registered operands, product and sum in one cycle.
#[derive(Debug)]
struct Cell;

impl Module for Cell {
    fn name(&self) -> String {
        "array_pe".into()
    }
    fn build(&self, m: &Builder) {
        let [clear, en, shift] = ["clear", "en", "shift"].map(|n| m.input(n, bit()));
        let (a, b) = (m.input("a_in", sint(8)), m.input("b_in", sint(8)));
        let above = m.input("acc_in", sint(32));
        m.output("a_out", m.reg_when("a_q", en, a));
        m.output("b_out", m.reg_when("b_q", en, b));
        let acc = m.reg_decl("acc_q", sint(32));
        let product = (a * b).named("product").sext(32);
        let sum = clear.mux(acc.q().lit(0), acc.q()).add_wrap(product);
        acc.update(&[(shift, above), (en, sum)]);
        m.output("acc", acc.q());
    }
}

/// The array.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) rows: u32,
    pub(crate) cols: u32,
}

impl Module for Array {
    fn name(&self) -> String {
        format!("array_{}x{}", self.rows, self.cols)
    }
    fn build(&self, m: &Builder) {
        let [clear, en, shift] = ["clear", "en", "shift"].map(|n| m.input(n, bit()));
        let a = m.input("a_in", bits(8 * self.rows)).lanes(8);
        let b = m.input("b_in", bits(8 * self.cols)).lanes(8);
        let mut down: Vec<_> = b.iter().map(|lane| lane.as_s()).collect();
        let mut drain = vec![m.lit(sint(32), 0); self.cols as usize];
        for (r, lane) in a.iter().enumerate() {
            let mut right = lane.as_s();
            for c in 0..self.cols as usize {
                let cell = m.inst(&format!("pe_{r}_{c}"), &Cell);
                cell.set("clear", clear).set("en", en).set("shift", shift);
                cell.set("a_in", right).set("b_in", down[c]).set("acc_in", drain[c]);
                (right, down[c], drain[c]) =
                    (cell.get("a_out"), cell.get("b_out"), cell.get("acc"));
            }
        }
        drain.reverse();
        m.output("acc_out", cat(&drain));
    }
}

/// Random operands for `cycles` cycles, of which the last 16 of every 64 drain; a hash of what drains.
pub(crate) fn run(sim: &mut dyn Simulator, array: &Array, cycles: u32) -> u64 {
    let ports = ["clear", "en", "shift", "a_in", "b_in", "acc_out"].map(|n| sim.port(n));
    let [clear, en, shift, a, b, acc] = ports;
    let (mut a_words, mut b_words) =
        (vec![0; array.rows as usize / 4], vec![0; array.cols as usize / 4]);
    let mut out = vec![0; array.cols as usize];
    let (mut seed, mut hash) = (0x2545_f491_4f6c_dd1d_u64, 0u64);
    for cycle in 0..cycles {
        for word in a_words.iter_mut().chain(&mut b_words) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            *word = seed as u32;
        }
        let draining = cycle % 64 >= 48;
        sim.set(clear, (cycle % 64 == 0) as u64);
        sim.set(en, !draining as u64);
        sim.set(shift, draining as u64);
        sim.set_words(a, &a_words);
        sim.set_words(b, &b_words);
        sim.tick();
        if draining && cycle >= 64 {
            sim.get_words(acc, &mut out);
            hash = out.iter().fold(hash, |h, w| (h ^ *w as u64).wrapping_mul(0x0100_0000_01b3));
        }
    }
    hash
}
