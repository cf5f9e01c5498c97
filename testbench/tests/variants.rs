//! Whole cards of every array and PE that go together: random products from memory, exact and in the cycles promised.

use mattock::ContextOptions;
use mattock_spec::CardConfig;
use mattock_spec::config::{ArrayKind, PES, Pe, PeInfo};
use mattock_testbench::contract::measure;
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A small card: one line names the array, one the PE.
fn config(array: &str, pe: &str, tuple: &str, k_split: u32) -> CardConfig {
    let text = format!(
        "name = \"variant\"\n[memory]\nbus_bytes = 16\n[gemm]\nrows = 4\ncols = 4\n\
         array = \"{array}\"\npe = \"{pe}\"\nk_split = {k_split}\ntuples = [\"{tuple}\"]\n\
         a_kib = 4\nb_kib = 4\nresult_kib = 16\nalign = 16\n"
    );
    CardConfig::from_toml(&text).unwrap_or_else(|e| panic!("{e}"))
}

/// Those of floats have tests of their own.
fn is_integer(pe: &PeInfo) -> bool {
    !matches!(pe.pe, Pe::Fp | Pe::FpChain)
}

#[test]
fn every_pairing_is_exact_and_keeps_the_cycle_contract() {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let options = SimOptions::new(SimulatorKind::Interpreter, cache);
    let mut pairings = 0;
    for (array, kind) in ArrayKind::ALL {
        for pe in PES.iter().filter(|pe| pe.arrays.contains(kind) && is_integer(pe)) {
            let tuple =
                if pe.takes(&"i8,i8,i32".parse().unwrap()) { "i8,i8,i32" } else { "i4,i4,i32" };
            let config = config(array, pe.name, tuple, 1);
            let device = open_device(&config, &options).unwrap_or_else(|e| panic!("{e}"));
            let card = device.context(ContextOptions::default()).unwrap();
            let mut rng = StdRng::seed_from_u64(pairings);
            // A result of one column may be computed as one of one row.
            let random = (0..12).map(|_| [0; 3].map(|_| rng.random_range(2..=40)));
            let corners = [[1, 1, 1], [4, 4, 1], [5, 9, 3], [8, 8, 64], [33, 2, 5]];
            for shape in corners.into_iter().chain(random.collect::<Vec<_>>()) {
                let measured = measure(&card, &config, shape, 7)
                    .unwrap_or_else(|e| panic!("{array}, {}: {e}", pe.name));
                let named = (array, pe.name, shape);
                // Zero digits are skipped: how many, the operands decide.
                let exact = pe.pe != Pe::DigitSkip;
                let as_told = if exact { measured.cycles } else { measured.predicted };
                assert_eq!((named, as_told), (named, measured.predicted));
                assert!(measured.slack() >= 0, "{named:?}: {measured:?}");
            }
            pairings += 1;
        }
    }
    assert!(pairings >= 17, "{pairings} pairings");
}

/// Few rows: the array in groups, whose sums are added as they drain.
#[test]
fn systolic_pes_work_in_groups_of_rows() {
    let options = SimOptions::new(SimulatorKind::Interpreter, env!("CARGO_TARGET_TMPDIR"));
    let systolic = |pe: &&PeInfo| pe.arrays.contains(&ArrayKind::Systolic) && is_integer(pe);
    for pe in PES.iter().filter(systolic) {
        let tuple = if pe.takes(&"i8,i8,i32".parse().unwrap()) { "i8,i8,i32" } else { "i4,i4,i32" };
        let config = config("systolic", pe.name, tuple, 4);
        let device = open_device(&config, &options).unwrap_or_else(|e| panic!("{e}"));
        let card = device.context(ContextOptions::default()).unwrap();
        for shape in [[1, 9, 30], [2, 5, 64], [1, 4, 3], [2, 17, 33], [4, 4, 16]] {
            let measured = measure(&card, &config, shape, 3);
            let measured = measured.unwrap_or_else(|e| panic!("{}: {e}", pe.name));
            assert!(measured.slack() >= 0, "{}: {measured:?}", pe.name);
        }
    }
}
