//! The card's own controller: rings, processor, and their places among registers and engines.

use super::host::HostSide;
use crate::control::ring::{GLANCE, Ring};
use crate::control::{BusShare, Launch, LocalRegisters, March, Processor};
use mattock_spec::CardConfig;
use mattock_spec::command::Counters;
use mattock_spec::regs::controller::STATUS;
use rtl_gen::{Builder, Instance, Sig, bits};

/// Register bus of the host port.
const BUS: [&str; 6] = ["write", "write_addr", "write_data", "write_strb", "read", "read_addr"];

/// What a card with `control = "riscv"` has beside the others.
pub(super) struct Controller<'m> {
    ring: Instance<'m>,
    local: Instance<'m>,
    /// The processor is in charge of the engines.
    pub(super) run: Sig<'m>,
    finishers: u32,
}

impl<'m> Controller<'m> {
    /// Draws rings and processor and ties them to the registers; the rings are memory master number `master`, `reset` is the
    /// card's soft reset.
    pub(super) fn new(
        m: &'m Builder,
        config: &CardConfig,
        csr: Instance<'m>,
        host: &HostSide<'m>,
        engines: &[&str],
        master: usize,
        reset: Sig<'m>,
    ) -> Self {
        let finishers = 1 + engines.len() as u32;
        let (bus_bytes, addr_bits) = (config.memory.bus_bytes, config.memory.address_bits);
        let ring = m.inst("rings", &Ring { bus_bytes, addr_bits, finishers });
        host.join(m, ring, "m_axi_", master);
        let processor = m.inst("processor", &Processor);
        let march = m.inst("march", &March);
        let local = m.inst("local_registers", &LocalRegisters);
        let share = m.inst("share", &BusShare);

        let wished = csr.get("controller_control") & march.get("done");
        let run = m.reg_reset("controller_runs", wished & !reset, 0);
        for part in [processor, local, share] {
            part.set("run", run);
        }

        // The register bus: the host's, the processor's, and the window onto its memory.
        for port in BUS {
            share.set(&format!("h_{port}"), host.port.get(port));
            csr.set(port, share.get(port));
            march.set(&format!("h_{port}"), share.get(&format!("w_{port}")));
            processor.set(port, march.get(port));
        }
        host.port.set("read_data", share.get("h_read_data"));
        share.set("read_data", csr.get("read_data"));
        share.set("w_read_data", march.get("h_read_data"));
        march.set("read_data", processor.get("read_data"));
        for port in ["bar_write", "bar_read", "bar_addr", "bar_data"] {
            share.set(port, processor.get(port));
        }
        processor.set("bar_take", share.get("bar_take")).set("bar_answer", csr.get("read_data"));

        // The processor and the ring.
        for (theirs, ours) in [
            ("local_read", "read"),
            ("local_read_addr", "read_addr"),
            ("local_write", "write"),
            ("local_write_addr", "write_addr"),
            ("local_data", "data"),
        ] {
            local.set(ours, processor.get(theirs));
        }
        processor.set("local_answer", local.get("answer"));
        ring.set("word", processor.get("entry_word")).set("read", processor.get("entry_read"));
        processor.set("entry_data", ring.get("word_data"));
        for port in ["ready", "tail", "code", "head"].into_iter().chain(GLANCE) {
            local.set(port, ring.get(port));
        }
        local.set("f_ready", ring.get("f0_ready"));
        for port in ["valid", "tag", "code", "info"] {
            ring.set(&format!("f0_{port}"), local.get(&format!("f_{port}")));
        }
        for (port, width) in
            [("result", 32), ("cycles", 64), ("counters", Counters::BITS), ("counted", 1)]
        {
            ring.set(&format!("f0_{port}"), m.lit(bits(width), 0));
        }

        // Registers of the blocks `queue` and `controller`.
        for port in ["enable", "ring", "done", "size", "doorbell"] {
            ring.set(port, csr.get(&format!("queue_{port}")));
        }
        for port in ["status_running", "status_fault", "fault_info", "fetched", "written"] {
            csr.set(&format!("queue_{port}"), ring.get(port));
        }
        csr.set("queue_irq_status_set", ring.get("cause"));
        csr.set("queue_locked", m.low()).set("controller_locked", m.low());
        march.set("skip", csr.get("controller_selftest"));
        for port in ["done", "passed", "address", "cycles"] {
            csr.set(&format!("controller_selftest_result_{port}"), march.get(port));
        }
        let (trap, dead) = (processor.get("trap"), local.get("watchdog"));
        csr.set("controller_status_alive", local.get("alive"));
        csr.set("controller_status_trap", trap).set("controller_status_watchdog", dead);
        csr.set("controller_program", local.get("version"));
        for port in ["entries", "refused"] {
            csr.set(&format!("controller_{port}"), local.get(port));
        }
        let halted = [(trap, STATUS::TRAP.low), (dead, STATUS::WATCHDOG.low)];
        let info = halted.map(|(flag, low)| flag.zext(32 - low).shl_k(low));
        ring.set("halted", trap | dead).set("halted_info", info[0] | info[1]);
        ring.set("reset", reset);
        Controller { ring, local, run, finishers }
    }

    /// The unit that starts engine number `index`, tied to the ring.
    pub(super) fn launch(
        &self,
        m: &'m Builder,
        csr: Instance<'m>,
        block: &str,
        index: usize,
    ) -> Instance<'m> {
        let launch = m.inst(&format!("{block}_launch"), &Launch);
        launch.set("start", csr.get(&format!("{block}_start"))).set("run", self.run);
        // While an answer is on its way the processor sees no entry, so it cannot start one either.
        for port in ["ready", "head", "deadline"] {
            launch.set(port, self.ring.get(port));
        }
        let stream = 1 + index;
        self.ring.set(&format!("f{stream}_valid"), launch.get("f_valid"));
        self.ring.set(&format!("f{stream}_tag"), launch.get("f_tag"));
        launch.set("f_ready", self.ring.get(&format!("f{stream}_ready")));
        launch
    }

    /// Says how the command of engine number `index` ended: a port of the ring's stream, and its value.
    pub(super) fn outcome(&self, index: usize, port: &str, value: Sig<'m>) {
        self.ring.set(&format!("f{}_{port}", 1 + index), value);
    }

    /// Ties what depends on the engines; `launches` are those of `blocks`. Gives what must be 1 for a soft reset to be
    /// over, and the interrupt.
    pub(super) fn finish(
        &self,
        m: &'m Builder,
        csr: Instance<'m>,
        launches: &[(&str, Instance<'m>)],
    ) -> (Sig<'m>, Sig<'m>) {
        debug_assert_eq!(self.finishers as usize, 1 + launches.len());
        let takes = launches.iter().map(|(_, l)| l.get("take"));
        let started = takes.reduce(|a, b| a | b).unwrap_or_else(|| m.low());
        self.local.set("started", started);
        self.ring.set("take", started | self.local.get("take"));
        for block in ["gemm", "spgemm"] {
            let armed = launches.iter().find(|(name, _)| *name == block);
            let armed = armed.map_or_else(|| m.low(), |(_, l)| l.get("armed"));
            self.local.set(&format!("{block}_armed"), armed);
        }
        let interrupt = csr.get("queue_irq_status") & csr.get("queue_irq_enable");
        (self.ring.get("idle"), interrupt)
    }
}
