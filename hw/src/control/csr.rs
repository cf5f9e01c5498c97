//! The register block of a card.

use super::registers::{Part, RegisterValue, values};
use super::stored::{Kept, Store};
use mattock_spec::CardConfig;
use mattock_spec::config::Control;
use mattock_spec::regs::{
    Access, BAR0_BYTES, CAPABILITY_BASE, Reg, RegMap, batch, capability_rom, card, controller,
    epilogue, gemm, join, queue, spgemm,
};
use rtl_gen::{Builder, Module, Reg as Flop, Sig, bit, bits, case, cat, uint};
use std::collections::BTreeMap;

/// Byte address bits of BAR0.
pub const ADDR_BITS: u32 = BAR0_BYTES.trailing_zeros();

/// Registers of a card: the card block, the blocks of the engines it has, and the capability list.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `write`, `write_addr`, `write_data`, `write_strb`, `read`, `read_addr`, `read_data` | | | register bus of [`crate::bus::AxiLiteSlave`] |
/// | `<block>_<value>` | out | bits | RW value; WO value: a pulse with the data written; W1C bits |
/// | `<block>_<value>` | in | bits | RO value |
/// | `<block>_<value>_set` | in | bits | W1C bits to be set |
/// | `<block>_locked` | in | bit | engine blocks: writes are ignored |
///
/// Values and their names: [`values`]. Constants (identity, digest, list pointer) need no port. Reading an
/// address without a register gives 0; writing one does nothing. `read_data` follows `read` by one cycle.
///
/// With `stored`, RW registers of the dense engine have no ports: when it starts it is told them, one
/// a cycle: `gemm_word_valid`, `gemm_word_index` (of the word in its block), `gemm_word`, and with the last `gemm_loaded`.
/// Registers are then written as whole words only, as a serial port does.
#[derive(Clone, Debug)]
pub struct Csr {
    /// The card.
    pub card: CardConfig,
    /// Constants, SCRATCH and the registers of the dense engine lie in block RAM.
    pub stored: bool,
}

impl Csr {
    /// Register maps of the card, in address order.
    pub fn maps(&self) -> Vec<RegMap> {
        let mut maps = vec![card::MAP];
        if self.card.control == Control::Riscv {
            maps.extend([queue::MAP, controller::MAP]);
        }
        maps.extend(self.card.gemm.is_some().then_some(gemm::MAP));
        maps.extend(self.card.spgemm.is_some().then_some(spgemm::MAP));
        let epilogue = self.card.gemm.iter().any(|gemm| !gemm.epilogue.is_empty());
        maps.extend(epilogue.then_some(epilogue::MAP));
        let joins = self.card.spgemm.iter().any(|spgemm| !spgemm.joins.is_empty());
        maps.extend(joins.then_some(join::MAP));
        let batch = self.card.gemm.iter().any(|gemm| gemm.batch);
        maps.extend(batch.then_some(batch::MAP));
        maps
    }

    /// What a register reads on this card for ever, if it does.
    pub fn constant(&self, reg: &Reg) -> Option<u32> {
        let digest = self.card.digest();
        let version = card::VERSION::MAJOR.put(mattock_spec::regs::card::VERSION_MAJOR)
            | card::VERSION::MINOR.put(mattock_spec::regs::card::VERSION_MINOR);
        let constants = [
            (card::ID, card::MAGIC),
            (card::VERSION, version),
            (card::DIGEST_LO, digest as u32),
            (card::DIGEST_HI, (digest >> 32) as u32),
            (card::CAP_PTR, CAPABILITY_BASE),
        ];
        constants.iter().find(|(r, _)| r == reg).map(|(_, value)| *value)
    }

    /// A value whose registers lie in the RAM.
    fn is_stored(&self, value: &RegisterValue) -> bool {
        let reg = value.parts[0].reg;
        let written =
            reg == card::SCRATCH || (value.access == Access::Rw && in_block(&gemm::MAP, &reg));
        self.stored && (written || self.constant(&reg).is_some())
    }

