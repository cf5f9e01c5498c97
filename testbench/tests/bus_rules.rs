//! The rules the simulated bus holds cards to: each is broken once, by hand, and must be noticed.

use mattock_testbench::sim::{AxiMemory, LiteHost, MemoryOptions};
use rtl_gen::sim::{AssertionFailure, PortId, Simulator};

const MASTER: [(&str, u32); 24] = [
    ("m_arvalid", 1),
    ("m_arid", 1),
    ("m_araddr", 40),
    ("m_arlen", 8),
    ("m_arsize", 3),
    ("m_arburst", 2),
    ("m_arready", 1),
    ("m_rvalid", 1),
    ("m_rdata", 64),
    ("m_rresp", 2),
    ("m_rlast", 1),
    ("m_rready", 1),
    ("m_awvalid", 1),
    ("m_awid", 1),
    ("m_awaddr", 40),
    ("m_awlen", 8),
    ("m_awsize", 3),
    ("m_awburst", 2),
    ("m_awready", 1),
    ("m_wvalid", 1),
    ("m_wdata", 64),
    ("m_wstrb", 8),
    ("m_wlast", 1),
    ("m_wready", 1),
];
const REST: [(&str, u32); 3] = [("m_bvalid", 1), ("m_bresp", 2), ("m_bready", 1)];
const SLAVE: [(&str, u32); 19] = [
    ("s_awvalid", 1),
    ("s_awaddr", 14),
    ("s_awprot", 3),
    ("s_awready", 1),
    ("s_wvalid", 1),
    ("s_wdata", 32),
    ("s_wstrb", 4),
    ("s_wready", 1),
    ("s_bvalid", 1),
    ("s_bresp", 2),
    ("s_bready", 1),
    ("s_arvalid", 1),
    ("s_araddr", 14),
    ("s_arprot", 3),
    ("s_arready", 1),
    ("s_rvalid", 1),
    ("s_rdata", 32),
    ("s_rresp", 2),
    ("s_rready", 1),
];

/// Ports without a design behind them: what the test sets is what the other side sees.
struct Wires {
    names: Vec<(&'static str, u32)>,
    values: Vec<u64>,
}

impl Wires {
    fn new() -> Self {
        let names: Vec<_> = MASTER.into_iter().chain(REST).chain(SLAVE).collect();
        Wires { values: vec![0; names.len()], names }
    }

    fn put(&mut self, values: &[(&str, u64)]) {
        for (name, value) in values {
            let port = self.port(name);
            self.set(port, *value);
        }
    }

    fn is(&mut self, name: &str) -> bool {
        let port = self.port(name);
        self.get(port) == 1
    }
}

impl Simulator for Wires {
    fn try_port(&self, name: &str) -> Option<PortId> {
        self.names.iter().position(|(n, _)| *n == name).map(PortId)
    }
    fn width(&self, port: PortId) -> u32 {
        self.names[port.0].1
    }
    fn set(&mut self, port: PortId, value: u64) {
        self.values[port.0] = value;
    }
    fn set_words(&mut self, port: PortId, words: &[u32]) {
        self.values[port.0] = u64::from(words[0]) | u64::from(words[1]) << 32;
    }
    fn get(&mut self, port: PortId) -> u64 {
        self.values[port.0]
    }
    fn get_words(&mut self, port: PortId, words: &mut [u32]) {
        let value = self.values[port.0];
        words.iter_mut().enumerate().for_each(|(i, word)| *word = (value >> (32 * i)) as u32);
    }
    fn eval(&mut self) {}
    fn tick(&mut self) {}
    fn failure(&self) -> Option<AssertionFailure> {
        None
    }
}

/// A burst of 4 beats of 8 bytes within 4 KiB, as it should be.
const READ: [(&str, u64); 6] = [
    ("m_arvalid", 1),
    ("m_araddr", 0x100),
    ("m_arlen", 3),
    ("m_arsize", 3),
    ("m_arburst", 1),
    ("m_arid", 0),
];
const WRITE: [(&str, u64); 6] = [
    ("m_awvalid", 1),
    ("m_awaddr", 0x100),
    ("m_awlen", 1),
    ("m_awsize", 3),
    ("m_awburst", 1),
    ("m_awid", 0),
];
const BEAT: [(&str, u64); 4] = [("m_wvalid", 1), ("m_wdata", 7), ("m_wstrb", 0xff), ("m_wlast", 0)];

struct Bus {
    wires: Wires,
    memory: AxiMemory,
}

impl Bus {
    fn new() -> Self {
        let wires = Wires::new();
        let options =
            MemoryOptions { base: 0, bytes: 1 << 16, latency: 2, ..MemoryOptions::default() };
        Bus { memory: AxiMemory::new(&wires, &["m_"], &options), wires }
    }

    /// A cycle with these values on the wires.
    fn cycle(&mut self, values: &[(&str, u64)]) -> Result<(), String> {
        self.memory.drive(&mut self.wires);
        self.wires.put(values);
        self.memory.sample(&mut self.wires).map_err(|violation| {
            assert_eq!(violation.port, "m_");
            violation.rule
        })
    }

