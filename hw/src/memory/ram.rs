//! The RAM of a card.

use super::AxiRamPort;
use crate::cells::round_robin;
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, MemSpec, Module, Sig, all, any, bit, bits, one_hot_mux, uint};

/// Block RAM shared by AXI4 masters and the host port: one beat a cycle in all, taken in turns.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `s<n>_axi_*` | | | AXI4 slave number `n`, see [`AxiRamPort`] |
/// | `mem_valid`, `mem_write` | in | bit | the host port asks for a beat, to be read or written |
/// | `mem_addr`, `mem_data`, `mem_strb` | in | uint, bits, bits | beat address, what to write |
/// | `mem_ready` | out | bit | taken |
/// | `mem_rdata` | out | bits | the beat read, in the cycle after |
///
/// Reading and writing share one address, so that single-port RAM blocks do. Bytes that were never written are
/// undefined. The RAM begins at bus address 0.
#[derive(Clone, Copy, Debug)]
pub struct CardMemory {
    /// AXI4 slaves.
    pub ports: u32,
    /// Each of them; also tells the size.
    pub port: AxiRamPort,
}

/// One who wants a beat.
struct Client<'m> {
    valid: Sig<'m>,
    write: Sig<'m>,
    addr: Sig<'m>,
    data: Sig<'m>,
    strb: Sig<'m>,
}

impl Module for CardMemory {
    fn name(&self) -> String {
        let AxiRamPort { bus_bytes, memory_bytes, .. } = self.port;
        format!("card_memory_p{}_w{bus_bytes}_m{memory_bytes}", self.ports)
    }

    fn check(&self) -> Result<(), String> {
        let AxiRamPort { bus_bytes, memory_bytes, addr_bits } = self.port;
        if memory_bytes.is_power_of_two()
            && memory_bytes >= 2 * bus_bytes
            && memory_bytes.trailing_zeros() <= addr_bits
        {
            return Ok(());
        }
        Err(format!("{memory_bytes} bytes are no power of two that {addr_bits} address bits reach"))
    }

    fn build(&self, m: &Builder) {
        m.doc("Block RAM shared by AXI4 masters and the host port, one beat a cycle.");
        let AxiRamPort { bus_bytes, memory_bytes, .. } = self.port;
        let words = memory_bytes / bus_bytes;
        let spec = MemSpec::block(words, 8 * bus_bytes).lanes(8);
        let address = uint(words.trailing_zeros());
        let (no_data, no_strobes) = (m.lit(bits(8 * bus_bytes), 0), m.lit(bits(bus_bytes), 0));

        let ports: Vec<_> =
            (0..self.ports).map(|i| m.inst(&format!("port_{i}"), &self.port)).collect();
        let mut clients = vec![Client {
            valid: m.input("mem_valid", bit()),
            write: m.input("mem_write", bit()),
            addr: m.input("mem_addr", address),
            data: m.input("mem_data", bits(8 * bus_bytes)),
            strb: m.input("mem_strb", bits(bus_bytes)),
        }];
        for (i, port) in ports.iter().enumerate() {
            expose(m, *port, "s_axi_", &format!("s{i}_axi_"));
            clients.push(Client {
                valid: port.get("read_valid"),
                write: m.low(),
                addr: port.get("read_addr"),
                data: no_data,
                strb: no_strobes,
            });
            clients.push(Client {
                valid: port.get("write_valid"),
                write: m.high(),
                addr: port.get("write_addr"),
                data: port.get("write_data"),
                strb: port.get("write_strb"),
            });
        }

        let requests: Vec<Sig> = clients.iter().map(|c| c.valid).collect();
        let grants = round_robin(m, "turn", &requests, m.high());
        let addr: Vec<_> = grants.iter().zip(&clients).map(|(g, c)| (*g, c.addr)).collect();
        let data: Vec<_> = grants.iter().zip(&clients).map(|(g, c)| (*g, c.data)).collect();
        let strb: Vec<_> = grants.iter().zip(&clients).map(|(g, c)| (*g, c.strb)).collect();
        let write: Vec<_> = grants.iter().zip(&clients).map(|(g, c)| *g & c.write).collect();
        let addr = one_hot_mux(&addr).named("ram_addr");
        let data = one_hot_mux(&data).named("ram_data");
        let strb = one_hot_mux(&strb).named("ram_strb");
        let write = any(&write).named("ram_write");
        let read = (any(&grants) & !write).named("ram_read");

        let ram = m.mem("ram", spec);
        ram.write_lanes(addr, data, write, strb);
        let word = ram.read("word", addr, read);
        m.output("mem_ready", grants[0]);
        m.output("mem_rdata", word);
        for (port, grants) in ports.iter().zip(grants[1..].chunks_exact(2)) {
            port.set("read_ready", grants[0]).set("read_data", word);
            port.set("write_ready", grants[1]);
        }
        let alone = (1..grants.len()).map(|i| !(grants[i] & any(&grants[..i])));
        m.assert("one_at_a_time", all(&alone.collect::<Vec<_>>()));
    }
}
