//! The processor with its memory and its view of the card.

use super::picorv32::picorv32;
use mattock_spec::regs::controller::MEMORY_BYTES;
use mattock_spec::regs::local::{BAR0_BASE, ENTRY_BASE};
use rtl_gen::{Builder, MemSpec, Module, bit, bits, one_hot_mux, uint};

/// Words of the processor's memory.
pub(super) const WORDS: u32 = MEMORY_BYTES / 4;
/// Bits of a word's index there.
pub(super) const WORD_BITS: u32 = WORDS.trailing_zeros();

/// PicoRV32 and what it reaches.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `run` | in | bit | level: the core runs; otherwise it is in reset and the memory has the port below |
/// | `write`, `write_addr`, `write_data`, `write_strb` | in | bit, uint(10), bits(32), bits(4) | writes a word of the memory while `run` is 0 |
/// | `read`, `read_addr`, `read_data` | in, in, out | bit, uint(10), bits(32) | reads one; the data follow by a cycle |
/// | `bar_write`, `bar_read`, `bar_addr`, `bar_data` | out | bit, bit, uint(14), bits(32) | an access to BAR0 is wished; held until `bar_take` |
/// | `bar_take`, `bar_answer` | in | bit, bits(32) | it is done this cycle; what was read, the cycle after |
/// | `entry_read`, `entry_word`, `entry_data` | out, out, in | bit, uint(8), bits(32) | word of the ring entry or its block; the cycle after |
/// | `local_read`, `local_read_addr`, `local_answer` | out, out, in | bit, uint(6), bits(32) | local register; the cycle after |
/// | `local_write`, `local_write_addr`, `local_data` | out | bit, uint(6), bits(32) | pulse |
/// | `trap` | out | bit | the core has stopped |
///
/// Memory, entry and local registers answer without wait cycles; BAR0 takes one more cycle to write and two to read,
/// and as many as the host is in the way.
#[derive(Clone, Copy, Debug)]
pub struct Processor;

impl Module for Processor {
    fn name(&self) -> String {
        "processor".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("PicoRV32 with its memory and its view of the card.");
        let run = m.input("run", bit());
        let core = m.black_box("core", picorv32());
        core.set("resetn", m.reg_reset("awake", run, 0));
        for port in ["pcpi_wr", "pcpi_wait", "pcpi_ready"] {
            core.set(port, m.low());
        }
        core.set("pcpi_rd", m.lit(bits(32), 0)).set("irq", m.lit(bits(32), 0));
        m.output("trap", core.get("trap") & run);

        // The address comes a cycle before the request: what answers at once is read then.
        let (looks, wants) = (core.get("mem_la_read"), core.get("mem_la_write"));
        let (address, data) = (core.get("mem_la_addr"), core.get("mem_la_wdata"));
        let region = address.slice(31, 28);
        let [of_memory, of_bar, of_entry, of_local] =
            [0, BAR0_BASE >> 28, ENTRY_BASE >> 28, 15].map(|r| region.is(i128::from(r)));

        let spec = MemSpec::block(WORDS, 32).lanes(8);
        let memory = m.mem("memory", spec);
        let word = address.slice(WORD_BITS + 1, 2).as_u();
        let outside = ["write_addr", "read_addr"].map(|port| m.input(port, uint(WORD_BITS)));
        let (write, read) = (m.input("write", bit()), m.input("read", bit()));
        memory.write_lanes(
            run.mux(word, outside[0]),
            run.mux(data, m.input("write_data", bits(32))),
            run.mux(wants & of_memory, write),
            run.mux(core.get("mem_la_wstrb"), m.input("write_strb", bits(4))),
        );
        let stored =
            memory.read("stored", run.mux(word, outside[1]), run.mux(looks & of_memory, read));
        m.output("read_data", stored);

        m.output("entry_read", looks & of_entry);
        m.output("entry_word", address.slice(9, 2).as_u());
        m.output("local_read", looks & of_local);
        m.output("local_read_addr", address.slice(7, 2).as_u());
        m.output("local_write", wants & of_local);
        m.output("local_write_addr", address.slice(7, 2).as_u());
        m.output("local_data", data);

        // BAR0 is shared with the host.
        let begin = looks | wants;
        let source = |name: &str, of| m.reg_when(name, begin, of);
        let (from_memory, from_bar) =
            (source("from_memory", of_memory), source("from_bar", of_bar));
        let (from_entry, from_local) =
            (source("from_entry", of_entry), source("from_local", of_local));
        let valid = core.get("mem_valid");
        let writes = core.get("mem_wstrb").red_or();
        let answered = m.state("answered", bit(), 0);
        let asks = (valid & from_bar & !answered.q()).named("bar_asks");
        let take = m.input("bar_take", bit());
        m.output("bar_write", asks & writes);
        m.output("bar_read", asks & !writes);
        m.output("bar_addr", core.get("mem_addr").slice(13, 0).as_u());
        m.output("bar_data", core.get("mem_wdata"));
        answered.drive(asks & take & !writes);
        let bar_ready = (asks & take & writes) | answered.q();
        core.set("mem_ready", valid & (!from_bar | bar_ready));
        core.set(
            "mem_rdata",
            one_hot_mux(&[
                (from_memory, stored),
                (from_bar, m.input("bar_answer", bits(32))),
                (from_entry, m.input("entry_data", bits(32))),
                (from_local, m.input("local_answer", bits(32))),
            ]),
        );
    }
}
