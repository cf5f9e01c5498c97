//! Registers that lie in block RAM: of a small card, whose flip-flops and multiplexers are dear.

use super::csr::Bus;
use mattock_spec::regs::{Reg, RegMap};
use rtl_gen::{Builder, MemSpec, Sig, Value, any, bit, case, cat, one_hot_mux, uint};

/// A register kept in the RAM.
#[derive(Clone, Copy)]
pub(super) struct Kept<'m> {
    pub(super) reg: Reg,
    /// Its bits; the others read as 0.
    pub(super) mask: u32,
    /// It may be written now.
    pub(super) open: Sig<'m>,
}

/// Some words of BAR0 and where they lie in the RAM: at a multiple of their number, a power of two.
#[derive(Clone, Copy)]
struct Region {
    /// Byte address.
    base: u32,
    words: u32,
    /// First word in the RAM.
    at: u32,
}

/// The RAM with what it is known to hold.
pub(super) struct Store {
    regions: Vec<Region>,
    words: u32,
    init: Vec<u32>,
}

impl Store {
    /// A RAM for `constants` (byte address, word) and the kept registers of `maps`.
    pub(super) fn new(constants: &[(u32, u32)], maps: &[RegMap], kept: &[Kept<'_>]) -> Store {
        let addresses = kept.iter().map(|k| k.reg.address());
        let all: Vec<u32> = constants.iter().map(|c| c.0).chain(addresses).collect();
        // The words before the next block belong to a block, the capability list is one.
        let mut bases: Vec<u32> = maps.iter().map(|map| map.base).collect();
        bases.push(mattock_spec::regs::CAPABILITY_BASE);
        bases.sort_unstable();
        let mut regions: Vec<Region> = (0..bases.len())
            .filter_map(|i| {
                let until = bases.get(i + 1).copied().unwrap_or(u32::MAX);
                let last = all.iter().filter(|a| (bases[i]..until).contains(*a)).max()?;
                let words = ((last - bases[i]) / 4 + 1).next_power_of_two();
                Some(Region { base: bases[i], words, at: 0 })
            })
            .collect();
        regions.sort_by_key(|region| std::cmp::Reverse(region.words));
        let mut words = 0;
        for region in &mut regions {
            region.at = words;
            words += region.words;
        }
        let words = words.next_power_of_two().max(2);
        let mut store = Store { regions, words, init: vec![0; words as usize] };
        for (address, word) in constants {
            if let Some(place) = store.place(*address) {
                store.init[place as usize] = *word;
            }
        }
        store
    }

    fn place(&self, address: u32) -> Option<u32> {
        let mut regions = self.regions.iter();
        let region = regions.find(|r| (r.base..r.base + 4 * r.words).contains(&address))?;
        Some(region.at + (address - region.base) / 4)
    }

    /// Where the word `word` of BAR0 lies, and whether it does.
    fn locate<'m>(&self, m: &'m Builder, word: Sig<'m>) -> (Sig<'m>, Sig<'m>) {
        let width = self.words.ilog2();
        let arms: Vec<(Sig<'m>, Sig<'m>)> = (self.regions.iter())
            .map(|region| {
                let low = region.words.ilog2();
                let here = word.shr_k(low).is((region.base >> (2 + low)).into());
                let high = m.lit(uint(width - low), (region.at >> low).into());
                let place = match low {
                    0 => high.as_bits(),
                    _ if low == width => word.trunc(low).as_bits(),
                    _ => cat(&[high, word.trunc(low)]),
                };
                (here, place.as_u())
            })
            .collect();
        let here: Vec<Sig> = arms.iter().map(|arm| arm.0).collect();
        (one_hot_mux(&arms), any(&here))
    }

    /// Draws the RAM. Gives what is read, a cycle after `bus.read`; 0 where there is nothing, or nothing was written since
    /// the reset. At `start` the registers of `block` are told: outputs `<block>_word_valid`, `<block>_word_index`,
    /// `<block>_word`, in rising order, from the cycle after next on, and `<block>_loaded` with the last.
    pub(super) fn draw<'m>(
        self,
        m: &'m Builder,
        bus: &Bus<'m>,
        kept: &[Kept<'m>],
        block: &RegMap,
        start: Sig<'m>,
    ) -> Sig<'m> {
        let init =
            self.init.iter().map(|word| Value::from_words(32, vec![u64::from(*word)])).collect();
        let ram = m.mem("registers", MemSpec::block(self.words, 32).init(init));
        let word_of = |reg: &Reg| i128::from(reg.address() >> 2);

