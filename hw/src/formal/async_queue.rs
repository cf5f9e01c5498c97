//! The queue between two clocks.

use crate::cells::AsyncFifo;
use rtl_gen::{Builder, Module, Sig, bit, uint};

/// Words are told apart by their number modulo 2 to the power of this; a queue holds fewer.
const NUMBER: u32 = 4;

/// A queue between two clocks whose edges come in any order, together included.
///
/// Neither side knows what the other has done, so words are judged by their number alone, modulo 16: those of number `which` carry
/// a 1, all others a 0. A word that is lost, repeated, overwritten or read before it was written shifts that for some choice of
/// `which`.
#[derive(Clone, Copy, Debug)]
pub struct AsyncQueueProof {
    /// Beats of the queue.
    pub depth: u32,
}

impl Module for AsyncQueueProof {
    fn name(&self) -> String {
        format!("proof_async_fifo_d{}", self.depth)
    }

    fn build(&self, m: &Builder) {
        m.doc("Harness: words cross from one clock to another, once and in order.");
        let which = m.input_static("which", uint(NUMBER));
        let (write, read) = (m.domain("write"), m.domain("read"));
        let queue = m.inst("queue", &AsyncFifo { width: 1, depth: self.depth });
        queue.clock("write", write).clock("read", read);
        m.in_domain(write, || {
            let offer = m.input("offer", bit());
            let ready = queue.get("in_ready");
            let pushed = number(m, "pushed", offer & ready);
            queue.set("in_valid", offer).set("in_data", pushed.eq(which));
            m.cover("full", !ready);
        });
        m.in_domain(read, || {
            let take = m.input("take", bit());
            let valid = queue.get("out_valid");
            queue.set("out_ready", take);
            let popped = number(m, "popped", valid & take);
            let right = queue.get("out_data").eq(popped.eq(which));
            m.assert("words_come_once_and_in_order", !valid | right);
            let kept = m.reg_reset("kept", valid & !take, 0);
            m.assert("a_word_offered_stays", !kept | valid);
            m.cover("turns_round", valid & popped.is(2 * self.depth as i128));
        });
    }
}

/// The number of the next word; counts where `moves` is 1.
fn number<'m>(m: &'m Builder, name: &str, moves: Sig<'m>) -> Sig<'m> {
    let number = m.state(name, uint(NUMBER), 0);
    number.drive_when(moves, number.q().inc());
    number.q()
}
