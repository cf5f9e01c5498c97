//! Harnesses for model checkers: cells between partners that do as they like, and what must hold of them.
//!
//! A harness is a module like any other. What it promises are assertions, drawn with
//! [`Builder::assert`](rtl_gen::Builder::assert); that it can come to what it speaks of, cover points. Its inputs are free: a harness
//! gates them so that no assumption is needed, and so it also runs in any simulator with random inputs. The cells are those of the
//! cards, only small. [`proofs`] lists them all; `testbench/tests/formal` proves them, shows that broken cells are
//! refuted, and runs them in the interpreter.

mod arbiter;
mod async_queue;
mod bank;
mod crossbar;
mod deposit;
mod follow;
mod queue;
mod switch;
mod window;

pub use arbiter::ArbiterProof;
pub use async_queue::AsyncQueueProof;
pub use bank::BankProof;
pub use crossbar::CrossbarProof;
pub use deposit::DepositProof;
pub use queue::QueueProof;
pub use switch::SwitchProof;
pub use window::WindowProof;

use crate::cells::{BlockFifo, Fifo, Skid};
use rtl_gen::Module;

/// How far a claim goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// In every reachable state (property directed reachability).
    Unbounded,
    /// In every run of that many cycles from reset.
    Cycles(u32),
}

/// A harness and how far what it says is proved.
#[derive(Debug)]
pub struct Proof {
    /// The harness.
    pub harness: Box<dyn Module + Send + Sync>,
    /// How far the assertions are proved.
    pub bound: Bound,
    /// The same for `cargo xtask test formal`.
    pub long: Bound,
    /// Cycles in which every cover point is reached.
    pub covered: u32,
}

/// Every proof of the test command.
pub fn proofs() -> Vec<Proof> {
    use Bound::{Cycles, Unbounded};
    fn always(harness: impl Module + Send + Sync + 'static, covered: u32) -> Proof {
        Proof { harness: Box::new(harness), bound: Unbounded, long: Unbounded, covered }
    }
    fn until(
        cycles: u32,
        long: u32,
        harness: impl Module + Send + Sync + 'static,
        covered: u32,
    ) -> Proof {
        Proof { harness: Box::new(harness), bound: Cycles(cycles), long: Cycles(long), covered }
    }
    let queue = |depth| QueueProof {
        queue: Fifo { width: 1, depth },
        room: depth,
        capacity: depth,
        latency: 1,
        counts: true,
    };
    let skid = Skid { width: 1 };
    let block = BlockFifo { width: 1, depth: 4 };
    vec![
        always(QueueProof { queue: skid, room: 2, capacity: 2, latency: 1, counts: false }, 16),
        always(queue(2), 16),
        always(queue(4), 16),
        always(QueueProof { queue: block, room: 4, capacity: 5, latency: 2, counts: true }, 24),
        until(28, 34, AsyncQueueProof { depth: 4 }, 50),
        always(ArbiterProof { requests: 2 }, 8),
        always(ArbiterProof { requests: 5 }, 16),
        always(WindowProof { depth: 2 }, 16),
        until(12, 16, WindowProof { depth: 4 }, 16),
        always(CrossbarProof { lanes: 2, look_ahead: 2, wait: 7 }, 16),
        until(32, 60, SwitchProof, 60),
        until(32, 40, DepositProof { adder_latency: 3, arrivals: 6 }, 40),
        until(36, 42, BankProof { adder_latency: 3, products: 3 }, 46),
    ]
}
