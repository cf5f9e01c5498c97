//! The cache against a memory model: every request answered once with the right line, whatever the traffic.

use super::Cache;
use crate::spgemm::front::bench::{Memory, expect_sound, start};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::Interpreter;
use rtl_gen::sim::PortId;

const SMALL: Cache = Cache {
    banks: 4,
    ways: 4,
    sets: 8,
    clients: 3,
    misses: 32,
    waiters: 4,
    tag_bits: 6,
    line_bits: 128,
    addr_bits: 20,
};

/// The 512 KB cache of a 64-byte bus.
const LARGE: Cache = Cache {
    banks: 8,
    ways: 8,
    sets: 128,
    clients: 5,
    misses: 128,
    waiters: 16,
    tag_bits: 7,
    line_bits: 512,
    addr_bits: 26,
};

fn line(words: u32) -> impl Fn(u64) -> Vec<u32> {
    move |addr| (0..words).map(|i| (addr as u32).wrapping_mul(0x9e37_79b1) ^ i).collect()
}

/// What a client still has to ask, and what it waits for.
struct Client {
    todo: Vec<u64>,
    next: usize,
    open: Vec<Option<u64>>,
    free: Vec<usize>,
    valid: PortId,
    ready: PortId,
    addr: PortId,
    tag: PortId,
    answer: [PortId; 3],
    offered: Option<usize>,
    answered: usize,
}

struct Run {
    cycles: u64,
    memory_requests: u64,
    hits: u64,
    misses: u64,
    first_answer: u64,
}

struct Bench {
    cache: Cache,
    sim: Interpreter,
    memory: Memory,
    rng: StdRng,
}

impl Bench {
    fn new(cache: Cache, latency: u64, stall: u32) -> Self {
        let mut sim = start(&cache);
        sim.set("invalidate", 0);
        for c in 0..cache.clients {
            sim.set(format!("c{c}_req_valid").as_str(), 0);
        }
        let memory = Memory::new(&sim, latency, stall, line(cache.line_bits / 32));
        let mut bench = Bench { cache, sim, memory, rng: StdRng::seed_from_u64(7) };
        bench.until_ready();
        bench
    }

    fn until_ready(&mut self) {
        for _ in 0..self.cache.sets + 8 {
            self.cycle();
            if self.sim.get("ready") == 1 {
                return;
            }
        }
        panic!("not ready after {} cycles", self.cache.sets + 8);
    }

    fn cycle(&mut self) {
        self.memory.drive(&mut self.sim);
        self.memory.sample(&mut self.sim);
        self.sim.tick();
    }

    fn invalidate(&mut self) {
        self.sim.set("invalidate", 1);
        self.cycle();
        self.sim.set("invalidate", 0);
        assert_eq!(self.sim.get("ready"), 0);
        self.until_ready();
    }

    /// Sends each client's list, offering a request in `rate` percent of the cycles.
    fn run(&mut self, lists: Vec<Vec<u64>>, rate: u32) -> Run {
        let tags = 1usize << self.cache.tag_bits;
        let mut clients: Vec<Client> = (lists.into_iter().enumerate())
            .map(|(c, todo)| {
                let port = |p: &str| self.sim.port(&format!("c{c}_{p}"));
                Client {
                    todo,
                    next: 0,
                    open: vec![None; tags],
                    free: (0..tags).collect(),
                    valid: port("req_valid"),
                    ready: port("req_ready"),
                    addr: port("req_addr"),
                    tag: port("req_tag"),
                    answer: ["rsp_valid", "rsp_tag", "rsp_data"].map(port),
                    offered: None,
                    answered: 0,
                }
            })
            .collect();
        let words = self.cache.line_bits / 32;
        let content = line(words);
        let total: usize = clients.iter().map(|c| c.todo.len()).sum();
        let (start, asked) = (self.sim.cycle(), self.memory.requests);
        let mut run = Run { cycles: 0, memory_requests: 0, hits: 0, misses: 0, first_answer: 0 };
        let (mut done, mut idle) = (0, 0);
        let mut data = vec![0u32; words as usize];
        while done < total || idle < 4 {
            assert!(self.sim.cycle() - start < 400 * total as u64 + 2000, "{done} of {total}");
            idle = if done == total { idle + 1 } else { 0 };
            self.memory.drive(&mut self.sim);
            for c in &mut clients {
                if c.offered.is_none()
                    && c.next < c.todo.len()
                    && self.rng.random_range(0..100) < rate
                {
                    c.offered = c.free.pop();
                }
                self.sim.set(c.valid, u64::from(c.offered.is_some()));
                if let Some(tag) = c.offered {
                    self.sim.set(c.addr, c.todo[c.next]);
                    self.sim.set(c.tag, tag as u64);
                }
            }
            self.memory.sample(&mut self.sim);
            run.hits += self.sim.get("hits");
            run.misses += self.sim.get("misses");
            assert_eq!(self.sim.get("error"), 0);
            for c in &mut clients {
                if self.sim.get(c.answer[0]) == 1 {
                    let tag = self.sim.get(c.answer[1]) as usize;
                    let addr = c.open[tag].take().expect("an answer nobody waits for");
                    self.sim.get_words(c.answer[2], &mut data);
                    assert_eq!(data, content(addr), "line {addr:#x}");
                    c.free.push(tag);
                    c.answered += 1;
                    done += 1;
                    if run.first_answer == 0 {
                        run.first_answer = self.sim.cycle() - start;
                    }
                }
                if let Some(tag) = c.offered
                    && self.sim.get(c.ready) == 1
                {
                    c.open[tag] = Some(c.todo[c.next]);
                    c.next += 1;
                    c.offered = None;
                }
            }
            if done < total {
                run.cycles = self.sim.cycle() - start + 1;
            }
            self.sim.tick();
        }
        for c in &clients {
            self.sim.set(c.valid, 0);
            assert_eq!(c.answered, c.todo.len());
        }
        run.memory_requests = self.memory.requests - asked;
        assert_eq!(run.hits + run.misses, total as u64);
        assert_eq!(run.misses, run.memory_requests);
        expect_sound(&self.sim);
        run
    }
}

