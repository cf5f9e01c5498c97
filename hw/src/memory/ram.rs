//! The RAM of a card.

use super::{AxiRamPort, Sdram};
use crate::cells::{Fifo, round_robin};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, MemSpec, Module, Sig, all, any, bit, bits, cat, one_hot_mux, uint};

/// A memory shared by AXI4 masters and the host port: one beat a cycle in all from block RAM, taken in turns. From a chip
/// a burst a beat; who uses an open row goes on until its end, a pause, or 64 beats.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `s<n>_near_read_valid`, `s<n>_near_read_addr`, `s<n>_near_read_ready` | in, in, out | bit, uint, bit | direct port `n`: a beat is wanted; taken |
/// | `s<n>_near_read_done`, `s<n>_near_read_data` | out | bit, bits | the beat |
/// | `s<n>_near_write_*` | | | `valid`, `addr`, `data`, `strb`; `ready`: written |
/// | `s<n>_axi_*` | | | AXI4 slave number `n`, counted on from the direct ports; see [`AxiRamPort`] |
/// | `mem_valid`, `mem_write` | in | bit | the host port asks for a beat, to be read or written |
/// | `mem_addr`, `mem_data`, `mem_strb` | in | uint, bits, bits | beat address, what to write |
/// | `mem_ready` | out | bit | taken |
/// | `mem_done`, `mem_rdata` | out | bit, bits | the beat read: from block RAM in the cycle after |
/// | `sdram_*` | | | pins of the chip, see [`Sdram`] |
///
/// Reading and writing share one address, so that single-port RAM blocks do. Bytes that were never written are
/// undefined. The RAM begins at bus address 0.
#[derive(Clone, Copy, Debug)]
pub struct CardMemory {
    /// Ports that ask for beats themselves.
    pub direct: u32,
    /// AXI4 slaves.
    pub ports: u32,
    /// Each of them; also tells the size.
    pub port: AxiRamPort,
    /// The chip, when it is not block RAM; as large as the ports say.
    pub chip: Option<Sdram>,
}

/// One who wants a beat.
struct Client<'m> {
    valid: Sig<'m>,
    write: Sig<'m>,
    addr: Sig<'m>,
    data: Sig<'m>,
    strb: Sig<'m>,
}

/// What the memory is asked for in a cycle.
struct Beat<'m> {
    read: Sig<'m>,
    write: Sig<'m>,
    addr: Sig<'m>,
    data: Sig<'m>,
    strb: Sig<'m>,
}

/// Beats of an open row after which another gets a turn: a power of two, some of whose beats a new row costs.
const MOST_IN_A_ROW: u32 = 64;

/// Who gets the beat that is there, the beat, and whether another is taken.
type Answer<'m> = (Vec<Sig<'m>>, Sig<'m>, Sig<'m>);

fn block_ram<'m>(
    m: &'m Builder,
    words: u32,
    bus_bytes: u32,
    beat: &Beat<'m>,
    reader: Sig<'m>,
) -> Answer<'m> {
    let ram = m.mem("ram", MemSpec::block(words, 8 * bus_bytes).lanes(8));
    ram.write_lanes(beat.addr, beat.data, beat.write, beat.strb);
    let read = beat.read.named("ram_read");
    let word = ram.read("word", beat.addr, read);
    let reader = m.reg_reset("reader", read.gate(reader), 0);
    (reader.lanes(1), word, m.high())
}

fn sdram<'m>(m: &'m Builder, chip: &Sdram, beat: &Beat<'m>, reader: Sig<'m>) -> Answer<'m> {
    let sdram = m.inst("sdram", chip);
    expose(m, sdram, "sdram_", "sdram_");
    sdram
        .set("valid", beat.read | beat.write)
        .set("write", beat.write)
        .set("addr", beat.addr)
        .set("data", beat.data)
        .set("strb", beat.strb);
    let (takes, done) = (sdram.get("ready"), sdram.get("done"));
    // More than are on the way.
    let readers = m.inst("readers", &Fifo { width: reader.width(), depth: 8 });
    readers.set("in_valid", beat.read & takes).set("in_data", reader).set("out_ready", done);
    m.assert("reader_known", !done | readers.get("out_valid"));
    m.assert("room_for_reader", !(beat.read & takes) | readers.get("in_ready"));
    (done.gate(readers.get("out_data")).lanes(1), sdram.get("rdata"), takes)
}

