//! One word on its way through a cell.

use rtl_gen::{Builder, Reg, Sig, bit, uint};

/// Follows one word, any that the environment picks: it carries a 1, all others a 0.
///
/// Cells that store and send words never look at them. So if the 1 leaves when it is the followed word's turn, and only then, for
/// every choice of that word, then every word leaves once, unchanged and in order.
pub(super) struct Follow<'m> {
    /// What the next word carries.
    pub(super) carries: Sig<'m>,
    /// The followed word is the next to leave.
    pub(super) due: Sig<'m>,
    /// The followed word is inside.
    pub(super) inside: Sig<'m>,
    marked: Reg<'m>,
    left: Reg<'m>,
    ahead: Reg<'m>,
}

impl<'m> Follow<'m> {
    /// `pick` is a free input: the next word is the one.
    pub(super) fn new(m: &'m Builder, pick: Sig<'m>) -> Self {
        let (marked, left) = (m.state("marked", bit(), 0), m.state("followed_left", bit(), 0));
        let ahead = m.state("ahead", uint(4), 0);
        let inside = (marked.q() & !left.q()).named("followed_inside");
        Follow {
            carries: (pick & !marked.q()).named("carries"),
            due: inside & ahead.q().is(0),
            inside,
            marked,
            left,
            ahead,
        }
    }

    /// A word goes in; a word comes out.
    pub(super) fn moves(&self, push: Sig<'m>, pop: Sig<'m>) {
        let Follow { carries, due, marked, left, ahead, .. } = self;
        marked.drive(marked.q() | (push & *carries));
        left.drive(left.q() | (pop & *due));
        let more = push & !marked.q() & !*carries;
        let ty = ahead.q().width();
        ahead.drive(ahead.q().add_wrap(more.as_u().zext(ty)).sub_wrap(pop.as_u().zext(ty)));
    }
}

/// Counts words inside: as many as went in and have not come out.
pub(super) fn inside<'m>(m: &'m Builder, pushes: &[Sig<'m>], pops: &[Sig<'m>]) -> Sig<'m> {
    let held = m.state("words_inside", uint(5), 0);
    let sum = |flags: &[Sig<'m>]| {
        flags.iter().fold(m.lit(uint(5), 0), |n, f| n.add_wrap(f.as_u().zext(5)))
    };
    held.drive(held.q().add_wrap(sum(pushes)).sub_wrap(sum(pops)));
    held.q()
}
