//! Calls against a card of registers and memory only: what the driver itself must get right.

use mattock::dense::{Elements, GemmCall, Operand, Order};
use mattock::sparse::SpgemmOptions;
use mattock::transport::{Arena, Limit, Transport, Waited};
use mattock::{Card, Csr, Error};
use mattock_spec::CardConfig;
use mattock_spec::regs::{self, CAPABILITY_BASE, capability_rom, card, gemm, spgemm};
use proptest::prelude::*;
use std::collections::HashMap;

const BASE: u64 = 0x1000;
const BYTES: usize = 1 << 16;

/// Ends every command at once with the status given; computes nothing.
struct Fake {
    registers: HashMap<u32, u32>,
    memory: Vec<u8>,
    arena: Arena,
    /// STATUS of both engines.
    status: u32,
    /// Reads from now on until the card is gone.
    reads_left: usize,
}

impl Fake {
    fn new(status: u32) -> Self {
        let config = CardConfig::reference("small").unwrap();
        let digest = config.digest();
        let rom = capability_rom(&config);
        let rom = rom.into_iter().enumerate().map(|(i, w)| (CAPABILITY_BASE + 4 * i as u32, w));
        let mut registers: HashMap<u32, u32> = rom.collect();
        registers.extend([
            (card::ID.address(), card::MAGIC),
            (card::VERSION.address(), card::VERSION::MINOR.put(card::VERSION_MINOR)),
            (card::DIGEST_LO.address(), digest as u32),
            (card::CAP_PTR.address(), CAPABILITY_BASE),
        ]);
        let arena = Arena::new(BASE..BASE + BYTES as u64);
        Fake { registers, memory: vec![0; BYTES], arena, status, reads_left: usize::MAX }
    }

    fn open(self) -> Card {
        Card::open_with(Box::new(self)).unwrap()
    }
}

impl Transport for Fake {
    fn description(&self) -> String {
        "fake".into()
    }
    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        self.reads_left = self.reads_left.saturating_sub(1);
        if self.reads_left == 0 {
            return Ok(u32::MAX);
        }
        if [gemm::STATUS.address(), spgemm::STATUS.address()].contains(&offset) {
            let started = self.registers.contains_key(&gemm::START.address())
                || self.registers.contains_key(&spgemm::START.address());
            return Ok(if started { self.status } else { 0 });
        }
        Ok(self.registers.get(&offset).copied().unwrap_or(0))
    }
    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        if offset == card::SOFT_RESET.address() {
            self.registers.remove(&gemm::START.address());
            self.registers.remove(&spgemm::START.address());
        } else {
            self.registers.insert(offset, value);
        }
        Ok(())
    }
    fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        self.arena.alloc(bytes)
    }
    fn free(&mut self, address: u64) {
        self.arena.free(address);
    }
    fn available(&self) -> u64 {
        self.arena.largest()
    }
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Error> {
        self.memory[(address - BASE) as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        data.copy_from_slice(&self.memory[(address - BASE) as usize..][..data.len()]);
        Ok(())
    }
    fn wait(&mut self, _: Limit) -> Result<Waited, Error> {
        let busy = gemm::STATUS::BUSY.get(self.status) == 1;
        Ok(if busy { Waited::Expired } else { Waited::Interrupt })
    }
}

const DONE: u32 = gemm::STATUS::DONE.put(1);

const ONES: [i8; 16] = [1; 16];

fn four() -> GemmCall<'static> {
    let view = Operand { elements: Elements::I8(&ONES), order: Order::Row, ld: 4 };
    GemmCall { m: 4, n: 4, k: 4, a: view, b: view, order: Order::Row, resident: false }
}

