//! Memories: content beside the slots, ports run at clock edges.

use super::flatten::{Id, Shape};
use super::interpreter::Fill;
use super::lower::{Program, Word};
use super::schedule::Slots;
use crate::mem::{Collision, MemSpec, RamStyle};

/// A memory of the flattened design. Port operands are ids first, slots after [`Memory::bind`].
#[derive(Debug)]
pub(super) struct Memory {
    spec: MemSpec,
    shape: Shape,
    words: usize,
    data: Vec<u64>,
    writes: Vec<Write>,
    pub(super) reads: Vec<Read>,
}

#[derive(Debug)]
struct Write {
    domain: u32,
    addr: u32,
    data: u32,
    enable: u32,
    lanes: Option<u32>,
    /// Words of the lane enables.
    lane_words: u32,
}

/// A synchronous read port.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) domain: u32,
    addr: u32,
    enable: u32,
    /// The data.
    pub(super) q: u32,
}

/// All memories, in the order of `program.memories`.
pub(super) fn collect(program: &mut Program, fill: &mut Fill) -> Vec<Memory> {
    let list = program.memories.clone();
    list.into_iter()
        .map(|(scope, index)| {
            let flat = &mut program.flat;
            let (base, module) =
                (flat.scopes[scope as usize].base, flat.scopes[scope as usize].module);
            let mem = &flat.modules[module].mems[index as usize];
            let domains = flat.scopes[scope as usize].domains.clone();
            let mut id = |n: crate::ir::NodeId| flat.resolve(base + n.0);
            let writes = (mem.writes.iter())
                .map(|w| Write {
                    domain: domains[w.domain as usize],
                    addr: id(w.addr),
                    data: id(w.data),
                    enable: id(w.enable),
                    lanes: w.lanes.map(&mut id),
                    lane_words: mem.spec.lane.map_or(1, |l| (mem.spec.width / l).div_ceil(64)),
                })
                .collect();
            let reads = (mem.reads.iter())
                .filter_map(|r| {
                    Some(Read {
                        domain: domains[r.domain as usize],
                        addr: id(r.addr),
                        enable: id(r.enable?),
                        q: base + r.data.0,
                    })
                })
                .collect();
            let spec = mem.spec.clone();
            let shape = Shape { width: spec.width, signed: false };
            let words = shape.words() as usize;
            let mut data = vec![0; words * spec.depth as usize];
            match &spec.init {
                Some(init) => {
                    for (word, value) in data.chunks_mut(words).zip(init) {
                        word.copy_from_slice(value.words());
                    }
                }
                None => data.chunks_mut(words).for_each(|word| fill.start(word, shape)),
            }
            Memory { spec, shape, words, data, writes, reads }
        })
        .collect()
}

impl Memory {
    pub(super) fn roots(&self) -> Vec<Id> {
        let writes =
            self.writes.iter().flat_map(|w| [w.addr, w.data, w.enable].into_iter().chain(w.lanes));
        writes.chain(self.reads.iter().flat_map(|r| [r.addr, r.enable])).collect()
    }

    /// Start value of a read port's output register.
    pub(super) fn start_output(&self, words: &mut [u64], fill: &mut Fill) {
        fill.start(words, self.shape);
    }

    pub(super) fn width(&self) -> u32 {
        self.spec.width
    }

    pub(super) fn words(&self) -> u32 {
        self.words as u32
    }

    /// Turns ids into slots.
    pub(super) fn bind(&mut self, slots: &Slots) {
        let bind = |id: &mut u32| *id = slots.of(Word { id: *id, word: 0 });
        for w in &mut self.writes {
            [&mut w.addr, &mut w.data, &mut w.enable]
                .into_iter()
                .chain(&mut w.lanes)
                .for_each(bind);
        }
        for r in &mut self.reads {
            [&mut r.addr, &mut r.enable, &mut r.q].into_iter().for_each(bind);
        }
    }

    /// The content of one address, when there is such an address.
    pub(super) fn word(&self, addr: usize) -> Option<&[u64]> {
        self.data.chunks(self.words).nth(addr)
    }

    pub(super) fn read(&self, addr: u64) -> &[u64] {
        &self.data[addr as usize * self.words..][..self.words]
    }

    /// Computes what the synchronous reads of the active domains return, before any write happens.
    pub(super) fn clock_reads(
        &self,
        v: &[u64],
        active: &[bool],
        shadow: &mut [u64],
        base: u32,
        fill: &mut Fill,
    ) {
        for read in self.reads.iter().filter(|r| active[r.domain as usize]) {
            let out = &mut shadow[(read.q - base) as usize..][..self.words];
            if v[read.enable as usize] == 0 {
                out.copy_from_slice(&v[read.q as usize..][..self.words]);
                continue;
            }
            let addr = v[read.addr as usize];
            out.copy_from_slice(self.read(addr));
            for write in self.writes.iter().filter(|w| w.hits(v, active, addr)) {
                match self.spec.collision {
                    Collision::Old => {}
                    Collision::New if write.domain == read.domain => self.merge(v, write, out),
                    Collision::New => {}
                    Collision::DontCare => fill.poison(out, self.shape),
                }
            }
        }
    }

    /// Performs the writes of the active domains.
    pub(super) fn clock_writes(&mut self, v: &[u64], active: &[bool], fill: &mut Fill) {
        for i in 0..self.writes.len() {
            let write = &self.writes[i];
            let addr = v[write.addr as usize];
            if !write.hits(v, active, addr) {
                continue;
            }
            let at = addr as usize * self.words;
            let mut word = self.data[at..at + self.words].to_vec();
            self.merge(v, write, &mut word);
            // Two ports of a RAM block that write one address leave nothing to rely on.
            let clash = self.spec.style == RamStyle::Block
                && self.writes[..i].iter().any(|w| w.hits(v, active, addr));
            if clash {
                fill.poison(&mut word, self.shape);
            }
            self.data[at..at + self.words].copy_from_slice(&word);
        }
    }

    /// Puts the lanes that are written into `word`.
    fn merge(&self, v: &[u64], write: &Write, word: &mut [u64]) {
        let data = &v[write.data as usize..][..self.words];
        let (Some(lanes), Some(lane)) = (write.lanes, self.spec.lane) else {
            return word.copy_from_slice(data);
        };
        for i in 0..self.spec.width / lane {
            if v[(lanes + i / 64) as usize] >> (i % 64) & 1 == 0 {
                continue;
            }
            let (mut at, end) = (i * lane, (i + 1) * lane);
            while at < end {
                let n = (64 - at % 64).min(end - at);
                let mask = (u64::MAX >> (64 - n)) << (at % 64);
                let w = (at / 64) as usize;
                word[w] = (word[w] & !mask) | (data[w] & mask);
                at += n;
            }
        }
    }
}

impl Write {
    fn hits(&self, v: &[u64], active: &[bool], addr: u64) -> bool {
        active[self.domain as usize]
            && v[self.enable as usize] == 1
            && v[self.addr as usize] == addr
            && self
                .lanes
                .is_none_or(|l| v[l as usize..][..self.lane_words as usize].iter().any(|x| *x != 0))
    }
}
