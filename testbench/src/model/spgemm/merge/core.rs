//! The merge core.

use super::super::cells::{RoundRobin, Skid};
use super::super::front::Element;
use super::Product;
use super::bank::Bank;
use super::crossbar::Crossbar;
use mattock_hw::spgemm::merge::{MergeCore as Shape, Spread, Table};
use std::collections::VecDeque;

/// Cycles of the multiplier, in which the key's place is found.
const MULTIPLY: usize = 7;

/// Lanes' products to their entries; drains one half while the other fills.
#[derive(Debug)]
pub(crate) struct MergeCore {
    table: Table,
    /// Cycles until the table is cleared after reset.
    wiping: u32,
    fronts: Vec<VecDeque<Option<Product>>>,
    crossbar: Crossbar,
    banks: Vec<Bank>,
    groups: Vec<RoundRobin>,
    streams: Vec<Skid<u64>>,
    start: Option<(bool, bool)>,
    drain_busy: bool,
    inside: [u32; 2],
    merged: [u32; 2],
    lost: [u32; 2],
    pub(crate) dropped: u64,
    pub(crate) stalled: u64,
}

pub(crate) struct CoreIn<'a> {
    pub(crate) spread: Spread<u32>,
    pub(crate) ordered: bool,
    /// Elements offered by the lanes.
    pub(crate) elements: &'a [Option<Element>],
    /// Empty that half, to the streams or (`true`) to nowhere.
    pub(crate) drain: Option<(bool, bool)>,
    /// By stream.
    pub(crate) drain_ready: &'a [bool],
}

impl MergeCore {
    pub(crate) fn new(shape: &Shape) -> Self {
        let table = shape.table();
        let bank = |_| Bank::new(table.ways, table.buckets(), shape.adder_latency);
        let streams = shape.sorter_width;
        MergeCore {
            table,
            wiping: table.buckets().max(64),
            fronts: (0..shape.lanes).map(|_| vec![None; MULTIPLY].into()).collect(),
            crossbar: Crossbar::new(shape.lanes, shape.banks, shape.look_ahead),
            banks: (0..shape.banks).map(bank).collect(),
            groups: (0..streams).map(|_| RoundRobin::new(shape.banks / streams)).collect(),
            streams: (0..streams).map(|_| Skid::new()).collect(),
            start: None,
            drain_busy: false,
            inside: [0; 2],
            merged: [0; 2],
            lost: [0; 2],
            dropped: 0,
            stalled: 0,
        }
    }

    fn advances(&self, lane: usize) -> bool {
        let last = self.fronts[lane].back().is_some_and(Option::is_some);
        !last || self.crossbar.ready(lane)
    }

    pub(crate) fn ready(&self, lane: usize) -> bool {
        self.wiping == 0 && self.advances(lane)
    }

    /// Products of the half are inside.
    pub(crate) fn busy(&self) -> [bool; 2] {
        self.inside.map(|n| n != 0)
    }

    /// A product of the half was dropped.
    pub(crate) fn overflow(&self) -> [bool; 2] {
        self.lost.map(|n| n != 0)
    }

    pub(crate) fn drain_busy(&self) -> bool {
        self.drain_busy || self.wiping != 0
    }

    /// Key at a drain stream.
    pub(crate) fn drained(&self, stream: usize) -> Option<u64> {
        self.streams[stream].front().copied()
    }

    fn product(&self, spread: Spread<u32>, element: Element) -> Product {
        let Element { seq, row, col } = element;
        let (bank, bucket) = self.table.place(spread, row, col);
        Product { half: seq & 1 == 1, bank, bucket, key: u64::from(row) << 32 | u64::from(col) }
    }

    pub(crate) fn tick(&mut self, i: &CoreIn<'_>) {
        let mut arrived = [0u32; 2];
        let mut offered = [None; 16];
        for (lane, element) in i.elements.iter().enumerate() {
            let advances = self.advances(lane);
            offered[lane] = self.fronts[lane].back().copied().flatten();
            let entering = element.filter(|_| self.wiping == 0);
            if advances {
                let product = entering.map(|e| self.product(i.spread, e));
                if let Some(product) = product {
                    arrived[usize::from(product.half)] += 1;
                }
                self.fronts[lane].pop_back();
                self.fronts[lane].push_front(product);
            }
        }
        let mut at_banks = [None; 64];
        for product in self.crossbar.out() {
            at_banks[product.bank as usize] = Some(product);
        }
        let space = self.banks.iter().enumerate();
        let space = space.fold(0, |bits, (b, bank)| bits | u64::from(bank.has_space()) << b);
        self.crossbar.tick(&offered[..i.elements.len()], space);

        let draining = self.banks.iter().any(Bank::walking) || self.streams.iter().any(Skid::valid);
        self.drain_busy =
            i.drain.is_some() || (self.drain_busy && (self.start.is_some() || draining));

        let (mut merged, mut lost) = ([0; 2], [0; 2]);
        for bank in &self.banks {
            if let Some(half) = bank.absorbed() {
                merged[usize::from(half)] += 1;
            }
            if let Some(half) = bank.dropped() {
                lost[usize::from(half)] += 1;
            }
        }
        let mut taken = 0u64;
        if draining {
            taken = self.join(i.drain_ready);
        }
        let start = std::mem::replace(&mut self.start, i.drain);
        for (b, bank) in self.banks.iter_mut().enumerate() {
            self.stalled +=
                u64::from(bank.tick(i.ordered, at_banks[b], start, taken >> b & 1 == 1));
        }
        for (half, arrived) in arrived.into_iter().enumerate() {
            let gone = self.merged[half] + self.lost[half];
            self.inside[half] = self.inside[half] + arrived - gone;
        }
        self.dropped += u64::from(lost[0] + lost[1]);
        (self.merged, self.lost) = (merged, lost);
        self.wiping = self.wiping.saturating_sub(1);
    }

    /// Joins the banks' entries into the drain streams. Returns the banks whose entry was taken, a bit each.
    fn join(&mut self, ready: &[bool]) -> u64 {
        let width = self.streams.len();
        let mut taken = 0;
        for (g, &ready) in ready.iter().enumerate() {
            let group = (0..self.banks.len() / width).map(|n| g + n * width);
            let offers = group
                .enumerate()
                .fold(0u32, |bits, (n, b)| bits | u32::from(self.banks[b].out().is_some()) << n);
            let room = self.streams[g].ready();
            let granted = self.groups[g].grant(offers);
            let bank = granted.map(|n| g + n as usize * width);
            let key = bank.and_then(|b| self.banks[b].out());
            if let (Some(n), Some(bank), true) = (granted, bank, room) {
                self.groups[g].served(n);
                taken |= 1 << bank;
            }
            self.streams[g].tick(key, ready);
        }
        taken
    }
}
