//! The look-ahead window of a lane.

use super::follow::{Follow, inside};
use crate::cells::Window;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat};

/// A window with two destinations whose grants come and go as they like. One word for the `watched` destination is followed.
#[derive(Clone, Copy, Debug)]
pub struct WindowProof {
    /// Words held.
    pub depth: u32,
}

impl Module for WindowProof {
    fn name(&self) -> String {
        format!("proof_window_k{}", self.depth)
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Harness: a look-ahead window sends each word once, in order for each destination.");
        let word = Follow::new(m, m.input("pick", bit()));
        let watched = m.input_static("watched", bit());
        let (offer, to) = (m.input("offer", bit()), m.input("to", bit()));
        let grants = m.input("grants", bits(2));
        let window = m.inst("window", &Window { depth: self.depth, ports: 2, width: 2 });
        let ready = window.get("in_ready");
        let push = (offer & ready).named("push");
        let mine = to.eq(watched);
        window.set("in_valid", offer).set("in_to", cat(&[to, !to]));
        window.set("in_data", cat(&[mine, word.carries & mine])).set("grants", grants);

        let (out_to, out) = (window.get("out_to"), window.get("out_data"));
        let leaves = out_to.red_or();
        m.assert("one_destination", !out_to.red_and());
        let arrives = out_to.dyn_lane(watched.as_u(), 1);
        word.moves(push & mine, arrives);
        m.assert("words_go_where_they_should", !leaves | out.bit(1).eq(arrives));
        let right = out.bit(0).eq(word.due);
        m.assert("words_come_once_and_in_order", !arrives | right);

        // One cycle to choose, one to read.
        let before = |name: &str, value: Sig<'m>| -> Sig<'m> {
            (1..=2).fold(value, |v, i| m.reg_reset(&format!("{name}_{i}"), v, 0))
        };
        m.assert("sends_with_a_grant_only", !(out_to & !before("granted", grants)).red_or());
        let could = (window.get("wants") & grants).red_or();
        m.assert("a_grant_it_wants_is_used", before("could", could).eq(leaves));

        let held = inside(m, &[push], &[leaves]);
        let least = |n: u32| held.ge(held.lit(n.into()));
        m.assert("active_says_if_empty", window.get("active").eq(least(1)));
        m.assert("room_as_told", ready | least(self.depth));
        m.assert("no_more_than_depth_and_pipeline", !least(self.depth + 3));
        m.cover("full", !ready);
        m.cover("the_word_leaves_a_full_window", arrives & word.due & least(self.depth));
        m.cover("another_overtakes_the_word", leaves & !arrives & word.due & least(self.depth));
    }
}
