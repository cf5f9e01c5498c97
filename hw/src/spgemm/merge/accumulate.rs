//! The accumulator of one bank, which never holds an arrival back.

use super::algebra::{Algebra, Chosen};
use super::encode::{decode, encode};
use super::slots::{AddLoop, Addition, free_slot};
use super::table::Table;
use super::tags::{Pipe, order_suffix};
use rtl_gen::{Builder, MemSpec, Module, Sig, bit, bits, cat, index_width, uint};

/// Adds each arriving value to its table entry, one a cycle, whatever the order of the entries: the
/// same one every cycle included ("deposit", `docs/spgemm.md`, section Bank).
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `is_float`, `semiring` | in | bit, bits(4) | 1: binary32, 0: integer; what adds, if the algebra has a choice; constant while busy |
/// | `valid`, `fresh` | in | bit | a value arrives; its entry has none yet |
/// | `half`, `entry`, `value` | in | bit, uint, bits(32) | where it belongs; the value |
/// | `absorbed`, `absorbed_half` | out | bit | an addition ended: as many in the end as values arrived |
/// | `stalled` | out | bit | an arrival found no free slot: excluded by the bound below, also an assertion |
/// | `ordered` | in | bit | if `ordered`: values of an entry are added in the order they came; constant while busy |
/// | `hold` | out | bit | if `ordered`: the value that arrives is not taken |
/// | `active` | out | bit | an addition is outstanding |
/// | `walk`, `walk_half` | in | bit | that half is being emptied: nothing arrives for it |
/// | `read`, `read_entry`, `read_value` | in, in, out | bit, uint, bits(32) | reads an entry of it, a cycle later; holds |
///
/// Throughput one arrival a cycle, no hold. An entry without a slot is added to after 3 cycles, its
/// sum is back [`Accumulate::loop_cycles`] later.
///
/// **Bound.** Let L be the cycles from an issued addition to its sum's decision, `adder_latency + 1`. Of an entry
/// with o additions in flight or queued and w (0 or 1) values waiting, o + w - 1 more additions will follow. In a
/// cycle without an issue the queue is empty but for the arrival of that cycle, whose slot then has nothing waiting, and at
/// most L - 1 are in flight; so additions owed, queued ones included, number at most L after it. Every other cycle
/// issues one and at most one arrives: at most L are owed ever. So the queue holds at most L, and at most 2L
/// entries have an addition in flight or queued. A slot freed in one cycle can be taken in the next: 2L + 1 =
/// `2 * adder_latency + 3` slots always suffice.
///
/// **Order.** With the input `ordered` two waiting values are not added to each other: an arrival whose entry has a value waiting holds
/// everything until the sum under way has come back and taken that one. An entry then has one addition under way and one value waiting
/// at most, and one key alone sustains one value in [`Accumulate::loop_cycles`].
#[derive(Clone, Copy, Debug)]
pub struct Accumulate {
    /// The table.
    pub table: Table,
    /// Cycles of the adder.
    pub adder_latency: u32,
    /// What it adds by.
    pub algebra: Algebra,
    /// A command may ask for order.
    pub ordered: bool,
}

impl Accumulate {
    /// Cycles from an issued addition to the cycle that decides about its sum.
    pub fn loop_cycles(&self) -> u32 {
        self.adder_latency + 1
    }

    /// Hot slots: enough for any pattern of arrivals, rounded up to what LUT RAM offers.
    pub fn slots(&self) -> u32 {
        (2 * self.loop_cycles() + 1).next_power_of_two()
    }
}

