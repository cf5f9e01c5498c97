//! The row-by-row front end against CSR arrays: every product once, windows within their limits,
//! restarts, passes, corrupt arrays.

use mattock_hw::spgemm::front::{Feed, Values};
use mattock_spec::Value;
use mattock_spec::regs::ValueType;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, sim::Interpreter};
use std::collections::VecDeque;

const LINE: u32 = 16;

struct Csr {
    ptr: Vec<u32>,
    col: Vec<u32>,
    val: Vec<u32>,
    /// Type of the values; `val` holds their codes.
    value: ValueType,
    /// Types that the feed knows.
    types: Values,
}

impl Csr {
    /// The values as they lie in memory.
    fn packed(&self) -> Vec<u32> {
        let per_word = 4 / self.value.bytes();
        let pack = |codes: &[u32]| {
            let placed = codes.iter().enumerate().map(|(i, c)| c << (32 / per_word * i as u32));
            placed.fold(0, |word, code| word | code)
        };
        self.val.chunks(per_word as usize).map(pack).collect()
    }

    /// The same matrix with values of this type, for a feed of such types.
    fn typed(mut self, value: ValueType, types: Values) -> Self {
        (self.value, self.types) = (value, types);
        let number = |code: &u32| !value.format().decode(*code).to_f64().is_nan();
        let codes = self.val.iter().map(|v| v >> (32 - 8 * value.bytes()));
        self.val = codes.map(|code| if number(&code) { code } else { 1 }).collect();
        self
    }

    /// Value number i, as it is computed with.
    fn wide(&self, i: usize) -> u32 {
        match (self.value, self.value.format().decode(self.val[i])) {
            (ValueType::F32, _) => self.val[i],
            (_, Value::Int(number)) => number as u32,
            (_, Value::Float(number)) => (number as f32).to_bits(),
        }
    }
}

fn random(rng: &mut StdRng, rows: u32, cols: u32, most: u32) -> Csr {
    let mut m =
        Csr { ptr: vec![0], col: vec![], val: vec![], value: ValueType::I32, types: Values::WORDS };
    for _ in 0..rows {
        let count = if rng.random_bool(0.3) { 0 } else { rng.random_range(0..=most.min(cols)) };
        let mut row: Vec<u32> = (0..count).map(|_| rng.random_range(0..cols)).collect();
        row.sort_unstable();
        row.dedup();
        for c in row {
            m.col.push(c);
            m.val.push(rng.random());
        }
        m.ptr.push(m.col.len() as u32);
    }
    m
}

#[derive(Debug, PartialEq, Clone)]
struct Task {
    row: u32,
    start: u32,
    length: u32,
    a: u32,
}

#[derive(Debug, Default, Clone)]
struct Window {
    first: u32,
    rows: u32,
    single: bool,
    pass: u32,
    tasks: Vec<Task>,
}

struct Bench {
    sim: Interpreter,
    memory: Vec<u32>,
    rng: StdRng,
    /// In-order answers of the three A arrays: (ready at, line).
    a: [VecDeque<(u64, u32)>; 3],
    /// Look-ups under way: (ready at, line, tag).
    lookups: Vec<(u64, u32, u32)>,
    /// Products asked about in the last two cycles: every one is expected to be an entry, if `cuts`.
    asked: VecDeque<u64>,
    limit: u32,
    cuts: bool,
}

/// Words at 0x0000: A ptr, 0x4000: A col, 0x8000: A val, 0xc000: B ptr.
fn bench(a: &Csr, b: &Csr, limit: u32, tasks: u32, seed: u64) -> Bench {
    let shape = Feed {
        line_words: LINE,
        addr_bits: 20,
        a_lines: 4,
        lookups: 16,
        tag_bits: 6,
        tasks,
        limit,
        values: a.types,
        joined: false,
        ordered: false,
    };
    let design = Design::elaborate(&shape).unwrap_or_else(|e| panic!("{e}"));
    let mut sim = Interpreter::new(&design).unwrap();
    if a.types != Values::WORDS {
        sim.set("value", a.value as u64);
    }
    let mut memory = vec![0u32; 0x10000];
    for (at, words) in [(0, &a.ptr), (0x4000, &a.col), (0x8000, &a.packed()), (0xc000, &b.ptr)] {
        memory[at..at + words.len()].copy_from_slice(words);
    }
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    for (i, base) in ["a_ptr_base", "a_col_base", "a_val_base", "b_ptr_base"].iter().enumerate() {
        sim.set(*base, (i as u64 * 0x4000) / LINE as u64);
    }
    sim.set("rows", a.ptr.len() as u64 - 1);
    sim.set("inner", b.ptr.len() as u64 - 1);
    sim.set("nnz_a", a.col.len() as u64);
    sim.set("nnz_b", b.col.len() as u64);
    sim.set("free", 15);
    let rng = StdRng::seed_from_u64(seed);
    sim.set("can_plan", 1);
    sim.set("planned", 1);
    let asked = VecDeque::from([0, 0]);
    Bench { sim, memory, rng, a: Default::default(), lookups: vec![], asked, limit, cuts: false }
}

