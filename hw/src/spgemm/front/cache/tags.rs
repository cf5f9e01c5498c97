//! Look-up: which way of its set holds a line, and which way to give up if none does.

use super::plru;
use rtl_gen::{Builder, MemSpec, Sig, any, bit, bits, cat, index_width, uint};

/// Geometry of a bank's line addresses: `{tag, set, digit of the bank}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub bank_bits: u32,
    pub ways: u32,
    pub sets: u32,
    pub addr_bits: u32,
}

impl Geometry {
    pub(super) fn set_bits(&self) -> u32 {
        index_width(self.sets)
    }

    pub(super) fn set<'m>(&self, line: Sig<'m>) -> Sig<'m> {
        line.slice(self.bank_bits + self.set_bits() - 1, self.bank_bits).as_u()
    }

    fn tag<'m>(&self, line: Sig<'m>) -> Sig<'m> {
        line.slice(self.addr_bits - 1, self.bank_bits + self.set_bits())
    }
}

/// What the bank tells the look-up pipeline.
pub(super) struct Control<'m> {
    /// A request enters: its valid bit and line.
    pub enter: (Sig<'m>, Sig<'m>),
    /// The pipeline moves.
    pub advance: Sig<'m>,
    /// The third stage gives `victim` of its set to its line (only with `advance`).
    pub allocate: Sig<'m>,
    /// One-hot way allocated.
    pub victim: Vec<Sig<'m>>,
    /// The third stage used the line it found.
    pub found: Sig<'m>,
    /// Clears this set instead.
    pub clear: (Sig<'m>, Sig<'m>),
}

/// The request in the third stage.
pub(super) struct Lookup<'m> {
    pub valid: Sig<'m>,
    pub line: Sig<'m>,
    /// The second stage's line, for what others prepare a stage ahead.
    pub next_line: Sig<'m>,
    /// Second and third stage are in the same set.
    pub same_set: Sig<'m>,
    /// An earlier stage holds a request.
    pub behind: Sig<'m>,
    /// One-hot way that holds the line.
    pub hit: Vec<Sig<'m>>,
    /// Ways of the set that hold any line.
    pub used: Vec<Sig<'m>>,
    /// One-hot way used longest ago.
    pub oldest: Vec<Sig<'m>>,
}

/// Three stages: the tag RAMs are read on entering the first one, registered by the second, compared at its end. What the third
/// stage allocates is forwarded as match bits to the three requests behind it, which were read too early to see it.
///
/// `control` is called with the third stage, on which it depends.
pub(super) fn lookup<'m>(
    m: &'m Builder,
    g: &Geometry,
    control: impl FnOnce(&Lookup<'m>) -> Control<'m>,
) {
    let ways = g.ways as usize;
    let stage = |n: u32| {
        let line = m.reg_decl(&format!("line_{n}"), uint(g.addr_bits));
        (m.state(&format!("valid_{n}"), bit(), 0), line)
    };
    let [(valid_1, line_1), (valid_2, line_2), (valid_3, line_3)] = [1, 2, 3].map(stage);
    let hit: Vec<_> = (0..ways).map(|w| m.reg_decl(&format!("hit_{w}"), bit())).collect();
    let used: Vec<_> = (0..ways).map(|w| m.reg_decl(&format!("used_{w}"), bit())).collect();
    let tree = m.reg_decl("tree_3", bits(g.ways - 1));
    let (set_2, tag_2) = (g.set(line_2.q()), g.tag(line_2.q()));
    let (set_3, tag_3) = (g.set(line_3.q()), g.tag(line_3.q()));
    let same_set = (valid_3.q() & set_2.eq(set_3)).named("same_set");

    let now = Lookup {
        valid: valid_3.q(),
        line: line_3.q(),
        next_line: line_2.q(),
        same_set,
        behind: valid_1.q() | valid_2.q(),
        hit: hit.iter().map(|r| r.q()).collect(),
        used: used.iter().map(|r| r.q()).collect(),
        oldest: plru::victim(tree.q(), g.ways),
    };
    let c = control(&now);
    let (enter, enter_line) = c.enter;
    for (valid, line, from) in [
        (valid_1, line_1, (enter, enter_line)),
        (valid_2, line_2, (valid_1.q(), line_1.q())),
        (valid_3, line_3, (valid_2.q(), line_2.q())),
    ] {
        valid.drive_when(c.advance, from.0);
        line.drive_when(c.advance, from.1);
    }

    // The two requests before the third stage's, as (allocated in our set, same tag, victim): their tag writes met or
    // followed our read.
    let mut past = vec![];
    let (mut line, mut allocated, mut victim) = (line_3.q(), c.allocate, c.victim.clone());
    for n in [4, 5] {
        let done = m.state(&format!("allocated_{n}"), bit(), 0);
        done.drive_when(c.advance, allocated);
        line = m.reg_when(&format!("line_{n}"), c.advance, line);
        victim = (victim.iter().enumerate())
            .map(|(w, &v)| m.reg_when(&format!("victim_{n}_{w}"), c.advance, v))
            .collect();
        allocated = done.q();
        let here = allocated & set_2.eq(g.set(line));
        past.push((here, tag_2.eq(g.tag(line)), victim.clone()));
    }

    let (clear, clear_set) = c.clear;
    let write_set = clear.mux(clear_set, set_3).named("write_set");
    let same_tag = tag_2.eq(tag_3);
    for w in 0..ways {
        let store = m.mem(&format!("tags_{w}"), MemSpec::block(g.sets, tag_3.width() + 1));
        let word = clear.mux(m.lit(bits(tag_3.width() + 1), 0), cat(&[m.high(), tag_3]));
        store.write(write_set, word, clear | (c.allocate & c.victim[w]));
        let read = store.read(&format!("tag_{w}"), g.set(enter_line), c.advance & enter);
        // Block RAM is slow to answer: nothing but a register behind it.
        let read = m.reg_when(&format!("tag_{w}_2"), c.advance, read);
        let stored = (read.msb(), read.msb() & read.trunc(tag_3.width()).eq(tag_2));
        let (valid, same) = past.iter().rev().fold(stored, |(valid, same), (here, tag, victim)| {
            let by_past = *here & victim[w];
            (by_past | valid, by_past.mux(*tag, same))
        });
        let by_3 = c.allocate & same_set & c.victim[w];
        hit[w].drive_when(c.advance, by_3.mux(same_tag, same));
        used[w].drive_when(c.advance, by_3 | valid);
    }

    // Recency is written by the third stage and read by the second, one request behind.
    let touched: Vec<Sig> = (0..ways).map(|w| c.allocate.mux(c.victim[w], now.hit[w])).collect();
    let new_tree = plru::touch(tree.q(), &touched).named("new_tree");
    let touch = (c.allocate | c.found).named("touch");
    let recency = m.mem("recency", MemSpec::distributed(g.sets, g.ways - 1));
    recency.write(write_set, clear.mux(new_tree.lit(0), new_tree), clear | touch);
    let old_tree = recency.read_async("old_tree", set_2);
    tree.drive_when(c.advance, (touch & same_set).mux(new_tree, old_tree));
    m.assert("one_way_hits", !valid_3.q() | at_most_one(&now.hit));
}

fn at_most_one<'m>(flags: &[Sig<'m>]) -> Sig<'m> {
    let pairs: Vec<Sig> = (1..flags.len()).map(|i| flags[i] & any(&flags[..i])).collect();
    !any(&pairs)
}