        // ---- writes; after a reset the block is cleared, long before the host can have sent a request ----
        let in_block = |reg: &Reg| block.regs.contains(reg);
        let hits: Vec<Sig> = (kept.iter())
            .map(|k| bus.write & bus.write_word.is(word_of(&k.reg)) & k.open)
            .collect();
        let any_hit = |wanted: &dyn Fn(&Kept<'m>) -> bool| {
            let some = kept.iter().zip(&hits).filter(|(k, _)| wanted(k)).map(|(_, hit)| *hit);
            let some: Vec<Sig> = some.collect();
            if some.is_empty() { m.low() } else { any(&some) }
        };
        let offset = |reg: &Reg| i128::from((reg.address() - block.base) / 4);
        let indices: Vec<i128> =
            kept.iter().filter(|k| in_block(&k.reg)).map(|k| offset(&k.reg)).collect();
        let first = indices.iter().copied().min().unwrap_or(0);
        let last = indices.iter().copied().max().unwrap_or(0);
        let index_ty = uint(last.ilog2() + 1);
        let clearing = m.state("clearing", bit(), 1);
        let clear_at = m.state("clear_at", index_ty, 0);
        clear_at.drive(clear_at.q().inc());
        clearing.drive(clearing.q() & !clear_at.q().red_and());
        let data: Vec<Sig> = (0..32)
            .rev()
            .map(|i| {
                let missing = any_hit(&|k| k.mask >> i & 1 == 0);
                bus.data.bit(i) & !missing & !clearing.q()
            })
            .collect();
        let data = cat(&data);
        let base = m.lit(uint(self.words.ilog2()), self.place(block.base).unwrap_or(0).into());
        let (place, _) = self.locate(m, bus.write_word);
        let place = clearing.q().mux(base | clear_at.q().zext(base.width()), place);
        ram.write(place, data, (any_hit(&|_| true) | clearing.q()).named("keeps"));
        m.assert("whole_words", !bus.write | bus.mask.red_and());
        m.assert("cleared_before_use", !(bus.write & clearing.q()));

        // ---- reads of the host ----
        let (place, here) = self.locate(m, bus.read_word);
        // Of the others it is known whether they were written since the reset.
        let written: Vec<_> = (kept.iter().zip(&hits))
            .filter(|(k, _)| !in_block(&k.reg))
            .map(|(k, hit)| {
                let flag = m.state(&format!("{}_written", k.reg.name.to_lowercase()), bit(), 0);
                flag.drive_when(*hit, m.high());
                (word_of(&k.reg), flag.q())
            })
            .collect();
        let known = here & case(bus.read_word, &written, m.high());
        let known = m.reg_when("known", bus.read, known);
        let found = known.gate(ram.read("found", place, bus.read));

        // ---- the engine is told, from a copy of its own, so that the host may read meanwhile ----
        let copy = m.mem("of_the_engine", MemSpec::block(1 << index_ty.width(), 32));
        let target = clearing.q().mux(clear_at.q(), bus.write_word.trunc(index_ty.width()).as_u());
        copy.write(target, data, any_hit(&|k| in_block(&k.reg)) | clearing.q());
        m.scope(block.name, || {
            let telling = m.state("telling", bit(), 0);
            let index = m.reg_decl("telling_index", index_ty);
            let ends = index.q().is(last);
            telling.drive(start | (telling.q() & !ends));
            index.update(&[(start, index.q().lit(first)), (telling.q(), index.q().inc())]);
            m.output("word_valid", m.reg_reset("word_valid_q", telling.q(), 0));
            m.output("word_index", m.reg("word_index_q", index.q()));
            m.output("word", copy.read("told", index.q(), telling.q()));
            m.output("loaded", m.reg_reset("loaded_q", telling.q() & ends, 0));
        });
        found
    }
}
