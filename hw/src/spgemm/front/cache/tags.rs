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
    /// The second stage gives `victim` of its set to its line (only with `advance`).
    pub allocate: Sig<'m>,
    /// One-hot way allocated.
    pub victim: Vec<Sig<'m>>,
    /// The second stage used the line it found.
    pub found: Sig<'m>,
    /// Clears this set instead.
    pub clear: (Sig<'m>, Sig<'m>),
}

/// The request in the second stage.
pub(super) struct Lookup<'m> {
    pub valid: Sig<'m>,
    pub line: Sig<'m>,
    /// First stage's line, for what others prepare a stage ahead.
    pub first_line: Sig<'m>,
    /// The first stage holds a request.
    pub first_valid: Sig<'m>,
    /// First and second stage are in the same set.
    pub same_set: Sig<'m>,
    /// One-hot way that holds the line.
    pub hit: Vec<Sig<'m>>,
    /// Ways of the set that hold any line.
    pub used: Vec<Sig<'m>>,
    /// One-hot way used longest ago.
    pub oldest: Vec<Sig<'m>>,
}

/// Two stages: the tag RAMs are read on entering the first one, compared at its end. What the second stage allocates is
/// forwarded as match bits to the two requests behind it, which were read too early to see it.
///
/// The result is given before `control`, which depends on it, is known: `control` is called with it.
pub(super) fn lookup<'m>(
    m: &'m Builder,
    g: &Geometry,
    control: impl FnOnce(&Lookup<'m>) -> Control<'m>,
) {
    let ways = g.ways as usize;
    let line_type = uint(g.addr_bits);
    let (valid_1, line_1) = (m.state("valid_1", bit(), 0), m.reg_decl("line_1", line_type));
    let (valid_2, line_2) = (m.state("valid_2", bit(), 0), m.reg_decl("line_2", line_type));
    let hit: Vec<_> = (0..ways).map(|w| m.reg_decl(&format!("hit_{w}"), bit())).collect();
    let used: Vec<_> = (0..ways).map(|w| m.reg_decl(&format!("used_{w}"), bit())).collect();
    let tree = m.reg_decl("tree_2", bits(g.ways - 1));
    let set_1 = g.set(line_1.q());
    let set_2 = g.set(line_2.q());
    let same_set = (valid_2.q() & set_1.eq(set_2)).named("same_set");
    let same_tag = g.tag(line_1.q()).eq(g.tag(line_2.q()));

    let now = Lookup {
        valid: valid_2.q(),
        line: line_2.q(),
        first_line: line_1.q(),
        first_valid: valid_1.q(),
        same_set,
        hit: hit.iter().map(|r| r.q()).collect(),
        used: used.iter().map(|r| r.q()).collect(),
        oldest: plru::victim(tree.q(), g.ways),
    };
    let c = control(&now);
    let (enter, enter_line) = c.enter;
    valid_1.drive_when(c.advance, enter);
    line_1.drive_when(c.advance, enter_line);
    valid_2.drive_when(c.advance, valid_1.q());
    line_2.drive_when(c.advance, line_1.q());

    // The request before the second stage's: its tag write met our read at one clock edge.
    let line_3 = m.reg_when("line_3", c.advance, line_2.q());
    let allocated_3 = m.state("allocated_3", bit(), 0);
    allocated_3.drive_when(c.advance, c.allocate);
    let same_set_3 = allocated_3.q() & set_1.eq(g.set(line_3));
    let same_tag_3 = g.tag(line_1.q()).eq(g.tag(line_3));

    let (clear, clear_set) = c.clear;
    let write_set = clear.mux(clear_set, set_2).named("write_set");
    let tag_2 = g.tag(line_2.q());
    for w in 0..ways {
        let victim_3 = m.reg_when(&format!("victim_3_{w}"), c.advance, c.victim[w]);
        let store = m.mem(&format!("tags_{w}"), MemSpec::block(g.sets, tag_2.width() + 1));
        let word = clear.mux(m.lit(bits(tag_2.width() + 1), 0), cat(&[m.high(), tag_2]));
        store.write(write_set, word, clear | (c.allocate & c.victim[w]));
        let read = store.read(&format!("tag_{w}"), g.set(enter_line), c.advance & enter);
        let (by_2, by_3) = (c.allocate & same_set & c.victim[w], same_set_3 & victim_3);
        let stored_valid = read.msb();
        let stored_match = stored_valid & read.trunc(tag_2.width()).eq(g.tag(line_1.q()));
        hit[w].drive_when(c.advance, by_2.mux(same_tag, by_3.mux(same_tag_3, stored_match)));
        used[w].drive_when(c.advance, by_2 | by_3 | stored_valid);
    }

    // Recency is written by the second stage and read by the first, one request behind.
    let touched: Vec<Sig> = (0..ways).map(|w| c.allocate.mux(c.victim[w], now.hit[w])).collect();
    let new_tree = plru::touch(tree.q(), &touched).named("new_tree");
    let touch = (c.allocate | c.found).named("touch");
    let recency = m.mem("recency", MemSpec::distributed(g.sets, g.ways - 1));
    recency.write(write_set, clear.mux(new_tree.lit(0), new_tree), clear | touch);
    let old_tree = recency.read_async("old_tree", set_1);
    tree.drive_when(c.advance, (touch & same_set).mux(new_tree, old_tree));
    m.assert("one_way_hits", !valid_2.q() | at_most_one(&now.hit));
}

fn at_most_one<'m>(flags: &[Sig<'m>]) -> Sig<'m> {
    let pairs: Vec<Sig> = (1..flags.len()).map(|i| flags[i] & any(&flags[..i])).collect();
    !any(&pairs)
}