    /// Value after reset.
    fn start(&self, reg: &Reg) -> u32 {
        match &self.card.spgemm {
            Some(s) if *reg == spgemm::SEED => s.seed,
            _ => 0,
        }
    }
}

impl Module for Csr {
    fn name(&self) -> String {
        format!("{}_csr", self.card.name)
    }

    fn build(&self, m: &Builder) {
        m.doc("Control and status registers, printed from the register tables.");
        let bus = Bus::new(m);
        let mut words = BTreeMap::new();
        let mut kept = vec![];
        let mut gemm_open = m.low();
        let maps = self.maps();
        for map in maps.iter().copied() {
            m.scope(map.name, || {
                let open =
                    if map.base == card::MAP.base { m.high() } else { !m.input("locked", bit()) };
                if map.base == gemm::MAP.base {
                    gemm_open = open;
                }
                for value in values(&map, self.card.memory.address_bits) {
                    match self.is_stored(&value) {
                        true => keep(&mut kept, &value, open),
                        false => self.value(m, &bus, &value, open, &mut words),
                    }
                }
            });
        }
        let rom = capability_rom(&self.card);
        let rom = rom.iter().enumerate().map(|(i, w)| (CAPABILITY_BASE + 4 * i as u32, *w));
        let words = words.iter().map(|(at, fields)| (i128::from(at >> 2), assemble(m, fields)));
        let lit = |(at, word): (u32, u32)| (i128::from(at >> 2), m.lit(bits(32), word.into()));
        let in_logic = rom.clone().filter(|_| !self.stored).map(lit);
        let arms: Vec<_> = words.chain(in_logic).collect();
        let found = case(bus.read_word, &arms, m.lit(bits(32), 0)).named("read_word");
        let found = m.reg_when("read_data_q", bus.read, found);
        if !self.stored {
            m.output("read_data", found);
            return;
        }
        let constants = maps.iter().flat_map(|map| map.regs);
        let constants = constants.filter_map(|reg| Some((reg.address(), self.constant(reg)?)));
        let constants: Vec<_> = constants.chain(rom).collect();
        let start = bus.write
            & bus.write_word.is((gemm::START.address() >> 2).into())
            & bus.data.bit(gemm::START::GO.low)
            & gemm_open;
        let store = Store::new(&constants, &maps, &kept);
        m.output("read_data", found | store.draw(m, &bus, &kept, &gemm::MAP, start));
    }
}

/// Notes the registers of a value.
fn keep<'m>(kept: &mut Vec<Kept<'m>>, value: &RegisterValue, open: Sig<'m>) {
    if value.access != Access::Rw {
        return;
    }
    for Part { reg, field } in &value.parts {
        let mask = field.put(u32::MAX);
        match kept.iter_mut().find(|k| k.reg == *reg) {
            Some(kept) => kept.mask |= mask,
            None => kept.push(Kept { reg: *reg, mask, open }),
        }
    }
}

/// Fields of a word to be read: lowest bit, value.
type Words<'m> = BTreeMap<u32, Vec<(u32, Sig<'m>)>>;

