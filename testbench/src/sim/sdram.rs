//! SDR SDRAM chips: what they do, and what must not be done to them.

use mattock_spec::config::SdramConfig;
use rtl_gen::sim::{AssertionFailure, PortId, Simulator};
use std::collections::VecDeque;

/// What a chip sees at an edge of its clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SdramPins {
    /// Chip select, low active.
    pub cs_n: bool,
    /// Row strobe, low active.
    pub ras_n: bool,
    /// Column strobe, low active.
    pub cas_n: bool,
    /// Write enable, low active.
    pub we_n: bool,
    /// Bank.
    pub ba: u8,
    /// Address.
    pub a: u16,
    /// Masks of the bytes of a word.
    pub dqm: u8,
    /// The word driven by the controller, if it drives.
    pub dq: Option<u32>,
}

/// A rule of the data sheet that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SDRAM at edge {edge}: {rule}")]
pub struct SdramViolation {
    /// Edges since power-up.
    pub edge: u64,
    /// Which.
    pub rule: String,
}

/// Nanoseconds: of MT48LC16M16 (-75), the slower of the two chips whose figures were found (litedram's list of modules).
mod least {
    pub(super) const RCD: u64 = 20;
    pub(super) const RP: u64 = 20;
    pub(super) const RAS: u64 = 44;
    pub(super) const RC: u64 = 66;
    pub(super) const RFC: u64 = 66;
    pub(super) const RRD: u64 = 15;
    pub(super) const WR: u64 = 15;
    pub(super) const POWER_UP: u64 = 200_000;
    /// A row may stay open this long.
    pub(super) const RAS_MOST: u64 = 100_000;
    /// On average a refresh in this time, at most eight of them late.
    pub(super) const REFRESH: u64 = 7_812;
    pub(super) const REFRESHES_TO_START: u32 = 8;
}

#[derive(Clone, Copy, Debug, Default)]
struct Bank {
    row: Option<u32>,
    activated: Option<u64>,
    precharged: Option<u64>,
    /// Last edge of written data.
    written: Option<u64>,
    /// Edge after which the last burst read is over.
    read: Option<u64>,
}

/// A burst to be written.
#[derive(Clone, Copy, Debug)]
struct Writing {
    bank: u8,
    row: u32,
    column: u32,
    word: u32,
}

/// A chip with its contents. Every edge goes through [`edge`](Self::edge), which refuses what the data sheets forbid,
/// and what this library's controller never does: bursts cut short, automatic precharge, power-down.
#[derive(Clone, Debug)]
pub struct SdramChip {
    chip: SdramConfig,
    clock_mhz: u32,
    words: Vec<u32>,
    edge: u64,
    banks: [Bank; 4],
    /// Words of a burst and latency, once set.
    mode: Option<(u32, u64)>,
    mode_edge: Option<u64>,
    refreshed: Option<u64>,
    refreshes: u32,
    /// When counting of refreshes began, and those that came.
    refresh_start: Option<(u64, u64)>,
    /// Edge at which each word leaves, and the word.
    leaving: VecDeque<(u64, u32)>,
    writing: Option<Writing>,
    mask_before: u8,
    /// Last edge at which the chip drives its pins.
    drives_until: Option<u64>,
}

impl SdramChip {
    /// A chip at power-up, its clock of `clock_mhz`. Words are odd patterns until they are written.
    pub fn new(chip: SdramConfig, clock_mhz: u32) -> Self {
        let count = 1u32 << (2 + chip.row_bits + chip.column_bits);
        let words = (0..count).map(|i| i.wrapping_mul(0x9e37_79b9) | 1);
        let words = words.map(|w| w & (u32::MAX >> (32 - chip.data_bits))).collect();
        SdramChip { words, ..Self::empty(chip, clock_mhz) }
    }

    fn empty(chip: SdramConfig, clock_mhz: u32) -> Self {
        SdramChip {
            chip,
            clock_mhz,
            words: vec![],
            edge: 0,
            banks: [Bank::default(); 4],
            mode: None,
            mode_edge: None,
            refreshed: None,
            refreshes: 0,
            refresh_start: None,
            leaving: VecDeque::new(),
            writing: None,
            mask_before: 0,
            drives_until: None,
        }
    }