    /// The rule that is broken in the last of these cycles, and not before.
    fn broken(cycles: &[&[(&str, u64)]]) -> String {
        let mut bus = Bus::new();
        let (last, before) = cycles.split_last().unwrap();
        before.iter().for_each(|values| bus.cycle(values).unwrap());
        bus.cycle(last).expect_err("a rule is broken")
    }
}

fn with<'v>(good: &[(&'v str, u64)], change: (&'v str, u64)) -> Vec<(&'v str, u64)> {
    good.iter().copied().chain([change]).collect()
}

#[test]
fn every_rule_for_a_master_is_noticed() {
    let one = |good: &[_], change| Bus::broken(&[&with(good, change)]);
    let mut rules = vec![];
    for (good, channel) in [(&READ, "ar"), (&WRITE, "aw")] {
        let name = |signal: &str| -> &'static str {
            MASTER.iter().find(|(n, _)| *n == format!("m_{channel}{signal}")).unwrap().0
        };
        rules.push(one(good, (name("burst"), 0)));
        rules.push(one(good, (name("burst"), 2)));
        rules.push(one(good, (name("size"), 2)));
        rules.push(one(good, (name("addr"), 0x104)));
        rules.push(one(good, (name("addr"), 0xff8)));
        rules.push(one(good, (name("id"), 1)));
        // Offered while nobody takes it, then changed or withdrawn.
        for change in [(name("addr"), 0x200), (name("len"), 0), (name("valid"), 0)] {
            let mut bus = Bus::new();
            bus.memory.bus_faults().hang(u64::MAX);
            bus.cycle(good).unwrap();
            bus.cycle(good).unwrap();
            rules.push(bus.cycle(&[change]).unwrap_err());
        }
    }
    // Write data: changed, withdrawn, too long, too short. It waits for its address.
    for change in [("m_wdata", 8), ("m_wstrb", 1), ("m_wlast", 1), ("m_wvalid", 0)] {
        rules.push(Bus::broken(&[&BEAT, &BEAT, &[change]]));
    }
    let quiet = [("m_awvalid", 0)];
    rules.push(Bus::broken(&[&WRITE, &with(&with(&BEAT, ("m_wlast", 1)), quiet[0])]));
    rules.push(Bus::broken(&[&WRITE, &with(&BEAT, quiet[0]), &BEAT]));
    insta::assert_snapshot!(rules.join("\n"));
}

/// What keeps the rules passes, and what is asked is answered: as often, as long, in order.
#[test]
fn good_bursts_are_answered() {
    let mut bus = Bus::new();
    let bytes = bus.memory.bytes_mut(0x100, 32).unwrap();
    bytes.iter_mut().enumerate().for_each(|(i, byte)| *byte = i as u8);
    bus.cycle(&with(&READ, ("m_rready", 1))).unwrap();
    let mut beats = vec![];
    for _ in 0..20 {
        bus.cycle(&[("m_arvalid", 0)]).unwrap();
        if bus.wires.is("m_rvalid") {
            beats.push((bus.wires.is("m_rlast"), bus.wires.values[8] as u8));
        }
    }
    assert_eq!(beats, [(false, 0), (false, 8), (false, 16), (true, 24)]);
    bus.cycle(&with(&WRITE, ("m_bready", 1))).unwrap();
    bus.cycle(&with(&BEAT, ("m_awvalid", 0))).unwrap();
    bus.cycle(&with(&BEAT, ("m_wlast", 1))).unwrap();
    let answers = (0..20).filter(|_| {
        bus.cycle(&[("m_wvalid", 0)]).unwrap();
        bus.wires.is("m_bvalid")
    });
    assert_eq!(answers.count(), 1);
    assert_eq!(bus.memory.bytes(0x100, 16).unwrap(), [7, 0, 0, 0, 0, 0, 0, 0].repeat(2));
}

#[test]
fn every_rule_for_a_register_port_is_noticed() {
    type Start = fn(&mut LiteHost, &mut Wires);
    let idle: Start = |_, _| {};
    let read: Start = |host, wires| host.start_read(wires, 0x28);
    let write: Start = |host, wires| host.start_write(wires, 0x28, 5, 15);
    let cases: [(Start, &[(&str, u64)]); 7] = [
        (idle, &[("s_bvalid", 1)]),
        (idle, &[("s_rvalid", 1)]),
        (read, &[("s_bvalid", 1)]),
        (read, &[("s_rvalid", 1), ("s_arready", 1)]),
        (write, &[("s_rvalid", 1)]),
        (write, &[("s_bvalid", 1)]),
        (write, &[("s_bvalid", 1), ("s_awready", 1)]),
    ];
    let mut rules = vec![];
    for (start, values) in cases {
        let mut wires = Wires::new();
        let mut host = LiteHost::new(&mut wires, "s_");
        start(&mut host, &mut wires);
        wires.put(values);
        rules.push(host.sample(&mut wires).expect_err("a rule is broken"));
    }
    insta::assert_snapshot!(rules.join("\n"));
}
