//! The command logic: each command is started once or answered, and what is started stays inside memory.

use mattock_firmware::{Accepted, Limits, Regs, accept, finish};
use mattock_spec::command::{
    Completion, CsrAddresses, Descriptor, GemmCommand, Opcode, SpgemmCommand,
};
use mattock_spec::epilogue::{EpilogueCaps, EpilogueStep};
use mattock_spec::regs::{
    CAPABILITY_BASE, Capabilities, ErrorCode, ValueType, capability_rom, card, gemm, spgemm,
};
use mattock_spec::{CardConfig, Semiring};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
struct Registers {
    log: Vec<(u32, u32)>,
    /// What every register reads.
    word: u32,
}

impl Regs for Registers {
    fn read(&mut self, _: u32) -> u32 {
        self.word
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.log.push((offset, value));
    }
}

fn capabilities(config: &CardConfig) -> Capabilities {
    let rom = capability_rom(config);
    let caps = Capabilities::parse(|at| match at {
        _ if at == card::ID.address() => card::MAGIC,
        _ if at == card::VERSION.address() => card::VERSION_MINOR,
        _ if at == card::CAP_PTR.address() => CAPABILITY_BASE,
        _ => {
            let word = at.checked_sub(CAPABILITY_BASE).map(|i| i as usize / 4);
            word.and_then(|i| rom.get(i)).copied().unwrap_or(0)
        }
    });
    caps.unwrap()
}

pub(crate) fn dense() -> GemmCommand {
    GemmCommand {
        load_a: true,
        load_b: true,
        compute: true,
        store: true,
        m: 64,
        n: 48,
        k: 32,
        a: 0xff_ffff_0000,
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
        seed: 1,
        a: csr(0x10000),
        b: csr(0x20000),
        c: csr(0xff_ffff_0000),
        part_table: 0,
        parts: 0,
    }
}

pub(crate) fn entry(opcode: Opcode, parameter_bytes: usize) -> [u8; 64] {
    Descriptor {
        opcode,
        interrupt: true,
        queue: 3,
        cookie: 0x1122_3344_5566_7788,
        parameters: 0x4000,
        parameter_bytes: parameter_bytes as u32,
        deadline: 0,
    }
    .encode()
}

/// The last byte of a started command's operands, in numbers that do not overflow.
fn ends(opcode: u8, block: &[u8], caps: &Capabilities) -> Vec<u128> {
    if opcode == Opcode::Gemm as u8 {
        let c = GemmCommand::decode(block).unwrap();
        let tuple = caps.gemm.unwrap().tuples.get(c.tuple.into()).unwrap();
        let operand = |rows: u32, cols: u32, col_major, bits: u32, at: u64, stride: u32| {
            let (lines, length) = if col_major { (cols, rows) } else { (rows, cols) };
            if lines == 0 || length == 0 {
                return 0;
            }
            let line = (u128::from(length) * u128::from(bits)).div_ceil(8);
            u128::from(at) + u128::from(lines - 1) * u128::from(stride) + line
        };
        let columns = if c.d_col_major { c.m } else { c.n };
        let used = [c.load_a, c.load_b, c.store, c.epilogue_steps != 0];
        let ends = [
            operand(c.m, c.k, c.a_col_major, tuple.a.bits(), c.a, c.a_stride),
            operand(c.k, c.n, c.b_col_major, tuple.b.bits(), c.b, c.b_stride),
            operand(c.m, c.n, c.d_col_major, tuple.d.bits(), c.d, c.d_stride),
            u128::from(c.epilogue)
                + u128::from(EpilogueCaps::block_bytes(c.epilogue_steps, columns)),
        ];
        return ends.into_iter().zip(used).map(|(end, used)| if used { end } else { 0 }).collect();
    }
    let c = SpgemmCommand::decode(block).unwrap();
    let csr = |at: &CsrAddresses, rows: u32, entries: u32| {
        let end = |at: u64, words: u128| if words == 0 { 0 } else { u128::from(at) + 4 * words };
        [
            end(at.row_pointers, u128::from(rows) + 1),
            end(at.columns, entries.into()),
            end(at.values, entries.into()),
        ]
    };
    let parts =
        [csr(&c.a, c.rows, c.nnz_a), csr(&c.b, c.inner, c.nnz_b), csr(&c.c, c.rows, c.c_capacity)];
    parts.concat()
}

/// Commands started and answered: both must be reached.
static REACHED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

#[test]
fn any_command() {
    let mut configs = vec![CardConfig::reference("small").unwrap(); 4];
    configs[1].gemm = None;
    configs[2].spgemm = None;
    configs[3].gemm.as_mut().unwrap().epilogue =
        EpilogueStep::NAMES.iter().map(|(_, step)| *step).collect();
    configs.extend(["mixed", "sparse2"].map(|name| CardConfig::reference(name).unwrap()));
    let cards: Vec<(Capabilities, u32)> =
        configs.iter().map(|c| (capabilities(c), c.memory.address_bits)).collect();
    type Input = (u8, Vec<(u8, u8)>, Vec<(u8, u8)>, [u8; 2], u32);
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<Input>().for_each(|(choice, entries, blocks, cuts, word)| {
        let (caps, bits) = &cards[usize::from(choice >> 2) % cards.len()];
        let (opcode, mut block) = match choice % 4 {
            0 => (Opcode::Nop, vec![]),
            1 => (Opcode::Gemm, dense().encode().to_vec()),
            2 => {
                let epilogue_steps = if word % 2 == 0 { 0 } else { word >> 8 & 0xff };
                let epilogue = u64::from(word >> 16) << (word >> 1 & 31);
                (
                    Opcode::Gemm,
                    GemmCommand { epilogue, epilogue_steps, ..dense() }.encode().to_vec(),
                )
            }
            _ => (Opcode::Spgemm, sparse().encode().to_vec()),
        };
        let mut ring = entry(opcode, block.len()).to_vec();
        // Little at a time: of what is damaged all over, nothing gets past the first checks.
        crate::damage(&mut ring, crate::few(entries, cuts[0].saturating_sub(2)), cuts[0]);
        crate::damage(&mut block, crate::few(blocks, cuts[1]), cuts[1]);
        let mut regs = Registers { word: if choice % 8 == 7 { *word } else { 0 }, log: vec![] };
        let starts = [gemm::START.address(), spgemm::START.address()];
        match accept(&ring, &block, &Limits::of(caps), &mut regs) {
            Accepted::Started(running) => {
                REACHED[0].fetch_add(1, Ordering::Relaxed);
                assert_eq!(regs.log.iter().filter(|(at, _)| starts.contains(at)).count(), 1);
                assert!(
                    starts.contains(&regs.log.last().unwrap().0),
                    "started before it was set up"
                );
                for end in ends(ring[0], &block, caps) {
                    assert!(end <= 1 << bits, "{:?} ends at {end:#x}", running.descriptor.opcode);
                }
                regs.word = *word;
                let completion: Option<Completion> = finish(&running, &mut regs);
                assert!(completion.is_none_or(|c| c.cookie == running.descriptor.cookie));
            }
            Accepted::Answered(completion) => {
                REACHED[1].fetch_add(1, Ordering::Relaxed);
                assert_eq!(regs.log, []);
                let nop = ring.first() == Some(&(Opcode::Nop as u8));
                assert!(completion.code != ErrorCode::None || nop, "{completion:?}");
            }
        }
    });
    let [started, answered] = REACHED.each_ref().map(|count| count.load(Ordering::Relaxed));
    println!("{started} commands started, {answered} answered");
    assert!(started > 1000 && answered > 1000, "{started}, {answered}");
}
