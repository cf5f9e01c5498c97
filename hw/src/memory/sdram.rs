//! A controller for single-data-rate SDRAM chips.

use mattock_spec::config::SdramConfig;
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, cat, one_hot_mux, uint};

/// Beats of a memory bus from an SDR SDRAM chip of four banks.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `valid`, `write`, `ready` | in, in, out | bit | a beat is wanted, to be written or read; taken |
/// | `addr`, `data`, `strb` | in | uint, bits, bits | its number, what to write |
/// | `done`, `rdata` | out | bit, bits | the oldest beat asked for and not yet given |
/// | `sdram_cke`, `sdram_cs_n`, `sdram_ras_n`, `sdram_cas_n`, `sdram_we_n` | out | bit | registered pins of the chip |
/// | `sdram_ba`, `sdram_a`, `sdram_dqm` | out | uint, bits | the same; `sdram_dqm` is 0 where masks are grounded |
/// | `sdram_dq_out`, `sdram_dq_oe`, `sdram_dq_in` | out, out, in | bits, bit, bits | data pins; read into a register |
///
/// A beat is one burst. Rows stay open until another row of their bank or a refresh is wanted; a beat in an open row
/// takes as many cycles as it has words, another row `t_rp + t_rcd` more (2 to 6 cycles at 50 to 100 MHz), a beat read
/// comes `3 + words` cycles after it was taken. Going from reading to writing costs 2 cycles. Without
/// masks a beat written in part is read first.
///
/// The chip's clock is this one inverted: the chip takes commands half a cycle after they leave, and what it
/// gives two of its edges later is there half a cycle before it is read. That holds up to 83 MHz (6 ns from
/// edge to data).
#[derive(Clone, Copy, Debug)]
pub struct Sdram {
    /// The chip.
    pub chip: SdramConfig,
    /// Bytes of a beat.
    pub bus_bytes: u32,
    /// Rate of the clock.
    pub clock_mhz: u32,
}

/// Edges of the chip from a read to its first word.
const CAS_LATENCY: u32 = 2;
/// Bits of `sdram_a`.
const ADDRESS_PINS: u32 = 13;
/// Picks all banks in a precharge.
const ALL_BANKS: u32 = 10;
const BANKS: u32 = 4;

/// What a chip is asked for at an edge: RAS, CAS, WE, low active.
#[derive(Clone, Copy)]
enum Order {
    Mode = 0b000,
    Refresh = 0b001,
    Precharge = 0b010,
    Activate = 0b011,
    Write = 0b100,
    Read = 0b101,
    Rest = 0b111,
}

/// Cycles between orders.
struct Times {
    /// Words of a beat.
    burst: u32,
    precharge: u32,
    activate: u32,
    row_open: u32,
    refresh: u32,
    recover: u32,
    other_bank: u32,
    between_refreshes: u32,
    power_up: u32,
}

impl Sdram {
    /// In nanoseconds no less than the figures of MT48LC16M16 (-75) and M12L64322A, as litedram's list of modules has them; those of
    /// EM638325 were not found, LiteX drives it with M12L64322A's.
    fn times(&self) -> Times {
        let cycles = |ns: u32| (ns * self.clock_mhz).div_ceil(1000).max(1);
        Times {
            burst: 8 * self.bus_bytes / self.chip.data_bits,
            precharge: cycles(20),
            activate: cycles(20),
            // tRC, 66 ns, is this and a precharge.
            row_open: cycles(46),
            refresh: cycles(70),
            recover: cycles(15).max(2),
            other_bank: cycles(15),
            // 8,192 rows in 64 ms, less than what a burst may delay one.
            between_refreshes: 7 * self.clock_mhz,
            power_up: 200 * self.clock_mhz,
        }
    }

    /// Beats of a row.
    pub fn row_beats(&self) -> u32 {
        (1 << self.chip.column_bits) / self.times().burst
    }

    /// Cycles from the order to read until all words have been read.
    fn read_latency(&self) -> u32 {
        CAS_LATENCY + self.times().burst
    }
}