impl Module for Accumulate {
    fn name(&self) -> String {
        let (table, algebra) = (self.table.suffix(), self.algebra.suffix());
        let ordered = order_suffix(self.ordered);
        format!("accumulate_{table}_a{}{algebra}{ordered}", self.adder_latency)
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Accumulator of one bank: one value a cycle, never held back.");
        let table = self.table;
        let slots = self.slots();
        let (entry_ty, slot_bits) = (uint(table.entry_bits()), index_width(slots));
        let float = m.input("is_float", bit());
        let chosen = Chosen::input(m, self.algebra);
        let (valid, new) = (m.input("valid", bit()), m.input("fresh", bit()));
        let (half, entry) = (m.input("half", bit()), m.input("entry", entry_ty));
        let value = m.input("value", bits(32));
        let (walk, walk_half) = (m.input("walk", bit()), m.input("walk_half", bit()));
        let (read, read_entry) = (m.input("read", bit()), m.input("read_entry", entry_ty));

        // Slots: which entry, how many additions outstanding, a value waiting (and which RAM has it).
        let place_ty = bits(1 + table.entry_bits());
        let busy = m.state("busy", bits(slots), 0);
        let waiting = m.state("waiting", bits(slots), 0);
        let from_arrival = m.reg_decl("from_arrival", bits(slots));
        let places: Vec<_> =
            (0..slots).map(|i| m.reg_decl(&format!("place_{i}"), place_ty)).collect();
        let count_ty = uint(index_width(slots));
        let counts: Vec<_> =
            (0..slots).map(|i| m.reg_decl(&format!("outstanding_{i}"), count_ty)).collect();
        let only: Vec<_> = counts.iter().rev().map(|c| c.q().is(1)).collect();
        let only = cat(&only);

        // Cycle 1: the arrival, its slot, and the entry's value on its way from the table.
        let place = cat(&[half, entry]);
        let order = self.ordered.then(|| (m.input("ordered", bit()), m.forward("held", bit())));
        let pipe = Pipe { m, moves: order.as_ref().map(|(_, held)| !held.sig()) };
        let valid_1 = pipe.flag("valid_1", valid);
        let (new_1, place_1) = (pipe.reg("new_1", new), pipe.reg("place_at_1", place));
        let value_1 = pipe.reg("value_1", value);
        let hit_1 = m.reg_decl("hit_1", bits(slots));
        let slot_1 = m.reg_decl("slot_1", uint(slot_bits));
        let just_written = m.reg_decl("just_written", bit());

        // A returning sum, with the slot it belongs to.
        let add_loop = AddLoop::new(m, slots, self.adder_latency, float, (self.algebra, chosen));
        let back = add_loop.returns(&places.iter().map(|p| p.q()).collect::<Vec<_>>());

        let hit = hit_1.q().red_or();
        let same = (valid_1 & hit & back.valid & slot_1.q().eq(back.slot)).named("same");
        let arrival_waits = (hit_1.q() & waiting.q()).red_or();
        let return_waits = (back.one_hot & waiting.q()).red_or();
        let last = (back.one_hot & only).red_or();

        let return_issues = (back.valid & (return_waits | same)).named("return_issues");
        let idle_return = back.valid & !return_waits & !same;
        let return_deposits = (idle_return & !last).named("return_deposits");
        let write = (idle_return & last).named("write");
        let allocate = (valid_1 & !hit).named("allocate");
        let arrival_issues = valid_1 & !same & (!hit | arrival_waits);
        let arrival_issues = match order {
            None => arrival_issues,
            Some((ordered, held)) => {
                let hold = valid_1 & hit & arrival_waits & !same & ordered;
                held.assign(hold);
                m.output("hold", hold);
                arrival_issues & !hold
            }
        };
        let arrival_issues = arrival_issues.named("arrival_issues");
        let arrival_deposits =
            (valid_1 & hit & same.mux(return_waits, !arrival_waits)).named("arrival_deposits");

        // A free slot for an entry that has none.
        let free = free_slot(m, slots, allocate, write, back.slot);
        let free_one_hot = decode(m, free, slots);
        let taken = gate(allocate, free_one_hot);
        let mine = hit.mux(hit_1.q(), free_one_hot);
        let my_slot = hit.mux(slot_1.q(), free);

        // Cycle 0: look the arrival up. The slot taken now is seen, the slot freed now is not.
        let freed = gate(write, back.one_hot);
        let equal: Vec<_> = places.iter().rev().map(|p| p.q().eq(place)).collect();
        let found = gate(valid, cat(&equal) & busy.q());
        let follows = gate(valid & place.eq(place_1), taken);
        let looked_up = ((found & !freed) | follows).named("looked_up");
        pipe.drive(hit_1, looked_up);
        let flags: Vec<_> = (0..slots).map(|i| looked_up.bit(i)).collect();
        pipe.drive(slot_1, encode(&flags).expect("two slots or more").as_u());
        pipe.drive(just_written, (found & freed).red_or());

        // The slots' next state.
        let consumed = gate(return_issues & return_waits, back.one_hot)
            | gate(arrival_issues & hit, hit_1.q());
        let (by_arrival, by_return) =
            (gate(arrival_deposits, hit_1.q()), gate(return_deposits, back.one_hot));
        busy.drive((busy.q() | taken) & !freed);
        waiting.drive((waiting.q() & !consumed) | by_arrival | by_return);
        from_arrival.drive((from_arrival.q() | by_arrival) & !by_return);
        let more = gate(arrival_issues, mine);
        let less = gate(back.valid & !return_issues, back.one_hot);
        for i in 0..slots {
            let (count, taken) = (counts[i as usize], taken.bit(i));
            count.update(&[
                (taken, count.q().lit(1)),
                (more.bit(i), count.q().inc()),
                (less.bit(i), count.q().dec()),
            ]);
            places[i as usize].drive_when(taken, place_1);
        }

        // Waiting values: one LUT RAM for those deposited by arrivals, one for sums; each read twice.
        let slot_ram = || MemSpec::distributed(slots, 32);
        let deposits = m.mem("deposits", slot_ram());
        deposits.write(slot_1.q(), value_1, arrival_deposits);
        let sums = m.mem("sums", slot_ram());
        sums.write(back.slot, back.sum, return_deposits);
        let waiting_at = |name: &str, slot, one_hot: Sig<'m>| {
            let deposited = (one_hot & from_arrival.q()).red_or();
            deposited.mux(
                deposits.read_async(&format!("deposit_of_{name}"), slot),
                sums.read_async(&format!("sum_of_{name}"), slot),
            )
        };
        let arrival_finds = waiting_at("arrival", slot_1.q(), hit_1.q());
        let return_finds = waiting_at("return", back.slot, back.one_hot);