impl Bench {
    /// Entries that a row is said to have: little enough not to be cut.
    fn expected(&self, products: u32) -> u32 {
        (products / 8).min(self.limit)
    }

    fn line(&self, addr: u32) -> Vec<u32> {
        let at = (addr * LINE) as usize;
        (at..at + LINE as usize).map(|i| self.memory.get(i).copied().unwrap_or(0)).collect()
    }

    /// One clock; returns the task taken, if any.
    fn clock(&mut self, stall: f64) -> Option<(u32, u32, Task)> {
        let now = self.sim.cycle();
        for (i, array) in ["p", "c", "v"].iter().enumerate() {
            let ready = !self.rng.random_bool(stall);
            self.sim.set(format!("{array}_req_ready").as_str(), ready as u64);
            let answer = self.a[i].front().is_some_and(|f| f.0 <= now);
            self.sim.set(format!("{array}_rsp_valid").as_str(), answer as u64);
            if answer {
                let (_, addr) = self.a[i].pop_front().unwrap();
                let line = self.line(addr);
                self.sim.set_words(format!("{array}_rsp_data").as_str(), &line);
            }
        }
        let due: Vec<usize> =
            (0..self.lookups.len()).filter(|i| self.lookups[*i].0 <= now).collect();
        self.sim.set("rsp_valid", !due.is_empty() as u64);
        if !due.is_empty() {
            let (_, addr, tag) = self.lookups.swap_remove(due[self.rng.random_range(0..due.len())]);
            let line = self.line(addr);
            self.sim.set_words("rsp_data", &line);
            self.sim.set("rsp_tag", tag as u64);
        }
        let lookup_ready = !self.rng.random_bool(stall);
        self.sim.set("req_ready", lookup_ready as u64);
        let expected = self.asked.pop_front().unwrap_or(0);
        let expected = if self.cuts { expected } else { self.expected(expected as u32).into() };
        self.sim.set("expected", expected);
        let products = self.sim.get("products");
        self.asked.push_back(products);
        if self.sim.get("plan") == 1 {
            let parts = self.sim.get("plan_parts");
            self.sim.set("plan_passes", parts);
        }
        let task_ready = !self.rng.random_bool(stall);
        self.sim.set("task_ready", task_ready as u64);
        for (i, array) in ["p", "c", "v"].iter().enumerate() {
            let valid = format!("{array}_req_valid");
            if self.sim.get(valid.as_str()) == 1 && self.ready(&format!("{array}_req_ready")) {
                let addr = self.sim.get(format!("{array}_req_addr").as_str()) as u32;
                self.a[i].push_back((now + 20, addr));
            }
        }
        if lookup_ready && self.sim.get("req_valid") == 1 {
            let (addr, tag) = (self.sim.get("req_addr") as u32, self.sim.get("req_tag") as u32);
            let delay = self.rng.random_range(4..30);
            self.lookups.push((now + delay, addr, tag));
        }
        (task_ready && self.sim.get("task_valid") == 1).then(|| {
            let get = |sim: &mut Interpreter, name: &str| sim.get(name) as u32;
            let task = Task {
                row: get(&mut self.sim, "task_row"),
                start: get(&mut self.sim, "task_start"),
                length: get(&mut self.sim, "task_length"),
                a: get(&mut self.sim, "task_a"),
            };
            (get(&mut self.sim, "task_seq"), 0, task)
        })
    }

    fn ready(&mut self, port: &str) -> bool {
        self.sim.get(port) == 1
    }

