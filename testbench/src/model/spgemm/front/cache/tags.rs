//! Which way of a set holds a line, and which way to give up if none does.

use super::plru;

/// Tags and recency of a bank.
#[derive(Debug)]
pub(super) struct Tags {
    ways: u32,
    bank_bits: u32,
    set_mask: u64,
    /// Line by frame: `set * ways + way`.
    lines: Vec<Option<u64>>,
    trees: Vec<u32>,
}

impl Tags {
    pub(super) fn new(banks_bits: u32, ways: u32, sets: u32) -> Self {
        Tags {
            ways,
            bank_bits: banks_bits,
            set_mask: u64::from(sets - 1),
            lines: vec![None; (sets * ways) as usize],
            trees: vec![0; sets as usize],
        }
    }

    pub(super) fn clear(&mut self) {
        self.lines.fill(None);
        self.trees.fill(0);
    }

    pub(super) fn sets(&self) -> u32 {
        self.trees.len() as u32
    }

    pub(super) fn set(&self, line: u64) -> u32 {
        (line >> self.bank_bits & self.set_mask) as u32
    }

    fn ways_of(&self, set: u32) -> &[Option<u64>] {
        let first = (set * self.ways) as usize;
        &self.lines[first..first + self.ways as usize]
    }

    /// Way that holds the line.
    pub(super) fn find(&self, set: u32, line: u64) -> Option<u32> {
        self.ways_of(set).iter().position(|at| *at == Some(line)).map(|way| way as u32)
    }

    /// Way to give up: an empty one, else the one used longest ago, else the first whose line is not on its way.
    pub(super) fn victim(&self, set: u32, pending: u32) -> Option<u32> {
        if pending == (1 << self.ways) - 1 {
            return None;
        }
        let empty = self.ways_of(set).iter().position(Option::is_none);
        let oldest = plru::victim(self.trees[set as usize], self.ways);
        Some(match empty {
            Some(way) => way as u32,
            None if pending >> oldest & 1 == 1 => (!pending).trailing_zeros(),
            None => oldest,
        })
    }

    pub(super) fn place(&mut self, set: u32, way: u32, line: u64) {
        self.lines[(set * self.ways + way) as usize] = Some(line);
    }

    pub(super) fn touch(&mut self, set: u32, way: u32) {
        let tree = &mut self.trees[set as usize];
        *tree = plru::touch(*tree, way, self.ways);
    }
}
