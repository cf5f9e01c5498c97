//! The dense engine: command in, products in memory out.

use super::bus::GemmBus;
use super::command::{Command, CommandPorts};
use super::geometry::Geometry;
use super::load::{Loader, Operand};
use super::{Bases, NearBus, Parameters, Plan, Results, Scratchpad, Sequencer, Store};
use mattock_spec::ErrorCode;
use mattock_spec::regs::epilogue::STEPS;
use mattock_spec::regs::{Field, Reg};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Instance, Module, Sig, all, any, bit, bits, sint, uint};

/// D = A * B on the array, operands and results in memory behind a bus master or kept on chip.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | take the command; ignored while `busy` |
/// | `stop` | in | bit | end the command in hand with code 9 |
/// | `m`, `n`, `k` | in | uint(32) | D is M x N, A is M x K, B is K x N |
/// | `a_addr`, `b_addr`, `d_addr` | in | uint | byte address of the first element; D's a multiple of 4 |
/// | `a_stride`, `b_stride`, `d_stride` | in | uint | bytes from a row (column, when column-major) to the next |
/// | `a_col_major`, `b_col_major`, `d_col_major` | in | bit | layouts |
/// | `a_size`, `b_size` | in | uint | size of an element, counted from the smallest of the card: packed nibbles, low one first, bytes, 16 and 32 bits |
/// | `load_a`, `load_b`, `compute`, `store` | in | bit | which steps to run |
/// | `epilogue_steps`, `epilogue_block` | in | bits(9), uint | as the registers `EPILOGUE.STEPS` and `BLOCK`; only with an epilogue |
/// | `d_size`, `d_least`, `d_most` | in | uint(2), sint(32) | of D: log2 of an element's bytes, least and greatest number; only with an epilogue |
/// | `batch`, `products`, `a_next`, `b_next`, `d_next`, `batch_listed`, `list` | in | bit, uint | as the registers of the block `BATCH`; only on cards built with it |
/// | `tuple`, `rounding`, `saturate` | in | uint(8), uint(3), bit | types and rounding; only where the array is a [`TypedArray`](super::TypedArray) or a [`ChainArray`](super::ChainArray) |
/// | `busy`, `done` | out | bit | a command is in hand; one cycle: it has ended |
/// | `error`, `error_info` | out | bits(8), bits(32) | why it ended, 0 is success; an [`ErrorCode`] and its detail |
/// | `cycles` | out | uint | `start` to the last write response |
/// | `compute_cycles` | out | uint | first operand entering the array to the last result leaving it |
/// | `bytes_read`, `bytes_written`, `macs` | out | uint | bus beats times width; M * N * K |
/// | `m_axi_*` | | | AXI4 master; with [`Geometry::near`] `m_near_*`, a direct port of [`CardMemory`](crate::memory::CardMemory) |
///
/// The command is read at `start`; where the engine [takes words](Geometry::takes_words), in the cycles after: in the place of
/// `m` to `store` it has `word_valid`, `word_index`, `word`: a register of the block, counted in words from its base, in
/// rising order, what does not come is as before; and `loaded` with the last or later. Counters hold until the next `start`. After an error no further commands go to the bus, those under
/// way are completed, and the engine is ready for the next command.
#[derive(Clone, Copy, Debug)]
pub struct GemmEngine {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl GemmEngine {
    /// Bits of `word_index`.
    pub const INDEX_BITS: u32 = 5;

    /// What `word_index` is for a register of the block.
    pub fn index_of(reg: &Reg) -> i128 {
        i128::from((reg.address() - mattock_spec::regs::gemm::MAP.base) / 4)
    }
}

impl Module for GemmEngine {
    fn name(&self) -> String {
        format!("gemm_engine_{}", self.geometry.suffix())
    }

    fn check(&self) -> Result<(), String> {
        self.geometry.check()
    }

