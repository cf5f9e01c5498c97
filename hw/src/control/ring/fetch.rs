//! Reads ring entries ahead, and the parameter blocks they point to.

use super::{COUNT_BITS, GLANCE, Slots, tag_type};
use crate::bus::{AxiReadMaster, beats_bits};
use crate::cells::Fifo;
use mattock_spec::command::{DESCRIPTOR_BYTES, MAX_PARAMETER_BYTES};
use mattock_spec::regs::queue::{SLOTS, TAGS};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Module, all, bit, bits, cat, uint};

/// Reads entries from the submission ring, in order, as long as there are any and there is a slot.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `open` | in | bit | entries may be asked for |
/// | `start`, `drop` | in | bit | pulse: begin anew at entry 0; forget what was fetched and not taken, once `quiet` |
/// | `flush` | in | bit | level: as told at [`AxiReadMaster`] |
/// | `ring` | in | uint(`addr_bits`) | address of the ring, a multiple of 64 |
/// | `mask`, `doorbell` | in | uint(16) | entries of the ring less 1; entries there are |
/// | `tag_busy` | in | bits(8) | tags whose record is not yet written |
/// | `fetched` | out | uint(16) | entries asked for |
/// | `head` | out | uint | tag of the entry to be judged next |
/// | `quiet` | out | bit | nothing is being read |
/// | the rest | | | as at [`Slots`] |
///
/// From the doorbell to `ready`: the memory's latency and 26 cycles, and as much again for a parameter block. As
/// many as four entries are under way, so one comes every 17 cycles, or a fourth of that time where the
/// memory is slow.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    /// Bytes of a beat.
    pub bus_bytes: u32,
    /// Address bus width.
    pub addr_bits: u32,
}

impl Module for Fetch {
    fn name(&self) -> String {
        format!("ring_fetch_w{}_a{}", self.bus_bytes, self.addr_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("Reads ring entries ahead, and the parameter blocks they point to.");
        let (bus_bytes, addr_bits) = (self.bus_bytes, self.addr_bits);
        let reader = m.inst(
            "reader",
            &AxiReadMaster {
                data_bits: 8 * bus_bytes,
                addr_bits,
                max_burst: MAX_PARAMETER_BYTES as u32 / bus_bytes,
                outstanding: 2 * SLOTS,
            },
        );
        expose(m, reader, "m_axi_", "m_axi_");
        let slots = m.inst("slots", &Slots { bus_bytes, addr_bits });
        for port in ["data_valid", "data", "data_last", "fault"] {
            slots.set(port, reader.get(port));
        }
        m.output("fault_addr", reader.get("fault_addr"));
        for port in ["data_ready", "fault_clear"] {
            reader.set(port, slots.get(port));
        }
        let (open, flush) = (m.input("open", bit()), m.input("flush", bit()));
        let (start, drop) = (m.input("start", bit()), m.input("drop", bit()));
        let clear = (start | drop | flush).named("clear");
        reader.set("flush", flush);
        slots.set("clear", clear);

        // Transfers in the order of their commands: block or entry, and whose.
        let tags = tag_type().width();
        let under_way = m.inst("under_way", &Fifo { width: 1 + tags, depth: SLOTS });
        let blocks = m.inst("blocks", &Fifo { width: addr_bits + 7 + tags, depth: SLOTS });
        let ask = ["ask_addr", "ask_beats", "ask_tag"].map(|port| slots.get(port).as_bits());
        blocks.set("in_valid", slots.get("ask_valid")).set("in_data", cat(&ask));
        m.assert("blocks_have_room", blocks.get("in_ready") | !slots.get("ask_valid"));
        let transfer = under_way.get("out_data");
        slots.set("block", transfer.bit(tags)).set("tag", transfer.slice(tags - 1, 0).as_u());
        under_way.set("out_ready", slots.get("transfer_ended") | flush);

        let count = uint(COUNT_BITS);
        let (fetched, taken) = (m.state("fetched_q", count, 0), m.state("taken_q", count, 0));
        let (mask, doorbell) = (m.input("mask", count), m.input("doorbell", count));
        let busy = m.input("tag_busy", bits(TAGS));
        let next_tag = fetched.q().trunc(tags);
        let held = fetched.q().sub_wrap(taken.q());
        let may = [
            open,
            doorbell.ne(fetched.q()),
            held.lt(held.lit(SLOTS.into())),
            !busy.dyn_lane(next_tag, 1),
            under_way.get("in_ready"),
            !clear,
        ];
        let may = all(&may).named("may_fetch");
        let block = blocks.get("out_valid");
        let index = (fetched.q() & mask).named("index");
        let at = m.input("ring", uint(addr_bits));
        let entry_bits = DESCRIPTOR_BYTES.trailing_zeros();
        let place = index.shl_k(entry_bits).resize(addr_bits);
        let request = blocks.get("out_data");
        let block_addr = request.slice(addr_bits + 6 + tags, 7 + tags).as_u();
        let beats = request.slice(6 + tags, tags).as_u();
        let entry_beats = beats.lit((DESCRIPTOR_BYTES as u32 / bus_bytes).into());
        reader.set("cmd_valid", block | may);
        reader.set("cmd_addr", block.mux(block_addr, at.add_wrap(place)));
        reader.set(
            "cmd_beats",
            block.mux(beats, entry_beats).resize(beats_bits(8 * bus_bytes, addr_bits)),
        );
        let go = (reader.get("cmd_ready") & (block | may) & !flush).named("go");
        blocks.set("out_ready", reader.get("cmd_ready") | flush);
        let whose = block.mux(request.slice(tags - 1, 0), next_tag.as_bits());
        under_way.set("in_valid", go).set("in_data", cat(&[block, whose]));
        m.assert("transfers_have_room", under_way.get("in_ready") | !go);

        let take = m.input("take", bit());
        let zero = fetched.q().lit(0);
        fetched.update(&[(start | flush, zero), (go & !block, fetched.q().inc())]);
        taken.update(&[(start | flush, zero), (drop, fetched.q()), (take, taken.q().inc())]);
        m.output("fetched", fetched.q());
        let head = taken.q().trunc(tags);
        m.output("head", head);
        slots.set("head", head).set("take", take);
        let nothing = [under_way, blocks].map(|fifo| fifo.get("count").is(0));
        m.output("quiet", reader.get("idle") & all(&nothing) & !slots.get("settling"));
        for (port, ty) in [("word", uint(8)), ("read", bit()), ("done_tag", tag_type())] {
            slots.set(port, m.input(port, ty));
        }
        let out = ["entry_fault", "entry_fault_code", "ready", "tail", "code", "deadline"];
        let out = out.into_iter().chain(["word_data", "done_first", "done_cookie"]);
        for port in out.chain(GLANCE) {
            m.output(port, slots.get(port));
        }
    }
}
