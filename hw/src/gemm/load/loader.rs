//! The loader of one operand: planner, notes in flight, filler.

use super::{Filler, Operand, Planner, RunLayout};
use crate::cells::{Fifo, Skid, Stage};
use crate::gemm::ProductReads;
use crate::gemm::geometry::Geometry;
use rtl_gen::bundle::connect;
use rtl_gen::{Builder, Module, bit, bits, uint};

/// Loads one operand of a command block by block, as the halves of its scratchpad become free.
///
/// Ports are those of [`Planner`] and [`Filler`], without the notes between them: bus commands leave by
/// `cmd_valid`, `cmd_addr`, `cmd_beats`, `cmd_ready`, beats come back by `beat_*`, the scratchpad is written by
/// `wr_*`. As many runs are in flight as bursts. `free_soon` tells once that a half will be `free`, so that its next
/// block can be asked for. On cards with batches the inputs `batch`, `products`, `base_there` and `slot` and the output `take` are
/// those of [`ProductReads`], which takes the planner's place in a command of many products.
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

        let (start, stop) = (m.input("start", bit()), m.input("stop", bit()));
        let free = m.input("free", bit());
        let base = m.input("base", uint(geometry.addr_bits));
        let stride = m.input("stride", uint(geometry.stride_bits()));
        let many = geometry.batch.then(|| {
            let reads = m.inst("product_reads", &ProductReads { geometry, operand });
            let batch = m.input("batch", bit());
            filler.set("batch", batch);
            reads
                .set("start", start & batch)
                .set("stop", stop)
                .set("base", base)
                .set("stride", stride)
                .set("free", free)
                .set("products", m.input("products", uint(32)))
                .set("there", m.input("base_there", bit()))
                .set("slot", m.input("slot", uint(geometry.block_bits())));
            m.output("take", reads.get("take"));
            (batch, reads)
        });
        planner.set("start", many.map_or(start, |(batch, _)| start & !batch)).set("stop", stop);
        filler.set("start", start).set("stop", stop);
        planner.set("again", m.input("again", bit())).set("free", m.input("free_soon", bit()));
        filler.set("free", free);
        planner.set("base", base).set("stride", stride);
        for name in ["rows", "other", "k"] {
            let size = m.input(name, uint(geometry.dim_bits()));
            planner.set(name, size);
            if let Some((_, reads)) = many.filter(|_| name != "other") {
                reads.set(name, size);
            }
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

        // A run goes to both queues in one cycle; a line that came with the one before needs no read.
        let cmd_ready = m.input("cmd_ready", bit());
        let of_run = |name: &str| match many {
            None => planner.get(name),
            Some((batch, reads)) => batch.mux(reads.get(name), planner.get(name)),
        };
        let run = of_run("run_valid");
        let reads = many.map(|(batch, reads)| !batch | reads.get("run_reads"));
        let taken = reads.map_or(cmd_ready, |reads| cmd_ready | !reads);
        planner.set("run_ready", notes.get("in_ready") & taken);
        let asks = run & notes.get("in_ready");
        m.output("cmd_valid", reads.map_or(asks, |reads| asks & reads));
        m.output("cmd_addr", of_run("run_addr"));
        m.output("cmd_beats", of_run("run_beats"));
        notes.set("in_valid", run & taken).set("in_data", of_run("run_note"));
        if let Some((_, reads)) = many {
            reads.set("run_ready", notes.get("in_ready") & taken);
            reads.set("pitch", pitch).set("along_k", along_k).set("size", size);
        }
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
        let planning = planner.get("active") | under_way;
        m.output("active", many.map_or(planning, |(_, reads)| planning | reads.get("active")));
    }
}
