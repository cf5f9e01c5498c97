//! The merge core.

use super::algebra::Algebra;
use super::bank::Bank;
use super::encode::count;
use super::product::LaneFront;
use super::table::Table;
use super::tags::order_suffix;
use crate::cells::{Crossbar, Skid, round_robin};
use mattock_spec::config::HashKind;
use rtl_gen::{
    Builder, Instance, Module, Sig, all, any, bit, bits, index_width, one_hot_mux, uint,
};

/// Multiplies the operands of `lanes` streams and adds each product to its entry of a banked hash
/// table; drains one half of the table while the other one fills. Contract: `docs/spgemm.md`.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `l{l}_valid`, `l{l}_ready` | in, out | bit | lane stream |
/// | `l{l}_half`, `l{l}_row`, `l{l}_col`, `l{l}_a`, `l{l}_b` | in | bits(1, row, index, 32, 32) | operands of one product |
/// | `is_float` | in | bit | 1: binary32, 0: 32-bit integer, wrapping; constant while busy |
/// | `l{l}_source` | in | bits(2) | if `joins`: which matrix's element `b` is, a [`Source`](crate::spgemm::front::Source) |
/// | `mask`, `complement` | in | bit | if `masks`: see `wanted`; constant while busy |
/// | `ordered` | in | bit | if `ordered`: products of a key of one lane are added in the order they came; constant while busy |
/// | `semiring` | in | bits(4) | its number; constant from 2 cycles before a product until idle; there if `algebra` has a choice |
/// | `seed` | in | bits(32) | hash seed; constant while busy |
/// | `lead` | in | uint(5) | if `hash` is one of high bits, see [`Spread`](super::Spread); constant while busy |
/// | `drain_start`, `drain_half`, `drain_discard` | in | bit | pulse while `drain_busy` and `busy` of the half are 0: empty that half, to the drain streams or to nowhere |
/// | `drain_busy` | out | bit | from the cycle after `drain_start` until the last entry is taken; also while the table is cleared after reset |
/// | `d{g}_valid`, `d{g}_ready`, `d{g}_row`, `d{g}_col`, `d{g}_value` | | bit, bit, bits(row, index, 32) | drain streams: the entries of banks g, g + `sorter_width`, ... in any order |
/// | `d{g}_wanted` | out | bit | if `masks`: no mask, or an entry that a product touched, with an element of the mask (without one: `complement`) |
/// | `busy_0`, `busy_1` | out | bit | products of the half are inside |
/// | `overflow_0`, `overflow_1` | out | bit | a product of the half was dropped |
/// | `dropped`, `stalled`, `merged` | out | uint | in one cycle: products dropped; banks in which a product waits for another of its key (only in order; an arrival without a slot would count too, see [`Accumulate`](super::Accumulate)); products added |
///
/// A product is counted in `merged` or `dropped`, and `overflow` raised, before `busy` of its half
/// falls. The lanes wait until the table is cleared after reset: as many cycles as a bank has buckets, at least 64.
#[derive(Clone, Copy, Debug)]
pub struct MergeCore {
    /// Streams; a power of two.
    pub lanes: u32,
    /// Hash banks; a power of two from `lanes`, at least 2.
    pub banks: u32,
    /// Entries per bucket.
    pub ways: u32,
    /// Entries per half, over all banks.
    pub entries_per_half: u32,
    /// Where keys live.
    pub hash: HashKind,
    /// Bits of a column.
    pub index_bits: u32,
    /// Bits of a row slot.
    pub row_bits: u32,
    /// Products a lane chooses among.
    pub look_ahead: u32,
    /// Cycles of the adder.
    pub adder_latency: u32,
    /// Drain streams; a power of two up to `banks`.
    pub sorter_width: u32,
    /// Semirings a command chooses among.
    pub algebra: Algebra,
    /// Elements of other matrices than B come among the products.
    pub joins: bool,
    /// A mask may be one of them.
    pub masks: bool,
    /// A command may ask for order.
    pub ordered: bool,
}

impl MergeCore {
    /// The hash table of this core.
    pub fn table(&self) -> Table {
        Table {
            banks: self.banks,
            ways: self.ways,
            entries_per_half: self.entries_per_half,
            index_bits: self.index_bits,
            row_bits: self.row_bits,
            hash: self.hash,
            masks: self.masks,
        }
    }
}

impl Module for MergeCore {
    fn name(&self) -> String {
        let (l, k, a, s) = (self.lanes, self.look_ahead, self.adder_latency, self.sorter_width);
        let (table, algebra) = (self.table().suffix(), self.algebra.suffix());
        let (joins, ordered) = (if self.joins { "_j" } else { "" }, order_suffix(self.ordered));
        format!("merge_core_l{l}_{table}_k{k}_a{a}_s{s}{algebra}{joins}{ordered}")
    }

