//! The SDRAM controller against a chip that checks every rule of its data sheet.

use mattock::{ContextOptions, GemmOptions, View, ViewMut};
use mattock_hw::memory::{AxiRamPort, CardMemory, Sdram};
use mattock_spec::CardConfig;
use mattock_spec::config::SdramConfig;
use mattock_testbench::sim::{
    SdramChip, SdramPins, SimOptions, SimulatorKind, WithSdram, open_device,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::ir::Direction;
use rtl_gen::sim::Simulator;
use rtl_gen::{Design, Interpreter};
use std::collections::{HashMap, VecDeque};

/// ULX3S.
const WIDE_ROWS: SdramConfig =
    SdramConfig { data_bits: 16, row_bits: 13, column_bits: 9, masks: true };
/// Tang Nano 20K.
const MASKED: SdramConfig =
    SdramConfig { data_bits: 32, row_bits: 11, column_bits: 8, masks: true };
/// Colorlight i5.
const GROUNDED: SdramConfig = SdramConfig { masks: false, ..MASKED };

struct Bench {
    sim: WithSdram,
    bus_bytes: u32,
    cycles: u64,
}

impl Bench {
    fn new(chip: SdramConfig, bus_bytes: u32, clock_mhz: u32) -> Self {
        let design = Design::elaborate(&Sdram { chip, bus_bytes, clock_mhz }).unwrap();
        let sim = Box::new(Interpreter::new(&design).unwrap());
        let mut sim = WithSdram::new(sim, SdramChip::new(chip, clock_mhz));
        for port in ["valid", "write", "addr", "data", "strb", "sdram_dq_in"] {
            let port = sim.port(port);
            sim.set_words(port, &[]);
        }
        let rst = sim.port("rst");
        sim.set(rst, 1);
        sim.tick();
        sim.set(rst, 0);
        Bench { sim, bus_bytes, cycles: 0 }
    }

    fn tick(&mut self) {
        self.sim.tick();
        self.cycles += 1;
        if let Some(failure) = self.sim.failure() {
            panic!("cycle {}: {failure}", self.cycles);
        }
    }

    fn get(&mut self, port: &str) -> u64 {
        let port = self.sim.port(port);
        self.sim.get(port)
    }

    fn set(&mut self, port: &str, value: u64) {
        let port = self.sim.port(port);
        self.sim.set(port, value);
    }

    fn words(&self) -> usize {
        self.bus_bytes as usize / 4
    }

    fn offer(&mut self, write: bool, addr: u64, data: &[u8], strb: u64) {
        self.set("valid", 1);
        self.set("write", write.into());
        self.set("addr", addr);
        self.set("strb", strb);
        let words: Vec<u32> =
            data.chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
        let port = self.sim.port("data");
        self.sim.set_words(port, &words);
    }

    fn rdata(&mut self) -> Vec<u8> {
        let mut words = vec![0; self.words()];
        let port = self.sim.port("rdata");
        self.sim.get_words(port, &mut words);
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}

/// Reads and writes at random, whole beats and parts, near and far, with pauses: what is read is what was written.
fn random_traffic(chip: SdramConfig, bus_bytes: u32, clock_mhz: u32, requests: usize) {
    let mut rng = StdRng::seed_from_u64(u64::from(clock_mhz + bus_bytes + chip.data_bits));
    let mut bench = Bench::new(chip, bus_bytes, clock_mhz);
    let beats = u64::from(chip.kib()) * 1024 / u64::from(bus_bytes);
    // A few places, so that reads meet writes: at both ends and in rows of all banks.
    let places: Vec<u64> =
        (0..24).map(|_| rng.random_range(0..beats)).chain([0, beats - 1]).collect();
    let mut memory: HashMap<u64, Vec<Option<u8>>> = HashMap::new();
    let mut expected: VecDeque<Vec<Option<u8>>> = VecDeque::new();
    let (mut asked, mut checked) = (0, 0);
    while asked < requests || !expected.is_empty() {
        assert!(bench.cycles < 40_000 + 60 * requests as u64, "nothing moves");
        let mut offered = None;
        if asked < requests && rng.random_range(0..5) > 0 {
            let place = places[rng.random_range(0..places.len())];
            let addr = (place + rng.random_range(0..3)).min(beats - 1);
            let write = rng.random_bool(0.5);
            let data: Vec<u8> = (0..bus_bytes).map(|_| rng.random()).collect();
            let full = (1u64 << bus_bytes) - 1;
            let strb = if rng.random_bool(0.5) { full } else { rng.random::<u64>() & full };
            bench.offer(write, addr, &data, strb);
            offered = Some((write, addr, data, strb));
        } else {
            bench.set("valid", 0);
        }
        // An offer stands until it is taken.
        loop {
            if bench.get("done") == 1 {
                let (got, wanted) =
                    (bench.rdata(), expected.pop_front().expect("a beat asked for"));
                for (got, wanted) in got.iter().zip(wanted) {
                    checked += usize::from(wanted.is_some());
                    assert_eq!(*got, wanted.unwrap_or(*got));
                }
            }
            let taken = bench.get("ready") == 1;
            bench.tick();
            if taken || offered.is_none() {
                break;
            }
        }
        let Some((write, addr, data, strb)) = offered else { continue };
        asked += 1;
        let beat = memory.entry(addr).or_insert_with(|| vec![None; bus_bytes as usize]);
        if write {
            for (i, byte) in data.into_iter().enumerate() {
                if strb >> i & 1 == 1 {
                    beat[i] = Some(byte);
                }
            }
        } else {
            expected.push_back(beat.clone());
        }
    }
    assert!(checked > requests, "{checked} bytes compared");
    assert!(bench.sim.chip().refreshes() > 8);
}

#[test]
fn what_was_written_is_read() {
    random_traffic(WIDE_ROWS, 8, 50, 3000);
    random_traffic(WIDE_ROWS, 16, 83, 2000);
    random_traffic(MASKED, 8, 27, 2000);
    random_traffic(GROUNDED, 8, 50, 3000);
    random_traffic(GROUNDED, 32, 25, 1000);
    // The slowest clock, the longest bursts.
    random_traffic(WIDE_ROWS, 16, *SdramConfig::CLOCK_MHZ.start(), 500);
}

/// Beats in order come at the pace of the pins, but for new rows and refreshes.
#[test]
fn a_stream_fills_the_pins() {
    for (chip, bus_bytes, clock_mhz) in [(WIDE_ROWS, 8, 50), (GROUNDED, 8, 50), (MASKED, 16, 83)] {
        for write in [false, true] {
            let mut bench = Bench::new(chip, bus_bytes, clock_mhz);
            while bench.sim.chip().refreshes() < 8 {
                bench.tick();
            }
            let full = (1u64 << bus_bytes) - 1;
            let (beats, start) = (2000u64, bench.cycles);
            let (mut asked, mut done) = (0, 0);
            while if write { asked < beats } else { done < beats } {
                if asked < beats {
                    bench.offer(write, asked, &vec![asked as u8; bus_bytes as usize], full);
                } else {
                    bench.set("valid", 0);
                }
                done += bench.get("done");
                asked += u64::from(asked < beats && bench.get("ready") == 1);
                bench.tick();
            }
            let pins = beats * u64::from(8 * bus_bytes / chip.data_bits);
            let share = pins as f64 / (bench.cycles - start) as f64;
            println!("{chip:?} {bus_bytes} bytes, {clock_mhz} MHz, write {write}: {share:.3}");
            assert!(share > 0.93, "{share} of the pins' rate");
        }
    }
}

/// A master and the host port stream from two rows of one bank: each stays in its row while it can, and both get on.
#[test]
fn rows_are_shared_by_turns() {
    let (bus_bytes, clock_mhz) = (8, 50);
    let chip = Sdram { chip: MASKED, bus_bytes, clock_mhz };
    let port = AxiRamPort { bus_bytes, addr_bits: 32, memory_bytes: MASKED.kib() << 10, ahead: 8 };
    let design =
        Design::elaborate(&CardMemory { direct: 0, ports: 1, port, chip: Some(chip) }).unwrap();
    let mut sim = Interpreter::new(&design).unwrap();
    for port in &design.top().ports {
        if port.direction == Direction::Input && port.name != "clk" {
            sim.set(&*port.name, 0);
        }
    }
    let mut sim = WithSdram::new(Box::new(sim), SdramChip::new(MASKED, clock_mhz));
    let pin = |sim: &mut WithSdram, name: &str, value| {
        let port = sim.port(name);
        sim.set(port, value);
    };
    let get = |sim: &mut WithSdram, name: &str| {
        let port = sim.port(name);
        sim.get(port)
    };
    pin(&mut sim, "rst", 1);
    sim.tick();
    pin(&mut sim, "rst", 0);
    // The master reads bursts of 16 beats one behind the other, the host beats of a row four rows on: the same bank.
    let row_beats = chip.row_beats() as u64;
    for (name, value) in
        [("arvalid", 1), ("arlen", 15), ("arsize", 3), ("arburst", 1), ("rready", 1)]
    {
        pin(&mut sim, &format!("s0_axi_{name}"), value);
    }
    pin(&mut sim, "mem_valid", 1);
    let (mut burst, mut beat, mut beats, mut host_beats) = (0u64, 0u64, 0u64, 0u64);
    let mut from = None;
    for cycle in 0..16_000 {
        pin(&mut sim, "s0_axi_araddr", burst % (row_beats / 16) * 128);
        pin(&mut sim, "mem_addr", 4 * row_beats + beat % row_beats);
        burst += get(&mut sim, "s0_axi_arready");
        beat += get(&mut sim, "mem_ready");
        beats += get(&mut sim, "s0_axi_rvalid");
        host_beats += get(&mut sim, "mem_done");
        if from.is_none() && beats + host_beats > 0 {
            from = Some(cycle);
        }
        sim.tick();
        assert_eq!(sim.failure().map(|f| f.to_string()), None);
    }
    // A beat is two words; rows opened for every beat would leave a quarter of the rate.
    let cycles = 16_000 - from.unwrap();
    let share = (2 * (beats + host_beats)) as f64 / f64::from(cycles);
    println!("{beats} and {host_beats} beats in {cycles} cycles: {share:.3} of the pins' rate");
    assert!(share > 0.85 && beats > 500 && host_beats > 500, "{beats}, {host_beats}: {share}");
}

/// The orders of a script, an edge each, after a power-up by the book.
fn script(orders: &[(&str, SdramPins)]) -> Result<(), String> {
    let mut chip = SdramChip::new(WIDE_ROWS, 100);
    let rest = SdramPins { ras_n: true, cas_n: true, we_n: true, ..SdramPins::default() };
    let mut edge = |pins| chip.edge(pins).map(drop).map_err(|e| e.rule);
    let rests = |n: u32, edge: &mut dyn FnMut(SdramPins) -> Result<(), String>| {
        (0..n).try_for_each(|_| edge(rest))
    };
    rests(20_000, &mut edge)?;
    edge(precharge(1 << 10))?;
    for _ in 0..8 {
        rests(8, &mut edge)?;
        edge(SdramPins { we_n: true, ..SdramPins::default() })?;
    }
    rests(8, &mut edge)?;
    edge(SdramPins { a: 0x22, ..SdramPins::default() })?;
    rests(3, &mut edge)?;
    for (wait, pins) in orders {
        rests(wait.parse().unwrap(), &mut edge)?;
        edge(*pins)?;
    }
    rests(10, &mut edge)
}

fn precharge(a: u16) -> SdramPins {
    SdramPins { cas_n: true, a, ..SdramPins::default() }
}

fn activate(ba: u8, a: u16) -> SdramPins {
    SdramPins { cas_n: true, we_n: true, ba, a, ..SdramPins::default() }
}

fn read(ba: u8, a: u16) -> SdramPins {
    SdramPins { ras_n: true, we_n: true, ba, a, ..SdramPins::default() }
}

fn write(ba: u8, a: u16) -> SdramPins {
    SdramPins { ras_n: true, ba, a, dq: Some(7), ..SdramPins::default() }
}

/// A word of a burst that is being written.
fn word() -> SdramPins {
    SdramPins { ras_n: true, cas_n: true, we_n: true, dq: Some(7), ..SdramPins::default() }
}

/// The chip refuses each wrong order, so that a controller it accepts keeps the rules.
#[test]
fn the_chip_refuses_what_data_sheets_forbid() {
    let refresh = SdramPins { we_n: true, ..SdramPins::default() };
    let whole = [("0", word()), ("0", word()), ("0", word())];
    let good: Vec<_> = [("0", activate(1, 5)), ("1", write(1, 8))]
        .into_iter()
        .chain(whole)
        .chain([("0", read(1, 4)), ("5", precharge(1 << 10)), ("1", activate(1, 6))])
        .collect();
    assert_eq!(script(&good), Ok(()));
    let refused: [(&str, Vec<(&str, SdramPins)>); 15] = [
        ("tRCD", vec![("0", activate(0, 1)), ("0", read(0, 0))]),
        ("tRAS", vec![("0", activate(0, 1)), ("2", precharge(0))]),
        ("tRRD", vec![("0", activate(0, 1)), ("0", activate(1, 1))]),
        ("tRP", vec![("0", activate(0, 1)), ("4", precharge(0)), ("0", activate(0, 2))]),
        ("open row", vec![("0", activate(0, 1)), ("9", activate(0, 2))]),
        ("without an open row", vec![("0", read(0, 0))]),
        ("row open", vec![("0", activate(0, 1)), ("9", refresh)]),
        ("tRFC", vec![("9", refresh), ("2", activate(0, 1))]),
        ("being read is cut", vec![("0", activate(0, 1)), ("1", read(0, 0)), ("2", read(0, 4))]),
        (
            "being written is cut",
            vec![("0", activate(0, 1)), ("1", write(0, 0)), ("0", word()), ("0", write(0, 4))],
        ),
        ("nobody drives", vec![("0", activate(0, 1)), ("1", write(0, 0))]),
        ("begin a burst", vec![("0", activate(0, 1)), ("1", read(0, 2))]),
        ("not in the chip", vec![("0", activate(0, 1)), ("1", read(0, 1 << 10))]),
        ("both sides drive", vec![("0", activate(0, 1)), ("1", read(0, 0)), ("4", write(0, 0))]),
        (
            "tWR",
            [("0", activate(0, 1)), ("1", write(0, 0))]
                .into_iter()
                .chain(whole)
                .chain([("0", precharge(0))])
                .collect(),
        ),
    ];
    for (rule, orders) in refused {
        let told = script(&orders).unwrap_err();
        assert!(told.contains(rule), "{rule}: {told}");
    }
    // No refresh for 75 us, a row open for 100 us: the refreshes are missed first.
    let told = script(&[("8000", activate(0, 1))]).unwrap_err();
    assert!(told.contains("tREFI"), "{told}");
}

/// A serial card whose matrices lie in a chip multiplies as any other.
#[test]
fn a_card_with_a_chip_multiplies() {
    let text = "name = \"chip\"\nhost = \"uart\"\nclock_mhz = 50\n\
                [memory]\nbus_bytes = 8\naddress_bits = 32\nkib = 8192\n\
                [uart]\nbaud = 1000000\n\
                [sdram]\ndata_bits = 32\nrow_bits = 11\ncolumn_bits = 8\nmasks = \"grounded\"\n\
                [gemm]\nrows = 2\ncols = 4\ntuples = [\"i8,i8,i32\"]\n\
                a_kib = 4\nb_kib = 4\nresult_kib = 4\nalign = 8\n";
    let config = CardConfig::from_toml(text).unwrap_or_else(|e| panic!("{e}"));
    let options = SimOptions::new(SimulatorKind::Interpreter, "unused");
    let device = open_device(&config, &options).unwrap_or_else(|e| panic!("{e}"));
    let mut rng = StdRng::seed_from_u64(9);
    // Odd sizes: rows of D end within a beat, which a chip with grounded masks must read first.
    for [m, n, k] in [[13usize, 11, 40], [5, 3, 1000], [1, 1, 1]] {
        let a: Vec<i8> = (0..m * k).map(|_| rng.random()).collect();
        let b: Vec<i8> = (0..k * n).map(|_| rng.random()).collect();
        let views = (View::<i8>::rows(&a, m, k).unwrap(), View::<i8>::rows(&b, k, n).unwrap());
        let mut d = vec![0i32; m * n];
        let to = ViewMut::<i32>::rows(&mut d, m, n).unwrap();
        let context = device.context(ContextOptions::default()).unwrap();
        let done = context.gemm(&GemmOptions::default(), 1, views.0, views.1, 0, to);
        done.and_then(|event| event.wait()).unwrap_or_else(|e| panic!("{e}"));
        for (i, got) in d.iter().enumerate() {
            let (row, col) = (i / n, i % n);
            let product = |j| i32::from(a[row * k + j]) * i32::from(b[j * n + col]);
            assert_eq!(*got, (0..k).map(product).sum::<i32>(), "{m}x{n}x{k} at {row},{col}");
        }
    }
}

/// A chip that is not what the card says, or has no place beside it.
#[test]
fn chips_that_do_not_fit_are_refused() {
    let card = |host: &str, kib: u32, bus: u32, bits: u32, mhz: u32| {
        let text = format!(
            "name = \"chip\"\nhost = \"{host}\"\nclock_mhz = {mhz}\n[memory]\nbus_bytes = {bus}\nkib = {kib}\n\
             [sdram]\ndata_bits = {bits}\nrow_bits = 11\ncolumn_bits = 8\n\
             [gemm]\nrows = 2\ncols = 4\ntuples = [\"i8,i8,i32\"]\na_kib = 4\nb_kib = 4\nresult_kib = 4\nalign = 8\n"
        );
        CardConfig::from_toml(&text).map(drop).map_err(|e| e.to_string())
    };
    let errors: Vec<String> = [
        card("axi", 0, 8, 32, 50),
        card("uart", 64, 8, 32, 50),
        card("uart", 4096, 32, 16, 50),
        card("uart", 8192, 8, 64, 50),
        card("uart", 8192, 8, 32, 100),
        card("uart", 8192, 8, 32, 4),
    ]
    .into_iter()
    .map(Result::unwrap_err)
    .collect();
    insta::assert_snapshot!(errors.join("\n\n"));
}