    /// Starts at `first` and collects windows until everything has left; or stops after `cut` tasks and flushes.
    fn run(&mut self, config: &[(&str, u64)], stall: f64, cut: Option<usize>) -> Vec<Window> {
        for (port, value) in config {
            self.sim.set(*port, *value);
        }
        self.sim.set("start", 1);
        let mut windows: Vec<Window> = vec![];
        let mut current: [Option<Window>; 4] = Default::default();
        let (mut taken, mut flushing, begun) = (0, false, self.sim.cycle());
        loop {
            assert!(self.sim.cycle() < begun + 400_000, "the feed hangs");
            if let Some((seq, _, task)) = self.clock(stall) {
                current[seq as usize].as_mut().expect("tasks come inside windows").tasks.push(task);
                taken += 1;
            }
            let get = |sim: &mut Interpreter, name: &str| sim.get(name) as u32;
            if get(&mut self.sim, "close") == 1 {
                let seq = get(&mut self.sim, "close_seq") as usize;
                let mut window = current[seq].take().expect("only open windows close");
                window.rows = get(&mut self.sim, "close_rows");
                windows.push(window);
            }
            if get(&mut self.sim, "open") == 1 {
                let seq = get(&mut self.sim, "open_seq") as usize;
                let (first, pass) =
                    (get(&mut self.sim, "open_row"), get(&mut self.sim, "open_pass"));
                let single = get(&mut self.sim, "open_single") == 1;
                assert!(current[seq].is_none());
                current[seq] = Some(Window { first, single, pass, ..Window::default() });
            }
            let finished = self.sim.get("finished") == 1 && self.sim.get("start") == 0;
            if flushing && self.sim.get("idle") == 1 {
                self.sim.set("flush", 0);
                return windows;
            }
            if finished && cut.is_none() {
                return windows;
            }
            if cut.is_some_and(|c| taken >= c) && !flushing {
                flushing = true;
            }
            self.sim.tick();
            assert!(self.sim.failure().is_none(), "{:?}", self.sim.failure());
            self.sim.set("start", 0);
            self.sim.set("flush", flushing as u64);
        }
    }
}

fn tasks_of_row(a: &Csr, b: &Csr, row: u32, slot: u32) -> Vec<Task> {
    (a.ptr[row as usize]..a.ptr[row as usize + 1])
        .map(|i| {
            let k = a.col[i as usize] as usize;
            Task {
                row: slot,
                start: b.ptr[k],
                length: b.ptr[k + 1] - b.ptr[k],
                a: a.wide(i as usize),
            }
        })
        .filter(|t| t.length > 0)
        .collect()
}

/// Every row in its window; returns how many may exceed a window, are expected to fit and share one.
fn check(bench: &Bench, [a, b]: [&Csr; 2], cols: u32, windows: &[Window], first: u32) -> usize {
    let (mut row, mut big, limit) = (first, 0, bench.limit);
    for w in windows {
        assert_eq!(w.first, row);
        let mut bound = 0;
        let mut want = vec![];
        for slot in 0..w.rows {
            let tasks = tasks_of_row(a, b, row, slot);
            let products = tasks.iter().map(|t| t.length).sum::<u32>();
            if products.min(cols) > limit && w.rows > 1 {
                big += 1;
                bound += bench.expected(products);
            } else {
                bound += products.min(cols);
            }
            want.extend(tasks);
            row += 1;
        }
        assert_eq!(w.tasks, want, "window at row {}", w.first);
        assert!(
            w.rows == 1 || bound <= limit,
            "a window of {} rows expects {bound} entries",
            w.rows
        );
        assert!(w.rows <= 256);
    }
    assert_eq!(row as usize, a.ptr.len() - 1, "all rows left");
    big
}

const PLAIN: [(&str, u64); 5] =
    [("first_row", 0), ("first_seq", 0), ("max_rows", 256), ("ranged", 0), ("passes", 1)];

#[test]
fn packs_every_row_once() {
    let mut joined = 0;
    for (seed, stall) in [(1, 0.0), (2, 0.3)] {
        let mut rng = StdRng::seed_from_u64(seed);
        let (a, b) = (random(&mut rng, 300, 120, 20), random(&mut rng, 120, 500, 12));
        for (limit, queue) in [(60, 64), (300, 16), (5, 4)] {
            let mut bench = bench(&a, &b, limit, queue, seed);
            bench.sim.set("cols", 500);
            let windows = bench.run(&PLAIN, stall, None);
            joined += check(&bench, [&a, &b], 500, &windows, 0);
        }
    }
    assert!(joined > 20, "{joined} big rows share a window");
}

#[test]
fn restarts_and_repeats_rows() {
    for &value in ValueType::ALL {
        for types in [Values::of(&[value]), Values::of(ValueType::ALL)] {
            restarts_and_repeats(value, types);
        }
    }
}

