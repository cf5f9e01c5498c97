//! The memory port: who reads lines, who writes them, and the AXI masters.

use super::super::front::LineHub;
use super::Cluster;
use super::control::{Command, Control};
use super::front::Front;
use crate::bus::{AxiReadMaster, AxiWriteMaster, beats_bits};
use crate::cells::Fifo;
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Instance, Sig, all, bit, cat, uint};

/// Lines under way from memory, all clients together.
const IN_FLIGHT: u32 = 512;

/// The AXI masters, and whether nothing is under way in them.
pub(super) struct Memory<'m> {
    pub read: Instance<'m>,
    pub write: Instance<'m>,
    pub quiet: Sig<'m>,
}

impl Cluster {
    pub(super) fn memory<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        control: &Control<'m>,
        front: &Front<'m>,
        writer: Instance<'m>,
    ) -> Memory<'m> {
        let hub = self.hub(m, front);
        let memory = self.masters(m, hub, writer, command.clear);
        control.sequencer.set("written", writer.get("idle") & memory.quiet);
        memory
    }

    /// One reader of memory for A's three arrays and the cache.
    fn hub<'m>(&self, m: &'m Builder, front: &Front<'m>) -> Instance<'m> {
        let (feed, cache, addr_bits) = (front.feed, front.cache, self.addr_bits());
        let (clients, line_bits) = (4 + u32::from(self.parted), self.line_bits());
        let hub = m.inst("hub", &LineHub { clients, line_bits, addr_bits, in_flight: IN_FLIGHT });
        if self.parted {
            hub.set("c4_req_valid", m.input("t_req_valid", bit()));
            hub.set("c4_req_addr", m.input("t_req_addr", uint(addr_bits)));
            m.output("t_req_ready", hub.get("c4_req_ready"));
            m.output("t_rsp_valid", hub.get("c4_rsp_valid"));
            m.output("t_rsp_data", hub.get("rsp_data"));
        }
        for (i, array) in ["p", "c", "v"].iter().enumerate() {
            hub.set(&format!("c{i}_req_valid"), feed.get(&format!("{array}_req_valid")));
            hub.set(&format!("c{i}_req_addr"), feed.get(&format!("{array}_req_addr")));
            feed.set(&format!("{array}_req_ready"), hub.get(&format!("c{i}_req_ready")));
            feed.set(&format!("{array}_rsp_valid"), hub.get(&format!("c{i}_rsp_valid")));
            feed.set(&format!("{array}_rsp_data"), hub.get("rsp_data"));
        }
        hub.set("c3_req_valid", cache.get("mem_req_valid"))
            .set("c3_req_addr", cache.get("mem_req_addr"));
        cache
            .set("mem_req_ready", hub.get("c3_req_ready"))
            .set("mem_rsp_valid", hub.get("c3_rsp_valid"));
        cache.set("mem_rsp_data", hub.get("rsp_data")).set("mem_rsp_error", hub.get("rsp_error"));
        hub
    }

    /// The AXI masters.
    fn masters<'m>(
        &self,
        m: &'m Builder,
        hub: Instance<'m>,
        writer: Instance<'m>,
        clear: Sig<'m>,
    ) -> Memory<'m> {
        let (data_bits, addr_bits) = (self.line_bits(), self.address_bits);
        let read = m.inst(
            "reader",
            &AxiReadMaster { data_bits, addr_bits, max_burst: 2, outstanding: IN_FLIGHT },
        );
        if self.parted {
            m.output("read_fault", read.get("fault"));
            m.output("read_fault_addr", read.get("fault_addr"));
        }
        let one = m.lit(uint(beats_bits(data_bits, addr_bits)), 1);
        let byte = |line: Sig<'m>| line.shl_k(self.offset_bits());
        read.set("cmd_valid", hub.get("mem_req_valid"))
            .set("cmd_addr", byte(hub.get("mem_req_addr")));
        read.set("cmd_beats", one)
            .set("data_ready", m.high())
            .set("fault_clear", clear)
            .set("flush", m.low());
        hub.set("mem_req_ready", read.get("cmd_ready"))
            .set("mem_rsp_valid", read.get("data_valid"));
        hub.set("mem_rsp_data", read.get("data")).set("mem_rsp_error", read.get("data_error"));
        let write = m.inst(
            "line_writer",
            &AxiWriteMaster { data_bits, addr_bits, max_burst: 2, outstanding: 64 },
        );
        // Address and data part here: the bus takes them at times of its own.
        let addresses = m.inst("write_addresses", &Fifo { width: addr_bits, depth: 4 });
        let words = self.line_words();
        let lines = m.inst("write_lines", &Fifo { width: data_bits + words, depth: 4 });
        let (offered, rooms) =
            (writer.get("w_valid"), [addresses.get("in_ready"), lines.get("in_ready")]);
        writer.set("w_ready", rooms[0] & rooms[1]);
        addresses
            .set("in_valid", offered & rooms[1])
            .set("in_data", byte(writer.get("w_addr")).as_bits());
        lines.set("in_valid", offered & rooms[0]);
        lines.set("in_data", cat(&[writer.get("w_mask"), writer.get("w_data")]));
        write
            .set("cmd_valid", addresses.get("out_valid"))
            .set("cmd_addr", addresses.get("out_data").as_u());
        write.set("cmd_beats", one).set("data_valid", lines.get("out_valid"));
        let line = lines.get("out_data");
        let mask = line.slice(data_bits + words - 1, data_bits);
        let strobes: Vec<Sig> = mask.lanes(1).iter().rev().map(|w| w.rep(4)).collect();
        write.set("data", line.slice(data_bits - 1, 0)).set("data_strb", cat(&strobes));
        write.set("fault_clear", clear).set("flush", m.low());
        addresses.set("out_ready", write.get("cmd_ready"));
        lines.set("out_ready", write.get("data_ready"));
        let waiting = addresses.get("out_valid") | lines.get("out_valid");
        expose(m, read, "m_axi_", "m_axi_");
        expose(m, write, "m_axi_", "m_axi_");
        let quiet = all(&[read.get("idle"), write.get("idle"), !waiting]).named("traffic_over");
        Memory { read, write, quiet }
    }
}
