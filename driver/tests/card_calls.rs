//! Calls against a card of registers and memory only: what the driver itself must get right.

mod fake;

use fake::{DONE, Fake};
use mattock::sparse::SpgemmOptions;
use mattock::{
    Context, ContextOptions, Csr, Device, DynView, DynViewMut, Error, GemmOptions, Order, View,
    ViewMut,
};
use mattock_spec::Format;
use mattock_spec::regs::{self, card, gemm, spgemm};
use proptest::prelude::*;

const BYTES: usize = 1 << 16;

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
        let mut fake = Fake::new(DONE, BYTES);
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
    let end = |status| four(&Fake::new(status, BYTES).open());
    assert_eq!(end(DONE).unwrap(), [0; 16]);
    let fault = end(DONE | gemm::STATUS::ERROR.put(16)).unwrap_err();
    assert!(matches!(fault, Error::DeviceFault { .. }), "{fault}");
    let unknown = end(DONE | gemm::STATUS::ERROR.put(77)).unwrap_err();
    assert!(matches!(unknown, Error::DeviceFault { .. }), "{unknown}");
    let error = four(&Fake::new(gemm::STATUS::BUSY.put(1), BYTES).open()).unwrap_err();
    assert!(matches!(error, Error::Timeout { op: "gemm", .. }), "{error}");
    // However early the card goes, the call ends with an error and frees its memory.
    for reads in 1..8 {
        let mut fake = Fake::new(DONE, BYTES);
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
    let mut fake = Fake::new(DONE, BYTES);
    fake.registers.insert(spgemm::NNZ_C.address(), 1000);
    let eye = Csr::identity(3, 1i32).unwrap();
    let error = fake.open().spgemm(&eye, &eye, &SpgemmOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the card's result is wrong, please report it: 1000 entries where 3 have room"
    );
    let mut fake = Fake::new(DONE, BYTES);
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
        let context = Fake::new(DONE, BYTES).open();
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
