//! No input whatever makes the command logic panic, start an engine twice, or start one and answer
//! as well.

use crate::fake::{Fake, capabilities, dense, entry, sparse};
use mattock_firmware::{Accepted, Engine, Limits, accept, finish};
use mattock_spec::command::Opcode;
use mattock_spec::regs::{ErrorCode, gemm, spgemm};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

/// 200,000 damaged commands: each is started exactly once or answered with a reason, never both.
#[test]
fn any_bytes_are_started_or_answered_and_never_both() {
    let mut rng = StdRng::seed_from_u64(0x4d41_4331);
    let cards = ["both", "dense", "sparse"].map(capabilities);
    let (mut starts, mut answers) = (0, BTreeMap::new());
    for _ in 0..200_000 {
        let caps = &cards[rng.random_range(0..3)];
        let (opcode, mut block) = match rng.random_range(0..3) {
            0 => (Opcode::Nop, vec![]),
            1 => (Opcode::Gemm, dense().encode().to_vec()),
            _ => (Opcode::Spgemm, sparse().encode().to_vec()),
        };
        let mut ring = entry(opcode, &block).to_vec();
        for _ in 0..rng.random_range(0..5) {
            let target = if rng.random_bool(0.3) { &mut ring } else { &mut block };
            if !target.is_empty() {
                let at = rng.random_range(0..target.len());
                target[at] = if rng.random() {
                    rng.random()
                } else {
                    target[at] ^ 1 << rng.random_range(0..8)
                };
            }
        }
        if rng.random_bool(0.05) {
            block.truncate(rng.random_range(0..=block.len()));
        }
        if rng.random_bool(0.05) {
            ring.truncate(rng.random_range(0..=ring.len()));
        }
        let mut regs = Fake::default();
        regs.set(gemm::STATUS, u32::from(rng.random_bool(0.1)));
        match accept(&ring, &block, &Limits::of(caps), &mut regs) {
            Accepted::Started(running) => {
                starts += 1;
                assert_eq!(regs.starts(), 1);
                let (start, status) = match running.engine {
                    Engine::Gemm => (gemm::START, gemm::STATUS),
                    Engine::Spgemm => (spgemm::START, spgemm::STATUS),
                };
                assert_eq!(regs.log.last(), Some(&(start.address(), 1)));
                // Whatever the engine then says, it is busy or over.
                let word = rng.random();
                regs.set(status, word);
                assert_eq!(finish(&running, &mut regs).is_none(), word & 1 == 1);
            }
            Accepted::Answered(completion) => {
                assert_eq!(regs.log, []);
                assert!(
                    completion.code != ErrorCode::None || completion.opcode == Opcode::Nop as u8
                );
                *answers.entry(completion.code.name()).or_insert(0) += 1;
            }
        }
    }
    // The mutations reach both outcomes and most of the refusals.
    assert!(starts > 10_000, "{starts}");
    let expected = [
        "BAD_ADDRESS",
        "BAD_LENGTH",
        "BAD_OPCODE",
        "BAD_SHAPE",
        "BUSY",
        "NONE",
        "RESERVED_BITS",
        "TOO_LARGE",
        "UNSUPPORTED_MODE",
    ];
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), expected);
}
