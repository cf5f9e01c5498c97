//! The register block against a plain model, with random accesses.

use super::{ADDR_BITS, Account, Csr, values};
use mattock_spec::CardConfig;
use mattock_spec::regs::{Access, BAR0_BYTES, CAPABILITY_BASE, Capabilities, capability_rom};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, Interpreter};
use std::collections::HashMap;

fn start(card: &str) -> (Csr, Interpreter) {
    let csr = Csr { card: CardConfig::reference(card).unwrap(), stored: false };
    let design = Design::elaborate(&csr).unwrap_or_else(|e| panic!("{e}"));
    let mut sim = Interpreter::new(&design).unwrap();
    for port in ["write", "read"] {
        sim.set(port, 0);
    }
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    (csr, sim)
}

fn read(sim: &mut Interpreter, address: u32) -> u32 {
    sim.set("read", 1);
    sim.set("read_addr", address.into());
    sim.tick();
    sim.set("read", 0);
    sim.get("read_data") as u32
}

fn write(sim: &mut Interpreter, address: u32, data: u32, strobes: u32) {
    sim.set("write", 1);
    sim.set("write_addr", address.into());
    sim.set("write_data", data.into());
    sim.set("write_strb", strobes.into());
}

/// Every word of BAR0, on cards with either engine and both: RW reads back the fields written, RO what the
/// input says, everything else 0.
#[test]
fn random_accesses_match_the_table() {
    for card in ["tiny", "sparse4", "small", "small_riscv"] {
        let (csr, mut sim) = start(card);
        let mut rng = StdRng::seed_from_u64(7);
        let mut expected: HashMap<u32, u32> = HashMap::new();
        for map in csr.maps() {
            if map.base != 0 {
                sim.set(&*format!("{}_locked", map.name), 0);
            }
            for value in values(&map, csr.card.memory.address_bits) {
                let port = format!("{}_{}", map.name, value.name);
                match value.access {
                    Access::Ro => {
                        if let Some(port) = sim.try_port(&port) {
                            let input = rng.random::<u64>() >> (64 - value.width);
                            sim.set(port, input);
                            let mut rest = input;
                            for part in &value.parts {
                                *expected.entry(part.reg.address()).or_default() |=
                                    part.field.put(rest as u32);
                                rest = rest.checked_shr(part.field.width).unwrap_or(0);
                            }
                        } else {
                            for reg in value.parts.iter().map(|p| p.reg) {
                                expected.insert(reg.address(), csr.constant(&reg).unwrap());
                            }
                        }
                    }
                    Access::W1c => sim.set(&*format!("{port}_set"), 0),
                    Access::Rw | Access::Wo => {}
                }
            }
        }
        for (i, word) in capability_rom(&csr.card).into_iter().enumerate() {
            expected.insert(CAPABILITY_BASE + 4 * i as u32, word);
        }
        if let Some(s) = &csr.card.spgemm {
            expected.insert(mattock_spec::regs::spgemm::SEED.address(), s.seed);
        }
        for _ in 0..3000 {
            let at = rng.random_range(0..BAR0_BYTES / 4) * 4;
            let (data, strobes) = (rng.random(), rng.random_range(0..16));
            write(&mut sim, at, data, strobes);
            sim.tick();
            sim.set("write", 0);
            let reg = csr.maps().iter().flat_map(|m| m.regs).find(|r| r.address() == at).copied();
            if let Some(reg) = reg.filter(|r| r.access == Access::Rw) {
                let lanes =
                    (0..4).filter(|i| strobes >> i & 1 == 1).fold(0, |a, i| a | (0xff << (8 * i)));
                let fields = reg.mask(csr.card.memory.address_bits);
                let word = expected.entry(at).or_default();
                *word = ((*word & !lanes) | (data & lanes)) & fields;
            }
            let at = rng.random_range(0..BAR0_BYTES / 4) * 4;
            let at = if rng.random() { at } else { reg.map_or(at, |r| r.address()) };
            assert_eq!(read(&mut sim, at), *expected.get(&at).unwrap_or(&0), "{card} at {at:#x}");
        }
        for at in (0..BAR0_BYTES).step_by(4) {
            assert_eq!(read(&mut sim, at), *expected.get(&at).unwrap_or(&0), "{card} at {at:#x}");
        }
    }
}

