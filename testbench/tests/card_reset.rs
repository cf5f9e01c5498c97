//! A soft reset in the middle of a command: the card becomes quiet by the rules of the bus, the command
//! ends as aborted, and the next one is right.

use mattock::sparse::SpgemmOptions;
use mattock::transport::{Limit, Waited};
use mattock::{Context, ContextOptions, Csr, GemmOptions, View, ViewMut};
use mattock_spec::regs::{self, Reg, gemm, spgemm};
use mattock_spec::{CardConfig, ErrorCode};
use mattock_testbench::sim::{SimOptions, SimulatorKind, Stalls, open_device};
use std::time::Duration;

/// Starts the command in the registers again and resets the card after `cycles`. The memory of the first
/// run is free by now but still there.
fn interrupt(card: &Context, start: Reg, status: Reg, cycles: u64) {
    let device = card.device();
    let mut transport = device.transport();
    transport.write32(regs::card::IRQ_STATUS.address(), 3).unwrap();
    transport.write32(start.address(), 1).unwrap();
    let limit = Limit { cycles, time: Duration::ZERO };
    assert_eq!(transport.wait(limit).unwrap(), Waited::Expired, "over before {cycles} cycles");
    drop(transport);
    device.reset().unwrap();
    let mut transport = device.transport();
    let word = transport.read32(status.address()).unwrap();
    assert_eq!(gemm::STATUS::ERROR.get(word), ErrorCode::Aborted as u32, "after {cycles} cycles");
    assert_eq!(transport.read32(regs::card::STATUS.address()).unwrap(), 0);
}

fn open(stalls: Option<Stalls>) -> Context {
    let mut options = SimOptions::new(SimulatorKind::Interpreter, "unused");
    options.memory.bytes = 1 << 16;
    options.memory.stalls = stalls;
    let device = open_device(&CardConfig::reference("small").unwrap(), &options).unwrap();
    device.context(ContextOptions::default()).unwrap()
}

#[test]
fn a_dense_command_can_be_given_up() {
    let values: Vec<i8> = (0..40 * 40).map(|i| (i % 7) as i8 - 3).collect();
    let multiply = |card: &Context| {
        let mut c = vec![0; 40 * 40];
        let view = View::<i8>::rows(&values, 40, 40).unwrap();
        let to = ViewMut::<i32>::rows(&mut c, 40, 40).unwrap();
        let event = card.gemm(&GemmOptions::default(), 1, view, view, 0, to).unwrap();
        let stats = event.wait().unwrap();
        (c, stats)
    };
    for stalls in [None, Some(Stalls { seed: 1, chance: 80 })] {
        let card = open(stalls);
        let (expected, stats) = multiply(&card);
        // From the first cycles to the last stores.
        for percent in [0, 1, 3, 10, 30, 60, 80, 90] {
            interrupt(&card, gemm::START, gemm::STATUS, stats.cycles * percent / 100);
            assert_eq!(multiply(&card).0, expected, "after {percent} %");
        }
    }
}

#[test]
fn a_sparse_command_can_be_given_up() {
    let row_ptr = (0..=60).map(|r| 5 * r).collect();
    let columns = (0..60u32).flat_map(|r| (0..5).map(move |i| (r % 12) + 12 * i));
    let values = (0..300).map(|v| v - 150).collect();
    let a = Csr::new(60, 60, row_ptr, columns.collect(), values).unwrap();
    for stalls in [None, Some(Stalls { seed: 1, chance: 80 })] {
        let card = open(stalls);
        let (expected, stats) = card.spgemm(&a, &a, &SpgemmOptions::default()).unwrap();
        for percent in [0, 1, 3, 10, 30, 60, 80, 90] {
            interrupt(&card, spgemm::START, spgemm::STATUS, stats.cycles * percent / 100);
            let (c, _) = card.spgemm(&a, &a, &SpgemmOptions::default()).unwrap();
            assert_eq!(c, expected, "after {percent} %");
        }
    }
}