    /// Loses everything but the words: power-up.
    pub fn restart(&mut self) {
        let words = std::mem::take(&mut self.words);
        *self = SdramChip { words, ..SdramChip::empty(self.chip, self.clock_mhz) };
    }

    /// Refreshes since power-up.
    pub fn refreshes(&self) -> u32 {
        self.refreshes
    }

    fn index(&self, bank: u8, row: u32, column: u32) -> usize {
        let row = row as usize & ((1 << self.chip.row_bits) - 1);
        let bank = usize::from(bank);
        // Banks follow each other inside a row's number, as the controller lays beats out; any order would do.
        (row << 2 | bank) << self.chip.column_bits | column as usize
    }

    /// An edge of the chip's clock: the word it drives from now until its next edge, if it does.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn edge(&mut self, pins: SdramPins) -> Result<Option<u32>, SdramViolation> {
        let outcome = self.act(pins).map_err(|rule| SdramViolation { edge: self.edge, rule });
        let mask_before = std::mem::replace(&mut self.mask_before, pins.dqm);
        outcome?;
        let out = match self.leaving.front() {
            // A word is valid at the next edge, and masks count two edges before that.
            Some((at, word)) if *at == self.edge + 1 => {
                let word = *word;
                self.leaving.pop_front();
                if self.chip.masks && mask_before != 0 {
                    return Err(self.broken("a word read is masked"));
                }
                Some(word)
            }
            _ => None,
        };
        self.edge += 1;
        Ok(out)
    }

    fn broken(&self, rule: &str) -> SdramViolation {
        SdramViolation { edge: self.edge, rule: rule.into() }
    }

    /// Refuses unless `ns` have passed since `then`.
    fn since(&self, then: Option<u64>, ns: u64, rule: &str) -> Result<(), String> {
        match then {
            Some(then) if (self.edge - then) * 1000 < ns * u64::from(self.clock_mhz) => {
                Err(format!("{rule}: {} edges, {ns} ns are needed", self.edge - then))
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, pins: SdramPins) -> Result<(), String> {
        if pins.dq.is_some() && self.drives_until.is_some_and(|until| self.edge <= until) {
            return Err("both sides drive the data pins".into());
        }
        for bank in &self.banks {
            if bank.row.is_some() {
                let open = self.since(bank.activated, least::RAS_MOST, "");
                if open.is_ok() {
                    return Err("a row is open for longer than 100 us".into());
                }
            }
        }
        let order = (pins.ras_n, pins.cas_n, pins.we_n);
        let rest = pins.cs_n || order == (true, true, true);
        if !rest && self.edge * 1000 < least::POWER_UP * u64::from(self.clock_mhz) {
            return Err("an order within 200 us of power-up".into());
        }
        if !rest && self.mode_edge.is_some_and(|at| self.edge < at + 2) {
            return Err("tMRD: an order right after the mode was set".into());
        }
        // A burst goes on while orders for other banks come.
        let column = order.0 && !order.1 && !rest;
        if column && self.writing.is_some() {
            return Err("a burst being written is cut short".into());
        }
        if !column {
            self.write_word(pins)?;
        }
        match order {
            _ if rest => Ok(()),
            (false, false, false) => self.set_mode(pins),
            (false, false, true) => self.refresh(),
            (false, true, false) => self.precharge(pins),
            (false, true, true) => self.activate(pins),
            (true, false, true) => self.read(pins),
            (true, false, false) => self.write(pins),
            _ => Err("burst stop is not for this controller".into()),
        }?;
        if let Some((start, came)) = self.refresh_start {
            let due = (self.edge - start) * 1000 / (least::REFRESH * u64::from(self.clock_mhz));
            if due > came + 8 {
                return Err("tREFI: more than eight refreshes are late".into());
            }
        }
        Ok(())
    }

    fn all_closed(&self) -> bool {
        self.banks.iter().all(|b| b.row.is_none())
    }

    fn set_mode(&mut self, pins: SdramPins) -> Result<(), String> {
        self.at_rest("the mode is set")?;
        if self.refreshes < least::REFRESHES_TO_START {
            return Err("the mode is set before eight refreshes".into());
        }
        let (burst, latency) = (1 << (pins.a & 7), u64::from(pins.a >> 4 & 7));
        if pins.a & 7 > 3 || pins.a >> 3 & 1 == 1 || !(2..=3).contains(&latency) || pins.a >> 7 != 0
        {
            return Err(format!("mode {:#x} is none of this controller's", pins.a));
        }
        self.mode = Some((burst, latency));
        self.mode_edge = Some(self.edge);
        self.refresh_start = Some((self.edge, 0));
        Ok(())
    }

    /// What refreshes and the mode need: all banks closed, and for long enough.
    fn at_rest(&self, what: &str) -> Result<(), String> {
        if !self.all_closed() {
            return Err(format!("{what} with a row open"));
        }
        for bank in &self.banks {
            if bank.precharged.is_none() {
                return Err(format!("{what} before a precharge"));
            }
            self.since(bank.precharged, least::RP, "tRP")?;
        }
        self.since(self.refreshed, least::RFC, "tRFC")
    }

    fn refresh(&mut self) -> Result<(), String> {
        self.at_rest("a refresh")?;
        self.refreshed = Some(self.edge);
        self.refreshes += 1;
        if let Some((_, came)) = &mut self.refresh_start {
            *came += 1;
        }
        Ok(())
    }

    fn precharge(&mut self, pins: SdramPins) -> Result<(), String> {
        let all = pins.a >> 10 & 1 == 1;
        for b in 0..4u8 {
            if !all && b != pins.ba & 3 {
                continue;
            }
            let bank = self.banks[usize::from(b)];
            if bank.row.is_some() {
                self.since(bank.activated, least::RAS, "tRAS")?;
                self.since(bank.written, least::WR, "tWR")?;
                if self.writing.is_some_and(|w| w.bank == b) {
                    return Err("a burst being written is cut short".into());
                }
                if bank.read.is_some_and(|until| self.edge < until) {
                    return Err("a burst being read is cut short".into());
                }
            }
            let (row, precharged) = (None, Some(self.edge));
            self.banks[usize::from(b)] = Bank { row, precharged, ..bank };
        }
        Ok(())
    }

    fn activate(&mut self, pins: SdramPins) -> Result<(), String> {
        if self.mode.is_none() {
            return Err("a row is opened before the mode is set".into());
        }
        let bank = self.banks[usize::from(pins.ba & 3)];
        if bank.row.is_some() {
            return Err("a row is opened in a bank with an open row".into());
        }
        self.since(bank.precharged, least::RP, "tRP")?;
        self.since(bank.activated, least::RC, "tRC")?;
        self.since(self.refreshed, least::RFC, "tRFC")?;
        let latest = self.banks.iter().filter_map(|b| b.activated).max();
        self.since(latest, least::RRD, "tRRD")?;
        let row = u32::from(pins.a);
        if row >> self.chip.row_bits != 0 {
            return Err(format!("row {row} is not in the chip"));
        }
        let (row, activated) = (Some(row), Some(self.edge));
        self.banks[usize::from(pins.ba & 3)] = Bank { row, activated, ..bank };
        Ok(())
    }

    /// Row, first column and burst of an access; also for how long columns are busy.
    fn column(&self, pins: SdramPins) -> Result<(u32, u32, u32, u64), String> {
        let bank = self.banks[usize::from(pins.ba & 3)];
        let (Some(row), Some((burst, latency))) = (bank.row, self.mode) else {
            return Err("an access without an open row".into());
        };
        self.since(bank.activated, least::RCD, "tRCD")?;
        let column = u32::from(pins.a);
        if column >> self.chip.column_bits != 0 {
            return Err(format!("column {column} is not in the chip"));
        }
        if column % burst != 0 {
            return Err(format!("column {column} does not begin a burst"));
        }
        if self.banks.iter().any(|b| b.read.is_some_and(|until| self.edge < until)) {
            return Err("a burst being read is cut short".into());
        }
        Ok((row, column, burst, latency))
    }

    fn read(&mut self, pins: SdramPins) -> Result<(), String> {
        let (row, column, burst, latency) = self.column(pins)?;
        if pins.dq.is_some() {
            return Err("the controller drives data while it reads".into());
        }
        for word in 0..burst {
            let value = self.words[self.index(pins.ba & 3, row, column + word)];
            self.leaving.push_back((self.edge + latency + u64::from(word), value));
        }
        self.banks[usize::from(pins.ba & 3)].read = Some(self.edge + u64::from(burst));
        self.drives_until = Some(self.edge + latency + u64::from(burst) - 1);
        Ok(())
    }

    fn write(&mut self, pins: SdramPins) -> Result<(), String> {
        let (row, column, ..) = self.column(pins)?;
        self.writing = Some(Writing { bank: pins.ba & 3, row, column, word: 0 });
        self.write_word(pins)
    }

    fn write_word(&mut self, pins: SdramPins) -> Result<(), String> {
        let (Some(now), Some((burst, _))) = (self.writing, self.mode) else { return Ok(()) };
        let Some(value) = pins.dq else {
            return Err("a word is written that nobody drives".into());
        };
        let at = self.index(now.bank, now.row, now.column + now.word);
        for byte in 0..self.chip.data_bits / 8 {
            let mask = 0xff << (8 * byte);
            if !self.chip.masks || pins.dqm >> byte & 1 == 0 {
                self.words[at] = self.words[at] & !mask | value & mask;
            }
        }
        self.banks[usize::from(now.bank)].written = Some(self.edge);
        let word = now.word + 1;
        self.writing = (word < burst).then_some(Writing { word, ..now });
        Ok(())
    }
}

/// A simulated design with ports `sdram_*` and the chip at them.
///
/// The chip's clock is the design's inverted; a reset of the design counts as power-up. A broken rule ends the simulation as a failed assertion does.
pub struct WithSdram {
    sim: Box<dyn Simulator>,
    chip: SdramChip,
    pins: [PortId; 9],
    dq_in: PortId,
    rst: PortId,
    cycle: u64,
    failure: Option<AssertionFailure>,
}

impl WithSdram {
    /// The design's simulation with a chip at power-up.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub fn new(sim: Box<dyn Simulator>, chip: SdramChip) -> Self {
        let port = |name: &str| sim.port(&format!("sdram_{name}"));
        let pins =
            ["cs_n", "ras_n", "cas_n", "we_n", "ba", "a", "dqm", "dq_oe", "dq_out"].map(port);
        let dq_in = port("dq_in");
        let rst = sim.port("rst");
        WithSdram { sim, chip, pins, dq_in, rst, cycle: 0, failure: None }
    }

    /// The chip.
    pub fn chip(&self) -> &SdramChip {
        &self.chip
    }
}

