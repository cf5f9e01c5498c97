//! The card's memory under the masters of the bus, all at once.

use super::{AxiRamPort, CardMemory};
use crate::bus::{AxiReadMaster, AxiWriteMaster};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::bundle::{connect, expose};
use rtl_gen::{Builder, Design, Interpreter, Module};

const BYTES: usize = 8192;
const PORTS: u32 = 2;
const ADDR_BITS: u32 = 20;

/// A memory with a reading and a writing master at each port.
#[derive(Debug)]
struct Bench;

impl Module for Bench {
    fn name(&self) -> String {
        "memory_bench".into()
    }

    fn build(&self, m: &Builder) {
        let port =
            AxiRamPort { bus_bytes: 8, addr_bits: ADDR_BITS, memory_bytes: BYTES as u32, ahead: 4 };
        let memory = m.inst("memory", &CardMemory { direct: 0, ports: PORTS, port, chip: None });
        expose(m, memory, "mem_", "mem_");
        let (data_bits, addr_bits, max_burst, outstanding) = (64, ADDR_BITS, 16, 4);
        let read = AxiReadMaster { data_bits, addr_bits, max_burst, outstanding };
        let write = AxiWriteMaster { data_bits, addr_bits, max_burst, outstanding };
        for i in 0..PORTS {
            let masters: [(&str, &dyn Module, &[&str]); 2] =
                [("r", &read, &["ar", "r"]), ("w", &write, &["aw", "w", "b"])];
            for (kind, master, channels) in masters {
                let master = m.inst(&format!("{kind}{i}"), master);
                for channel in channels {
                    connect(
                        master,
                        &format!("m_axi_{channel}"),
                        memory,
                        &format!("s{i}_axi_{channel}"),
                    );
                }
                for prefix in ["cmd_", "data", "fault", "flush", "idle", "beat"] {
                    expose(m, master, prefix, &format!("{kind}{i}_{prefix}"));
                }
            }
        }
    }
}

/// A command of one master: byte address, beats, and those done.
struct Job {
    master: String,
    at: u64,
    beats: u64,
    sent: bool,
    done: u64,
}

impl Job {
    fn read(&self) -> bool {
        self.master.starts_with('r')
    }
}

/// Each round, every master moves a run of beats of its own, the host port single beats; then memory holds what a
/// plain array holds. Runs that leave the memory end with DECERR.
#[test]
fn masters_and_host_share_the_memory() {
    let design = Design::elaborate(&Bench).unwrap_or_else(|e| panic!("{e}"));
    let mut sim = Interpreter::new(&design).unwrap();
    for port in ["mem_valid", "mem_write", "mem_addr", "mem_data", "mem_strb"] {
        sim.set(port, 0);
    }
    for master in ["r0", "w0", "r1", "w1"] {
        for port in ["cmd_valid", "cmd_addr", "cmd_beats", "fault_clear", "flush"] {
            sim.set(&*format!("{master}_{port}"), 0);
        }
        let data: &[&str] =
            if master.starts_with('r') { &["ready"] } else { &["valid", "_strb", ""] };
        data.iter().for_each(|port| {
            let name = if port.is_empty() || port.starts_with('_') {
                format!("{master}_data{port}")
            } else {
                format!("{master}_data_{port}")
            };
            sim.set(&*name, 0);
        });
    }
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    let mut rng = StdRng::seed_from_u64(6);
    let mut model = vec![0u8; BYTES];
    host_fill(&mut sim, &mut model, &mut rng);

    for round in 0..30 {
        // Regions of their own, so that the order does not matter.
        let quarter = BYTES as u64 / 8;
        let mut jobs: Vec<Job> = ["r0", "w0", "r1", "w1"]
            .iter()
            .zip(0u64..)
            .map(|(name, i)| {
                let beats = rng.random_range(1..=40);
                let first = rng.random_range(0..=quarter / 8 - beats);
                Job {
                    master: name.to_string(),
                    at: i * quarter + 8 * first,
                    beats,
                    sent: false,
                    done: 0,
                }
            })
            .collect();
        let outside = round % 5 == 4;
        if outside {
            jobs.iter_mut().for_each(|job| job.at += BYTES as u64);
        }
        let (mut cycles, mut host_busy) = (0, None);
        let mut written = vec![];
        while jobs.iter().any(|j| j.done < j.beats) || host_busy.is_some() {
            cycles += 1;
            assert!(cycles < 4000, "nothing moves");
            let mut moved = vec![];
            for (i, job) in jobs.iter_mut().enumerate() {
                let name = job.master.clone();
                let pin = |port: &str| format!("{name}_{port}");
                sim.set(&*pin("cmd_valid"), u64::from(!job.sent));
                sim.set(&*pin("cmd_addr"), job.at);
                sim.set(&*pin("cmd_beats"), job.beats);
                let willing = rng.random_range(0..4) > 0;
                if job.read() {
                    sim.set(&*pin("data_ready"), willing.into());
                } else {
                    let more = job.done < job.beats && job.sent;
                    sim.set(&*pin("data_valid"), u64::from(more));
                    sim.set(&*pin("data"), mix(round, job.at + 8 * job.done));
                    sim.set(&*pin("data_strb"), 0xff);
                }
                moved.push((i, willing));
            }
            for (i, willing) in moved {
                let job = &mut jobs[i];
                let pin = |port: &str| format!("{}_{port}", job.master);
                if !job.sent && sim.get(&*pin("cmd_ready")) == 1 {
                    job.sent = true;
                    continue;
                }
                let at = job.at + 8 * job.done;
                if job.read() && willing && sim.get(&*pin("data_valid")) == 1 {
                    if !outside {
                        let beat = &model[at as usize..at as usize + 8];
                        assert_eq!(sim.get(&*pin("data")).to_le_bytes(), beat, "at {at:#x}");
                    }
                    assert_eq!(sim.get(&*pin("data_error")), u64::from(outside));
                    job.done += 1;
                } else if !job.read()
                    && job.sent
                    && job.done < job.beats
                    && sim.get(&*pin("data_ready")) == 1
                {
                    written.push((at, mix(round, at).to_le_bytes()));
                    job.done += 1;
                }
            }
            // The host reads in the upper half, where nobody writes.
            if host_busy.is_none() && rng.random_range(0..4) == 0 && cycles < 200 {
                let word = rng.random_range(BYTES as u64 / 16..BYTES as u64 / 8);
                sim.set("mem_addr", word);
                sim.set("mem_valid", 1);
                host_busy = Some(word);
            }
            let granted = host_busy.filter(|_| sim.get("mem_ready") == 1);
            sim.tick();
            if let Some(word) = granted {
                sim.set("mem_valid", 0);
                let at = 8 * word as usize;
                assert_eq!(sim.get("mem_rdata").to_le_bytes(), model[at..at + 8]);
                host_busy = None;
            }
        }
        for master in ["r0", "w0", "r1", "w1"] {
            sim.set(&*format!("{master}_cmd_valid"), 0);
        }
        (0..20).for_each(|_| sim.tick());
        for master in ["r0", "w0", "r1", "w1"] {
            let pin = |port: &str| format!("{master}_{port}");
            assert_eq!(sim.get(&*pin("idle")), 1);
            assert_eq!(sim.get(&*pin("fault")), if outside { 3 } else { 0 }, "{master}");
            sim.set(&*pin("fault_clear"), 1);
        }
        sim.tick();
        for master in ["r0", "w0", "r1", "w1"] {
            sim.set(&*format!("{master}_fault_clear"), 0);
        }
        if !outside {
            written.into_iter().for_each(|(at, beat)| {
                model[at as usize..at as usize + 8].copy_from_slice(&beat);
            });
        }
        host_compare(&mut sim, &model);
    }
    assert_eq!(sim.failure(), None);
}