fn random(rng: &mut StdRng, clients: u32, n: usize, lines: u64) -> Vec<Vec<u64>> {
    (0..clients).map(|_| (0..n).map(|_| rng.random_range(0..lines)).collect()).collect()
}

#[test]
fn random_traffic_is_answered_once() {
    let mut rng = StdRng::seed_from_u64(1);
    for (latency, stall, rate, lines) in [
        (1, 0, 100, 40),
        (3, 50, 100, 128),
        (100, 0, 100, 200),
        (100, 30, 60, 4000),
        (20, 0, 100, 100),
    ] {
        let mut bench = Bench::new(SMALL, latency, stall);
        for _ in 0..2 {
            bench.run(random(&mut rng, SMALL.clients, 1500, lines), rate);
        }
    }
}

#[test]
fn hostile_traffic_is_answered_once() {
    let set = u64::from(SMALL.banks * SMALL.sets);
    // Addresses of one set of one bank: the digits above cancel in the fold every `banks` steps.
    let one_set: Vec<u64> = (0..12).map(|i| i * set * 16).collect();
    let patterns: [Box<dyn Fn(usize) -> u64>; 5] = [
        Box::new(|_| 77),
        Box::new(move |i| one_set[i % one_set.len()]),
        Box::new(|i| (i / 3) as u64),
        Box::new(move |i| (i as u64 % 2) * set * 16 + 5),
        Box::new(move |i| (i as u64 / 7 % 6) * set * 16),
    ];
    for latency in [1, 9, 100] {
        for pattern in &patterns {
            let mut bench = Bench::new(SMALL, latency, 0);
            let lists = (0..SMALL.clients).map(|_| (0..400).map(pattern).collect()).collect();
            bench.run(lists, 100);
        }
    }
}

#[test]
fn one_line_is_fetched_once() {
    let mut bench = Bench::new(SMALL, 100, 0);
    let run = bench.run(vec![vec![99; 50], vec![99; 50], vec![99; 50]], 100);
    assert_eq!(run.memory_requests, 1);
}

#[test]
fn invalidate_forgets_everything() {
    let mut bench = Bench::new(SMALL, 10, 0);
    let list: Vec<u64> = (0..100).collect();
    let lists = || vec![list.clone(), vec![], vec![]];
    assert_eq!(bench.run(lists(), 100).memory_requests, 100);
    assert_eq!(bench.run(lists(), 100).memory_requests, 0);
    bench.invalidate();
    assert_eq!(bench.run(lists(), 100).memory_requests, 100);
}

#[test]
fn memory_errors_are_reported() {
    let mut bench = Bench::new(SMALL, 10, 0);
    bench.memory.broken = true;
    bench.sim.set("c1_req_addr", 5);
    bench.sim.set("c1_req_tag", 3);
    bench.sim.set("c1_req_valid", 1);
    assert_eq!(bench.sim.get("c1_req_ready"), 1);
    bench.cycle();
    bench.sim.set("c1_req_valid", 0);
    let (mut errors, mut answers) = (0, 0);
    for _ in 0..40 {
        bench.cycle();
        errors += bench.sim.get("error");
        answers += bench.sim.get("c1_rsp_valid");
    }
    assert_eq!((errors, answers), (1, 1));
}

