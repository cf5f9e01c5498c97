//! The way of a column's results out of the array.

use rtl_gen::{Builder, Module, Sig, bits, cat};

/// Inputs of one OR in the drain tree: four fit a LUT.
const OR_INPUTS: usize = 4;

/// Registered OR of the drain outputs of each group of a column, four inputs and a register per level, then the
/// registered sums of the groups.
///
/// A sum is an OR where only one row drains, so that the tree need not know whether the groups are joined.
/// `in` holds `groups * inputs` words of `width` bits, `out` is [`latency`](Self::latency) cycles later.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct DrainTree {
    pub(in crate::gemm) groups: u32,
    /// Rows of a group.
    pub(in crate::gemm) inputs: u32,
    pub(in crate::gemm) width: u32,
}

impl DrainTree {
    fn levels(&self) -> u32 {
        let (mut left, mut levels) = (self.inputs as usize, 0);
        while left > 1 {
            left = left.div_ceil(OR_INPUTS);
            levels += 1;
        }
        levels
    }

    /// Cycles from `in` to `out`.
    pub(in crate::gemm) fn latency(&self) -> u32 {
        self.levels() + self.groups.ilog2()
    }
}

impl Module for DrainTree {
    fn name(&self) -> String {
        let groups = if self.groups > 1 { format!("{}x", self.groups) } else { String::new() };
        format!("drain_tree_{groups}{}x{}", self.inputs, self.width)
    }

    fn build(&self, m: &Builder) {
        m.doc("Registered OR of one column's drain outputs, sums of groups.");
        let words = m.input("in", bits(self.groups * self.inputs * self.width)).lanes(self.width);
        let mut sums: Vec<Sig> = (words.chunks(self.inputs as usize).enumerate())
            .map(|(group, words)| {
                let name = if self.groups > 1 { format!("group_{group}_") } else { String::new() };
                let mut level = words.to_vec();
                for l in 0..self.levels() {
                    level = (level.chunks(OR_INPUTS).enumerate())
                        .map(|(i, some)| {
                            let or = some[1..].iter().fold(some[0], |sum, word| sum | *word);
                            m.reg(&format!("{name}or_{l}_{i}"), or)
                        })
                        .collect();
                }
                level[0]
            })
            .collect();
        while sums.len() > 1 {
            let left = sums.len();
            sums = (sums.chunks(2).enumerate())
                .map(|(i, pair)| {
                    let sum = pair[0].as_u().add_wrap(pair[1].as_u()).as_bits();
                    m.reg(&format!("sum_{left}_{i}"), sum)
                })
                .collect();
        }
        m.output("out", sums[0]);
    }
}

/// Words that each column's drain tree reads, as results: those of a column are added up and the columns joined.
pub(in crate::gemm) fn results<'m>(
    m: &'m Builder,
    tree: DrainTree,
    columns: impl Iterator<Item = Vec<Vec<Sig<'m>>>>,
    late: impl Fn(usize) -> u32,
) -> Sig<'m> {
    let mut results: Vec<Sig> = columns
        .enumerate()
        .map(|(c, words)| {
            let mut out = words.iter().enumerate().map(|(w, rows)| {
                let name =
                    if words.len() > 1 { format!("drain_{c}_{w}") } else { format!("drain_{c}") };
                let drain = m.inst(&name, &tree);
                let upwards: Vec<Sig> = rows.iter().rev().copied().collect();
                drain.set("in", cat(&upwards));
                drain.get("out")
            });
            let first = out.next().expect("a column has words");
            let sum = out.fold(first, |sum, word| sum.as_u().add_wrap(word.as_u()).as_bits());
            let sum = if words.len() > 1 { m.reg(&format!("total_{c}"), sum) } else { sum };
            m.delay(&format!("late_{c}"), sum, late(c))
        })
        .collect();
    results.reverse();
    cat(&results)
}
