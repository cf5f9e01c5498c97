//! Ring entries and parameter blocks as they arrive, kept for the command logic.

use super::{fault_code, slot_type, tag_type};
use mattock_spec::ErrorCode;
use mattock_spec::command::MAX_PARAMETER_BYTES;
use mattock_spec::regs::queue::{SLOTS, TAGS};
use rtl_gen::{Builder, MemSpec, Module, Sig, any, bit, bits, cat, uint};

/// Words of an entry that its completion needs: opcode and queue, cookie, deadline.
const KEPT_WORDS: [i128; 5] = [0, 2, 3, 6, 7];

/// Takes the words of a transfer apart and keeps them.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `data_valid`, `data_ready`, `data`, `data_last` | in, out, in, in | | beats from the read master |
/// | `fault`, `fault_clear` | in, out | bits(2), bit | its sticky error: that of this transfer |
/// | `block`, `tag` | in | bit, uint | the transfer whose beats come is of a parameter block; whose it is |
/// | `transfer_ended`, `settling` | out | bit | pulse: its last beat was taken; the cycle after, in which the rest follows |
/// | `ask_valid`, `ask_addr`, `ask_beats`, `ask_tag` | out | bit, uint, uint(7), uint | pulse: fetch this parameter block |
/// | `entry_fault`, `entry_fault_code` | out | bit, bits(8) | pulse: an entry could not be read |
/// | `head` | in | uint | slot and tag of the entry to be judged next |
/// | `ready`, `tail`, `code` | out | bit, bit, bits(8) | the entry at `head` is complete; its bytes 32 to 63 are not all 0; its block's fetch failed |
/// | `deadline` | out | uint(64) | its deadline |
/// | `dense_wide`, `dense_set`, `dense_low`, `dense_high` | out | bit, bit, bits(8), bits(32) | of its block, read as one of a dense product: a dimension or stride of 2^16 or more; a reserved word that is not 0; bits 7:0 of addresses and strides, all ORed; the same of the upper halves of addresses |
/// | `word`, `read`, `word_data` | in, in, out | uint(8), bit, bits(32) | reads word `word` of the slot at `head`, bit 7 for the block; one cycle |
/// | `take`, `clear` | in | bit | pulse: the entry at `head` is done with; forget all slots |
/// | `done_tag` | in | uint | whose record is written |
/// | `done_first`, `done_cookie` | out | bits(32), bits(64) | its word 0 and its cookie |
///
/// A word a cycle, so a 64-byte entry takes 16 cycles. Nothing is taken in the cycle after the end of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// Bytes of a beat.
    pub bus_bytes: u32,
    /// Address bus width.
    pub addr_bits: u32,
}

impl Module for Slots {
    fn name(&self) -> String {
        format!("ring_slots_w{}_a{}", self.bus_bytes, self.addr_bits)
    }

    fn build(&self, m: &Builder) {
        self.draw(m);
    }
}

