//! The accumulator of one bank, which never holds an arrival back (`docs/spgemm.md`, "Bank").

use super::tags::Found;
use std::collections::VecDeque;

/// A hot slot: an entry with additions in flight.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    place: Option<Found>,
    outstanding: u32,
    waits: bool,
}

/// An arrival a cycle later, with its slot if its entry has one.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    place: Found,
    slot: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Accumulate {
    slots: Vec<Slot>,
    busy: u32,
    arrival: Option<Arrival>,
    /// Additions of arrivals that wait for the adder.
    queue: VecDeque<usize>,
    /// The issue register and the adder's stages, the sum that returns last.
    adder: VecDeque<Option<usize>>,
}

impl Accumulate {
    pub(super) fn new(adder_latency: u32) -> Self {
        let slots = (2 * (adder_latency + 1) + 1).next_power_of_two() as usize;
        Accumulate {
            slots: vec![Slot::default(); slots],
            busy: 0,
            arrival: None,
            queue: VecDeque::new(),
            adder: vec![None; adder_latency as usize + 1].into(),
        }
    }

    pub(super) fn idle(&self) -> bool {
        self.busy == 0 && self.arrival.is_none()
    }

    /// Half of the product whose sum returns in this cycle.
    pub(super) fn absorbed(&self) -> Option<bool> {
        let back = (*self.adder.back()?)?;
        self.slots[back].place.map(|p| p.half)
    }

    /// A second product waits for the sum under way.
    pub(super) fn holds(&self) -> bool {
        let back = self.adder.back().copied().flatten();
        let hit = self.arrival.and_then(|a| a.slot);
        hit.is_some_and(|slot| self.slots[slot].waits && back != Some(slot))
    }

    pub(super) fn tick(&mut self, found: Option<Found>, holds: bool) {
        let back = self.adder.pop_back().flatten();
        let held = self.arrival.filter(|_| holds);
        let arrival = self.arrival.take().filter(|_| !holds);
        let hit = arrival.and_then(|a| a.slot);
        let same = hit.is_some() && hit == back;
        let return_waits = back.is_some_and(|slot| self.slots[slot].waits);
        let arrival_waits = hit.is_some_and(|slot| self.slots[slot].waits);
        let return_issues = back.filter(|_| return_waits || same);
        let idle_return = back.filter(|_| !return_waits && !same);
        let written = idle_return.filter(|&slot| self.slots[slot].outstanding == 1);

        // An arrival without a slot takes a free one.
        let free = (!self.busy).trailing_zeros() as usize;
        let allocated = arrival.filter(|a| a.slot.is_none()).map(|a| (free, a.place));
        let arrival_issues = arrival.filter(|_| !same && (hit.is_none() || arrival_waits));
        let deposits = if same { return_waits } else { hit.is_some() && !arrival_waits };

        // The slot taken now is seen by the next arrival, the slot freed now is not.
        self.arrival = found.map(|place| {
            let held =
                |slot: &usize| self.busy >> slot & 1 == 1 && self.slots[*slot].place == Some(place);
            let slot = (0..self.slots.len()).find(held).filter(|slot| Some(*slot) != written);
            let follows = allocated.filter(|(_, at)| *at == place).map(|(slot, _)| slot);
            Arrival { place, slot: slot.or(follows) }
        });

        self.arrival = held.or(self.arrival);
        if let Some(slot) = return_issues.filter(|_| return_waits) {
            self.slots[slot].waits = false;
        }
        if let (Some(_), Some(slot)) = (arrival_issues, hit) {
            self.slots[slot].waits = false;
            self.slots[slot].outstanding += 1;
        }
        if let Some(slot) = hit.filter(|_| deposits) {
            self.slots[slot].waits = true;
        }
        if let Some(slot) = idle_return {
            self.slots[slot].outstanding -= 1;
            self.slots[slot].waits = written.is_none();
        }
        if let Some(slot) = written {
            self.busy &= !(1 << slot);
        }
        if let Some((slot, place)) = allocated {
            self.slots[slot] = Slot { place: Some(place), outstanding: 1, waits: false };
            self.busy |= 1 << slot;
        }

        let later = self.queue.front().copied();
        let issued = return_issues.or(later);
        if return_issues.is_none() {
            self.queue.pop_front();
        }
        self.queue.extend(arrival_issues.map(|_| hit.unwrap_or(free)));
        self.adder.push_front(issued);
    }
}
