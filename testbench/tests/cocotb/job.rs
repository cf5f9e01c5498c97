//! What the checks on one card need: its Verilog, its registers as the specification has them, and commands as our own
//! command logic hands them to the engines.

use mattock_firmware::image::{CARD, Image, LIMITS_ADDRESS};
use mattock_firmware::{Accepted, Limits, Regs, accept};
use mattock_hw::control::Csr;
use mattock_spec::command::{
    COMPLETION_BYTES, CsrAddresses, Descriptor, GemmCommand, Opcode, SpgemmCommand,
};
use mattock_spec::config::Control;
use mattock_spec::regs::{
    Access, BAR0_BYTES, CAPABILITY_BASE, Capabilities, ErrorCode, Reg, ValueType, capability_rom,
    card, controller, gemm, queue, spgemm,
};
use mattock_spec::{CardConfig, Format, Semiring};
use mattock_testbench::sim::foreign_sources;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::Design;
use serde_json::{Value, json};
use std::path::Path;

/// The card's memory.
const BASE: u64 = 0x1_0000;
const BYTES: u64 = 0x1_0000;
/// Where sparse operands lie, apart from one another and across 4 KiB boundaries; and dense ones.
const SPARSE: [u64; 9] =
    [0x1_0f80, 0x1_1fc0, 0x1_2fc0, 0x1_3fc0, 0x1_4fc0, 0x1_5fc0, 0x1_6fc0, 0x1_7fc0, 0x1_8fc0];
const DENSE: [u64; 3] = [0x1_efc0, 0x1_9f80, 0x1_afc0];
const BLOCKS: u64 = 0x1_a200;
const RING: u64 = 0x1_c000;
const DONE: u64 = 0x1_d000;

pub(crate) struct Job<'c> {
    config: &'c CardConfig,
    limits: Limits,
}

/// Registers that log what is written.
struct Log {
    words: Vec<(u32, u32)>,
}

impl Regs for Log {
    fn read(&mut self, _: u32) -> u32 {
        0
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.words.push((offset, value));
    }
}

