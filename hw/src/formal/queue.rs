//! Queues of one clock.

use super::follow::{Follow, inside};
use rtl_gen::{Builder, Module, bit};

/// A queue of one clock between partners that stall as they like.
#[derive(Clone, Debug)]
pub struct QueueProof<Q> {
    /// The queue, one bit wide.
    pub queue: Q,
    /// Words it takes at least before it refuses one.
    pub room: u32,
    /// Words it holds at most.
    pub capacity: u32,
    /// Cycles from an input to the output of an empty queue.
    pub latency: u32,
    /// It has a port `count`.
    pub counts: bool,
}

impl<Q: Module> Module for QueueProof<Q> {
    fn name(&self) -> String {
        format!("proof_{}", self.queue.name())
    }

    fn build(&self, m: &Builder) {
        m.doc("Harness: what goes into a queue comes out, once and in order.");
        let (offer, take) = (m.input("offer", bit()), m.input("take", bit()));
        let word = Follow::new(m, m.input("pick", bit()));
        let queue = m.inst("queue", &self.queue);
        queue.set("in_valid", offer).set("in_data", word.carries).set("out_ready", take);
        let (ready, valid) = (queue.get("in_ready"), queue.get("out_valid"));
        let (push, pop) = ((offer & ready).named("push"), (valid & take).named("pop"));
        word.moves(push, pop);
        let held = inside(m, &[push], &[pop]);
        let at_least = |n: u32| held.ge(held.lit(n.into()));

        m.assert("words_come_once_and_in_order", !valid | queue.get("out_data").eq(word.due));
        m.assert("no_word_from_nowhere", !valid | at_least(1));
        m.assert("room_as_told", ready | at_least(self.room));
        m.assert("no_more_than_capacity", !at_least(self.capacity + 1));
        let kept = m.reg_reset("kept", valid & !take, 0);
        m.assert("a_word_offered_stays", !kept | valid);
        let waits = (at_least(1) & !valid).named("waits");
        let waited = (1..self.latency)
            .fold(m.high(), |all, i| m.reg_reset(&format!("waited_{i}"), waits & all, 0));
        m.assert("latency_as_told", !(waits & waited));
        if self.counts {
            m.assert("count_is_words_held", queue.get("count").zext(held.width()).eq(held));
        }
        m.cover("full", at_least(self.capacity));
        m.cover("refuses", offer & !ready);
        m.cover("the_word_leaves_a_full_queue", pop & word.due & at_least(self.capacity));
    }
}