/// Cycles until something is allowed again: 0 after as many as the latest event asks for.
fn pause<'m>(m: &'m Builder, name: &str, events: &[(Sig<'m>, u32)]) -> Sig<'m> {
    let longest = events.iter().map(|e| e.1).max().unwrap_or(1).max(2);
    let left = m.state(name, uint((longest - 1).ilog2() + 1), 0);
    let lower = left.q().is(0).mux(left.q(), left.q().dec());
    let next = events.iter().fold(lower, |rest, (when, cycles)| {
        let wanted = left.q().lit(i128::from(*cycles) - 1);
        (*when & lower.lt(wanted)).mux(wanted, rest)
    });
    left.drive(next);
    left.q().is(0)
}

/// `start`, `latency` cycles later.
fn arrival<'m>(m: &'m Builder, name: &str, start: Sig<'m>, latency: u32) -> Sig<'m> {
    (1..=latency).fold(start, |flag, i| m.reg_reset(&format!("{name}_{i}"), flag, 0))
}

/// The request in work.
struct Request<'m> {
    valid: Sig<'m>,
    write: Sig<'m>,
    bank: Sig<'m>,
    row: Sig<'m>,
    /// First column of the burst.
    column: Sig<'m>,
    data: Sig<'m>,
    strb: Sig<'m>,
    /// Must be read before it can be written.
    partial: Sig<'m>,
}

impl Sdram {
    /// Takes a request when there is none or the present one ends with `pop`; `merge` completes a partial write
    /// with what was read.
    fn take<'m>(&self, m: &'m Builder, pop: Sig<'m>, merge: Sig<'m>, read: Sig<'m>) -> Request<'m> {
        let words = self.times().burst;
        let column_bits = self.chip.column_bits - words.ilog2();
        let addr_bits = column_bits + 2 + self.chip.row_bits;
        let (valid, addr) = (m.input("valid", bit()), m.input("addr", uint(addr_bits)));
        let held = m.state("held", bit(), 0);
        let ready = (!held.q() | pop).named("take_ready");
        let take = (valid & ready).named("take");
        held.drive(take | (held.q() & !pop));
        m.output("ready", ready);

        let addr = m.reg_when("request_addr", take, addr).as_bits();
        let strb_in = m.input("strb", bits(self.bus_bytes));
        let strb = m.reg_decl("request_strb", bits(self.bus_bytes));
        let full = strb_in.lit((1i128 << self.bus_bytes) - 1);
        strb.update(&[(take, strb_in), (merge, full)]);
        let mut lanes = vec![];
        let data_in = m.input("data", bits(8 * self.bus_bytes)).lanes(8);
        for (i, (new, old)) in (0..).zip(data_in.into_iter().zip(read.lanes(8))) {
            let lane = m.reg_decl(&format!("request_data_{i}"), bits(8));
            lane.update(&[(take, new), (merge & !strb.q().bit(i), old)]);
            lanes.push(lane.q());
        }
        lanes.reverse();
        let write = m.reg_when("request_write", take, m.input("write", bit()));
        let first = cat(&[addr.slice(column_bits - 1, 0), m.lit(bits(words.ilog2()), 0)]);
        let partial = match self.chip.masks {
            true => m.low(),
            false => write & !strb.q().red_and(),
        };
        Request {
            valid: held.q(),
            write,
            bank: addr.slice(column_bits + 1, column_bits).as_u(),
            row: addr.slice(addr_bits - 1, column_bits + 2),
            column: first,
            data: cat(&lanes),
            strb: strb.q(),
            partial: partial.named("partial"),
        }
    }
}

/// What goes to the chip after this cycle; at most one order a cycle.
struct Orders<'m> {
    mode: Sig<'m>,
    refresh: Sig<'m>,
    precharge_all: Sig<'m>,
    precharge: Sig<'m>,
    activate: Sig<'m>,
    read: Sig<'m>,
    write: Sig<'m>,
}