impl Job<'_> {
    /// Writes Verilog and `job.json` into a folder.
    pub(crate) fn write(config: &CardConfig, design: &Design, folder: &Path) {
        let mut sources = vec![];
        for file in design.verilog().into_iter().chain(foreign_sources(design).unwrap()) {
            std::fs::write(folder.join(&file.name), &file.text).unwrap();
            sources.push(file.name);
        }
        let words = capability_rom(config);
        let csr = Csr { card: config.clone(), stored: false };
        let mut rom = std::collections::BTreeMap::new();
        rom.extend((CAPABILITY_BASE..).step_by(4).zip(words));
        let registers: Vec<Reg> = csr.maps().iter().flat_map(|map| map.regs.to_vec()).collect();
        rom.extend(registers.iter().filter_map(|r| Some((r.address(), csr.constant(r)?))));
        let caps = Capabilities::parse(|at| rom.get(&at).copied().unwrap_or(0)).unwrap();
        let job = Job { config, limits: Limits::of(&caps) };
        let masters = (0..).map(|i| format!("m{i}_axi"));
        let ports = &design.top().ports;
        let masters: Vec<String> = masters
            .take_while(|m| ports.iter().any(|p| p.name.starts_with(&format!("{m}_"))))
            .collect();
        let known: Vec<u32> =
            rom.keys().copied().chain(registers.iter().map(Reg::address)).collect();
        let window = controller::MEMORY_BASE..controller::MEMORY_BASE + controller::MEMORY_BYTES;
        let holes =
            (0..BAR0_BYTES).step_by(4).filter(|at| !known.contains(at) && !window.contains(at));
        let text = json!({
            "top": design.top().name,
            "sources": sources,
            "masters": masters,
            "memory": [BASE, BYTES],
            "registers": registers.iter().map(|reg| register(reg, config.memory.address_bits)).collect::<Vec<_>>(),
            "constants": rom,
            "holes": holes.collect::<Vec<u32>>(),
            "at": addresses(),
            "codes": ErrorCode::ALL.iter().map(|c| (c.name(), *c as u8)).collect::<std::collections::BTreeMap<_, _>>(),
            "gemm": config.gemm.is_some().then(|| job.gemm()),
            "spgemm": config.spgemm.is_some().then(|| job.spgemm()),
            "rings": (config.control == Control::Riscv).then(|| job.rings()),
        });
        std::fs::write(folder.join("job.json"), text.to_string()).unwrap();
    }

    /// What our command logic writes to start a command.
    fn writes(&self, opcode: Opcode, block: &[u8]) -> Value {
        let mut log = Log { words: vec![] };
        let accepted = accept(&entry(opcode, block, 0), block, &self.limits, &mut log);
        assert!(matches!(accepted, Accepted::Started(_)), "{accepted:?}");
        json!(log.words)
    }

    /// Two tiles of rows, and a row and column of tiles that are not full.
    fn gemm(&self) -> Value {
        let shape = self.config.gemm.as_ref().unwrap();
        let int8 =
            |t: &mattock_spec::Tuple| [t.a, t.b, t.d] == [Format::I8, Format::I8, Format::I32];
        let align = shape.align as usize;
        let (m, n, k) = (shape.rows as usize + 1, shape.cols as usize - 1, 5);
        let stride = |bytes: usize| bytes.next_multiple_of(align) as u32;
        let command = GemmCommand {
            tuple: shape.tuples.iter().position(int8).unwrap() as u8,
            load_a: true,
            load_b: true,
            compute: true,
            store: true,
            m: m as u32,
            n: n as u32,
            k: k as u32,
            a: DENSE[0],
            a_stride: stride(k),
            b: DENSE[1],
            b_stride: stride(n),
            d: DENSE[2],
            d_stride: stride(4 * n),
            ..GemmCommand::default()
        };
        json!({
            "m": m, "n": n, "k": k,
            "a": [command.a, command.a_stride],
            "b": [command.b, command.b_stride],
            "d": [command.d, command.d_stride],
            "writes": self.writes(Opcode::Gemm, &command.encode()),
            "block": command.encode().to_vec(),
        })
    }

    fn spgemm(&self) -> Value {
        let mut rng = StdRng::seed_from_u64(7);
        let (rows, inner, cols) = (9usize, 11usize, 13usize);
        let mut matrix = |rows: usize, cols: usize| {
            let (mut ptr, mut col, mut val) = (vec![0], vec![], vec![]);
            for _ in 0..rows {
                for c in 0..cols {
                    if rng.random_bool(0.25) {
                        col.push(c);
                        val.push(rng.random_range(1..1000));
                    }
                }
                ptr.push(col.len());
            }
            (ptr, col, val)
        };
        let (a, b) = (matrix(rows, inner), matrix(inner, cols));
        let csr = |i: usize| CsrAddresses {
            row_pointers: SPARSE[3 * i],
            columns: SPARSE[3 * i + 1],
            values: SPARSE[3 * i + 2],
        };
        let command = SpgemmCommand {
            value: ValueType::I32,
            semiring: Semiring::PlusTimes,
            ordered: false,
            rows: rows as u32,
            inner: inner as u32,
            cols: cols as u32,
            nnz_a: a.1.len() as u32,
            nnz_b: b.1.len() as u32,
            c_capacity: (rows * cols) as u32,
            seed: 0x9e37_79b1,
            a: csr(0),
            b: csr(1),
            c: csr(2),
            part_table: 0,
            parts: 0,
        };
        let at = |c: &CsrAddresses| [c.row_pointers, c.columns, c.values];
        json!({
            "shape": [rows, inner, cols],
            "a": a, "b": b,
            "a_at": at(&command.a), "b_at": at(&command.b), "c_at": at(&command.c),
            "writes": self.writes(Opcode::Spgemm, &command.encode()),
            "block": command.encode().to_vec(),
        })
    }

    /// Program, facts, and entries of the rings: an empty command, then one for each engine.
    fn rings(&self) -> Value {
        let program = Image::parse(CARD).unwrap().program.chunks_exact(4);
        let words = program.map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
        let at = |base: u32| (controller::MEMORY_BASE + base..).step_by(4);
        let mut load: Vec<(u32, u32)> = at(0).zip(words).collect();
        load.extend(at(LIMITS_ADDRESS).zip(self.limits.words()));
        let ends = [(queue::RING_LO, RING), (queue::DONE_LO, DONE)];
        let mut open: Vec<(u32, u64)> = ends.map(|(reg, at)| (reg.address(), at)).to_vec();
        open.extend([
            (queue::RING_HI.address(), 0),
            (queue::DONE_HI.address(), 0),
            (queue::SIZE.address(), 4),
            (queue::DOORBELL.address(), 0),
            (queue::IRQ_STATUS.address(), 1),
            (queue::IRQ_ENABLE.address(), 1),
            (queue::ENABLE.address(), 1),
        ]);
        let engines = [
            self.config.gemm.as_ref().map(|_| (Opcode::Gemm, GemmCommand::BYTES)),
            self.config.spgemm.as_ref().map(|_| (Opcode::Spgemm, SpgemmCommand::BYTES)),
        ];
        let commands = [(Opcode::Nop, 0)].into_iter().chain(engines.into_iter().flatten());
        let entry =
            |(opcode, bytes): (Opcode, usize)| entry(opcode, &vec![0; bytes], opcode as u64);
        let entries: Vec<Vec<u8>> = commands.map(|command| entry(command).to_vec()).collect();
        json!({
            "load": load, "open": open, "ring": RING, "done": DONE, "blocks": BLOCKS,
            "entries": entries, "record_bytes": COMPLETION_BYTES,
        })
    }
}

