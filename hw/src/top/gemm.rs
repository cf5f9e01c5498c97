//! The dense engine behind the names of its registers.

use super::EngineSlot;
use crate::gemm::{GemmEngine, Geometry};
use mattock_spec::format::Tuple;
use mattock_spec::regs::{batch, epilogue, gemm};
use mattock_spec::{CardConfig, Format};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Instance, Module, Sig, Type, bit, bits, case, cat, sint, uint};
use std::rc::Rc;

/// Ties the engine's command ports to the values of the GEMM register block; ports as told at
/// [`EngineSlot`]. The tuple number chooses the operand widths.
#[derive(Clone, Debug)]
struct DenseSlot {
    geometry: Geometry,
    /// Per tuple: which of the sizes of elements A and B have in memory.
    sizes: Vec<[u32; 2]>,
    /// Per tuple: the type of D.
    results: Vec<Format>,
}

/// The dense engine of a card, if it has one.
///
/// # Errors
/// The first tuple the array cannot compute.
pub(super) fn slot(card: &CardConfig) -> Result<Option<EngineSlot>, Tuple> {
    let Some(config) = &card.gemm else { return Ok(None) };
    let bus_bytes = card.memory.bus_bytes;
    let geometry = Geometry::of(config, card)?;
    let size = |format: Format| geometry.size_number(format.storage_bits());
    let sizes = config.tuples.iter().map(|t| [size(t.a), size(t.b)]).collect();
    let results = config.tuples.iter().map(|t| t.d).collect();
    let module = DenseSlot { geometry, sizes, results };
    let mut more = vec![];
    more.extend(geometry.lane.map(|_| epilogue::MAP));
    more.extend(geometry.batch.then_some(batch::MAP));
    let (direct, words) = (geometry.near.is_some(), geometry.takes_words());
    let module = Rc::new(module);
    Ok(Some(EngineSlot { map: gemm::MAP, more, module, bus_bytes, masters: 1, direct, words }))
}

impl Module for DenseSlot {
    fn name(&self) -> String {
        "gemm_slot".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("The dense engine behind the names of its registers.");
        let engine = m.inst("engine", &GemmEngine { geometry: self.geometry });
        for prefix in ["m_axi_", "m_near_"] {
            expose(m, engine, prefix, prefix);
        }
        engine.set("start", m.input("start", bit())).set("stop", m.input("flush", bit()));
        let tuple = match self.geometry.takes_words() {
            true => self.words(m, engine),
            false => self.values(m, engine),
        };
        let ty = uint(self.geometry.size_bits());
        for (i, name) in ["a_size", "b_size"].into_iter().enumerate() {
            let arms: Vec<_> =
                (0..).zip(&self.sizes).map(|(t, s)| (t, m.lit(ty, s[i].into()))).collect();
            engine.set(name, case(tuple.as_u(), &arms, m.lit(ty, self.other_size())));
        }
        if self.geometry.lane.is_some() {
            self.epilogue(m, engine, tuple);
        }
        if self.geometry.batch {
            let (g, flag) = (&self.geometry, |name: &str| m.input(name, bit()));
            engine.set("batch", flag("many_enable")).set("batch_listed", flag("many_listed"));
            engine.set("products", m.input("products", uint(32)));
            for name in ["a_next", "b_next", "d_next"] {
                engine.set(name, m.input(name, uint(g.stride_bits())));
            }
            engine.set("list", m.input("list", uint(g.addr_bits)));
        }
        if !self.geometry.is_plain() {
            engine.set("tuple", tuple.as_u());
            engine.set("rounding", m.input("mode_rounding", bits(3)).as_u());
            engine.set("saturate", m.input("mode_saturate", bit()));
        }
        for name in ["done", "error", "error_info"] {
            m.output(name, engine.get(name));
        }
        for name in ["cycles", "compute_cycles", "bytes_read", "bytes_written", "macs"] {
            m.output(name, engine.get(name));
        }
        m.output("idle", !engine.get("busy"));
    }
}

impl DenseSlot {
    /// The size of elements of tuples that the card does not have: a byte.
    fn other_size(&self) -> i128 {
        self.geometry.size_number(8).into()
    }

    /// Whether the tuple tells sizes apart.
    fn sizes_differ(&self) -> bool {
        self.sizes.iter().flatten().any(|size| i128::from(*size) != self.other_size())
    }

    /// A command as register values side by side; gives the tuple's number.
    fn values<'m>(&self, m: &'m Builder, engine: Instance<'m>) -> Sig<'m> {
        for name in ["m", "n", "k"] {
            engine.set(name, m.input(name, uint(32)));
        }
        for name in ["a", "b", "d"] {
            let stride = format!("{name}_stride");
            engine.set(&stride, m.input(&stride, uint(self.geometry.stride_bits())));
            engine.set(&format!("{name}_addr"), m.input(name, uint(self.geometry.addr_bits)));
        }
        for name in
            ["a_col_major", "b_col_major", "d_col_major", "load_a", "load_b", "compute", "store"]
        {
            engine.set(name, m.input(&format!("mode_{name}"), bit()));
        }
        if self.geometry.is_plain() {
            m.input("mode_rounding", bits(3));
            m.input("mode_saturate", bit());
            m.unused("mode_rounding");
            m.unused("mode_saturate");
            if !self.sizes_differ() && self.geometry.lane.is_none() {
                m.unused("mode_tuple");
            }
        }
        m.input("mode_tuple", bits(8))
    }

    /// A command as words, one after the other; gives the tuple's number.
    fn words<'m>(&self, m: &'m Builder, engine: Instance<'m>) -> Sig<'m> {
        let valid = m.input("word_valid", bit());
        let index = m.input("word_index", uint(GemmEngine::INDEX_BITS));
        let word = m.input("word", bits(32));
        engine.set("word_valid", valid).set("word_index", index).set("word", word);
        engine.set("loaded", m.input("loaded", bit()));
        if !self.sizes_differ() {
            return m.lit(bits(8), 0);
        }
        let tuple = m.state("tuple_q", bits(8), 0);
        let mode = valid & index.is(GemmEngine::index_of(&gemm::MODE));
        tuple.drive_when(mode, word.slice(7, 0));
        tuple.q()
    }

    /// Steps and parameters of the epilogue, and what the type of D holds.
    fn epilogue<'m>(&self, m: &'m Builder, engine: Instance<'m>, tuple: Sig<'m>) {
        let steps = epilogue::STEPS.fields.iter().rev();
        let steps: Vec<Sig> = steps
            .map(|f| m.input(&format!("steps_{}", f.name.to_lowercase()), bits(f.width)))
            .collect();
        engine.set("epilogue_steps", cat(&steps));
        engine.set("epilogue_block", m.input("block", uint(self.geometry.addr_bits)));
        let ends = |format: Format| match format {
            Format::Int(int) => (int.min(), int.max()),
            _ => (i32::MIN.into(), i32::MAX.into()),
        };
        let of_tuple = |ty: Type, value: &dyn Fn(Format) -> i64, other: i64| {
            let arms = self.results.iter().enumerate();
            let arms: Vec<_> =
                arms.map(|(t, d)| (t as i128, m.lit(ty, value(*d).into()))).collect();
            case(tuple.as_u(), &arms, m.lit(ty, other.into()))
        };
        let size = |d: Format| i64::from((d.storage_bits() / 8).ilog2());
        engine.set("d_size", of_tuple(uint(2), &size, 2));
        engine.set("d_least", of_tuple(sint(32), &|d| ends(d).0, i32::MIN.into()));
        engine.set("d_most", of_tuple(sint(32), &|d| ends(d).1, i32::MAX.into()));
    }
}
