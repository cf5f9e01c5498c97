//! First-in first-out queues of one clock.

use rtl_gen::{Builder, MemSpec, Module, bit, bits, index_width, uint};

/// Queue in LUT RAM, first word falls through: a beat written into an empty queue is visible in
/// the next cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_data` | in | bit, bits(`width`) | beat offered |
/// | `in_ready` | out | bit | not full; a register |
/// | `out_valid`, `out_data` | out | bit, bits(`width`) | oldest beat |
/// | `out_ready` | in | bit | beat taken |
/// | `count` | out | uint | beats held, 0 to `depth` |
///
/// Latency 1, throughput one beat a cycle.
#[derive(Clone, Copy, Debug)]
pub struct Fifo {
    /// Bits a beat.
    pub width: u32,
    /// Beats; a power of two from 2.
    pub depth: u32,
}

impl Module for Fifo {
    fn name(&self) -> String {
        format!("fifo_w{}_d{}", self.width, self.depth)
    }

    fn check(&self) -> Result<(), String> {
        check_depth(self.depth)
    }

    fn build(&self, m: &Builder) {
        m.doc("FIFO in LUT RAM, first word falls through.");
        let (in_valid, in_data) =
            (m.input("in_valid", bit()), m.input("in_data", bits(self.width)));
        let out_ready = m.input("out_ready", bit());
        let address = uint(index_width(self.depth));
        let (head, tail) = (m.state("head", address, 0), m.state("tail", address, 0));
        let held = m.state("held", uint(index_width(self.depth + 1)), 0);
        let ready = m.state("in_ready_q", bit(), 1);

        let push = (in_valid & ready.q()).named("push");
        let valid = held.q().ne(held.q().lit(0));
        let pop = (valid & out_ready).named("pop");
        tail.drive_when(push, tail.q().inc());
        head.drive_when(pop, head.q().inc());
        let next = (push & !pop).mux(held.q().inc(), (pop & !push).mux(held.q().dec(), held.q()));
        let next = next.named("next_count");
        held.drive(next);
        ready.drive(!next.is(self.depth as i128));

        let store = m.mem("store", MemSpec::distributed(self.depth, self.width));
        store.write(tail.q(), in_data, push);
        m.output("in_ready", ready.q());
        m.output("out_valid", valid);
        m.output("out_data", store.read_async("front", head.q()));
        m.output("count", held.q());
    }
}

/// Queue in block RAM with a registered output.
///
/// Ports as [`Fifo`]. Latency 2 through an empty queue, throughput one beat a cycle. `count` is the
/// number of beats held, 0 to `depth + 1` (one waits in the output register).
#[derive(Clone, Copy, Debug)]
pub struct BlockFifo {
    /// Bits a beat.
    pub width: u32,
    /// Beats in the RAM; a power of two from 2.
    pub depth: u32,
}

impl Module for BlockFifo {
    fn name(&self) -> String {
        format!("block_fifo_w{}_d{}", self.width, self.depth)
    }

    fn check(&self) -> Result<(), String> {
        check_depth(self.depth)
    }

    fn build(&self, m: &Builder) {
        m.doc("FIFO in block RAM with a registered output.");
        let (in_valid, in_data) =
            (m.input("in_valid", bit()), m.input("in_data", bits(self.width)));
        let out_ready = m.input("out_ready", bit());
        let address = uint(index_width(self.depth));
        let (head, tail) = (m.state("head", address, 0), m.state("tail", address, 0));
        let wide = uint(index_width(self.depth + 2));
        // Beats whose write has happened, so that a read never meets the write of its own word.
        let stored = m.state("stored", wide, 0);
        let held = m.state("held", bit(), 0);

        let full = stored.q().is(self.depth as i128);
        let push = (in_valid & !full).named("push");
        let pop = (held.q() & out_ready).named("pop");
        let fetch = (stored.q().ne(stored.q().lit(0)) & (!held.q() | pop)).named("fetch");
        tail.drive_when(push, tail.q().inc());
        head.drive_when(fetch, head.q().inc());
        stored.drive(
            (push & !fetch)
                .mux(stored.q().inc(), (fetch & !push).mux(stored.q().dec(), stored.q())),
        );
        held.drive(fetch | (held.q() & !pop));

        let store = m.mem("store", MemSpec::block(self.depth, self.width));
        store.write(tail.q(), in_data, push);
        m.output("in_ready", !full);
        m.output("out_valid", held.q());
        m.output("out_data", store.read("front", head.q(), fetch));
        m.output("count", stored.q().add_wrap(held.q().as_u().zext(wide.width())));
    }
}

fn check_depth(depth: u32) -> Result<(), String> {
    if depth.is_power_of_two() && depth >= 2 {
        Ok(())
    } else {
        Err(format!("fifo depth {depth} is not a power of two from 2"))
    }
}