#[test]
fn the_driver_understands_the_capability_list() {
    for card in mattock_spec::config::REFERENCE_NAMES {
        let (csr, mut sim) = start(card);
        let caps = Capabilities::parse(|at| read(&mut sim, at)).unwrap();
        assert_eq!(caps.digest, csr.card.digest());
        assert_eq!(caps.bus_bytes, csr.card.memory.bus_bytes);
        assert_eq!(
            (caps.gemm.is_some(), caps.spgemm.is_some()),
            (csr.card.gemm.is_some(), csr.card.spgemm.is_some())
        );
    }
}

#[test]
fn pulses_locks_and_causes() {
    use mattock_spec::regs::{card, gemm};
    let (_, mut sim) = start("small");
    sim.set("gemm_locked", 0);
    sim.set("card_irq_status_gemm_done_set", 0);
    sim.set("card_irq_status_spgemm_done_set", 0);
    write(&mut sim, gemm::START.address(), 1, 15);
    assert_eq!(sim.get("gemm_start"), 1);
    sim.set("write_strb", 0b1110);
    assert_eq!(sim.get("gemm_start"), 0);
    sim.set("write_strb", 15);
    sim.set("gemm_locked", 1);
    assert_eq!(sim.get("gemm_start"), 0);
    write(&mut sim, gemm::M.address(), 77, 15);
    sim.tick();
    assert_eq!(sim.get("gemm_m"), 0);
    sim.set("gemm_locked", 0);
    sim.tick();
    assert_eq!(sim.get("gemm_m"), 77);
    write(&mut sim, gemm::A_LO.address(), 0x1111_2222, 15);
    sim.tick();
    write(&mut sim, gemm::A_HI.address(), 0x3333_4444, 15);
    sim.tick();
    assert_eq!(sim.get("gemm_a"), 0x44_1111_2222, "40 bits of address");

    write(&mut sim, card::IRQ_STATUS.address(), 3, 15);
    sim.set("card_irq_status_gemm_done_set", 1);
    sim.tick();
    assert_eq!(sim.get("card_irq_status_gemm_done"), 1, "set wins over clear");
    sim.set("card_irq_status_gemm_done_set", 0);
    sim.set("write", 0);
    assert_eq!(read(&mut sim, card::IRQ_STATUS.address()), 1);
    write(&mut sim, card::IRQ_STATUS.address(), 2, 15);
    sim.tick();
    assert_eq!(sim.get("card_irq_status_gemm_done"), 1, "the other bit");
    write(&mut sim, card::IRQ_STATUS.address(), 1, 15);
    sim.tick();
    assert_eq!(sim.get("card_irq_status_gemm_done"), 0);
}

#[test]
fn every_value_has_a_name_of_its_own() {
    for map in mattock_spec::regs::MAPS {
        let names: Vec<_> = values(map, 64).into_iter().map(|v| v.name).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }
    let gemm = values(&mattock_spec::regs::gemm::MAP, 64);
    let lines: Vec<_> =
        gemm.iter().map(|v| format!("{} {} {}", v.name, v.width, v.access.name())).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(1 << ADDR_BITS, BAR0_BYTES);
}

#[test]
fn a_command_is_accounted_for() {
    let design = Design::elaborate(&Account { beats: Some(16) }).unwrap();
    let mut sim = Interpreter::new(&design).unwrap();
    for port in ["start", "done", "reset", "idle", "read_beat", "write_beat"] {
        sim.set(port, 0);
    }
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    let pulse = |sim: &mut Interpreter, port: &str| {
        sim.set(port, 1);
        sim.tick();
        sim.set(port, 0);
    };
    pulse(&mut sim, "start");
    assert_eq!((sim.get("status_busy"), sim.get("status_done")), (1, 0));
    pulse(&mut sim, "read_beat");
    pulse(&mut sim, "write_beat");
    pulse(&mut sim, "read_beat");
    sim.set("error", 16);
    sim.set("info", 0xabcd);
    pulse(&mut sim, "done");
    assert_eq!((sim.get("status_busy"), sim.get("status_done")), (0, 1));
    assert_eq!((sim.get("status_error"), sim.get("error_info")), (16, 0xabcd));
    pulse(&mut sim, "read_beat");
    assert_eq!((sim.get("cycles"), sim.get("bytes_read"), sim.get("bytes_written")), (4, 32, 16));

    pulse(&mut sim, "start");
    assert_eq!((sim.get("status_error"), sim.get("bytes_read")), (0, 0));
    sim.set("reset", 1);
    pulse(&mut sim, "done");
    assert_eq!(sim.get("status_busy"), 1, "transfers are outstanding");
    sim.set("idle", 1);
    assert_eq!(sim.get("ended"), 1);
    sim.tick();
    assert_eq!((sim.get("status_busy"), sim.get("status_error"), sim.get("error_info")), (0, 9, 0));
}