    fn check(&self) -> Result<(), String> {
        self.table().check()?;
        if !self.sorter_width.is_power_of_two() || self.sorter_width > self.banks {
            return Err(format!(
                "sorter_width = {}: must be a power of two up to banks = {}",
                self.sorter_width, self.banks
            ));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Merge core: multiply, hash, add into the table, drain.");
        let table = self.table();
        let float = m.input("is_float", bit());
        let seed = m.input("seed", bits(32));
        let lead = (table.hash == HashKind::HighBits).then(|| m.input("lead", uint(5)));
        let wiping = m.state("wiping", bit(), 1);
        // Long enough for the banks' lists of free slots too.
        let wipe = m.state("wipe", uint(table.bucket_bits().max(6)), 0);
        wipe.drive(wipe.q().inc());
        wiping.drive_when(wipe.q().red_and(), m.low());

        let algebra = self.algebra;
        let semiring = algebra.chooses().then(|| m.reg("semiring_q", m.input("semiring", bits(4))));
        let choose = |inst: Instance<'_>| {
            if let Some(semiring) = semiring {
                inst.set("semiring", semiring);
            }
        };
        let MergeCore { adder_latency, ordered, .. } = *self;
        let bank = Bank { table, adder_latency, algebra, ordered };
        let banks: Vec<_> = (0..self.banks).map(|b| m.inst(&format!("bank_{b}"), &bank)).collect();
        let crossbar = Crossbar {
            lanes: self.lanes,
            ports: self.banks,
            look_ahead: self.look_ahead,
            width: table.product_bits(),
        };
        let crossbar = m.inst("crossbar", &crossbar);
        let space: Vec<_> = banks.iter().rev().map(|b| b.get("space")).collect();
        crossbar.set("space", rtl_gen::cat(&space));

        let mut active = vec![crossbar.get("active")];
        let mut accepted = vec![];
        for l in 0..self.lanes {
            let input = |port: &str, ty| m.input(&format!("l{l}_{port}"), ty);
            let front =
                m.inst(&format!("lane_{l}"), &LaneFront { table, algebra, joins: self.joins });
            choose(front);
            let (valid, half) = (input("valid", bit()), input("half", bit()));
            front.set("in_valid", valid & !wiping.q()).set("half", half);
            front.set("row", input("row", bits(self.row_bits)));
            front.set("col", input("col", bits(self.index_bits)));
            front.set("a", input("a", bits(32))).set("b", input("b", bits(32)));
            if self.joins {
                front.set("source", input("source", bits(2)));
            }
            front.set("is_float", float).set("seed", seed);
            if let Some(lead) = lead {
                front.set("lead", lead);
            }
            let ready = front.get("in_ready") & !wiping.q();
            m.output(&format!("l{l}_ready"), ready);
            crossbar.set(&format!("l{l}_valid"), front.get("out_valid"));
            crossbar.set(&format!("l{l}_to"), front.get("out_bank"));
            crossbar.set(&format!("l{l}_data"), front.get("out_product"));
            front.set("out_ready", crossbar.get(&format!("l{l}_ready")));
            active.push(front.get("active"));
            accepted.push((valid & ready, half));
        }

        let start = m.input("drain_start", bit());
        let start_q = m.reg_reset("start", start, 0);
        let half_q = m.reg("start_half", m.input("drain_half", bit()));
        let discard_q = m.reg("start_discard", m.input("drain_discard", bit()));
        let mode = self.masks.then(|| ["mask", "complement"].map(|p| (p, m.input(p, bit()))));
        let order = ordered.then(|| m.input("ordered", bit()));
        for (b, bank) in banks.iter().enumerate() {
            if let Some(order) = order {
                bank.set("ordered", order);
            }
            for (port, level) in mode.into_iter().flatten() {
                bank.set(port, level);
            }
            bank.set("valid", crossbar.get(&format!("p{b}_valid")));
            bank.set("product", crossbar.get(&format!("p{b}_data")));
            bank.set("is_float", float);
            choose(*bank);
            bank.set("start", start_q).set("start_half", half_q).set("discard", discard_q);
            bank.set("wipe", wiping.q());
            bank.set("wipe_bucket", wipe.q().trunc(table.bucket_bits()));
            active.push(bank.get("active"));
        }

        let draining = self.drain(m, &banks);
        let drain_busy = m.state("drain_busy_q", bit(), 0);
        drain_busy.drive(start | (drain_busy.q() & (start_q | draining)));
        m.output("drain_busy", drain_busy.q() | wiping.q());
        m.assert("no_drain_during_a_drain", !(start & (drain_busy.q() | wiping.q())));

        let quiet = (!any(&active)).named("quiet");
        self.account(m, &banks, &accepted, (start_q, half_q), quiet);
    }
}