impl Sdram {
    fn decide<'m>(&self, m: &'m Builder, r: &Request<'m>, waits: Sig<'m>) -> Orders<'m> {
        let t = self.times();
        let [mode, refresh, precharge_all, precharge, activate, read, write] =
            ["set_mode", "refresh", "precharge_all", "precharge", "activate", "read", "write_now"]
                .map(|name| m.forward(name, bit()));

        // ---- when what may follow ----
        let may_activate = pause(
            m,
            "until_activate",
            &[
                (precharge.sig() | precharge_all.sig(), t.precharge),
                (activate.sig(), t.other_bank),
                (refresh.sig(), t.refresh),
                // tMRD
                (mode.sig(), 2),
            ],
        );
        let may_precharge = pause(
            m,
            "until_precharge",
            &[
                (activate.sig(), t.row_open),
                (read.sig(), t.burst),
                // From the last word on.
                (write.sig(), t.burst - 1 + t.recover),
            ],
        );
        let row_is_ready = pause(m, "until_column", &[(activate.sig(), t.activate)]);
        let column = read.sig() | write.sig();
        let may_read = pause(m, "until_read", &[(column, t.burst)]);
        let turn = (read.sig(), t.burst + CAS_LATENCY);
        let may_write = pause(m, "until_write", &[(write.sig(), t.burst), turn]);

        // ---- after power-up: precharge, eight refreshes, mode ----
        let age = m.state("age", uint(t.power_up.ilog2() + 1), 0);
        let awake = age.q().is(t.power_up.into());
        age.update(&[(!awake, age.q().inc())]);
        let step = m.state("start_step", uint(4), 0);
        let started = step.q().is(10).named("started");
        let starting = awake & !started & may_activate;
        step.update(&[(starting, step.q().inc())]);
        let first = starting & step.q().is(0);
        mode.assign(starting & step.q().is(9));

        // ---- refresh ----
        let since = m.state("since_refresh", uint(t.between_refreshes.ilog2() + 1), 0);
        let tick = since.q().is(i128::from(t.between_refreshes) - 1);
        since.update(&[(tick | !started, since.q().lit(0)), (m.high(), since.q().inc())]);
        let due = m.state("refresh_due", bit(), 0);
        due.drive((due.q() & !refresh.sig()) | tick);

        // ---- rows ----
        let mut open = vec![];
        let mut matches = vec![];
        for b in 0..BANKS {
            let here = r.bank.is(b.into());
            let is_open = m.state(&format!("open_{b}"), bit(), 0);
            let closes = precharge_all.sig() | (precharge.sig() & here);
            is_open.drive((is_open.q() & !closes) | (activate.sig() & here));
            let row = m.reg_when(&format!("row_{b}"), activate.sig() & here, r.row);
            open.push(is_open.q());
            matches.push((here, cat(&[is_open.q() & row.eq(r.row), is_open.q()])));
        }
        let state = one_hot_mux(&matches);
        let (hit, is_open) = (state.bit(1).named("hit"), state.bit(0).named("is_open"));
        let closed = (!any(&open)).named("all_closed");

        // ---- orders ----
        let refreshing = due.q() & started;
        let idle_to_refresh =
            starting & step.q().ge(step.q().lit(1)) & step.q().le(step.q().lit(8));
        precharge_all.assign(first | (refreshing & !closed & may_precharge));
        refresh.assign(idle_to_refresh | (refreshing & closed & may_activate));
        let work = all(&[r.valid, started, !due.q(), !waits]).named("work");
        precharge.assign(all(&[work, is_open, !hit, may_precharge]));
        activate.assign(all(&[work, !is_open, may_activate]));
        let reads = !r.write | r.partial;
        let column = work & hit & row_is_ready;
        read.assign(column & reads & may_read);
        write.assign(column & !reads & may_write);
        Orders {
            mode: mode.sig(),
            refresh: refresh.sig(),
            precharge_all: precharge_all.sig(),
            precharge: precharge.sig(),
            activate: activate.sig(),
            read: read.sig(),
            write: write.sig(),
        }
    }

    /// The pins of commands and of written data.
    fn pins<'m>(&self, m: &'m Builder, r: &Request<'m>, orders: &Orders<'m>) {
        let t = self.times();
        let order = |o: Order| m.lit(bits(3), o as i128);
        let choice = [
            (orders.mode, order(Order::Mode)),
            (orders.refresh, order(Order::Refresh)),
            (orders.precharge_all | orders.precharge, order(Order::Precharge)),
            (orders.activate, order(Order::Activate)),
            (orders.read, order(Order::Read)),
            (orders.write, order(Order::Write)),
        ];
        let none = !any(&choice.map(|c| c.0));
        let order = one_hot_mux(&[&choice[..], &[(none, order(Order::Rest))]].concat());
        let pins = m.reg_reset("order", order, Order::Rest as i128);
        m.output("sdram_cke", m.high());
        m.output("sdram_cs_n", m.low());
        for (i, name) in (0..).zip(["we_n", "cas_n", "ras_n"]) {
            m.output(&format!("sdram_{name}"), pins.bit(i));
        }
        let setting = m.lit(bits(ADDRESS_PINS), (CAS_LATENCY << 4 | t.burst.ilog2()).into());
        let pad = |value: Sig<'m>| value.as_bits().zext(ADDRESS_PINS);
        let address = one_hot_mux(&[
            (orders.mode, setting),
            (orders.precharge_all, setting.lit(1 << ALL_BANKS)),
            (orders.activate, pad(r.row)),
            (orders.read | orders.write, pad(r.column)),
        ]);
        m.output("sdram_a", m.reg("address", address));
        m.output("sdram_ba", m.reg("bank", (!orders.mode).gate(r.bank.as_bits()).as_u()));

        // ---- words leave with the order to write and after it ----
        let width = self.chip.data_bits;
        let (data, strb) = (r.data.lanes(width), (!r.strb).lanes(width / 8));
        let left = m.state("words_left", uint(t.burst.ilog2()), 0);
        let going = !left.q().is(0);
        left.update(&[
            (orders.write, left.q().lit(i128::from(t.burst) - 1)),
            (going, left.q().dec()),
        ]);
        let mut next = (m.lit(bits(width), 0), m.lit(bits(width / 8), 0));
        for i in (0..t.burst as usize).rev() {
            // A pin's register holds the word that leaves, the ones behind it those that follow.
            let name = |kind: &str| if i == 0 { kind.into() } else { format!("{kind}_{i}") };
            let word = m.reg(&name("word"), orders.write.mux(data[i], next.0));
            let mask = m.reg_reset(&name("mask"), orders.write.mux(strb[i], next.1), 0);
            next = (word, mask);
        }
        m.output("sdram_dq_out", next.0);
        m.output("sdram_dqm", if self.chip.masks { next.1 } else { next.1.lit(0) });
        m.output("sdram_dq_oe", m.reg_reset("driving", orders.write | going, 0));
    }
}