    fn build(&self, m: &Builder) {
        m.doc("Dense engine: D = A * B with operands and results in memory or on chip.");
        let g = self.geometry;
        let ports = (!g.takes_words()).then(|| CommandPorts::declare(m, &g));
        let (start_in, stop_in) = (m.input("start", bit()), m.input("stop", bit()));

        // ---- states of a command: checked, planned, running ----
        let busy = m.state("busy_q", bit(), 0);
        let checking = m.state("checking", bit(), 0);
        let planning = m.state("planning", bit(), 0);
        let running = m.state("running", bit(), 0);
        let stopping = m.state("stopping", bit(), 0);
        let start = (start_in & !busy.q()).named("start_now");
        let (c, latched) = match &ports {
            Some(ports) => (Command::latch(m, ports, start), start),
            None => (Command::of_words(m, &g), m.input("loaded", bit())),
        };

        let plan = m.inst("plan_unit", &Plan { geometry: g });
        let refused = c.refused(m);
        let plan_now = (checking.q() & !refused.any & !c.empty).named("plan_now");
        plan.set("start", plan_now)
            .set("m", c.left.rows)
            .set("n", c.right.rows)
            .set("k", c.k_steps)
            .set("b_size", c.right.size);
        let get = |name: &str| plan.get(name);
        let [hold_a, hold_b] = ["hold_a", "hold_b"].map(get);
        let planned = (planning.q() & get("done")).named("planned");
        // What is to stay on chip between commands must fit.
        let left_over = !hold_a & !c.empty_k & (c.left.load.ne(c.compute));
        let right_over = !hold_b & !c.empty_k & (c.right.load.ne(c.compute));
        let mut unfit = vec![left_over, right_over];
        if let Some(batch) = c.batch {
            let all_steps = all(&[c.left.load, c.right.load, c.compute, c.store]);
            unfit.push(batch.on & !(get("one_block") & all_steps));
        }
        let too_large = (planned & any(&unfit)).named("too_large");
        let go = (planned & !too_large).named("go");

        // ---- operands ----
        let stop = stopping.q();
        let bus = match g.near {
            None => m.inst("bus", &GemmBus { geometry: g }),
            Some(_) => m.inst("bus", &NearBus { geometry: g }),
        };
        for prefix in ["m_axi_", "m_near_"] {
            expose(m, bus, prefix, prefix);
        }
        if g.near.is_none() {
            bus.set("fault_clear", start);
        }
        let sequencer = m.inst("sequencer", &Sequencer { geometry: g });
        let parameters = g.epilogue().map(|_| {
            let steps = m.reg_when("epilogue_steps_q", start, m.input("epilogue_steps", bits(9)));
            let block = m.reg_when("block_q", start, m.input("epilogue_block", uint(g.addr_bits)));
            let parameters = m.inst("parameters", &Parameters { geometry: g });
            let through = (steps.bit(STEPS::ENABLE.low) & c.compute).named("through");
            parameters
                .set("start", go & through)
                .set("stop", stop)
                .set("base", block)
                .set("by_column", steps.bit(STEPS::COLUMNS.low))
                .set("columns", c.right.rows);
            if g.lane.is_some_and(|lane| lane.table) {
                parameters.set("by_table", steps.bit(STEPS::TABLE.low));
            }
            sequencer.set("go_ahead", parameters.get("loaded"));
            (parameters, steps, through)
        });
        let store = m.inst("store_unit", &Store { geometry: g });
        let many = c.batch.map(|batch| {
            let bases = m.inst("bases", &Bases { geometry: g });
            let [next_a, next_b, next_d] = batch.next;
            bases
                .set("start", go & batch.on)
                .set("stop", stop)
                .set("listed", batch.listed)
                .set("products", batch.products)
                .set("list", batch.list)
                .set("swapped", batch.swapped)
                .set("unread", c.empty_k)
                .set("d_size", c.d_size.unwrap_or(m.lit(uint(2), 2)));
            for (name, base, next) in
                [("a", c.left.base, next_a), ("b", c.right.base, next_b), ("d", c.d_base, next_d)]
            {
                bases.set(&format!("base_{name}"), base).set(&format!("next_{name}"), next);
            }
            for port in ["cmd_valid", "cmd_addr", "cmd_beats", "beat_ready"] {
                bus.set(&format!("list_{port}"), bases.get(port));
            }
            for port in ["cmd_ready", "beat_valid", "beat_data"] {
                bases.set(port, bus.get(&format!("list_{port}")));
            }
            for name in ["a", "b"] {
                let slot = get(&format!("slot_{name}"));
                sequencer.set(&format!("{name}_slot"), slot);
            }
            sequencer.set("batch", batch.on).set("products", batch.products);
            store
                .set("batch", batch.on)
                .set("products", batch.products)
                .set("next_base", bases.get("d"))
                .set("next_there", bases.get("d_there"));
            bases.set("d_take", store.get("next_take"));
            (batch, bases)
        });
        let mut loading: Vec<Sig> = vec![];
        let mut pads: Vec<Instance> = vec![];
        for (operand, side, other) in
            [(Operand::A, &c.left, &c.right), (Operand::B, &c.right, &c.left)]
        {
            let name = operand.name();
            let loader = m.inst(&format!("loader_{name}"), &Loader { geometry: g, operand });
            let (block, other_block, again) = match operand {
                Operand::A => ("m_block", "n_block", get("chunked") & !hold_a),
                Operand::B => ("n_block", "m_block", !hold_b),
            };
            let mut base = side.base;
            if let Some((batch, bases)) = many {
                base = batch.on.mux(bases.get(name), base);
                loader
                    .set("batch", batch.on)
                    .set("products", batch.products)
                    .set("base_there", bases.get(&format!("{name}_there")))
                    .set("slot", get(&format!("slot_{name}")));
                bases.set(&format!("{name}_take"), loader.get("take"));
            }
            loader
                .set("start", go & side.load & !c.empty_k)
                .set("stop", stop)
                .set("base", base)
                .set("stride", side.stride)
                .set("along_k", side.along_k)
                .set("size", side.size)
                .set("rows", side.rows)
                .set("other", other.rows)
                .set("k", c.k_steps)
                .set("block", get(block))
                .set("other_block", get(other_block))
                .set("k_block", get("k_block"))
                .set("pitch", get("pitch"))
                .set("again", again)
                .set("free", sequencer.get(&format!("free_{name}")))
                .set("free_soon", sequencer.get(&format!("free_soon_{name}")));
            // An epilogue's parameters come before the operands of A.
            let between = parameters.filter(|_| matches!(operand, Operand::A)).map(|p| p.0);
            let to_bus = |port: &str, value| match between {
                Some(between) => between.set(port, value),
                None => bus.set(&format!("{name}_{port}"), value),
            };
            let from_bus = |port: &str| match between {
                Some(between) => between.get(port),
                None => bus.get(&format!("{name}_{port}")),
            };
            for port in ["cmd_valid", "cmd_addr", "cmd_beats"] {
                to_bus(port, loader.get(port));
            }
            loader.set("cmd_ready", from_bus("cmd_ready"));
            loader.set("beat_valid", from_bus("beat_valid"));
            loader.set("beat_data", bus.get(&format!("{name}_beat_data")));
            to_bus("beat_ready", loader.get("beat_ready"));
            if let Some(between) = between {
                for port in ["cmd_valid", "cmd_addr", "cmd_beats", "beat_ready"] {
                    bus.set(&format!("{name}_{port}"), between.get(&format!("bus_{port}")));
                }
                for port in ["cmd_ready", "beat_valid", "beat_data"] {
                    between.set(&format!("bus_{port}"), bus.get(&format!("{name}_{port}")));
                }
            }
            sequencer.set(&format!("along_k_{name}"), side.along_k);
            sequencer.set(&format!("line_filled_{name}"), loader.get("row_filled"));
            sequencer.set(&format!("filled_{name}"), loader.get("filled"));
            sequencer.set(&format!("ready_{name}"), !side.load | c.empty_k);
            loading.push(loader.get("active"));

            let half = operand.side(&g);
            let pad = m.inst(&format!("scratchpad_{name}"), &operand.pad(&g));
            for port in
                ["wr_valid", "wr_data", "wr_mask", "wr_phase", "wr_cross", "wr_line0", "wr_line1"]
            {
                pad.set(port, loader.get(port));
            }
            pad.set("wr_along_k", side.along_k);
            pad.set("rd_valid", sequencer.get("rd_valid"));
            pad.set("rd_word0", sequencer.get(&format!("{name}_word0")));
            if half.deep > 1 {
                let lines = get("pitch").shr_k(half.lane_bits()).resize(half.line_bits());
                pad.set("wr_panel_lines", lines);
                pad.set("rd_panel", sequencer.get(&format!("{name}_panel")));
            }
            if g.steps() > 1 {
                pad.set("rd_keep", sequencer.get("rd_keep"));
            }
            if Scratchpad::straddles(half.window) {
                pad.set("rd_word1", sequencer.get(&format!("{name}_word1")));
                pad.set("rd_phase", sequencer.get(&format!("{name}_phase")));
            }
            pads.push(pad);
        }

        // ---- array ----
        for (port, value) in [("m", c.left.rows), ("n", c.right.rows), ("k", c.k_steps)] {
            sequencer.set(port, value);
        }
        for port in ["m_block", "n_block", "k_block", "pitch", "chunked"] {
            sequencer.set(port, get(port));
        }
        for (port, held) in [("hold_a", hold_a), ("hold_b", hold_b)] {
            // Each product of a batch has operands of its own.
            sequencer.set(port, c.batch.map_or(held, |batch| held & !batch.on));
        }
        sequencer
            .set("start", go & c.compute)
            .set("stop", stop)
            .set("empty_k", c.empty_k)
            .set("slot_free", store.get("slot_free"));
        let latency = g.array_latency();
        let of_types = g.typed().map(|typed| m.inst("array", &typed));
        let of_types = of_types.or_else(|| g.chained().map(|chained| m.inst("array", &chained)));
        let array = match of_types {
            None => m.inst("array", &g.array()),
            Some(array) => {
                let keep = |name: &str, value| m.reg_when(&format!("{name}_q"), start, value);
                for (name, ty) in [("tuple", uint(8)), ("rounding", uint(3)), ("saturate", bit())] {
                    array.set(name, keep(name, m.input(name, ty)));
                }
                if let Some(ports) = &ports {
                    array.set("swap", keep("swap", ports.d_col_major()));
                }
                array.set("valid", sequencer.get("operands") & !c.empty_k);
                array
            }
        };
        array
            .set("first", sequencer.get("first"))
            .set("a", pads[0].get("rd_data"))
            .set("b", pads[1].get("rd_data"));

        if g.interleave() > 1 {
            array.set("turn", sequencer.get("turn"));
        }
        // An array that skips digits says when it takes steps and when a tile leaves.
        let drains = if g.is_paced() {
            array.set("drains", sequencer.get("drains")).set("operands", sequencer.get("operands"));
            sequencer.set("array_ready", array.get("ready"));
            array.get("drained")
        } else {
            sequencer.get("drains")
        };

        // ---- results ----
        let results = m.inst("results", &Results { geometry: g });
        let sums = array.get("result");
        let epilogue =
            parameters.zip(g.epilogue()).map(|((parameters, steps, through), module)| {
                let epilogue = m.inst("epilogue", &module);
                let flag = |field: Field| steps.bit(field.low);
                epilogue.set("start", go & c.compute).set("stop", stop).set("drains", drains);
                epilogue.set("m", c.left.rows).set("n", c.right.rows);
                epilogue.set("m_block", get("m_block")).set("n_block", get("n_block"));
                if let Some(batch) = c.batch {
                    epilogue.set("products", batch.products);
                }
                epilogue
                    .set("sums", sums)
                    .set("by_column", flag(STEPS::COLUMNS))
                    .set("has_low", flag(STEPS::LOW))
                    .set("has_high", flag(STEPS::HIGH))
                    .set("saturate", flag(STEPS::SATURATE))
                    .set("requant", steps.slice(STEPS::REQUANT.low + 1, STEPS::REQUANT.low).as_u());
                for name in
                    ["zero", "low", "high", "factor", "shift", "wr_lanes", "wr_word", "wr_data"]
                {
                    epilogue.set(name, parameters.get(name));
                }
                if module.lane.leaky {
                    epilogue.set("leaky", flag(STEPS::LEAKY)).set("slope", parameters.get("slope"));
                }
                if module.lane.table {
                    epilogue.set("looks_up", flag(STEPS::TABLE));
                    for name in ["tab_write", "tab_word", "tab_data"] {
                        epilogue.set(name, parameters.get(name));
                    }
                }
                for name in ["least", "most"] {
                    let port = format!("d_{name}");
                    let value = m.reg_when(&format!("{port}_q"), start, m.input(&port, sint(32)));
                    epilogue.set(name, value);
                }
                results.set("through", through);
                (epilogue, through.mux(epilogue.get("codes"), sums))
            });
        results
            .set("start", go & c.compute)
            .set("drains", drains)
            .set("result", epilogue.map_or(sums, |(_, codes)| codes))
            .set("rd_enable", store.get("rd_enable"))
            .set("rd_word", store.get("rd_word"));
        store
            .set("start", go & c.store)
            .set("stop", stop)
            .set("m", c.left.rows)
            .set("n", c.right.rows)
            .set("m_block", get("m_block"))
            .set("n_block", get("n_block"))
            .set("base", c.d_base)
            .set("stride", c.d_stride)
            .set("all_done", !c.compute)
            .set("tile_done", results.get("tile_done"))
            .set("rd_data", results.get("rd_data"));
        for (port, from) in
            [("wr_valid", "data_valid"), ("wr_data", "data"), ("wr_strobes", "strobes")]
        {
            bus.set(port, store.get(from));
        }
        match g.near {
            Some(_) => {
                bus.set("wr_addr", store.get("data_addr"));
            }
            None => {
                for port in ["cmd_valid", "cmd_addr", "cmd_beats"] {
                    bus.set(&format!("wr_{port}"), store.get(port));
                }
                store.set("cmd_ready", bus.get("wr_cmd_ready"));
            }
        }
        if let Some(size) = c.d_size {
            store.set("size", size);
        }
        store.set("data_ready", bus.get("wr_ready"));

        if g.k_split > 1 {
            pads[0].set("rd_split", get("split"));
            for user in [sequencer, array, results].into_iter().chain(epilogue.map(|e| e.0)) {
                user.set("split", get("split"));
            }
        }

        // ---- the end: everything at rest; results need this long to leave the array ----
        let settle = Scratchpad::READ_LATENCY
            + latency
            + g.array().slack()
            + g.interleave()
            + g.epilogue_latency()
            + g.rows
            + g.cols
            + 4;
        let settle_ty = uint(settle.ilog2() + 1);
        let settling = m.state("settling", settle_ty, 0);
        let settled = settling.q().is(0);
        settling.update(&[
            (go | sequencer.get("active"), m.lit(settle_ty, settle.into())),
            (!settled, settling.q().dec()),
        ]);
        let mut work = vec![go, loading[0], loading[1], !bus.get("idle")];
        work.extend([sequencer.get("active"), !settled, store.get("active")]);
        work.extend(parameters.map(|p| p.0.get("active")));
        work.extend(many.map(|(_, bases)| bases.get("active")));
        let at_work = any(&work);
        let ended = (running.q() & !at_work).named("ended");
        let refused_now = (checking.q() & refused.any).named("refused_now");
        let nothing = (checking.q() & !refused.any & c.empty).named("nothing_to_do");
        let done = any(&[ended, refused_now, nothing, too_large]).named("done_now");
        busy.drive(start | (busy.q() & !done));
        checking.drive(latched);
        planning.drive(plan_now | (planning.q() & !planned));
        running.drive(go | (running.q() & !ended));

        // ---- errors: the first one counts ----
        let number = |code: ErrorCode| m.lit(bits(8), code as i128);
        let no_room = running.q() & sequencer.get("slots_empty") & !c.store;
        let fault = |name: &str, slave: ErrorCode, decode: ErrorCode| {
            let (resp, addr) =
                (bus.get(&format!("{name}_fault")), bus.get(&format!("{name}_fault_addr")));
            // AXI: 2 is SLVERR, 3 DECERR.
            let code = resp.bit(0).mux(number(decode), number(slave));
            (running.q() & resp.bit(1), code, addr.as_bits())
        };
        let (read_fault, write_fault) = (
            fault("rd", ErrorCode::ReadSlaveError, ErrorCode::ReadDecodeError),
            fault("wr", ErrorCode::WriteSlaveError, ErrorCode::WriteDecodeError),
        );
        let aborted = busy.q() & stop_in;
        let error = m.state("error_q", bits(8), 0);
        let info = m.state("error_info_q", bits(32), 0);
        let nothing_known = m.lit(bits(32), 0);
        let bad_entry = many.map(|(_, bases)| {
            let bad = running.q() & bases.get("bad");
            (bad, number(ErrorCode::BadEntry), bases.get("bad_index"))
        });
        let mut causes = vec![
            (refused_now, refused.code, refused.field),
            (too_large | no_room, number(ErrorCode::TooLarge), nothing_known),
        ];
        causes.extend(bad_entry);
        causes.extend([
            read_fault,
            write_fault,
            (aborted, number(ErrorCode::Aborted), nothing_known),
        ]);
        let good = error.q().is(0);
        let mut error_rules = vec![(start, number(ErrorCode::None))];
        let mut info_rules = vec![(start, nothing_known)];
        for (when, code, detail) in causes {
            error_rules.push((good & when, code));
            info_rules.push((good & when, detail));
        }
        error.update(&error_rules);
        info.update(&info_rules);
        let mut stops = vec![no_room];
        stops.extend(bad_entry.map(|(bad, ..)| bad));
        stops.extend([read_fault.0, write_fault.0, aborted]);
        stopping.drive(!start & (stopping.q() | any(&stops)));

        // ---- counters ----
        let count_ty = uint(g.count_bits());
        let (zero, beat_bytes) = (m.lit(count_ty, 0), m.lit(count_ty, g.bus_bytes.into()));
        let cycles = m.state("cycles_q", count_ty, 0);
        cycles.update(&[(start, zero), (busy.q(), cycles.q().inc())]);
        let read = m.state("bytes_read_q", count_ty, 0);
        read.update(&[(start, zero), (bus.get("rd_beat"), read.q().add_wrap(beat_bytes))]);
        let written = m.state("bytes_written_q", count_ty, 0);
        written.update(&[(start, zero), (bus.get("wr_beat"), written.q().add_wrap(beat_bytes))]);
        let operands = sequencer.get("operands");
        let begun = m.state("begun", bit(), 0);
        begun.drive(!start & (begun.q() | operands));
        let compute = m.state("compute_cycles_q", count_ty, 0);
        if g.takes_words() && !g.is_paced() && g.k_split == 1 {
            // The last result leaves so long after the sequencer is through.
            let tail = Scratchpad::READ_LATENCY + latency + g.rows + (g.cols - 1) * g.column_skew();
            let computes = settling.q().gt(m.lit(settle_ty, (settle - tail).into()));
            let counts = (begun.q() | operands) & computes.named("computes");
            compute.update(&[(start, zero), (counts, compute.q().inc())]);
        } else {
            // Cycles since the first operand; what it was with the latest result is the answer.
            let since_first = m.state("since_first", count_ty, 0);
            since_first.update(&[(start, zero), (begun.q() | operands, since_first.q().inc())]);
            compute.update(&[(start, zero), (results.get("last_column"), since_first.q().inc())]);
        }

        m.output("busy", busy.q());
        m.output("done", m.reg_reset("done_q", done, 0));
        m.output("error", error.q());
        m.output("error_info", info.q());
        m.output("cycles", cycles.q());
        m.output("compute_cycles", compute.q());
        m.output("bytes_read", read.q());
        m.output("bytes_written", written.q());
        m.output("macs", sequencer.get("macs"));
    }
}
