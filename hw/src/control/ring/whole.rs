//! The rings as a whole.

use super::{COUNT_BITS, Fetch, GLANCE, Post, tag_type};
use crate::cells::priority;
use mattock_spec::ErrorCode;
use mattock_spec::command::{COMPLETION_BYTES, Counters, DESCRIPTOR_BYTES};
use mattock_spec::regs::queue::{MAX_ENTRIES, TAGS};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Instance, Module, Sig, all, any, bit, bits, cat, one_hot_mux, uint};

/// Fetches commands from memory and writes back how they ended.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `enable`, `ring`, `done`, `size`, `doorbell` | in | bits | values of the register block `queue` |
/// | `status_running`, `status_fault`, `fault_info`, `fetched`, `written` | out | bits | its read-only values |
/// | `cause` | out | bit | pulse: a record that asks for it is in memory, or a fault has closed the rings |
/// | `reset` | in | bit | level: drop everything and close; hold until `idle` |
/// | `idle` | out | bit | closed, no transfer outstanding, no command without its record |
/// | `ready`, `tail`, `code`, `head`, `deadline`, `dense_*` | out | | the entry to be judged next, as at [`Slots`](super::Slots) |
/// | `word`, `read`, `word_data` | in, in, out | | its words, as there |
/// | `take` | in | bit | pulse: judged; its finish comes from one of the streams below |
/// | `f<i>_valid`, `f<i>_ready` | in, out | bit | a command ended; the values hold until taken |
/// | `f<i>_tag`, `f<i>_code`, `f<i>_info`, `f<i>_result`, `f<i>_cycles`, `f<i>_counters` | in | uint, bits | which, and how |
/// | `f<i>_counted` | in | bits(1) | it has counters; else it is taken sooner |
/// | `halted`, `halted_info` | in | bit, bits(32) | level: there is no command logic any more, and why |
/// | `m_axi_*` | | | AXI4 master |
///
/// A fault (a ring register that makes no sense, an entry that cannot be read, a record that cannot be written) closes
/// the rings: entries not yet taken are dropped, commands taken still get their records.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// Bytes of a beat.
    pub bus_bytes: u32,
    /// Address bus width.
    pub addr_bits: u32,
    /// Streams of finished commands.
    pub finishers: u32,
}

impl Module for Ring {
    fn name(&self) -> String {
        format!("ring_w{}_a{}_f{}", self.bus_bytes, self.addr_bits, self.finishers)
    }

    fn check(&self) -> Result<(), String> {
        if self.bus_bytes.is_power_of_two() && (8..=64).contains(&self.bus_bytes) {
            return Ok(());
        }
        Err(format!("bus_bytes {} is not a power of two from 8 to 64", self.bus_bytes))
    }