impl MergeCore {
    /// Joins the banks' entries into the drain streams. Returns: entries are still on the way.
    fn drain<'m>(&self, m: &'m Builder, banks: &[Instance<'m>]) -> Sig<'m> {
        let width = self.table().leaving_bits();
        let key = self.row_bits + self.index_bits + 32;
        let mut draining: Vec<_> = banks.iter().map(|b| b.get("walking")).collect();
        for g in 0..self.sorter_width as usize {
            let group: Vec<_> = banks.iter().skip(g).step_by(self.sorter_width as usize).collect();
            let stream = m.inst(&format!("stream_{g}"), &Skid { width });
            let ready = stream.get("in_ready");
            let valids: Vec<_> = group.iter().map(|b| b.get("out_valid")).collect();
            let grants = round_robin(m, &format!("group_{g}"), &valids, ready);
            let arms: Vec<_> =
                grants.iter().zip(&group).map(|(&g, b)| (g, b.get("out_entry"))).collect();
            for (bank, &grant) in group.iter().zip(&grants) {
                bank.set("out_ready", grant & ready);
            }
            stream.set("in_valid", any(&valids)).set("in_data", one_hot_mux(&arms));
            stream.set("out_ready", m.input(&format!("d{g}_ready"), bit()));
            let entry = stream.get("out_data");
            m.output(&format!("d{g}_valid"), stream.get("out_valid"));
            if self.masks {
                m.output(&format!("d{g}_wanted"), entry.msb());
            }
            m.output(&format!("d{g}_row"), entry.slice(key - 1, 32 + self.index_bits));
            m.output(&format!("d{g}_col"), entry.slice(31 + self.index_bits, 32));
            m.output(&format!("d{g}_value"), entry.slice(31, 0));
            draining.push(stream.get("out_valid"));
        }
        any(&draining)
    }

    /// Counts products in and out, by half: `busy`, `overflow` and the event counters.
    fn account<'m>(
        &self,
        m: &'m Builder,
        banks: &[Instance<'m>],
        accepted: &[(Sig<'m>, Sig<'m>)],
        (start, start_half): (Sig<'m>, Sig<'m>),
        quiet: Sig<'m>,
    ) {
        let width = index_width(self.banks + 1);
        let inside_ty = uint(16);
        let events = |name: &str, half: bool| {
            let flags: Vec<_> = banks
                .iter()
                .map(|b| {
                    let of = b.get(&format!("{name}_half"));
                    b.get(name) & if half { of } else { !of }
                })
                .collect();
            (m.reg_reset(&format!("{name}_{}", half as u32), count(&flags, width), 0), flags)
        };
        let (mut merged, mut dropped, mut still) = (vec![], vec![], vec![]);
        for (h, half) in [false, true].into_iter().enumerate() {
            let (done, _) = events("absorbed", half);
            let (lost, flags) = events("dropped", half);
            let arrivals: Vec<_> =
                accepted.iter().map(|&(valid, of)| valid & if half { of } else { !of }).collect();
            let inside = m.state(&format!("inside_{h}"), inside_ty, 0);
            let arrived = count(&arrivals, inside_ty.width());
            let gone = (done + lost).zext(inside_ty.width());
            inside.drive(inside.q().add_wrap(arrived).sub_wrap(gone));
            let busy = inside.q().red_or();
            m.output(&format!("busy_{h}"), busy);
            m.output(&format!("overflow_{h}"), m.reg_reset(&format!("lost_{h}"), any(&flags), 0));
            m.assert(&format!("half_{h}_loses_no_product"), inside.q().ge(gone));
            still.push(!busy);
            merged.push(done);
            dropped.push(lost);
        }
        let stalls: Vec<_> = banks.iter().map(|b| b.get("stalled")).collect();
        m.output("merged", merged[0].add_wrap(merged[1]));
        m.output("dropped", dropped[0].add_wrap(dropped[1]));
        m.output("stalled", m.reg_reset("stalls", count(&stalls, width), 0));

        // Nothing inside by structure, for as long as the counters lag: nothing inside by count.
        let lag: Vec<_> = (1..=4)
            .scan(quiet, |q, i| {
                let now = *q;
                *q = m.reg_reset(&format!("quiet_{i}"), now, 0);
                Some(now)
            })
            .collect();
        m.assert("in_is_merged_plus_dropped", !all(&lag) | all(&still));
        let drained_still = start_half.mux(still[1], still[0]);
        m.assert("drains_a_still_half", !start | drained_still);
    }
}
