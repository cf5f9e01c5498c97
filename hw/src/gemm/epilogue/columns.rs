//! The epilogue of all columns: a lane each, parameters beside it.

use super::{EpilogueLane, Parameters};
use crate::gemm::geometry::Geometry;
use crate::gemm::results::leaving;
use crate::gemm::walk::{WalkInputs, walk};
use mattock_spec::EpilogueStep;
use rtl_gen::{Builder, MemSpec, Module, Sig, bit, bits, cat, sint, uint};

/// Turns the sums that leave an array into codes, C a cycle and as skewed as they come.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop`, `m`, `n`, `m_block`, `n_block`, `products` | in | | the command and its [`Plan`](crate::gemm::Plan) |
/// | `drains`, `split` | in | | as of [`Results`](crate::gemm::Results) |
/// | `sums` | in | bits(C * 32) | of the array |
/// | `codes` | out | bits(C * 32) | [`latency`](Self::latency) cycles later |
/// | `wr_*` | in | | of [`Parameters`]: records of columns |
/// | `by_column` | in | bit | bias, factor and shift of each column; otherwise no bias, and `factor` and `shift` |
/// | `factor`, `shift`, `low`, `high`, `zero`, `slope` | in | bits(32) | of the header |
/// | `has_low`, `has_high` | in | bit | there is a limit |
/// | `requant`, `saturate`, `leaky`, `looks_up`, `tab_*` | in | | of [`EpilogueLane`] |
/// | `least`, `most` | in | sint(32) | of [`EpilogueLane`] |
///
/// Tiles leave in the order of their walk, so a counter of its own tells which columns they have. Stages: read the record;
/// choose; the lane.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue {
    /// The engine's sizes.
    pub geometry: Geometry,
    /// Each column's part.
    pub lane: EpilogueLane,
}

/// Bits of a record that are kept: bias, factor, shift.
const KEPT: u32 = 32 + 32 + 6;

impl Epilogue {
    /// Cycles from `sums` to `codes`.
    pub fn latency(&self) -> u32 {
        2 + self.lane.latency()
    }
}

impl Module for Epilogue {
    fn name(&self) -> String {
        format!("gemm_epilogue_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Bias, requantisation, activation and cast of every column.");
        let g = &self.geometry;
        let inputs = WalkInputs::ports(m, g, false);
        let start = inputs.start;
        let drains = m.input("drains", bit());
        let arrives = (1..=g.array_latency())
            .fold(drains, |d, i| m.reg_reset(&format!("drains_{i}"), d, 0))
            .named("arrives");
        let tile = leaving(m, g, arrives);

        // ---- which columns: record 0 at the first tile of a row of tiles ----
        let next = tile.last_row;
        let w = walk(m, g, inputs, next);
        let word = m.state("at_word", uint(EpilogueStep::RECORDS.ilog2()), 0);
        let end_of_cols = w.last_row_tile & w.last_col_tile & w.last_cols;
        word.update(&[
            (start | (next & end_of_cols), word.q().lit(0)),
            (next & w.last_row_tile, word.q().inc()),
        ]);

        // ---- lanes ----
        let by_column = m.input("by_column", bit());
        let header = |name: &str| m.input(name, bits(32));
        let (factor, shift) = (header("factor"), header("shift").trunc(6));
        let zero = header("zero").as_s();
        let (least_limit, most_limit) =
            (m.lit(sint(33), -(1 << 32)), m.lit(sint(33), (1 << 32) - 1));
        let wide = |name: &str| header(name).as_s().sext(33);
        let limit = |flag: &str, value, none| m.input(flag, bit()).mux(value, none);
        let low = m.reg("low_limit", limit("has_low", wide("low"), least_limit));
        let high = m.reg("high_limit", limit("has_high", wide("high"), most_limit));
        let requant = m.input("requant", uint(2));
        let saturate = m.input("saturate", bit());
        let (least, most) = (m.input("least", sint(32)), m.input("most", sint(32)));
        let slope = self.lane.leaky.then(|| (m.input("leaky", bit()), header("slope")));

        let table = [
            ("looks_up", bit()),
            ("tab_write", bit()),
            ("tab_word", uint(8)),
            ("tab_data", bits(16)),
        ];
        let table = self.lane.table.then(|| table.map(|(name, ty)| (name, m.input(name, ty))));

        let sums = m.input("sums", bits(g.cols * 32)).lanes(32);
        let wr_lanes = m.input("wr_lanes", bits(g.cols));
        let wr_word = m.input("wr_word", uint(EpilogueStep::RECORDS.ilog2()));
        let records = m.input("wr_data", bits(Parameters { geometry: *g }.data_bits()));
        let records = records.lanes(EpilogueStep::RECORD_BYTES * 8);
        let mut word_c = word.q();
        let mut codes: Vec<Sig> = vec![];
        for (c, sum) in sums.into_iter().enumerate() {
            if c > 0 && g.column_skew() > 0 {
                word_c = m.reg(&format!("word_{c}"), word_c);
            }
            let bank = m.mem(&format!("records_{c}"), MemSpec::block(EpilogueStep::RECORDS, KEPT));
            let record = records[c % records.len()].slice(KEPT - 1, 0);
            bank.write(wr_word, record, wr_lanes.bit(c as u32));
            let own = bank.read(&format!("record_{c}"), word_c, m.high());
            let chosen =
                |name: &str, own, all| m.reg(&format!("{name}_{c}"), by_column.mux(own, all));
            let lane = m.inst(&format!("lane_{c}"), &self.lane);
            lane.set("sum", m.delay(&format!("sum_{c}"), sum, 2))
                .set("bias", chosen("bias", own.slice(31, 0), m.lit(bits(32), 0)))
                .set("factor", chosen("factor", own.slice(63, 32), factor))
                .set("shift", chosen("shift", own.slice(69, 64), shift).as_s())
                .set("residual", m.lit(bits(32), 0))
                .set("requant", requant)
                .set("zero", zero)
                .set("low", low)
                .set("high", high)
                .set("least", least)
                .set("most", most)
                .set("saturate", saturate);
            if let Some((leaky, slope)) = slope {
                lane.set("leaky", leaky).set("slope", slope);
            }
            for (name, value) in table.into_iter().flatten() {
                lane.set(name, value);
            }
            codes.push(lane.get("code"));
        }
        codes.reverse();
        m.output("codes", cat(&codes));
    }
}