    fn build(&self, m: &Builder) {
        m.doc("Fetches commands from memory and writes back how they ended.");
        let (bus_bytes, addr_bits) = (self.bus_bytes, self.addr_bits);
        let fetch = m.inst("fetch", &Fetch { bus_bytes, addr_bits });
        let post = m.inst("post", &Post { bus_bytes, addr_bits });
        for part in [fetch, post] {
            expose(m, part, "m_axi_", "m_axi_");
        }
        let reset = m.input("reset", bit());
        let open = m.state("open", bit(), 0);
        let quiet = (fetch.get("quiet") & post.get("quiet")).named("quiet");

        // Opening.
        let enable = m.input("enable", bits(1));
        let rises = enable & !m.reg_reset("enable_before", enable, 0);
        let running = m.forward("running", bit());
        let try_open = m.reg_reset("try_open", rises & !running.sig() & !reset, 0);
        let size = m.input("size", bits(COUNT_BITS));
        let bases = ["ring", "done"].map(|name| m.input(name, bits(64)));
        let refusals = self.refusals(m, bases, size);
        let register_fault = m.reg("register_fault", hit(&refusals));
        let start = (try_open & !register_fault).named("start");

        // Closing.
        let doorbell = m.input("doorbell", bits(COUNT_BITS)).as_u();
        // A record may be read before its response is back, and its place be used anew.
        let ahead = doorbell.sub_wrap(post.get("posted"));
        let beyond = m.reg_reset("beyond", open.q() & ahead.gt(size.as_u()), 0);
        let failures = [
            Fault {
                hit: beyond,
                code: m.lit(bits(8), ErrorCode::DoorbellRange as i128),
                info: doorbell.zext(32).as_bits(),
            },
            Fault {
                hit: fetch.get("entry_fault"),
                code: fetch.get("entry_fault_code"),
                info: fetch.get("fault_addr"),
            },
            Fault {
                hit: m.input("halted", bit()),
                code: m.lit(bits(8), ErrorCode::Controller as i128),
                info: m.input("halted_info", bits(32)),
            },
            Fault {
                hit: post.get("fault"),
                code: post.get("fault_code"),
                info: post.get("fault_addr"),
            },
        ];
        let closing = (open.q() & hit(&failures)).named("closing");
        open.drive(start | (open.q() & enable & !closing & !reset));

        let refused = (try_open & register_fault).named("refused");
        let (why_not, why) = (first_of(&refusals), first_of(&failures));
        let code = m.state("fault_q", bits(8), 0);
        let none = code.q().lit(0);
        code.update(&[(start | reset, none), (refused, why_not.code), (closing, why.code)]);
        let info = m.state("info_q", bits(32), 0);
        info.update(&[
            (start | reset, info.q().lit(0)),
            (refused, why_not.info),
            (closing, why.info),
        ]);

        // What a fault leaves behind is dropped when nothing is under way any more.
        let faulty = code.q().red_or() & !open.q();
        let dropped = m.state("dropped", bit(), 0);
        let drop = (faulty & !dropped.q() & fetch.get("quiet") & !start).named("drop");
        dropped.drive((drop | dropped.q()) & faulty);
        fetch.set("open", open.q()).set("start", start).set("drop", drop).set("flush", reset);
        post.set("start", start).set("flush", reset);
        let mask = size.as_u().dec();
        for (part, base) in [fetch, post].into_iter().zip(bases) {
            part.set("ring", base.slice(addr_bits - 1, 0).as_u()).set("mask", mask);
        }
        fetch.set("doorbell", doorbell);

        // Commands taken and not yet accounted for.
        let take = (m.input("take", bit()) & fetch.get("ready")).named("take_head");
        let (finished, ended_tag) = self.finish(m, post);
        fetch.set("done_tag", ended_tag);
        let mut busy = vec![];
        for t in (0..TAGS).rev() {
            let tag = m.state(&format!("tag_{t}_busy"), bit(), 0);
            let taken = take & fetch.get("head").is(t.into());
            let done = finished & ended_tag.is(t.into());
            tag.drive((taken | (tag.q() & !done)) & !reset);
            busy.push(tag.q());
        }
        let busy = cat(&busy);
        fetch.set("take", take).set("tag_busy", busy);
        post.set("in_first", fetch.get("done_first")).set("in_cookie", fetch.get("done_cookie"));

        let unjudged = fetch.get("ready") | (faulty & !dropped.q());
        running.assign(open.q() | try_open | busy.red_or() | !quiet | unjudged);
        m.output("status_running", running.sig());
        m.output("status_fault", code.q());
        m.output("fault_info", info.q());
        m.output("fetched", fetch.get("fetched").as_bits());
        m.output("written", post.get("written").as_bits());
        m.output("cause", post.get("cause") | m.reg_reset("told", refused | closing, 0));
        m.output("idle", all(&[!open.q(), quiet, !busy.red_or()]));
        let judged = ["ready", "tail", "code", "head", "deadline", "word_data"];
        for port in judged.into_iter().chain(GLANCE) {
            m.output(port, fetch.get(port));
        }
        fetch.set("word", m.input("word", uint(8))).set("read", m.input("read", bit()));
    }
}

const _: () = assert!(MAX_ENTRIES < 1 << COUNT_BITS);

