//! From the arrays in memory to tasks: A stream, pointer fetch and planner in a row.

use super::join::{JoinRows, Source, wanted_length};
use super::values::Chosen;
use super::{AStream, Planner, PointerFetch, Values};
use crate::spgemm::control::PRODUCT_BITS;
use rtl_gen::{Builder, Instance, Module, Sig, bit, bits, cat, uint};

/// The part of the front end that works row by row. Ports as the three blocks it consists of:
/// configuration and windows of [`Planner`], lines `p_*`, `c_*`, `v_*` of [`AStream`], cache port
/// `req_*`, `rsp_*` of [`PointerFetch`], `value` of [`AStream`]; if `joined`, also `mask`, `accumulate` of [`JoinRows`], its bases and numbers of
/// entries, and `complement`, the mask's. `task_a` then has the [`Source`] above A's element.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    /// Words a line.
    pub line_words: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Lines of A in flight per array.
    pub a_lines: u32,
    /// Row pointer look-ups in flight.
    pub lookups: u32,
    /// Bits of a cache tag.
    pub tag_bits: u32,
    /// Tasks held.
    pub tasks: u32,
    /// Entries a window may be expected to need.
    pub limit: u32,
    /// Types of A's values.
    pub values: Values,
    /// Rows of other matrices than B may join the products.
    pub joined: bool,
    /// A command may ask for order: `ordered`, `task_spread` of [`Planner`].
    pub ordered: bool,
}

impl Feed {
    /// Bits of a task's `a`.
    pub fn a_bits(joined: bool) -> u32 {
        if joined { 32 + Source::BITS } else { 32 }
    }
}

/// Connects same-named ports of this module and the instance.
fn through<'m>(m: &'m Builder, inst: Instance<'m>, inputs: &[(&str, Sig<'m>)], outputs: &[&str]) {
    for (port, sig) in inputs {
        inst.set(port, *sig);
    }
    for port in outputs {
        m.output(port, inst.get(port));
    }
}

impl Module for Feed {
    fn name(&self) -> String {
        let Feed {
            line_words,
            addr_bits,
            a_lines,
            lookups,
            tag_bits,
            tasks,
            limit,
            values,
            joined,
            ordered,
        } = self;
        let (suffix, joined) = (values.suffix(), if *joined { "_j" } else { "" });
        let ordered = if *ordered { "_o" } else { "" };
        format!(
            "feed_l{line_words}_a{addr_bits}_n{a_lines}_d{lookups}_t{tag_bits}_q{tasks}_e{limit}{suffix}{joined}{ordered}"
        )
    }