#[test]
fn cards_that_are_none_are_refused() {
    let open = |change: &dyn Fn(&mut Fake)| {
        let mut fake = Fake::new(DONE);
        change(&mut fake);
        Card::open_with(Box::new(fake)).map(drop).unwrap_err().to_string()
    };
    let set = |fake: &mut Fake, reg: regs::Reg, value| {
        fake.registers.insert(reg.address(), value);
    };
    let texts = [
        open(&|f| f.reads_left = 1),
        open(&|f| set(f, card::ID, 0x1234)),
        open(&|f| set(f, card::VERSION, card::VERSION::MAJOR.put(9))),
        open(&|f| set(f, card::CAP_PTR, 0x3000)),
        open(&|f| set(f, card::STATUS, 1)),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn ends_of_a_command() {
    let end = |status| Fake::new(status).open().gemm(&four()).map(|r| r.0);
    assert_eq!(end(DONE).unwrap(), [0; 16]);
    let fault = end(DONE | gemm::STATUS::ERROR.put(16)).unwrap_err();
    assert!(matches!(fault, Error::DeviceFault { .. }), "{fault}");
    let unknown = end(DONE | gemm::STATUS::ERROR.put(77)).unwrap_err();
    assert!(matches!(unknown, Error::DeviceFault { .. }), "{unknown}");
    let mut stuck = Fake::new(gemm::STATUS::BUSY.put(1)).open();
    let error = stuck.gemm(&four()).unwrap_err();
    assert!(matches!(error, Error::Timeout { op: "gemm", .. }), "{error}");
    // However early the card goes, the call ends with an error and frees its memory.
    for reads in 1..8 {
        let mut fake = Fake::new(DONE);
        fake.reads_left = 20 + reads;
        let Ok(mut card) = Card::open_with(Box::new(fake)) else { continue };
        if let Err(error) = card.gemm(&four()) {
            assert!(
                matches!(
                    error,
                    Error::DeviceFault { .. } | Error::DeviceLost { .. } | Error::Timeout { .. }
                ),
                "{error}"
            );
        }
        assert_eq!(card.transport().available(), BYTES as u64);
    }
}

#[test]
fn impossible_results_are_noticed() {
    let mut fake = Fake::new(DONE);
    fake.registers.insert(spgemm::NNZ_C.address(), 1000);
    let eye = Csr::identity(3, 1i32).unwrap();
    let error = fake.open().spgemm(&eye, &eye, &SpgemmOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the card's result is wrong, please report it: 1000 entries where 3 have room"
    );
    let mut fake = Fake::new(DONE);
    fake.registers.insert(spgemm::NNZ_C.address(), 2);
    let error = fake.open().spgemm(&eye, &eye, &SpgemmOptions::default()).unwrap_err();
    assert!(matches!(error, Error::BadResult { .. }), "{error}");
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        0usize..6,
        0usize..70,
        Just(usize::MAX),
        Just(1 << 31),
        Just(1 << 32),
        any::<usize>()
    ]
}

proptest! {
    /// Whatever the arguments: a result of the right size or an error, never a panic, and no memory kept.
    #[test]
    fn random_arguments(
        dims in [size(), size(), size()], ld in [size(), size()], len in [0usize..300, 0usize..300],
        flags in any::<[bool; 6]>(), budget in prop::option::of(any::<u64>()),
    ) {
        let [(bytes_a, ints_a), (bytes_b, ints_b)] = len.map(|n| (vec![7u8; n], vec![7i8; n]));
        let view = |ints, bytes, int4, column, ld| Operand {
            elements: if int4 { Elements::I4(bytes) } else { Elements::I8(ints) },
            order: if column { Order::Column } else { Order::Row },
            ld,
        };
        let [m, n, k] = dims;
        let a = view(&ints_a, &bytes_a, flags[0], flags[1], ld[0]);
        let b = view(&ints_b, &bytes_b, flags[2], flags[3], ld[1]);
        let order = if flags[4] { Order::Row } else { Order::Column };
        let mut card = Fake::new(DONE).open();
        if let Ok((d, _)) = card.gemm(&GemmCall { m, n, k, a, b, order, resident: flags[5] }) {
            prop_assert_eq!(d.len(), m * n);
        }
        let empty = |rows: usize, cols: usize| Csr::<f32>::empty(rows % 5000, cols);
        if let (Ok(a), Ok(b)) = (empty(m, k), empty(k, n)) {
            let options = SpgemmOptions { memory_budget: budget, ..SpgemmOptions::default() };
            let _ = card.spgemm(&a, &b, &options);
        }
        prop_assert_eq!(card.transport().available(), BYTES as u64);
    }
}