impl Module for Sdram {
    fn name(&self) -> String {
        let SdramConfig { data_bits, row_bits, column_bits, masks } = self.chip;
        let masks = if masks { "" } else { "_unmasked" };
        let (width, mhz) = (self.bus_bytes, self.clock_mhz);
        format!("sdram_w{width}_d{data_bits}_r{row_bits}_c{column_bits}{masks}_{mhz}mhz")
    }

    fn check(&self) -> Result<(), String> {
        let burst = 8 * self.bus_bytes / self.chip.data_bits;
        if [2, 4, 8].contains(&burst) {
            return Ok(());
        }
        let Self { bus_bytes, chip, .. } = self;
        Err(format!(
            "beats of {bus_bytes} bytes are {burst} words of {} bits; bursts of 2, 4 and 8 are built",
            chip.data_bits
        ))
    }

    fn build(&self, m: &Builder) {
        m.doc("Controller of an SDR SDRAM chip: a beat is a burst, rows stay open.");
        let t = self.times();
        let pop = m.forward("pop", bit());
        let merge = m.forward("merge", bit());

        // ---- words read, oldest lowest ----
        let word = m.reg("word_in", m.input("sdram_dq_in", bits(self.chip.data_bits)));
        let mut beat = vec![word];
        for i in 1..t.burst {
            beat.push(m.reg(&format!("word_in_{i}"), beat[i as usize - 1]));
        }
        let rdata = cat(&beat);
        m.output("rdata", rdata);

        let request = self.take(m, pop.sig(), merge.sig(), rdata);
        let merging = m.state("merging", bit(), 0);
        let orders = self.decide(m, &request, merging.q());
        let given = (orders.read & !request.partial).named("read_to_give");
        let first = (orders.read & request.partial).named("read_to_merge");
        pop.assign(given | orders.write);
        let latency = self.read_latency();
        m.output("done", arrival(m, "giving", given, latency));
        merge.assign(arrival(m, "reading", first, latency));
        merging.drive((merging.q() | first) & !merge.sig());
        self.pins(m, &request, &orders);
        let sum = [orders.read, orders.write, orders.activate, orders.precharge, orders.refresh];
        let alone = (1..sum.len()).map(|i| !(sum[i] & any(&sum[..i])));
        m.assert("one_order_a_cycle", all(&alone.collect::<Vec<_>>()));
    }
}
