//! The dense engine behind the names of its registers.

use super::EngineSlot;
use crate::gemm::{GemmEngine, Geometry};
use mattock_spec::format::Tuple;
use mattock_spec::regs::gemm;
use mattock_spec::{CardConfig, Format};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Module, any, bit, bits, uint};
use std::rc::Rc;

/// Ties the engine's command ports to the values of the GEMM register block; ports as told at
/// [`EngineSlot`]. The tuple number chooses the operand widths.
#[derive(Clone, Debug)]
struct DenseSlot {
    geometry: Geometry,
    /// Per tuple: elements of A and B are nibbles in memory.
    int4: Vec<[bool; 2]>,
}

/// The dense engine of a card, if it has one.
///
/// # Errors
/// The first tuple the array cannot compute.
pub(super) fn slot(card: &CardConfig) -> Result<Option<EngineSlot>, Tuple> {
    let Some(config) = &card.gemm else { return Ok(None) };
    let bus_bytes = card.memory.bus_bytes;
    let geometry = Geometry::of(config, &card.memory)?;
    let nibble = |format: Format| format.storage_bits() == 4;
    let int4 = config.tuples.iter().map(|t| [nibble(t.a), nibble(t.b)]).collect();
    let module = DenseSlot { geometry, int4 };
    Ok(Some(EngineSlot { map: gemm::MAP, module: Rc::new(module), bus_bytes }))
}

impl Module for DenseSlot {
    fn name(&self) -> String {
        "gemm_slot".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("The dense engine behind the names of its registers.");
        let engine = m.inst("engine", &GemmEngine { geometry: self.geometry });
        expose(m, engine, "m_axi_", "m_axi_");
        engine.set("start", m.input("start", bit())).set("stop", m.input("flush", bit()));
        for name in ["m", "n", "k", "a_stride", "b_stride", "d_stride"] {
            engine.set(name, m.input(name, uint(32)));
        }
        for name in ["a", "b", "d"] {
            engine.set(&format!("{name}_addr"), m.input(name, uint(self.geometry.addr_bits)));
        }
        for name in
            ["a_col_major", "b_col_major", "d_col_major", "load_a", "load_b", "compute", "store"]
        {
            engine.set(name, m.input(&format!("mode_{name}"), bit()));
        }
        let tuple = m.input("mode_tuple", bits(8));
        for (i, name) in ["a_int4", "b_int4"].into_iter().enumerate() {
            let numbers = (0..self.int4.len()).filter(|t| self.int4[*t][i]);
            let hits: Vec<_> = numbers.map(|t| tuple.is(t as i128)).chain([m.low()]).collect();
            engine.set(name, any(&hits));
        }
        if self.geometry.is_plain() {
            m.input("mode_rounding", bits(3));
            m.input("mode_saturate", bit());
            m.unused("mode_rounding");
            m.unused("mode_saturate");
            if !self.int4.iter().flatten().any(|narrow| *narrow) {
                m.unused("mode_tuple");
            }
        } else {
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