/// Something wrong, with its code and detail.
struct Fault<'m> {
    hit: Sig<'m>,
    code: Sig<'m>,
    info: Sig<'m>,
}

fn hit<'m>(faults: &[Fault<'m>]) -> Sig<'m> {
    any(&faults.iter().map(|f| f.hit).collect::<Vec<_>>())
}

/// The first of several faults that hits.
fn first_of<'m>(faults: &[Fault<'m>]) -> Fault<'m> {
    let grants = priority(&faults.iter().map(|f| f.hit).collect::<Vec<_>>());
    let pick = |part: fn(&Fault<'m>) -> Sig<'m>| {
        one_hot_mux(&grants.iter().zip(faults).map(|(g, f)| (*g, part(f))).collect::<Vec<_>>())
    };
    Fault { hit: hit(faults), code: pick(|f| f.code), info: pick(|f| f.info) }
}

impl Ring {
    /// What can be wrong with the registers when the rings are to be opened.
    fn refusals<'m>(&self, m: &'m Builder, bases: [Sig<'m>; 2], size: Sig<'m>) -> [Fault<'m>; 3] {
        let code = |code: ErrorCode| m.lit(bits(8), code as i128);
        let number = size.as_u();
        let one_bit = !(number & number.dec()).red_or() & !number.is(0) & !number.is(1);
        let size_fault =
            Fault { hit: !one_bit, code: code(ErrorCode::RingSize), info: size.zext(32) };
        let base_fault = |which: usize, entry_bytes: usize| {
            let (base, unit_bits) = (bases[which], entry_bytes.trailing_zeros());
            let page = base.slice(self.addr_bits - 1, unit_bits).as_u();
            let width = page.width().max(COUNT_BITS) + 1;
            let end = page.zext(width).add_wrap(number.zext(width));
            let mut faults =
                vec![base.slice(unit_bits - 1, 0).red_or(), end.gt(end.lit(1 << page.width()))];
            if self.addr_bits < 64 {
                faults.push(base.slice(63, self.addr_bits).red_or());
            }
            let info = m.lit(bits(32), which as i128);
            Fault { hit: any(&faults), code: code(ErrorCode::RingBase), info }
        };
        [size_fault, base_fault(0, DESCRIPTOR_BYTES), base_fault(1, COMPLETION_BYTES)]
    }

    /// Hands the finished commands to the record writer, the first stream first and each until its record is out; gives
    /// when and whose.
    fn finish<'m>(&self, m: &'m Builder, post: Instance<'m>) -> (Sig<'m>, Sig<'m>) {
        let names = ["code", "info", "result", "cycles", "counters", "counted"];
        let widths = [8, 32, 32, 64, Counters::BITS, 1];
        let valid: Vec<_> =
            (0..self.finishers).map(|i| m.input(&format!("f{i}_valid"), bit())).collect();
        let sending = post.get("busy");
        let grant: Vec<_> = priority(&valid)
            .into_iter()
            .enumerate()
            .map(|(i, first)| {
                let held = m.reg_when(&format!("granted_{i}"), !sending, first);
                sending.mux(held, first).named(&format!("grant_{i}"))
            })
            .collect();
        let ready = post.get("in_ready");
        for (i, granted) in grant.iter().enumerate() {
            m.output(&format!("f{i}_ready"), *granted & ready);
        }
        for (name, width) in names.into_iter().zip(widths) {
            let input = |i: usize| m.input(&format!("f{i}_{name}"), bits(width));
            let arms: Vec<_> = grant.iter().enumerate().map(|(i, g)| (*g, input(i))).collect();
            post.set(&format!("in_{name}"), one_hot_mux(&arms));
        }
        let tag = |i: usize| m.input(&format!("f{i}_tag"), tag_type());
        let arms: Vec<_> = grant.iter().enumerate().map(|(i, g)| (*g, tag(i))).collect();
        post.set("in_valid", any(&valid));
        ((any(&valid) & ready).named("ended"), one_hot_mux(&arms).named("ended_tag"))
    }
}
