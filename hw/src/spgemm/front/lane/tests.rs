//! One lane against a model of it, behind a cache that answers in any order.

use super::LaneFetch;
use crate::spgemm::front::Values;
use crate::spgemm::front::bench::{expect_sound, start, widened};
use mattock_spec::regs::ValueType;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use rtl_gen::Interpreter;

/// First column line and first value line of B.
const COLUMNS: u64 = 0x100;
const VALUES: u64 = 0x8000;

fn lane(line_words: u32) -> LaneFetch {
    typed(line_words, Values::WORDS)
}

fn typed(line_words: u32, values: Values) -> LaneFetch {
    LaneFetch {
        slots: 64,
        chunks: 16,
        line_words,
        index_bits: 20,
        row_bits: 8,
        tag_bits: 8,
        addr_bits: 24,
        values,
        a_bits: 32,
        share_bits: 0,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Chunk {
    seq: u64,
    row: u64,
    start: usize,
    length: usize,
    a: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Element {
    seq: u64,
    row: u64,
    col: u64,
    a: u64,
    b: u64,
}

/// Columns of B: rows one after the other, columns rising inside each. Values are the element's number, scrambled.
struct Matrix {
    columns: Vec<u32>,
    rows: Vec<(usize, usize)>,
    value: ValueType,
}

impl Matrix {
    fn new(rng: &mut StdRng, lengths: impl Iterator<Item = usize>, columns: u32) -> Self {
        let mut b = Matrix { columns: vec![], rows: vec![], value: ValueType::I32 };
        for length in lengths {
            let begin = b.columns.len();
            let mut row: Vec<u32> = (0..length).map(|_| rng.random_range(0..columns)).collect();
            row.sort_unstable();
            b.columns.extend(row);
            b.rows.push((begin, length));
        }
        b
    }

    fn code(&self, element: usize) -> u32 {
        let scrambled = (element as u32).wrapping_mul(0x9e37_79b1) ^ 0x5555;
        scrambled >> (32 - 8 * self.value.bytes())
    }

    fn line(&self, addr: u64, words: usize) -> Vec<u32> {
        let values = addr >= VALUES;
        let first = (addr - if values { VALUES } else { COLUMNS }) as usize * words;
        let per_word = 4 / self.value.bytes() as usize;
        let packed = |word: usize| {
            let codes = (0..per_word).map(|i| self.code(word * per_word + i));
            codes.rev().fold(0, |word, code| (u64::from(word) << (32 / per_word)) as u32 | code)
        };
        let word = |e: usize| {
            if values { packed(e) } else { self.columns.get(e).copied().unwrap_or(!0) }
        };
        (first..first + words).map(word).collect()
    }

    /// Pieces of rows as chunks of random windows.
    fn chunks(&self, rng: &mut StdRng, n: usize, most: usize) -> Vec<Chunk> {
        (0..n)
            .map(|i| {
                let (begin, length) = self.rows[rng.random_range(0..self.rows.len())];
                let skip = rng.random_range(0..length);
                Chunk {
                    seq: (i / 40 % 4) as u64,
                    row: rng.random_range(0..256),
                    start: begin + skip,
                    length: rng.random_range(1..=(length - skip).min(most)),
                    a: rng.random(),
                }
            })
            .map(|c| Chunk { a: c.a & 0xffff_ffff, ..c })
            .collect()
    }

    fn expect(&self, chunk: &Chunk, range: (u64, u64)) -> Vec<Element> {
        (chunk.start..chunk.start + chunk.length)
            .map(|e| Element {
                seq: chunk.seq,
                row: chunk.row,
                col: u64::from(self.columns[e]),
                a: chunk.a,
                b: u64::from(widened(self.value, self.code(e))),
            })
            .filter(|e| (range.0..range.1).contains(&e.col))
            .collect()
    }
}

/// How the surroundings behave.
#[derive(Clone, Copy)]
struct Weather {
    /// Latency of the cache, and how much later some answers come.
    latency: u64,
    jitter: u64,
    /// Percentage of cycles in which requests, elements and chunks are held back.
    stall: u32,
}

const FAIR: Weather = Weather { latency: 7, jitter: 0, stall: 0 };
const ROUGH: Weather = Weather { latency: 7, jitter: 120, stall: 30 };

struct Bench<'b> {
    sim: Interpreter,
    words: usize,
    matrix: &'b Matrix,
    weather: Weather,
    rng: StdRng,
    open: Vec<(u64, u64, u64)>,
    ranges: [(u64, u64); 4],
    windows: [bool; 4],
    chunk_ready: bool,
    /// Elements seen; finished chunks, and how many elements had been seen before.
    seen: Vec<Element>,
    done: Vec<(u64, usize)>,
    /// Lines asked for.
    requests: usize,
}

impl<'b> Bench<'b> {
    fn new(words: u32, matrix: &'b Matrix, weather: Weather) -> Self {
        Self::typed(words, matrix, weather, Values::of(&[matrix.value]))
    }

    /// With a lane that knows more types than the matrix has.
    fn typed(words: u32, matrix: &'b Matrix, weather: Weather, values: Values) -> Self {
        let mut sim = start(&typed(words, values));
        if values != Values::WORDS {
            sim.set("value", matrix.value as u64);
        }
        for port in ["flush", "chunk_valid", "rsp_valid"] {
            sim.set(port, 0);
        }
        sim.set("col_base", COLUMNS);
        sim.set("val_base", VALUES);
        Bench {
            sim,
            words: words as usize,
            matrix,
            weather,
            rng: StdRng::seed_from_u64(11),
            open: vec![],
            ranges: [(0, 1 << 20); 4],
            windows: [true; 4],
            chunk_ready: false,
            seen: vec![],
            done: vec![],
            requests: 0,
        }
    }

    fn lucky(&mut self) -> bool {
        self.rng.random_range(0..100) >= self.weather.stall
    }

    fn cycle(&mut self, chunk: Option<&Chunk>) {
        let now = self.sim.cycle();
        for s in 0..4 {
            self.sim.set(format!("lo_{s}").as_str(), self.ranges[s].0);
            self.sim.set(format!("hi_{s}").as_str(), self.ranges[s].1);
            self.sim.set(format!("open_{s}").as_str(), u64::from(self.windows[s]));
        }
        self.sim.set("chunk_valid", u64::from(chunk.is_some()));
        if let Some(c) = chunk {
            let fields = [
                ("seq", c.seq),
                ("row", c.row),
                ("start", c.start as u64),
                ("length", c.length as u64),
                ("a", c.a),
            ];
            for (name, value) in fields {
                self.sim.set(format!("chunk_{name}").as_str(), value);
            }
        }
        let due = self.open.iter().position(|&(time, ..)| time <= now);
        self.sim.set("rsp_valid", u64::from(due.is_some()));
        if let Some(i) = due {
            let (_, addr, tag) = self.open.swap_remove(i);
            self.sim.set("rsp_tag", tag);
            self.sim.set_words("rsp_data", &self.matrix.line(addr, self.words));
        }
        let (take_request, take_element) = (self.lucky(), self.lucky());
        self.sim.set("req_ready", u64::from(take_request));
        self.sim.set("out_ready", u64::from(take_element));
        if take_request && self.sim.get("req_valid") == 1 {
            let late = if self.weather.jitter == 0 || self.lucky() {
                0
            } else {
                self.rng.random_range(0..self.weather.jitter)
            };
            let (addr, tag) = (self.sim.get("req_addr"), self.sim.get("req_tag"));
            self.open.push((now + self.weather.latency + late, addr, tag));
            self.requests += 1;
        }
        if self.sim.get("chunk_done") == 1 {
            self.done.push((self.sim.get("chunk_done_seq"), self.seen.len()));
        }
        if take_element && self.sim.get("out_valid") == 1 {
            let [seq, row, col, a, b] =
                ["seq", "row", "col", "a", "b"].map(|f| self.sim.get(format!("out_{f}").as_str()));
            assert!(self.windows[seq as usize], "window {seq} is closed");
            assert_eq!(self.sim.get("out_half"), seq & 1);
            self.seen.push(Element { seq, row, col, a, b });
        }
        self.chunk_ready = self.sim.get("chunk_ready") == 1;
        self.sim.tick();
    }

    /// Offers the chunks until all are taken; returns the cycles from the first offer.
    fn send(&mut self, chunks: &[Chunk]) {
        let mut next = 0;
        let limit = self.sim.cycle() + 4000 + 400 * chunks.len() as u64;
        while next < chunks.len() {
            assert!(self.sim.cycle() < limit, "{next} of {} chunks taken", chunks.len());
            let offer = self.lucky();
            self.cycle(offer.then(|| &chunks[next]));
            next += usize::from(offer && self.chunk_ready);
        }
    }

    fn settle(&mut self) {
        let limit = self.sim.cycle() + 100_000;
        while self.sim.get("idle") == 0 {
            assert!(self.sim.cycle() < limit, "never idle");
            self.cycle(None);
        }
        self.cycle(None);
        assert_eq!(self.sim.get("queued"), 0);
        expect_sound(&self.sim);
    }

    fn expect(&self, chunks: &[Chunk]) {
        let want: Vec<Element> = (chunks.iter())
            .flat_map(|c| self.matrix.expect(c, self.ranges[c.seq as usize]))
            .collect();
        for (i, (got, want)) in self.seen.iter().zip(&want).enumerate() {
            assert_eq!(got, want, "element {i}");
        }
        assert_eq!(self.seen.len(), want.len());
        // A chunk is told once its elements have left; one without any may be told before those ahead of it.
        let mut ends = [const { vec![] }; 4];
        let mut seen = 0;
        for chunk in chunks {
            let elements = self.matrix.expect(chunk, self.ranges[chunk.seq as usize]).len();
            seen += elements;
            ends[chunk.seq as usize].push(if elements == 0 { 0 } else { seen });
        }
        for (seq, ends) in ends.iter_mut().enumerate() {
            ends.sort_unstable();
            let told: Vec<usize> =
                self.done.iter().filter(|d| d.0 == seq as u64).map(|d| d.1).collect();
            assert_eq!(told.len(), ends.len(), "chunks of window {seq}");
            assert!(ends.iter().zip(&told).all(|(end, told)| told >= end), "window {seq}");
        }
    }
}

fn random_matrix(seed: u64) -> (StdRng, Matrix) {
    let mut rng = StdRng::seed_from_u64(seed);
    let lengths: Vec<usize> = (0..200).map(|i| 1 + i * 7 % 90).collect();
    let matrix = Matrix::new(&mut rng, lengths.into_iter(), 1 << 20);
    (rng, matrix)
}

#[test]
fn elements_leave_in_order() {
    let (mut rng, matrix) = random_matrix(1);
    for (words, weather) in [(16, FAIR), (16, ROUGH), (4, ROUGH), (2, FAIR), (2, ROUGH), (8, ROUGH)]
    {
        let chunks = matrix.chunks(&mut rng, 400, 64);
        let mut bench = Bench::new(words, &matrix, weather);
        bench.send(&chunks);
        bench.settle();
        bench.expect(&chunks);
    }
}

/// Values of every type, on lanes of all types and of one; a chunk asks for each line of its values once.
#[test]
fn packed_values_leave_in_order() {
    let (mut rng, mut matrix) = random_matrix(7);
    let all = Values::of(ValueType::ALL);
    for (words, weather) in [(16, FAIR), (16, ROUGH), (4, ROUGH), (2, ROUGH)] {
        for &value in ValueType::ALL {
            matrix.value = value;
            let chunks = matrix.chunks(&mut rng, 150, 64);
            for values in [all, Values::of(&[value])] {
                let mut bench = Bench::typed(words, &matrix, weather, values);
                bench.ranges[1] = (200_000, 700_000);
                bench.send(&chunks);
                bench.settle();
                bench.expect(&chunks);
                let lines = |c: &Chunk, elements: usize| {
                    (c.start + c.length - 1) / elements - c.start / elements + 1
                };
                let per_line = (words * 4 / value.bytes()) as usize;
                let of = |c| lines(c, words as usize) + lines(c, per_line);
                assert_eq!(bench.requests, chunks.iter().map(of).sum::<usize>(), "{value:?}");
            }
        }
    }
}

#[test]
fn only_the_range_leaves() {
    let (mut rng, matrix) = random_matrix(2);
    let ranges: [[(u64, u64); 4]; 3] = [
        [(0, 1 << 19), (1 << 19, 1 << 20), (300_000, 700_000), (5, 5)],
        [(0, 0), (0, 1), (1_048_575, 1 << 20), (0, 1 << 20)],
        [(600_000, 650_000), (0, 200_000), (900_000, 1 << 20), (100_000, 600_000)],
    ];
    for (words, weather) in [(16, FAIR), (16, ROUGH), (4, FAIR), (4, ROUGH), (2, ROUGH)] {
        for ranges in ranges {
            let chunks = matrix.chunks(&mut rng, 300, 64);
            let mut bench = Bench::new(words, &matrix, weather);
            bench.ranges = ranges;
            bench.send(&chunks);
            bench.settle();
            bench.expect(&chunks);
        }
    }
}

#[test]
fn closed_windows_wait() {
    let (mut rng, matrix) = random_matrix(3);
    let mut chunks = matrix.chunks(&mut rng, 20, 16);
    for (i, chunk) in chunks.iter_mut().enumerate() {
        chunk.seq = i as u64 / 5;
    }
    for weather in [FAIR, ROUGH] {
        let mut bench = Bench::new(16, &matrix, weather);
        bench.windows = [false; 4];
        let elements = |n: usize| chunks[..n].iter().map(|c| c.length).sum::<usize>();
        bench.send(&chunks[..10]);
        for open in [0, 1] {
            (0..500).for_each(|_| bench.cycle(None));
            assert_eq!(bench.seen.len(), elements(5 * open));
            bench.windows[open] = true;
        }
        bench.send(&chunks[10..]);
        (0..500).for_each(|_| bench.cycle(None));
        assert_eq!(bench.seen.len(), elements(10));
        bench.windows = [true; 4];
        bench.settle();
        bench.expect(&chunks);
    }
}

#[test]
fn flush_forgets_everything() {
    let (mut rng, mut matrix) = random_matrix(4);
    for (words, hold, value) in [
        (16, 1, ValueType::I32),
        (4, 1, ValueType::I8),
        (4, 60, ValueType::F32),
        (16, 300, ValueType::F16),
    ] {
        matrix.value = value;
        let mut bench = Bench::new(words, &matrix, ROUGH);
        bench.ranges = [(0, 1 << 20), (200_000, 1 << 20), (0, 500_000), (100_000, 600_000)];
        for round in 0..25 {
            let chunks = matrix.chunks(&mut rng, 30, 64);
            bench.windows = if round % 3 == 0 { [false; 4] } else { [true; 4] };
            bench.send(&chunks[..rng.random_range(0..16)]);
            (0..rng.random_range(0..200)).for_each(|_| bench.cycle(None));
            bench.sim.set("flush", 1);
            bench.seen.clear();
            for _ in 0..hold {
                bench.cycle(Some(&chunks[0]));
                assert!(!bench.chunk_ready, "a chunk entered during the flush");
            }
            bench.sim.set("flush", 0);
            assert!(bench.seen.is_empty(), "an element left during the flush");
            bench.done.clear();
            bench.windows = [true; 4];
            bench.send(&chunks);
            bench.settle();
            bench.expect(&chunks);
        }
    }
}

/// Cycles per element with everything taken at once.
fn rate(words: u32, lengths: &[usize], aligned: bool) -> f64 {
    typed_rate(words, lengths, aligned, ValueType::I32)
}

fn typed_rate(words: u32, lengths: &[usize], aligned: bool, value: ValueType) -> f64 {
    let mut rng = StdRng::seed_from_u64(5);
    let mut matrix = Matrix::new(&mut rng, lengths.iter().copied(), 1 << 20);
    matrix.value = value;
    let mut chunks = vec![];
    for &(begin, length) in &matrix.rows {
        // A task's first chunk ends with a line, as the dispatcher cuts it.
        let (mut at, end) = (begin, begin + length);
        while at < end {
            let room = 64 - if aligned { at % words as usize } else { 0 };
            let length = room.min(end - at);
            chunks.push(Chunk { seq: 0, row: 1, start: at, length, a: 3 });
            at += length;
        }
    }
    chunks.shuffle(&mut rng);
    let mut bench = Bench::new(words, &matrix, FAIR);
    let begin = bench.sim.cycle();
    bench.send(&chunks);
    bench.settle();
    bench.expect(&chunks);
    // Settling takes one cycle more than the last element.
    (bench.sim.cycle() - begin) as f64 / bench.seen.len() as f64
}

#[test]
fn one_element_a_cycle() {
    let long = rate(16, &[640; 10], true);
    let four = rate(16, &[4; 1000], false);
    let three = rate(16, &[3; 1000], false);
    let narrow_long = rate(4, &[640; 10], true);
    let narrow_four = rate(4, &[4; 1000], false);
    let narrow_odd = rate(4, &[5, 4, 3, 4, 6, 2, 4, 4, 5, 3].repeat(100), false);
    println!(
        "cycles per element, 16 words: long {long:.3}, 4 {four:.3}, 3 {three:.3}; \
         4 words: long {narrow_long:.3}, 4 aligned {narrow_four:.3}, 2 to 6 {narrow_odd:.3}"
    );
    assert!(long < 1.01 && four < 1.01 && three < 1.01, "{long} {four} {three}");
    assert!(narrow_long < 1.01 && narrow_four < 1.01, "{narrow_long} {narrow_four}");
    assert!(narrow_odd < 1.05, "{narrow_odd}");
}

/// Lines of two words give one column a request with words for values; packed values need fewer.
#[test]
fn packed_values_need_fewer_requests() {
    let [words, halves, bytes] = [ValueType::F32, ValueType::F16, ValueType::I8]
        .map(|value| typed_rate(2, &[640; 4], true, value));
    println!(
        "cycles per element, lines of 2 words: f32 {words:.3}, f16 {halves:.3}, i8 {bytes:.3}"
    );
    assert!(words < 1.01 && halves < 1.01 && bytes < 1.01, "{words} {halves} {bytes}");
    let odd = typed_rate(16, &[20, 3, 70, 1, 33].repeat(20), false, ValueType::I8);
    assert!(odd < 1.05, "{odd}");
}

#[test]
fn an_idle_lane_is_quick() {
    let (_, matrix) = random_matrix(6);
    let mut bench = Bench::new(16, &matrix, FAIR);
    let taken = bench.sim.cycle();
    bench.send(&[Chunk { seq: 0, row: 0, start: 0, length: 1, a: 0 }]);
    while bench.seen.is_empty() {
        bench.cycle(None);
    }
    // The element was seen in the cycle before.
    assert_eq!(bench.sim.cycle() - 1 - taken, FAIR.latency + 10);
}

#[test]
fn bad_shapes_are_refused() {
    use rtl_gen::Module;
    let text = |lane: LaneFetch| lane.check().unwrap_err();
    assert_eq!(
        text(LaneFetch { slots: 48, ..lane(4) }),
        "lane: slots is 48; a power of two from 2"
    );
    assert_eq!(text(LaneFetch { index_bits: 33, ..lane(4) }), "lane: index_bits is 33; 1 to 32");
    assert_eq!(text(LaneFetch { tag_bits: 6, ..lane(4) }), "lane: tag_bits is 6; 64 slots need 7");
}
