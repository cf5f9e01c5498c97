//! The loader of one operand: planner, notes in flight, filler.

use super::{Filler, Operand, Planner, RunLayout};
use crate::cells::{Fifo, Skid, Stage};
use crate::gemm::geometry::Geometry;
use rtl_gen::bundle::connect;
use rtl_gen::{Builder, Module, bit, bits, uint};

/// Loads one operand of a command block by block, as the halves of its scratchpad become free.
///
/// Ports are those of [`Planner`] and [`Filler`], without the notes between them: bus commands leave by
/// `cmd_valid`, `cmd_addr`, `cmd_beats`, `cmd_ready`, beats come back by `beat_*`, the scratchpad is written by
/// `wr_*`. As many runs are in flight as bursts. `free_soon` tells once that a half will be `free`, so that its next
/// block can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Loader {
    /// The engine's sizes.
    pub geometry: Geometry,
    /// Which operand.
    pub operand: Operand,
}

impl Module for Loader {
    fn name(&self) -> String {
        format!("gemm_loader_{}_{}", self.operand.name(), self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Loads one operand block by block into its scratchpad.");
        let (geometry, operand) = (self.geometry, self.operand);
        let planner = m.inst("planner", &Planner { geometry, operand });
        let filler = m.inst("filler", &Filler { geometry, operand });
        let width = RunLayout::new(&geometry, operand).width();

        for name in ["start", "stop"] {
            let input = m.input(name, bit());
            planner.set(name, input);
            filler.set(name, input);
        }
        planner.set("again", m.input("again", bit())).set("free", m.input("free_soon", bit()));
        filler.set("free", m.input("free", bit()));
        planner.set("base", m.input("base", uint(geometry.addr_bits)));
        planner.set("stride", m.input("stride", uint(geometry.stride_bits())));
        for name in ["rows", "other", "k"] {
            planner.set(name, m.input(name, uint(geometry.dim_bits())));
        }
        for name in ["block", "other_block", "k_block"] {
            planner.set(name, m.input(name, uint(geometry.block_bits())));
        }
        let pitch = m.input("pitch", uint(geometry.block_bits()));
        let along_k = m.input("along_k", bit());
        let size = m.input("size", uint(geometry.size_bits()));
        planner.set("pitch", pitch).set("along_k", along_k).set("size", size);
        filler.set("pitch", pitch).set("along_k", along_k).set("size", size);

        // The filler decides late in the cycle that it is through with a run: a register before the queue. Beats of memory
        // beside the engine are asked for a few ahead: there that register is queue enough, on the smallest cards one of a run.
        let (notes, next) = match (geometry.near, geometry.is_frugal()) {
            (Some(_), true) => {
                let next = m.inst("next_note", &Stage { width });
                (next, next)
            }
            (Some(_), false) => {
                let next = m.inst("next_note", &Skid { width });
                (next, next)
            }
            (None, _) => {
                let notes = m.inst("notes", &Fifo { width, depth: geometry.in_flight() });
                let next = m.inst("next_note", &Skid { width });
                connect(notes, "out_", next, "in_");
                (notes, next)
            }
        };

        // A run goes to both queues in one cycle.
        let cmd_ready = m.input("cmd_ready", bit());
        let run = planner.get("run_valid");
        planner.set("run_ready", notes.get("in_ready") & cmd_ready);
        m.output("cmd_valid", run & notes.get("in_ready"));
        m.output("cmd_addr", planner.get("run_addr"));
        m.output("cmd_beats", planner.get("run_beats"));
        notes.set("in_valid", run & cmd_ready).set("in_data", planner.get("run_note"));
        filler.set("run_valid", next.get("out_valid")).set("run_note", next.get("out_data"));
        next.set("out_ready", filler.get("run_ready"));

        filler.set("beat_valid", m.input("beat_valid", bit()));
        filler.set("beat_data", m.input("beat_data", bits(geometry.bus_bytes * 8)));
        m.output("beat_ready", filler.get("beat_ready"));
        for name in [
            "wr_valid",
            "wr_data",
            "wr_mask",
            "wr_phase",
            "wr_cross",
            "wr_line0",
            "wr_line1",
            "row_filled",
            "filled",
        ] {
            m.output(name, filler.get(name));
        }
        let under_way = notes.get("out_valid") | filler.get("active");
        m.output("active", planner.get("active") | under_way);
    }
}