    fn build(&self, m: &Builder) {
        m.doc("Row by row front end of the SpGEMM cluster.");
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let word = |name: &str| m.input(name, uint(32));
        let (first_row, rows, cols, inner) =
            (word("first_row"), word("rows"), word("cols"), word("inner"));
        let passes = m.input("passes", uint(9));
        let (line_words, addr_bits) = (self.line_words, self.addr_bits);
        let base = |name: &str| m.input(name, uint(addr_bits));

        let (lines, values, joined) = (self.a_lines, self.values, self.joined);
        let a = m.inst("a_stream", &AStream { line_words, addr_bits, lines, values, joined });
        Chosen::input(m, values).pass(a);
        a.set("start", start).set("flush", flush).set("first_row", first_row).set("rows", rows);
        a.set("nnz", word("nnz_a")).set("passes", passes);
        a.set("ptr_base", base("a_ptr_base"))
            .set("col_base", base("a_col_base"))
            .set("val_base", base("a_val_base"));
        for array in ["p", "c", "v"] {
            let port = |name: &str| format!("{array}_{name}");
            let inputs = [
                (port("req_ready"), m.input(&port("req_ready"), bit())),
                (port("rsp_valid"), m.input(&port("rsp_valid"), bit())),
                (port("rsp_data"), m.input(&port("rsp_data"), bits(line_words * 32))),
            ];
            let inputs: Vec<(&str, Sig)> = inputs.iter().map(|(n, s)| (n.as_str(), *s)).collect();
            through(m, a, &inputs, &[&port("req_valid"), &port("req_addr")]);
        }

        let shape = PointerFetch {
            line_words,
            addr_bits,
            depth: self.lookups,
            tag_bits: self.tag_bits,
            joined,
        };
        let b = m.inst("pointers", &shape);
        b.set("flush", flush)
            .set("inner", inner)
            .set("nnz", word("nnz_b"))
            .set("ptr_base", base("b_ptr_base"));
        let fields = ["valid", "last", "empty", "k", "a", "left", "skip"];
        // Tokens of rows that join come between.
        let join = joined.then(|| m.inst("joined_rows", &JoinRows));
        let next = join.unwrap_or(b);
        for field in fields {
            next.set(&format!("in_{field}"), a.get(&format!("token_{field}")));
        }
        a.set("token_ready", next.get("in_ready"));
        let skips = join.map(|join| {
            join.set("start", start).set("flush", flush).set("first_row", first_row);
            let (mask, accumulate) = (m.input("mask", bit()), m.input("accumulate", bit()));
            join.set("passes", passes).set("mask", mask).set("accumulate", accumulate);
            a.set("every_row", accumulate);
            for field in fields.into_iter().chain(["source"]) {
                b.set(&format!("in_{field}"), join.get(&format!("out_{field}")));
            }
            join.set("out_ready", b.get("in_ready"));
            for (_, name) in Source::JOINED {
                b.set(&format!("nnz_{name}"), word(&format!("nnz_{name}")));
                b.set(&format!("{name}_ptr_base"), base(&format!("{name}_ptr_base")));
            }
            mask & !m.input("complement", bit())
        });
        let inputs = [
            ("req_ready", m.input("req_ready", bit())),
            ("rsp_valid", m.input("rsp_valid", bit())),
            ("rsp_tag", m.input("rsp_tag", bits(self.tag_bits))),
            ("rsp_data", m.input("rsp_data", bits(line_words * 32))),
        ];
        through(m, b, &inputs, &["req_valid", "req_addr", "req_tag"]);

        let a_bits = Self::a_bits(joined);
        let Feed { tasks, limit, ordered, .. } = *self;
        let planner = m.inst("planner", &Planner { tasks, limit, a_bits, ordered });
        if ordered {
            through(m, planner, &[("ordered", m.input("ordered", bit()))], &["task_spread"]);
        }
        planner.set("start", start).set("flush", flush).set("first_row", first_row);
        planner.set("rows", rows).set("cols", cols).set("passes", passes);
        for port in ["last", "start", "left", "skip"] {
            planner.set(&format!("in_{port}"), b.get(&format!("out_{port}")));
        }
        planner.set("in_valid", b.get("out_valid"));
        b.set("out_ready", planner.get("in_ready"));
        let (length, element) = (b.get("out_length"), b.get("out_a"));
        match skips {
            Some(skips) => {
                let source = b.get("out_source");
                let moves = b.get("out_valid") & planner.get("in_ready");
                let length = wanted_length(m, (source, length), skips, (moves, flush));
                planner.set("in_length", length).set("in_a", cat(&[source, element]));
            }
            None => {
                planner.set("in_length", length).set("in_a", element);
            }
        }
        let inputs = [
            ("first_seq", m.input("first_seq", bits(2))),
            ("max_rows", m.input("max_rows", uint(9))),
            ("ranged", m.input("ranged", bit())),
            ("free", m.input("free", bits(4))),
            ("task_ready", m.input("task_ready", bit())),
            ("expected", m.input("expected", uint(PRODUCT_BITS))),
            ("can_plan", m.input("can_plan", bit())),
            ("planned", m.input("planned", bit())),
            ("plan_passes", m.input("plan_passes", uint(9))),
        ];
        let outputs = ["task_valid", "task_seq", "task_row", "task_start", "task_length", "task_a"];
        through(m, planner, &inputs, &outputs);
        let events = [
            "open",
            "open_seq",
            "open_row",
            "open_single",
            "open_pass",
            "close",
            "close_seq",
            "open_ranged",
        ];
        through(m, planner, &[], &events);
        through(
            m,
            planner,
            &[],
            &["close_rows", "close_reals", "row_done", "row_left", "finished"],
        );
        through(m, planner, &[], &["products", "note", "note_row", "note_products"]);
        through(m, planner, &[], &["plan", "plan_parts"]);

        m.output("bad_row", a.get("bad_row"));
        for port in ["bad_column", "bad_pointer", "bad_k"] {
            m.output(port, b.get(port));
        }
        if joined {
            m.output("bad_source", b.get("bad_source"));
        }
        m.output("bad_place", a.get("row"));
        m.output("idle", a.get("idle") & b.get("idle") & planner.get("idle"));
    }
}
