//! A queue between two clocks.

use rtl_gen::{Builder, MemSpec, Module, Sig, bit, bits, cat, index_width, uint};

/// Queue from the clock domain `write` to the clock domain `read`, which need not know of each other.
///
/// | port | dir | domain | type | meaning |
/// |---|---|---|---|---|
/// | `in_valid`, `in_data` | in | write | bit, bits(`width`) | beat offered |
/// | `in_ready` | out | write | bit | room is known to be there |
/// | `out_valid`, `out_data` | out | read | bit, bits(`width`) | oldest beat; registers |
/// | `out_ready` | in | read | bit | beat taken |
///
/// The pointers cross as Gray codes, straight from registers, through two flip-flops (C. E. Cummings, "Simulation
/// and Synthesis Techniques for Asynchronous FIFO Design", SNUG 2002, section 5): each side sees the other late, so the
/// queue may seem fuller or emptier than it is, never the reverse. Latency two to three read clocks after the write;
/// throughput one beat a clock of the slower side from a depth of 8 on. Holds `depth` beats and one in the output
/// register. Both resets must be high together for three edges of each clock.
#[derive(Clone, Copy, Debug)]
pub struct AsyncFifo {
    /// Bits a beat.
    pub width: u32,
    /// Beats; a power of two from 4.
    pub depth: u32,
}

impl Module for AsyncFifo {
    fn name(&self) -> String {
        format!("async_fifo_w{}_d{}", self.width, self.depth)
    }

    fn check(&self) -> Result<(), String> {
        if self.depth.is_power_of_two() && self.depth >= 4 {
            return Ok(());
        }
        Err(format!("async fifo depth {} is not a power of two from 4", self.depth))
    }

    fn build(&self, m: &Builder) {
        m.doc("Queue between two clocks; pointers cross as Gray codes.");
        let (write, read) = (m.domain("write"), m.domain("read"));
        let address = index_width(self.depth);
        // One bit more than the address, so that full and empty differ.
        let pointer = uint(address + 1);
        let state =
            |name: &str| (m.state(name, pointer, 0), m.state(&format!("{name}_gray"), pointer, 0));
        let (tail, tail_gray) = m.in_domain(write, || state("tail"));
        let (head, head_gray) = m.in_domain(read, || state("head"));
        let store = m.mem("store", MemSpec::block(self.depth, self.width));

        m.in_domain(write, || {
            let (valid, data) = (m.input("in_valid", bit()), m.input("in_data", bits(self.width)));
            let head_seen = m.synchronizer("head_seen", head_gray.q(), 2);
            // A Gray code half a turn away differs in its two top bits.
            let turned =
                cat(&[!head_seen.slice(address, address - 1), head_seen.slice(address - 2, 0)]);
            let ready = tail_gray.q().as_bits().ne(turned).named("room");
            let push = (valid & ready).named("push");
            tail.drive_when(push, tail.q().inc());
            tail_gray.drive_when(push, gray(tail.q().inc()));
            store.write(tail.q().trunc(address), data, push);
            m.output("in_ready", ready);
        });
        m.in_domain(read, || {
            let ready = m.input("out_ready", bit());
            let tail_seen = m.synchronizer("tail_seen", tail_gray.q(), 2);
            let held = m.state("out_valid_q", bit(), 0);
            let free = !held.q() | ready;
            let fetch = (head_gray.q().ne(tail_seen) & free).named("fetch");
            head.drive_when(fetch, head.q().inc());
            head_gray.drive_when(fetch, gray(head.q().inc()));
            held.drive(fetch | (held.q() & !ready));
            m.output("out_valid", held.q());
            m.output("out_data", store.read("front", head.q().trunc(address), fetch));
        });
    }
}

fn gray(n: Sig<'_>) -> Sig<'_> {
    n ^ n.shr_k(1).zext(n.width())
}
