//! Calls against a card of registers and memory only: what the driver itself must get right.

use mattock::sparse::SpgemmOptions;
use mattock::transport::{Arena, Limit, Transport, Waited};
use mattock::{
    Context, ContextOptions, Csr, Device, DynView, DynViewMut, Error, GemmOptions, Order, View,
    ViewMut,
};
use mattock_spec::regs::{self, CAPABILITY_BASE, capability_rom, card, gemm, spgemm};
use mattock_spec::{CardConfig, Format};
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

    fn open(self) -> Context {
        let device = Device::open_with(Box::new(self)).unwrap();
        device.context(ContextOptions::default()).unwrap()
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
    fn is_simulated(&self) -> bool {
        true
    }
}

const DONE: u32 = gemm::STATUS::DONE.put(1);

/// 4 x 4 ones times 4 x 4 ones.
fn four(context: &Context) -> Result<Vec<i32>, Error> {
    let (ones, mut c) = ([1i8; 16], vec![7; 16]);
    let view = View::<i8>::rows(&ones, 4, 4)?;
    let options = GemmOptions::default();
    context.gemm(&options, 1, view, view, 0, ViewMut::<i32>::rows(&mut c, 4, 4)?)?.wait()?;
    Ok(c)
}

fn available(context: &Context) -> u64 {
    context.device().transport().available()
}

#[test]
fn cards_that_are_none_are_refused() {
    let open = |change: &dyn Fn(&mut Fake)| {
        let mut fake = Fake::new(DONE);
        change(&mut fake);
        Device::open_with(Box::new(fake)).map(drop).unwrap_err().to_string()
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
    let end = |status| four(&Fake::new(status).open());
    assert_eq!(end(DONE).unwrap(), [0; 16]);
    let fault = end(DONE | gemm::STATUS::ERROR.put(16)).unwrap_err();
    assert!(matches!(fault, Error::DeviceFault { .. }), "{fault}");
    let unknown = end(DONE | gemm::STATUS::ERROR.put(77)).unwrap_err();
    assert!(matches!(unknown, Error::DeviceFault { .. }), "{unknown}");
    let error = four(&Fake::new(gemm::STATUS::BUSY.put(1)).open()).unwrap_err();
    assert!(matches!(error, Error::Timeout { op: "gemm", .. }), "{error}");
    // However early the card goes, the call ends with an error and frees its memory.
    for reads in 1..8 {
        let mut fake = Fake::new(DONE);
        fake.reads_left = 20 + reads;
        let Ok(device) = Device::open_with(Box::new(fake)) else { continue };
        let context = device.context(ContextOptions::default()).unwrap();
        if let Err(error) = four(&context) {
            assert!(
                matches!(
                    error,
                    Error::DeviceFault { .. } | Error::DeviceLost { .. } | Error::Timeout { .. }
                ),
                "{error}"
            );
        }
        assert_eq!((available(&context), context.memory_held()), (BYTES as u64, 0));
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
    /// Whatever the arguments: a result or an error, never a panic, and no memory kept.
    #[test]
    fn random_arguments(
        dims in [size(), size(), size()], ld in [size(), size()], len in [0usize..300, 0usize..300],
        flags in any::<[bool; 7]>(), budget in prop::option::of(any::<u64>()), alpha in -1i32..2, beta in -1i32..2,
    ) {
        let data = len.map(|n| vec![7u8; n]);
        let format = |int4| if int4 { Format::I4 } else { Format::I8 };
        let order = |column| if column { Order::Column } else { Order::Row };
        let [m, n, k] = dims;
        let context = Fake::new(DONE).open();
        let a = DynView::new(&data[0], order(flags[0]), m, k, ld[0], format(flags[1]));
        let b = DynView::new(&data[1], order(flags[2]), k, n, ld[1], format(flags[3]));
        let mut d = vec![0; 1200];
        let c_order = order(flags[4]);
        let c_ld = if flags[4] { m } else { n };
        let c = DynViewMut::new(&mut d, c_order, m, n, c_ld, Format::I32);
        if let (Ok(a), Ok(b), Ok(c)) = (a, b, c) {
            let options =
                GemmOptions { resident: flags[5], chunked: flags[6], ..GemmOptions::default() };
            let event = context.gemm_dyn(&options, alpha.into(), a, b, beta.into(), c);
            let _ = event.and_then(|event| event.wait());
        }
        let empty = |rows: usize, cols: usize| Csr::<f32>::empty(rows % 5000, cols);
        if let (Ok(a), Ok(b)) = (empty(m, k), empty(k, n)) {
            let options = SpgemmOptions { memory_budget: budget, chunked: flags[6], ..Default::default() };
            let _ = context.spgemm(&a, &b, &options);
        }
        prop_assert_eq!((available(&context), context.memory_held()), (BYTES as u64, 0));
    }
}