impl Csr {
    fn value<'m>(
        &self,
        m: &'m Builder,
        bus: &Bus<'m>,
        value: &RegisterValue,
        open: Sig<'m>,
        words: &mut Words<'m>,
    ) {
        let name = &value.name;
        let mut put = |part: &Part, sig: Sig<'m>| {
            words.entry(part.reg.address()).or_default().push((part.field.low, sig));
        };
        match value.access {
            Access::Ro if self.constant(&value.parts[0].reg).is_some() => {
                for part in &value.parts {
                    let word = self.constant(&part.reg).unwrap_or(0);
                    put(part, m.lit(bits(part.field.width), part.field.get(word).into()));
                }
            }
            Access::Ro => {
                let input = m.input(name, value.ty());
                let mut low = 0;
                for part in &value.parts {
                    put(part, input.slice(low + part.field.width - 1, low));
                    low += part.field.width;
                }
            }
            Access::Rw => {
                let flops: Vec<Sig> = (value.parts.iter().enumerate())
                    .map(|(i, part)| {
                        let start = part.field.get(self.start(&part.reg));
                        let flop =
                            m.state(&format!("{name}_{i}"), bits(part.field.width), start.into());
                        bus.store(part, flop, open);
                        put(part, flop.q());
                        flop.q()
                    })
                    .collect();
                m.output(name, cat(&flops.into_iter().rev().collect::<Vec<_>>()));
            }
            Access::Wo => {
                let part = &value.parts[0];
                let (data, mask) = bus.field(part);
                m.output(name, (bus.hit(part) & open).gate(data & mask));
            }
            Access::W1c => {
                let part = &value.parts[0];
                let set = m.input(&format!("{name}_set"), value.ty());
                let flop = m.state(&format!("{name}_q"), value.ty(), 0);
                let (data, mask) = bus.field(part);
                let cleared = bus.hit(part).gate(data & mask);
                // A cause that arises while it is cleared stays.
                flop.drive((flop.q() & !cleared) | set);
                put(part, flop.q());
                m.output(name, flop.q());
            }
        }
    }
}

/// A 32-bit word of its fields, zeros between them.
fn assemble<'m>(m: &'m Builder, fields: &[(u32, Sig<'m>)]) -> Sig<'m> {
    let (mut parts, mut next) = (vec![], 0);
    for (low, sig) in fields {
        if *low > next {
            parts.push(m.lit(bits(low - next), 0));
        }
        parts.push(*sig);
        next = low + sig.width();
    }
    if next < 32 {
        parts.push(m.lit(bits(32 - next), 0));
    }
    parts.reverse();
    cat(&parts)
}

/// Whether a register is one of the block.
fn in_block(map: &RegMap, reg: &Reg) -> bool {
    map.regs.contains(reg)
}

/// The register bus.
pub(super) struct Bus<'m> {
    pub(super) write: Sig<'m>,
    pub(super) write_word: Sig<'m>,
    pub(super) data: Sig<'m>,
    /// Of the bytes to be written.
    pub(super) mask: Sig<'m>,
    pub(super) read: Sig<'m>,
    pub(super) read_word: Sig<'m>,
}

impl<'m> Bus<'m> {
    fn new(m: &'m Builder) -> Self {
        let word = |name| m.input(name, uint(ADDR_BITS)).slice(ADDR_BITS - 1, 2).as_u();
        let (write, write_word) = (m.input("write", bit()), word("write_addr"));
        let data = m.input("write_data", bits(32));
        let strobes = m.input("write_strb", bits(4)).lanes(1);
        let mask = cat(&strobes.iter().rev().map(|s| s.rep(8)).collect::<Vec<_>>());
        let mask = mask.named("write_mask");
        Bus {
            write,
            write_word,
            data,
            mask,
            read: m.input("read", bit()),
            read_word: word("read_addr"),
        }
    }

    /// The register is being written.
    fn hit(&self, part: &Part) -> Sig<'m> {
        self.write & self.write_word.is((part.reg.address() >> 2).into())
    }

    /// What is written to the field, and which of its bits.
    fn field(&self, part: &Part) -> (Sig<'m>, Sig<'m>) {
        let (high, low) = (part.field.low + part.field.width - 1, part.field.low);
        (self.data.slice(high, low), self.mask.slice(high, low))
    }

    fn store(&self, part: &Part, flop: Flop<'m>, open: Sig<'m>) {
        let (data, mask) = self.field(part);
        let merged = (data & mask) | (flop.q() & !mask);
        flop.drive_when(self.hit(part) & open, merged);
    }
}