fn mix(round: u64, at: u64) -> u64 {
    (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(round as u32)
}

/// Writes every byte through the host port, in two halves of each beat.
fn host_fill(sim: &mut Interpreter, model: &mut [u8], rng: &mut StdRng) {
    sim.set("mem_valid", 1);
    sim.set("mem_write", 1);
    for word in 0..model.len() / 8 {
        let data: u64 = rng.random();
        model[8 * word..8 * word + 8].copy_from_slice(&data.to_le_bytes());
        sim.set("mem_addr", word as u64);
        for (strobes, data) in [(0xf0, data), (0x0f, data & 0xffff_ffff)] {
            sim.set("mem_data", data);
            sim.set("mem_strb", strobes);
            assert_eq!(sim.get("mem_ready"), 1);
            sim.tick();
        }
    }
    sim.set("mem_valid", 0);
    sim.set("mem_write", 0);
}

fn host_compare(sim: &mut Interpreter, model: &[u8]) {
    sim.set("mem_valid", 1);
    for (word, beat) in model.chunks(8).enumerate() {
        sim.set("mem_addr", word as u64);
        sim.tick();
        assert_eq!(sim.get("mem_rdata").to_le_bytes(), beat, "beat {word}");
    }
    sim.set("mem_valid", 0);
    sim.tick();
}

/// One master alone reads or writes a beat a cycle.
#[test]
fn a_lone_master_gets_a_beat_a_cycle() {
    let design = Design::elaborate(&Bench).unwrap_or_else(|e| panic!("{e}"));
    for kind in ["r0", "w0"] {
        let mut sim = Interpreter::new(&design).unwrap();
        for port in &design.top().ports {
            if port.direction == rtl_gen::ir::Direction::Input && port.name != "clk" {
                sim.set(&*port.name, 0);
            }
        }
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        let pin = |port: &str| format!("{kind}_{port}");
        sim.set(&*pin("cmd_valid"), 1);
        sim.set(&*pin("cmd_beats"), 512);
        sim.set(&*pin(if kind == "r0" { "data_ready" } else { "data_valid" }), 1);
        sim.tick();
        sim.set(&*pin("cmd_valid"), 0);
        let (mut beats, mut cycles) = (0, 0);
        while beats < 512 {
            beats += sim.get(&*pin("beat"));
            cycles += 1;
            assert!(cycles < 600, "{kind}: {beats} beats in {cycles} cycles");
            sim.tick();
        }
        assert!(cycles < 530, "{kind}: 512 beats in {cycles} cycles");
    }
}
