//! A soft reset in the middle of a command: the card becomes quiet by the rules of the bus, the command
//! ends as aborted, and the next one is right.

use mattock::dense::{Elements, GemmCall, Operand, Order};
use mattock::sparse::SpgemmOptions;
use mattock::transport::{Limit, Waited};
use mattock::{Card, Csr};
use mattock_spec::regs::{self, Reg, gemm, spgemm};
use mattock_spec::{CardConfig, ErrorCode};
use mattock_testbench::sim::{SimCard, SimOptions, SimulatorKind, Stalls};
use std::time::Duration;

/// Starts the command in the registers again and resets the card after `cycles`. The memory of the first
/// run is free by now but still there.
fn interrupt(card: &mut Card, start: Reg, status: Reg, cycles: u64) {
    let transport = card.transport();
    transport.write32(regs::card::IRQ_STATUS.address(), 3).unwrap();
    transport.write32(start.address(), 1).unwrap();
    let limit = Limit { cycles, time: Duration::ZERO };
    assert_eq!(transport.wait(limit).unwrap(), Waited::Expired, "over before {cycles} cycles");
    card.reset().unwrap();
    let word = card.transport().read32(status.address()).unwrap();
    assert_eq!(gemm::STATUS::ERROR.get(word), ErrorCode::Aborted as u32, "after {cycles} cycles");
    assert_eq!(card.transport().read32(regs::card::STATUS.address()).unwrap(), 0);
}

fn open(stalls: Option<Stalls>) -> Card {
    let mut options = SimOptions::new(SimulatorKind::Interpreter, "unused");
    options.memory.bytes = 1 << 16;
    options.memory.stalls = stalls;
    let card = SimCard::open(&CardConfig::reference("small").unwrap(), &options).unwrap();
    Card::open_with(Box::new(card)).unwrap()
}

#[test]
fn a_dense_command_can_be_given_up() {
    let values: Vec<i8> = (0..40 * 40).map(|i| (i % 7) as i8 - 3).collect();
    let view = Operand { elements: Elements::I8(&values), order: Order::Row, ld: 40 };
    let call =
        GemmCall { m: 40, n: 40, k: 40, a: view, b: view, order: Order::Row, resident: false };
    for stalls in [None, Some(Stalls { seed: 1, chance: 80 })] {
        let mut card = open(stalls);
        let (expected, stats) = card.gemm(&call).unwrap();
        // From the first cycles to the last stores.
        for percent in [0, 1, 3, 10, 30, 60, 80, 90] {
            interrupt(&mut card, gemm::START, gemm::STATUS, stats.cycles * percent / 100);
            assert_eq!(card.gemm(&call).unwrap().0, expected, "after {percent} %");
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
        let mut card = open(stalls);
        let (expected, stats) = card.spgemm(&a, &a, &SpgemmOptions::default()).unwrap();
        for percent in [0, 1, 3, 10, 30, 60, 80, 90] {
            interrupt(&mut card, spgemm::START, spgemm::STATUS, stats.cycles * percent / 100);
            let (c, _) = card.spgemm(&a, &a, &SpgemmOptions::default()).unwrap();
            assert_eq!(c, expected, "after {percent} %");
        }
    }
}
