//! A fake card for the command logic: a register page, its capabilities, and one good command each.

use mattock_firmware::{Accepted, Limits, Regs, accept};
use mattock_spec::command::{CsrAddresses, Descriptor, GemmCommand, Opcode, SpgemmCommand};
use mattock_spec::regs::{
    CAPABILITY_BASE, Capabilities, Reg, ValueType, capability_rom, card, gemm, spgemm,
};
use mattock_spec::{CardConfig, EpilogueStep, Semiring};
use std::collections::BTreeMap;

/// BAR0 as words; writes are logged in order.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) words: BTreeMap<u32, u32>,
    pub(crate) log: Vec<(u32, u32)>,
}

impl Regs for Fake {
    fn read(&mut self, offset: u32) -> u32 {
        self.words.get(&offset).copied().unwrap_or(0)
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.log.push((offset, value));
        self.words.insert(offset, value);
    }
}

impl Fake {
    pub(crate) fn set(&mut self, reg: Reg, value: u32) {
        self.words.insert(reg.address(), value);
    }

    pub(crate) fn starts(&self) -> usize {
        let starts = [gemm::START.address(), spgemm::START.address()];
        self.log.iter().filter(|(at, _)| starts.contains(at)).count()
    }
}

pub(crate) fn capabilities(name: &str) -> Capabilities {
    let mut config = CardConfig::reference("small").unwrap();
    match name {
        "both" => {}
        "dense" => config.spgemm = None,
        "batch" => config.gemm.as_mut().unwrap().batch = true,
        "epilogue" => config.gemm.as_mut().unwrap().epilogue.push(EpilogueStep::Requantise),
        _ => config.gemm = None,
    }
    let rom = capability_rom(&config);
    Capabilities::parse(|at| match at {
        _ if at == card::ID.address() => card::MAGIC,
        _ if at == card::CAP_PTR.address() => CAPABILITY_BASE,
        _ if at == card::VERSION.address() => card::VERSION_MINOR,
        _ => at
            .checked_sub(CAPABILITY_BASE)
            .and_then(|i| rom.get(i as usize / 4))
            .copied()
            .unwrap_or(0),
    })
    .unwrap()
}

/// 64 x 48 x 32, all steps, on the reference card `small`: alignment 16, 40 address bits.
pub(crate) fn dense() -> GemmCommand {
    GemmCommand {
        tuple: 0,
        load_a: true,
        load_b: true,
        compute: true,
        store: true,
        m: 64,
        n: 48,
        k: 32,
        a: 0x10_0000_1000,
        a_stride: 32,
        b: 0x2000,
        b_stride: 48,
        d: 0x3000,
        d_stride: 192,
        ..GemmCommand::default()
    }
}

pub(crate) fn sparse() -> SpgemmCommand {
    let csr =
        |at: u64| CsrAddresses { row_pointers: at, columns: at + 0x1000, values: at + 0x2000 };
    SpgemmCommand {
        value: ValueType::F32,
        semiring: Semiring::PlusTimes,
        ordered: false,
        rows: 10,
        inner: 20,
        cols: 30,
        nnz_a: 40,
        nnz_b: 50,
        c_capacity: 60,
        seed: 0x9e37_79b1,
        a: csr(0x10000),
        b: csr(0x20000),
        c: csr(0x81_0003_0000),
        part_table: 0,
        parts: 0,
    }
}

pub(crate) fn entry(opcode: Opcode, block: &[u8]) -> [u8; 64] {
    Descriptor {
        opcode,
        interrupt: true,
        queue: 3,
        cookie: 0x1122_3344_5566_7788,
        parameters: 0x4000,
        parameter_bytes: block.len() as u32,
        deadline: 0,
    }
    .encode()
}

pub(crate) fn submit(
    opcode: Opcode,
    block: &[u8],
    caps: &Capabilities,
    regs: &mut Fake,
) -> Accepted {
    accept(&entry(opcode, block), block, &Limits::of(caps), regs)
}