/// A ring entry whose cookie is its opcode's number.
fn entry(opcode: Opcode, block: &[u8], cookie: u64) -> [u8; 64] {
    Descriptor {
        opcode,
        interrupt: true,
        queue: 1,
        cookie,
        parameters: if block.is_empty() { 0 } else { BLOCKS + 0x200 * cookie },
        parameter_bytes: block.len() as u32,
        deadline: 0,
    }
    .encode()
}

fn register(reg: &Reg, address_bits: u32) -> Value {
    let mask = reg.mask(address_bits);
    let access = match reg.access {
        Access::Ro => "ro",
        Access::Wo => "wo",
        Access::Rw => "rw",
        Access::W1c => "w1c",
    };
    json!({ "name": reg.name, "at": reg.address(), "mask": mask, "access": access })
}

/// Registers the checks name.
fn addresses() -> Value {
    json!({
        "scratch": card::SCRATCH.address(),
        "card_status": card::STATUS.address(),
        "irq_status": card::IRQ_STATUS.address(),
        "irq_enable": card::IRQ_ENABLE.address(),
        "soft_reset": card::SOFT_RESET.address(),
        "gemm": { "status": gemm::STATUS.address(), "info": gemm::ERROR_INFO.address(), "lo": gemm::MACS_LO.address() },
        "spgemm": { "status": spgemm::STATUS.address(), "info": spgemm::ERROR_INFO.address(), "lo": spgemm::NNZ_C.address() },
        "skip": controller::SELFTEST.address(),
        "tested": controller::SELFTEST_RESULT.address(),
        "run": controller::CONTROL.address(),
        "alive": controller::STATUS.address(),
        "enable": queue::ENABLE.address(),
        "queue_status": queue::STATUS.address(),
        "doorbell": queue::DOORBELL.address(),
        // Writing these starts something.
        "acts": [queue::ENABLE.address(), queue::DOORBELL.address(), controller::CONTROL.address(), controller::SELFTEST.address()],
    })
}