        // The table. A new entry starts at the value that changes nothing, so that it too is written by a sum.
        let stored: Vec<_> = (0..2)
            .map(|h| {
                let is = |half: Sig<'m>| if h == 1 { half } else { !half };
                let store = m.mem(&format!("values_{h}"), MemSpec::block(table.bank_entries(), 32));
                let (to_half, to_entry) = split(back.place);
                store.write(to_entry, back.sum, write & is(to_half));
                let walked = walk & is(walk_half);
                let mine = valid & is(half);
                m.assert(&format!("half_{h}_is_still"), !(walked & mine));
                store.read(
                    &format!("stored_{h}"),
                    walked.mux(read_entry, entry),
                    walked.mux(read, mine),
                )
            })
            .collect();
        let (half_1, _) = split(place_1);
        let last_sum = m.reg("last_sum", back.sum);
        let table_value = just_written.q().mux(last_sum, half_1.mux(stored[1], stored[0]));
        let base = new_1.mux(chosen.start(float), table_value);

        add_loop.issue(
            Addition {
                valid: return_issues,
                a: back.sum,
                b: return_waits.mux(return_finds, value_1),
                slot: back.slot,
            },
            Addition {
                valid: arrival_issues,
                a: hit.mux(arrival_finds, base),
                b: value_1,
                slot: my_slot,
            },
        );

        let stalled = (allocate & busy.q().red_and()).named("no_slot");
        m.assert("slot_is_free", !stalled);
        m.assert("new_entry_has_no_slot", !(valid_1 & new_1 & hit));
        m.output("absorbed", back.valid);
        m.output("absorbed_half", split(back.place).0);
        m.output("stalled", stalled);
        m.output("active", valid_1 | busy.q().red_or());
        m.output("read_value", walk_half.mux(stored[1], stored[0]));
    }
}

/// `mask` where `condition` is 1, else no slot.
fn gate<'m>(condition: Sig<'m>, mask: Sig<'m>) -> Sig<'m> {
    condition.rep(mask.width()) & mask
}

/// Half and entry of a place.
fn split(place: Sig<'_>) -> (Sig<'_>, Sig<'_>) {
    (place.msb(), place.slice(place.width() - 2, 0).as_u())
}