fn restarts_and_repeats(value: ValueType, types: Values) {
    let mut rng = StdRng::seed_from_u64(7);
    let (a, b) = (random(&mut rng, 200, 100, 30), random(&mut rng, 100, 300, 10));
    let a = a.typed(value, types);
    let mut bench = bench(&a, &b, 100, 32, 5);
    bench.sim.set("cols", 300);
    bench.run(&PLAIN, 0.2, Some(100));
    // A row that has tasks and ends with a line of its values, three passes over it, then the rest.
    let per_line = LINE * 4 / value.bytes();
    let ends = |r: &u32| a.ptr[*r as usize + 1].is_multiple_of(per_line);
    let mut rows = (0..200).filter(|r| !tasks_of_row(&a, &b, *r, 0).is_empty());
    let row = rows.find(ends).expect("a row that ends so");
    let config = [("first_row", row as u64), ("first_seq", 2), ("ranged", 1), ("passes", 3)];
    let windows = bench.run(&config, 0.2, None);
    for pass in 0..3 {
        let w = &windows[pass as usize];
        assert_eq!((w.first, w.rows, w.single, w.pass), (row, 1, true, pass));
        assert_eq!(w.tasks, tasks_of_row(&a, &b, row, 0));
    }
    check(&bench, [&a, &b], 300, &windows[3..], row + 1);
    bench.sim.set("flush", 1);
    while bench.sim.get("idle") == 0 {
        bench.clock(0.0);
        bench.sim.tick();
    }
    bench.sim.set("flush", 0);
    // Few rows in the first window.
    let config = [("first_row", 0), ("max_rows", 2), ("ranged", 0), ("passes", 1)];
    let windows = bench.run(&config, 0.0, None);
    assert!(windows[0].rows <= 2);
    check(&bench, [&a, &b], 300, &windows, 0);
}

#[test]
fn cuts_rows_that_will_not_fit() {
    let mut rng = StdRng::seed_from_u64(8);
    let (a, b) = (random(&mut rng, 150, 100, 30), random(&mut rng, 100, 300, 12));
    let limit = 90;
    for stall in [0.0, 0.3] {
        let mut bench = bench(&a, &b, limit, 64, 5);
        bench.sim.set("cols", 300);
        bench.cuts = true;
        let mut windows = bench.run(&PLAIN, stall, None).into_iter().peekable();
        let (mut plain, mut cut) = (vec![], 0);
        while let Some(window) = windows.next() {
            let products: u32 = window.tasks.iter().map(|t| t.length).sum();
            let mut passes = 1;
            // The same tasks again and again.
            while let Some(next) = windows.next_if(|w| w.first == window.first) {
                assert_eq!((next.pass, next.rows, next.single), (passes, 1, true));
                assert_eq!(next.tasks, window.tasks);
                passes += 1;
            }
            let expected = if products.min(300) > limit * 10 / 9 { products.min(300) } else { 0 };
            assert_eq!(passes, expected / limit + 1, "{products} products");
            cut += u32::from(passes > 1);
            plain.push(window);
        }
        assert!(cut > 5, "{cut} rows were cut");
        assert_eq!(check(&bench, [&a, &b], 300, &plain, 0), 0);
    }
}

#[test]
fn reports_corrupt_arrays() {
    let mut rng = StdRng::seed_from_u64(3);
    let good = || {
        let mut rng = StdRng::seed_from_u64(11);
        (random(&mut rng, 50, 40, 10), random(&mut rng, 40, 60, 10))
    };
    type Spoil = fn(&mut Csr, &mut Csr);
    let spoil: [(&str, Spoil); 4] = [
        ("bad_row", |a, _| a.ptr[20] = a.ptr[21] + 1),
        ("bad_row", |a, _| a.ptr[50] = 1 << 30),
        ("bad_column", |a, _| a.col[a.ptr[30] as usize] = 40),
        ("bad_pointer", |_, b| b.ptr[7] = b.ptr[8] + 9),
    ];
    for (flag, spoil) in spoil {
        let (mut a, mut b) = good();
        spoil(&mut a, &mut b);
        let nnz = (a.col.len(), b.col.len());
        let mut bench = bench(&a, &b, 60, 32, rng.random());
        bench.sim.set("cols", 60);
        for (port, value) in PLAIN {
            bench.sim.set(port, value);
        }
        bench.sim.set("start", 1);
        for _ in 0..5_000 {
            let seen = bench.sim.get(flag) == 1;
            if seen {
                break;
            }
            bench.clock(0.1);
            bench.sim.tick();
            bench.sim.set("start", 0);
        }
        assert_eq!(bench.sim.get(flag), 1, "{flag} with {nnz:?} entries");
    }
}