impl Slots {
    fn draw<'m>(&self, m: &'m Builder) {
        m.doc("Ring entries and parameter blocks as they arrive, kept for the command logic.");
        let (clear, take) = (m.input("clear", bit()), m.input("take", bit()));
        let (block, tag) = (m.input("block", bit()), m.input("tag", tag_type()));
        let slot = tag.trunc(slot_type().width());

        // Beats to words.
        let lanes = self.bus_bytes / 4;
        let ended = m.state("ended", bit(), 0);
        let data = m.input("data", bits(8 * self.bus_bytes));
        let valid = (m.input("data_valid", bit()) & !ended.q()).named("word_valid");
        let lane = m.state("lane", uint(lanes.trailing_zeros()), 0);
        let last_lane = lane.q().is(i128::from(lanes) - 1);
        let last = (valid & last_lane & m.input("data_last", bit())).named("last_word");
        let word = data.dyn_lane(lane.q(), 32).named("word_in");
        m.output("data_ready", last_lane & !ended.q());
        m.output("transfer_ended", last);
        m.output("settling", ended.q());
        let at = m.state("at", uint(7), 0);
        lane.update(&[(clear, lane.q().lit(0)), (valid, lane.q().inc())]);
        at.update(&[(clear | last, at.q().lit(0)), (valid, at.q().inc())]);
        ended.drive(last & !clear);

        let store = m.mem("store", MemSpec::block(SLOTS << 8, 32));
        store.write(cat(&[slot, block, at.q()]).as_u(), word, valid);
        let head = m.input("head", tag_type());
        let head_slot = head.trunc(slot_type().width());
        let place = cat(&[head_slot, m.input("word", uint(8))]).as_u();
        m.output("word_data", store.read("word_data_q", place, m.input("read", bit())));

        let of_entry = (valid & !block).named("of_entry");
        let kept = KEPT_WORDS.map(|w| at.q().is(w));
        let meta = m.mem("meta", MemSpec::distributed(TAGS, 160).lanes(32));
        let lanes: Vec<Sig> = kept.iter().rev().copied().collect();
        meta.write_lanes(tag, word.rep(5), of_entry & any(&kept), cat(&lanes));
        m.output("deadline", meta.read_async("head_meta", head).slice(159, 96).as_u());
        let done = meta.read_async("done_meta", m.input("done_tag", tag_type()));
        m.output("done_first", done.slice(31, 0));
        m.output("done_cookie", done.slice(95, 32));

        // A dense block at a glance, so that the command logic need not look at every word of most of them.
        let of_block = (valid & block).named("of_block");
        let among = |words: &[i128]| any(&words.iter().map(|w| at.q().is(*w)).collect::<Vec<_>>());
        let begins = of_block & at.q().is(0);
        let gather = |name: &str, words: &[i128], part: Sig<'m>| {
            let sum = m.reg_decl(name, part.ty());
            let here = of_block & among(words);
            sum.update(&[(begins, part.lit(0)), (here, sum.q() | part)]);
            sum.q()
        };
        let wide = gather("dense_wide_q", &[1, 2, 3, 6, 10, 14], word.slice(31, 16).red_or());
        let set = gather("dense_set_q", &[7, 11, 15], word.red_or());
        let low_bits = gather("dense_low_q", &[4, 6, 8, 10, 12, 14], word.slice(7, 0));
        let high_bits = gather("dense_high_q", &[5, 9, 13], word);
        let glance = cat(&[high_bits, low_bits, set, wide]).named("dense_glance");

        // What is to be fetched beside the entry.
        let part = |name: &str, w: i128| m.reg_when(name, of_entry & at.q().is(w), word);
        let (length, low, high) = (part("length", 1), part("block_low", 4), part("block_high", 5));
        let tail = m.state("tail_q", bit(), 0);
        let first = of_entry & at.q().is(0);
        let dirty = of_entry & at.q().bit(3) & word.red_or();
        tail.update(&[(first, m.low()), (dirty, m.high())]);

        let (ended_block, ended_tag) = (m.reg("ended_block", block), m.reg("ended_tag", tag));
        let fault = m.input("fault", bits(2));
        let code = fault_code(fault, ErrorCode::ReadSlaveError).named("code_now");
        m.output("fault_clear", ended.q() | clear);
        let entry_ended = (ended.q() & !ended_block).named("entry_ended");
        let broken = entry_ended & fault.bit(1);
        m.output("entry_fault", broken);
        m.output("entry_fault_code", code);

        let most = MAX_PARAMETER_BYTES as i128;
        let wanted = !length.is(0) & length.as_u().le(length.as_u().lit(most));
        let wanted = (wanted & low.slice(5, 0).is(0)).named("block_wanted");
        let address = cat(&[high, low]);
        let units = length.slice(9, 0).as_u().zext(11).add_wrap(m.lit(uint(11), 63)).shr_k(6);
        let end = low.slice(8, 6).as_u().zext(5) + units.trunc(5);
        let page_last = address.slice(self.addr_bits - 1, 9).red_and();
        let past = page_last & end.gt(end.lit(8));
        let past = match self.addr_bits {
            64 => past,
            bits => past | address.slice(63, bits).red_or(),
        };
        let past = past.named("block_unreachable");
        let ask = (entry_ended & !fault.bit(1) & wanted & !past).named("ask");
        let shift = self.bus_bytes.trailing_zeros();
        let beats = length.slice(9, 0).as_u().zext(11);
        let beats = beats.add_wrap(beats.lit(i128::from(self.bus_bytes) - 1)).shr_k(shift);
        m.output("ask_valid", ask);
        m.output("ask_addr", address.slice(self.addr_bits - 1, 0).as_u());
        m.output("ask_beats", beats.resize(7));
        m.output("ask_tag", ended_tag);

        // Per slot: complete, tail, how the block's fetch went.
        let unreachable = wanted & past;
        let decode_error = code.lit(ErrorCode::ReadDecodeError as i128);
        let outcome = ended_block.mux(code, unreachable.gate(decode_error)).named("outcome");
        let complete = (ended.q() & (ended_block | !(ask | broken))).named("complete");
        let ended_slot = ended_tag.trunc(slot_type().width());
        let (mut ready, mut tails, mut codes, mut glances) = (vec![], vec![], vec![], vec![]);
        for s in 0..SLOTS {
            let here = ended_slot.is(s.into());
            let taken = take & head_slot.is(s.into());
            let full = m.state(&format!("ready_{s}"), bit(), 0);
            full.drive(((complete & here) | (full.q() & !taken)) & !clear);
            ready.insert(0, full.q());
            tails.insert(0, m.reg_when(&format!("tail_{s}"), entry_ended & here, tail.q()));
            let block_ended = ended.q() & ended_block & here;
            glances.insert(0, m.reg_when(&format!("glance_{s}"), block_ended, glance));
            codes.insert(0, m.reg_when(&format!("code_{s}"), complete & here, outcome));
        }
        m.output("ready", cat(&ready).dyn_lane(head_slot, 1));
        m.output("tail", cat(&tails).dyn_lane(head_slot, 1));
        m.output("code", cat(&codes).dyn_lane(head_slot, 8));
        let glance = cat(&glances).dyn_lane(head_slot, 42);
        m.output("dense_wide", glance.bit(0));
        m.output("dense_set", glance.bit(1));
        m.output("dense_low", glance.slice(9, 2));
        m.output("dense_high", glance.slice(41, 10));
    }
}
