//! Several clusters that share one product: `mattock_hw::spgemm::Clusters`.

use super::cluster::{Cluster, ClusterIn};
use super::front::{WordStream, WordsIn};
use super::{Command, Counts, Memory};
use mattock_spec::command::SpgemmPart;
use mattock_spec::config::{CardConfig, SpgemmConfig};

/// Words of a part in the table.
const WORDS: u32 = SpgemmPart::BYTES as u32 / 4;
/// Lines of the table read ahead.
const LINES: u32 = 8;

#[derive(Debug)]
pub(super) struct Clusters {
    clusters: Vec<Cluster>,
    /// The part each works on, and whether it begins with this cycle.
    parts: Vec<SpgemmPart>,
    go: Vec<bool>,
    busy: Vec<bool>,
    table: WordStream,
    asks: bool,
    /// Words of the next part that are here; parts that are left.
    have: u32,
    left: u32,
    running: bool,
    done: bool,
    entries: u64,
}

impl Clusters {
    pub(super) fn new(card: &CardConfig, config: &SpgemmConfig, memory: &Memory) -> Self {
        let count = config.clusters as usize;
        let none = SpgemmPart {
            first_row: 0,
            end_row: 0,
            first_col: 0,
            end_col: 0,
            pointer_offset: 0,
            entry_offset: 0,
            capacity: 0,
        };
        Clusters {
            clusters: (0..count).map(|_| Cluster::new(card, config, memory)).collect(),
            parts: vec![none; count],
            go: vec![false; count],
            busy: vec![false; count],
            table: WordStream::new(card.memory.bus_bytes / 4, LINES),
            asks: false,
            have: 0,
            left: 0,
            running: false,
            done: false,
            entries: 0,
        }
    }

    pub(super) fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    pub(super) fn done(&self) -> bool {
        self.done
    }

    pub(super) fn idle(&self) -> bool {
        !(self.running || self.done) && self.clusters.iter().all(Cluster::idle)
    }

    /// Sums over the clusters.
    pub(super) fn counts(&self) -> Counts {
        let sum = self.clusters.iter().fold(Counts::default(), |sum, c| sum + c.counts());
        Counts { nnz: self.entries, ..sum }
    }

    /// A cycle; without parts the whole product is the only one.
    pub(super) fn tick(&mut self, command: &Command<'_>, parts: &[SpgemmPart], start: bool) {
        let whole = SpgemmPart {
            first_row: command.first_row,
            end_row: command.end_row,
            first_col: command.first_col,
            end_col: command.end_col,
            pointer_offset: 0,
            entry_offset: 0,
            capacity: command.capacity,
        };
        let from_table = !parts.is_empty();
        let parts = if from_table { parts } else { std::slice::from_ref(&whole) };
        let listed = parts.len() as u32;

        // The next part goes to the first free cluster; it starts with its registers set.
        let valid = self.have == WORDS;
        let free = self.busy.iter().position(|busy| !busy);
        let taken = free.filter(|_| valid && self.running);
        let ends: Vec<bool> = self.clusters.iter().map(Cluster::done).collect();
        let exhausted = self.left == 0 && taken.is_none() && self.table.idle() && !self.asks;
        let all_over = self.running && exhausted && self.busy.iter().all(|busy| !busy);
        let shift = self.table.out().is_some() && !valid;
        let asks_taken = self.table.command_ready(false);
        let request = self.table.request(false);

        let (mut table_taken, mut table_answer) = (false, false);
        for (c, cluster) in self.clusters.iter_mut().enumerate() {
            let p = &self.parts[c];
            let command = Command {
                first_row: p.first_row,
                end_row: p.end_row,
                first_col: p.first_col,
                end_col: p.end_col,
                capacity: p.capacity,
                ..*command
            };
            if ends[c] {
                self.entries += cluster.counts().nnz;
            }
            let out = cluster.tick(
                &command,
                ClusterIn {
                    start: self.go[c],
                    clear: start,
                    forget: self.done,
                    table_request: c == 0 && request,
                },
            );
            if c == 0 {
                (table_taken, table_answer) = (out.table_taken, out.table_answer);
            }
        }
        self.table.tick(&WordsIn {
            command: self.asks.then_some((0, listed * WORDS)),
            flush: false,
            req_ready: table_taken,
            rsp: table_answer,
            out_ready: !valid,
        });
        for (c, &ends) in ends.iter().enumerate() {
            let mine = taken == Some(c);
            if mine {
                self.parts[c] = parts[(listed - self.left) as usize];
            }
            self.go[c] = mine;
            self.busy[c] = mine || (self.busy[c] && !ends);
        }
        if start {
            self.have = if from_table { 0 } else { WORDS };
            self.left = listed;
            (self.asks, self.running, self.entries) = (from_table, true, 0);
        } else {
            if taken.is_some() {
                (self.have, self.left) = (0, self.left - 1);
            } else if shift {
                self.have += 1;
            }
            self.asks &= !asks_taken;
            self.running &= !all_over;
        }
        self.done = all_over && !start;
    }
}
