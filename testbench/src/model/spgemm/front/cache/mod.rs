//! The banked, non-blocking line cache in front of the rows of B.

mod bank;
mod misses;
mod plru;
mod tags;

use super::super::cells::{RoundRobin, index_width};
use super::hub::LineHub;
use bank::{Bank, BankIn};

/// Sizes of the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheShape {
    pub(crate) banks: u32,
    pub(crate) ways: u32,
    pub(crate) sets: u32,
    pub(crate) clients: u32,
    pub(crate) misses: u32,
    pub(crate) waiters: u32,
}

/// A request for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    client: u32,
    tag: u32,
    line: u64,
}

#[derive(Debug)]
pub(crate) struct Cache {
    digit: u32,
    banks: Vec<Bank>,
    hub: LineHub,
    into: Vec<RoundRobin>,
    out: Vec<RoundRobin>,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl Cache {
    pub(crate) fn new(shape: CacheShape) -> Self {
        let CacheShape { banks, clients, .. } = shape;
        Cache {
            digit: index_width(banks),
            banks: (0..banks).map(|_| Bank::new(&shape)).collect(),
            hub: LineHub::new(banks, shape.misses),
            into: (0..banks).map(|_| RoundRobin::new(clients - 1)).collect(),
            out: (0..clients).map(|_| RoundRobin::new(banks)).collect(),
            hits: 0,
            misses: 0,
        }
    }

    pub(crate) fn ready(&self) -> bool {
        self.banks.iter().all(Bank::ready)
    }

    /// A line is wanted from memory.
    pub(crate) fn mem_request(&self) -> bool {
        self.hub.request()
    }

    /// Tags of the answers, by client.
    pub(crate) fn answers(&self, tags: &mut [Option<u32>]) {
        tags.fill(None);
        for (client, tag) in self.banks.iter().filter_map(Bank::answer) {
            tags[client as usize] = Some(tag);
        }
    }

    fn home(&self, line: u64) -> u32 {
        let digit = |n: u32| line >> (n * self.digit);
        ((digit(0) ^ digit(1) ^ digit(2)) & ((1 << self.digit) - 1)) as u32
    }

    /// A cycle: line and tag wanted by each client; which of them are taken is written to `ready`.
    pub(crate) fn tick(
        &mut self,
        requests: &[Option<(u64, u32)>],
        ready: &mut [bool],
        mem_ready: bool,
        mem_answer: bool,
        invalidate: bool,
    ) {
        ready.fill(false);
        let open = self.ready();
        let mut wants = [0u32; 32];
        for (client, request) in requests.iter().enumerate() {
            if let Some((line, _)) = request {
                wants[self.home(*line) as usize] |= 1 << client;
            }
        }
        // Every client takes one answer a cycle.
        let mut takes = 0u32;
        for client in 0..requests.len() as u32 {
            let offers =
                self.banks.iter().enumerate().fold(0u32, |bits, (b, bank)| {
                    bits | u32::from(bank.offer() == Some(client)) << b
                });
            if let Some(bank) = self.out[client as usize].grant(offers) {
                self.out[client as usize].served(bank);
                takes |= 1 << bank;
            }
        }
        let asks = self.banks.iter().enumerate();
        let asks = asks.fold(0, |bits, (b, bank)| bits | u32::from(bank.asks_memory()) << b);
        let mem_taken = self.hub.taken(asks);
        let fill = self.hub.answer();
        self.hub.tick(mem_taken, mem_ready, mem_answer);
        for (b, bank) in self.banks.iter_mut().enumerate() {
            // The last client goes first, the others take turns.
            let last = requests.len() as u32 - 1;
            let first = wants[b] >> last & 1 == 1;
            let granted = if first { Some(last) } else { self.into[b].grant(wants[b]) };
            let granted = granted.filter(|_| open && bank.req_ready());
            let request = granted.and_then(|client| {
                if !first {
                    self.into[b].served(client);
                }
                ready[client as usize] = true;
                requests[client as usize].map(|(line, tag)| Request { client, tag, line })
            });
            let (hit, miss) = bank.tick(&BankIn {
                request,
                answer_taken: takes >> b & 1 == 1,
                mem_taken: mem_taken == Some(b as u32),
                fill: fill == Some(b as u32),
                invalidate,
            });
            self.hits += u64::from(hit);
            self.misses += u64::from(miss);
        }
    }
}