#[test]
fn bad_shapes_are_refused() {
    use rtl_gen::Module;
    let text = |cache: Cache| cache.check().unwrap_err();
    assert_eq!(text(Cache { ways: 3, ..SMALL }), "cache: ways is 3; a power of two from 2");
    assert_eq!(text(Cache { misses: 4, ..SMALL }), "cache: misses is 4; a power of two from 8");
    assert_eq!(text(Cache { clients: 0, ..SMALL }), "cache: clients is 0; at least 1");
    assert_eq!(
        text(Cache { addr_bits: 5, ..SMALL }),
        "cache: addr_bits is 5; at least 6 with 4 banks and 8 sets"
    );
}

/// A cache of the same shape with exact LRU, one request at a time.
fn lru_misses(cache: &Cache, trace: &[u64]) -> u64 {
    let digit = cache.banks.trailing_zeros();
    let mut sets: Vec<Vec<u64>> = vec![vec![]; (cache.banks * cache.sets) as usize];
    let mut misses = 0;
    for &line in trace {
        let bank = (line ^ line >> digit ^ line >> (2 * digit)) % u64::from(cache.banks);
        let index = (line >> digit) % u64::from(cache.sets) * u64::from(cache.banks) + bank;
        let set = &mut sets[index as usize];
        match set.iter().position(|&l| l == line) {
            Some(i) => drop(set.remove(i)),
            None => {
                misses += 1;
                if set.len() == cache.ways as usize {
                    set.remove(0);
                }
            }
        }
        set.push(line);
    }
    misses
}

/// Lines touched by `A * A` on a random graph with hubs: columns and values of one row of B per non-zero of A.
fn trace(rows: u64, elements: usize, words: u64) -> Vec<u64> {
    let mut rng = StdRng::seed_from_u64(3);
    let values = rows * 6 / words + 1;
    let mut trace = vec![];
    for i in 0..elements {
        let near = i as u64 * rows / elements as u64;
        let row = match rng.random_range(0..10) {
            0..5 => (near + rng.random_range(0..60)) % rows,
            5..8 => rng.random_range(0..rows / 50),
            _ => rng.random_range(0..rows),
        };
        for line in row * 6 / words..=(row * 6 + 5) / words {
            trace.extend([line, values + line]);
        }
    }
    trace
}

#[test]
fn replacement_is_close_to_lru() {
    let trace = trace(400, 8000, 4);
    let expect = lru_misses(&SMALL, &trace);
    let mut bench = Bench::new(SMALL, 3, 0);
    let run = bench.run(vec![trace.clone(), vec![], vec![]], 100);
    println!("{} requests: {} misses, exact LRU {expect}", trace.len(), run.misses);
    assert!(run.misses * 100 <= expect * 104, "{} misses, LRU {expect}", run.misses);
}

#[test]
fn hits_run_at_full_rate() {
    let mut bench = Bench::new(LARGE, 100, 0);
    let clients = u64::from(LARGE.clients);
    let own = |c: u64| (0..1024).map(|i| 1024 * c + i).collect::<Vec<u64>>();
    let lists = || (0..clients).map(own).collect::<Vec<_>>();
    let cold = bench.run(lists(), 100);
    let warm = bench.run(lists(), 100);
    let alone = |line| vec![vec![line], vec![], vec![], vec![], vec![]];
    let (hit, miss) = (bench.run(alone(7), 100), bench.run(alone(99_999), 100));
    let half = |c: u64| own(c)[..if c == clients - 1 { 1024 } else { 512 }].to_vec();
    let first = bench.run((0..clients).map(half).collect(), 100);
    println!(
        "5 clients x 1024 lines: cold {} cycles, warm {}, the last client's 1024 and 512 of the others {}; one hit {} cycles, one miss {}",
        cold.cycles, warm.cycles, first.cycles, hit.first_answer, miss.first_answer
    );
    assert_eq!((hit.first_answer, miss.first_answer), (8, 100 + 14));
    assert_eq!(warm.memory_requests, 0);
    // Four clients wait for the last one and for each other: 0.80 of the ideal. The last one waits for nobody.
    assert!(warm.cycles < 1024 * 127 / 100, "{} cycles for 1024 requests each", warm.cycles);
    assert!(first.cycles < 1024 * 103 / 100, "{} cycles for the last client's", first.cycles);
    // Five thousand lines through a memory that gives one a cycle.
    assert!(cold.cycles < 5120 * 105 / 100 + 130, "{} cycles", cold.cycles);
}