impl Simulator for WithSdram {
    fn try_port(&self, name: &str) -> Option<PortId> {
        self.sim.try_port(name)
    }

    fn width(&self, port: PortId) -> u32 {
        self.sim.width(port)
    }

    fn set(&mut self, port: PortId, value: u64) {
        self.sim.set(port, value);
    }

    fn set_words(&mut self, port: PortId, words: &[u32]) {
        self.sim.set_words(port, words);
    }

    fn get(&mut self, port: PortId) -> u64 {
        self.sim.get(port)
    }

    fn get_words(&mut self, port: PortId, words: &mut [u32]) {
        self.sim.get_words(port, words);
    }

    fn eval(&mut self) {
        self.sim.eval();
    }

    fn tick(&mut self) {
        let [cs_n, ras_n, cas_n, we_n, ba, a, dqm, dq_oe, dq_out] =
            self.pins.map(|port| self.sim.get(port));
        let pins = SdramPins {
            cs_n: cs_n == 1,
            ras_n: ras_n == 1,
            cas_n: cas_n == 1,
            we_n: we_n == 1,
            ba: ba as u8,
            a: a as u16,
            dqm: dqm as u8,
            dq: (dq_oe == 1).then_some(dq_out as u32),
        };
        let in_reset = self.sim.get(self.rst) == 1;
        let outcome = match in_reset {
            true => {
                self.chip.restart();
                Ok(None)
            }
            false => self.chip.edge(pins),
        };
        match outcome {
            // Between bursts the pins float.
            Ok(word) => {
                let float = self.cycle.wrapping_mul(0x5851_f42d_4c95_7f2d) >> 32;
                self.sim.set(self.dq_in, word.map_or(float, u64::from));
            }
            Err(broken) if self.failure.is_none() => {
                let (path, cycle) = ("sdram".into(), self.cycle);
                self.failure = Some(AssertionFailure { path, label: broken.to_string(), cycle });
            }
            Err(_) => {}
        }
        self.sim.tick();
        self.cycle += 1;
    }

    fn failure(&self) -> Option<AssertionFailure> {
        self.failure.clone().or_else(|| self.sim.failure())
    }
}