impl CardMemory {
    /// One of those who ask, in turns; of a chip, the one before as long as its row is open.
    fn choose<'m>(
        &self,
        m: &'m Builder,
        clients: &[Client<'m>],
        requests: &[Sig<'m>],
        ready: Sig<'m>,
    ) -> Vec<Sig<'m>> {
        let Some(chip) = &self.chip else {
            return round_robin(m, "turn", requests, m.high());
        };
        let forward: Vec<_> =
            (0..requests.len()).map(|i| m.forward(&format!("grant_{i}"), bit())).collect();
        let granted = any(&forward.iter().map(|g| g.sig()).collect::<Vec<_>>()) & ready;
        let before: Vec<Sig> = forward
            .iter()
            .enumerate()
            .map(|(i, grant)| {
                let served = m.state(&format!("served_{i}"), bit(), 0);
                served.drive_when(granted, grant.sig());
                served.q()
            })
            .collect();
        let arms: Vec<_> = before.iter().zip(clients).map(|(b, c)| (*b, c.addr)).collect();
        let next = one_hot_mux(&arms).shr_k(chip.row_beats().ilog2()).named("row_wanted");
        let asks: Vec<Sig> = before.iter().zip(requests).map(|(b, r)| *b & *r).collect();
        let arms: Vec<_> = forward.iter().zip(clients).map(|(g, c)| (g.sig(), c.addr)).collect();
        let row = one_hot_mux(&arms).shr_k(chip.row_beats().ilog2());
        let row = m.reg_when("row_served", granted, row);
        // Not for ever: who goes round in one row would keep the others away.
        let kept = m.state("kept", uint(MOST_IN_A_ROW.ilog2()), 0);
        let stays = all(&[any(&asks), row.eq(next), !kept.q().red_and()]).named("stays");
        kept.drive_when(granted, stays.gate(kept.q().inc()));
        let turn = round_robin(m, "turn", requests, ready & !stays);
        for ((grant, asks), turn) in forward.iter().zip(asks).zip(&turn) {
            grant.assign(stays.mux(asks, *turn));
        }
        forward.iter().map(|g| g.sig()).collect()
    }
}

impl Module for CardMemory {
    fn name(&self) -> String {
        let AxiRamPort { bus_bytes, memory_bytes, .. } = self.port;
        let kind = if self.chip.is_some() { "_sdram" } else { "" };
        let direct = if self.direct > 0 { format!("_d{}", self.direct) } else { String::new() };
        format!("card_memory{direct}_p{}_w{bus_bytes}_m{memory_bytes}{kind}", self.ports)
    }

    fn check(&self) -> Result<(), String> {
        let AxiRamPort { bus_bytes, memory_bytes, addr_bits, .. } = self.port;
        if memory_bytes.is_power_of_two()
            && memory_bytes >= 2 * bus_bytes
            && memory_bytes.trailing_zeros() <= addr_bits
        {
            return Ok(());
        }
        Err(format!("{memory_bytes} bytes are no power of two that {addr_bits} address bits reach"))
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Memory shared by AXI4 masters and the host port, a beat at a time.");
        let AxiRamPort { bus_bytes, memory_bytes, .. } = self.port;
        let words = memory_bytes / bus_bytes;
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
        for i in 0..self.direct {
            m.scope(&format!("s{i}_near"), || {
                clients.push(Client {
                    valid: m.input("read_valid", bit()),
                    write: m.low(),
                    addr: m.input("read_addr", address),
                    data: no_data,
                    strb: no_strobes,
                });
                clients.push(Client {
                    valid: m.input("write_valid", bit()),
                    write: m.high(),
                    addr: m.input("write_addr", address),
                    data: m.input("write_data", bits(8 * bus_bytes)),
                    strb: m.input("write_strb", bits(bus_bytes)),
                });
            });
        }
        let direct = self.direct as usize;
        for (i, port) in ports.iter().enumerate() {
            expose(m, *port, "s_axi_", &format!("s{}_axi_", direct + i));
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
        let ready = m.forward("ready", bit());
        let grants = self.choose(m, &clients, &requests, ready.sig());
        let pick = |field: fn(&Client<'m>) -> Sig<'m>| {
            let arms: Vec<_> = grants.iter().zip(&clients).map(|(g, c)| (*g, field(c))).collect();
            one_hot_mux(&arms)
        };
        let valid = any(&grants);
        let beat = Beat {
            read: valid & !pick(|c| c.write),
            write: (valid & pick(|c| c.write)).named("ram_write"),
            addr: pick(|c| c.addr).named("ram_addr"),
            data: pick(|c| c.data).named("ram_data"),
            strb: pick(|c| c.strb).named("ram_strb"),
        };

        // ---- who gets the beats read ----
        let readers: Vec<Sig> =
            std::iter::once(grants[0]).chain(grants[1..].iter().copied().step_by(2)).collect();
        let reader = cat(&readers.iter().rev().copied().collect::<Vec<_>>());
        let (done, word, takes) = match &self.chip {
            None => block_ram(m, words, bus_bytes, &beat, reader),
            Some(chip) => sdram(m, chip, &beat, reader),
        };
        ready.assign(takes);
        m.output("mem_ready", grants[0] & takes);
        m.output("mem_done", done[0]);
        m.output("mem_rdata", word);
        for i in 0..direct {
            m.scope(&format!("s{i}_near"), || {
                m.output("read_ready", grants[1 + 2 * i] & takes);
                m.output("read_done", done[1 + i]);
                m.output("read_data", word);
                m.output("write_ready", grants[2 + 2 * i] & takes);
            });
        }
        for (i, port) in (direct..).zip(&ports) {
            port.set("read_ready", grants[1 + 2 * i] & takes);
            port.set("read_done", done[1 + i]).set("read_data", word);
            port.set("write_ready", grants[2 + 2 * i] & takes);
        }
        let alone = (1..grants.len()).map(|i| !(grants[i] & any(&grants[..i])));
        m.assert("one_at_a_time", all(&alone.collect::<Vec<_>>()));
    }
}
