//! Memories and how they are steered to RAM blocks.

use crate::builder::Builder;
use crate::error::ErrorKind;
use crate::ir::{MemDef, Op, ReadPort, WritePort};
use crate::{Sig, Type, Value, bits, index_width};
use std::panic::Location;

/// What a synchronous read returns when the same address is written at the same clock edge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Collision {
    /// The old content.
    Old,
    /// The new content (a bypass is printed).
    New,
    /// Nobody looks: the simulators return poison, so a wrong claim fails a test, and the
    /// printer adds `no_rw_check`, which saves the collision logic on ECP5 (measured: 68 to 13 LUTs
    /// for a FIFO).
    DontCare,
}

/// Which kind of memory the tools are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RamStyle {
    /// The tool decides.
    Auto,
    /// Block RAM: synchronous reads; one write and one read port, or two ports that each share one address.
    Block,
    /// LUT RAM: one write port, asynchronous or synchronous reads.
    Distributed,
    /// Flip-flops: any number of ports.
    Registers,
}

/// Shape and policy of a memory.
#[derive(Clone, PartialEq, Debug)]
pub struct MemSpec {
    /// Words; a power of two, at least 2.
    pub depth: u32,
    /// Bits a word.
    pub width: u32,
    /// Bits a lane, for write enables by lane; divides `width`.
    pub lane: Option<u32>,
    /// Same-cycle read and write of one address (synchronous reads only).
    pub collision: Collision,
    /// Steering.
    pub style: RamStyle,
    /// First content; missing words are 0. Without it the content is undefined until written.
    pub init: Option<Vec<Value>>,
}

impl MemSpec {
    /// Block RAM whose readers never depend on a same-cycle write.
    pub fn block(depth: u32, width: u32) -> Self {
        let (collision, style) = (Collision::DontCare, RamStyle::Block);
        MemSpec { depth, width, lane: None, collision, style, init: None }
    }

    /// LUT RAM.
    pub fn distributed(depth: u32, width: u32) -> Self {
        MemSpec {
            style: RamStyle::Distributed,
            collision: Collision::Old,
            ..Self::block(depth, width)
        }
    }

    /// Flip-flops with any number of ports.
    pub fn registers(depth: u32, width: u32) -> Self {
        MemSpec {
            style: RamStyle::Registers,
            collision: Collision::Old,
            ..Self::block(depth, width)
        }
    }

    /// The same with another collision policy.
    pub fn collision(self, collision: Collision) -> Self {
        MemSpec { collision, ..self }
    }

    /// The same with write enables for lanes of `lane` bits.
    pub fn lanes(self, lane: u32) -> Self {
        MemSpec { lane: Some(lane), ..self }
    }

    /// The same with first content.
    pub fn init(self, init: Vec<Value>) -> Self {
        MemSpec { init: Some(init), ..self }
    }

    /// Type of an address.
    pub fn addr(&self) -> Type {
        Type::UInt(index_width(self.depth))
    }

    fn problem(&self) -> Option<String> {
        if !self.depth.is_power_of_two() || self.depth < 2 {
            let next = self.depth.max(2).next_power_of_two();
            return Some(format!("depth {} is not a power of two from 2; use {next}", self.depth));
        }
        if self.width == 0 {
            return Some("width is 0".into());
        }
        if let Some(lane) = self.lane
            && (lane == 0 || !self.width.is_multiple_of(lane))
        {
            return Some(format!("lanes of {lane} bits do not divide {} bits", self.width));
        }
        let init = self.init.as_deref().unwrap_or(&[]);
        if init.len() > self.depth as usize {
            return Some(format!("{} words of first content for {} words", init.len(), self.depth));
        }
        init.iter().find(|v| v.width() != self.width).map(|v| {
            format!("first content of {} bits in a memory of {} bits", v.width(), self.width)
        })
    }
}

/// A memory of the module under construction.
#[derive(Clone, Copy)]
pub struct Mem<'m> {
    m: &'m Builder,
    index: u32,
}

impl Builder {
    /// Declares a memory; ports are added on the handle.
    #[track_caller]
    pub fn mem(&self, name: &str, spec: MemSpec) -> Mem<'_> {
        let at = Location::caller();
        let name = self.claim_name(name, at);
        if let Some(what) = spec.problem() {
            self.error(ErrorKind::Memory { name: name.clone(), what }, at);
        }
        let index = self.with(|b| {
            b.def.mems.push(MemDef { name, spec, writes: vec![], reads: vec![], at });
            b.def.mems.len() as u32 - 1
        });
        Mem { m: self, index }
    }
}

impl<'m> Mem<'m> {
    fn spec(self) -> MemSpec {
        self.m.with(|b| b.def.mems[self.index as usize].spec.clone())
    }

    #[track_caller]
    fn fail(self, what: String) {
        let name = self.m.with(|b| b.def.mems[self.index as usize].name.clone());
        self.m.error(ErrorKind::Memory { name, what }, Location::caller());
    }

    #[track_caller]
    fn expect(self, what: &str, sig: Sig<'m>, ty: Type) {
        if sig.ty() != ty {
            self.fail(format!("{what} `{sig:?}` must be {ty}"));
        }
    }

    /// Writes `data` at `addr` at the clock edge where `enable` is 1.
    #[track_caller]
    pub fn write(self, addr: Sig<'m>, data: Sig<'m>, enable: Sig<'m>) {
        self.add_write(addr, data, enable, None);
    }

    /// As [`Mem::write`], only the lanes whose bit in `lanes` is 1 (lane 0 is bit 0).
    #[track_caller]
    pub fn write_lanes(self, addr: Sig<'m>, data: Sig<'m>, enable: Sig<'m>, lanes: Sig<'m>) {
        match self.spec().lane {
            Some(lane) => self.expect("lane enable", lanes, bits(self.spec().width / lane.max(1))),
            None => self.fail("has no lanes; declare them with MemSpec::lanes".into()),
        }
        self.add_write(addr, data, enable, Some(lanes));
    }

    #[track_caller]
    fn add_write(self, addr: Sig<'m>, data: Sig<'m>, enable: Sig<'m>, lanes: Option<Sig<'m>>) {
        let spec = self.spec();
        self.expect("write address", addr, spec.addr());
        self.expect("write data", data, bits(spec.width));
        self.expect("write enable", enable, bits(1));
        let domain = self.m.use_clock();
        self.m.with(|b| {
            let (addr, data, enable) = (addr.id, data.id, enable.id);
            let lanes = lanes.map(|l| l.id);
            b.def.mems[self.index as usize].writes.push(WritePort {
                domain,
                addr,
                data,
                enable,
                lanes,
            });
        });
    }

    /// Synchronous read: the word at `addr` one clock after `enable` was 1; holds otherwise.
    #[track_caller]
    pub fn read(self, name: &str, addr: Sig<'m>, enable: Sig<'m>) -> Sig<'m> {
        self.expect("read enable", enable, bits(1));
        self.add_read(name, addr, Some(enable))
    }

    /// Asynchronous read: the word at `addr` in the same cycle (LUT RAM or registers).
    #[track_caller]
    pub fn read_async(self, name: &str, addr: Sig<'m>) -> Sig<'m> {
        if self.spec().style == RamStyle::Block {
            self.fail("block RAM has no asynchronous read".into());
        }
        self.add_read(name, addr, None)
    }

    #[track_caller]
    fn add_read(self, name: &str, addr: Sig<'m>, enable: Option<Sig<'m>>) -> Sig<'m> {
        let at = Location::caller();
        let spec = self.spec();
        self.expect("read address", addr, spec.addr());
        let domain = self.m.use_clock();
        let port = self.m.with(|b| b.def.mems[self.index as usize].reads.len() as u32);
        let data = self.m.add_node(Op::MemRead(self.index, port), &[], bits(spec.width), at);
        let data = self.m.name_node(data, name);
        self.m.with(|b| {
            let (addr, enable) = (addr.id, enable.map(|e| e.id));
            b.def.mems[self.index as usize].reads.push(ReadPort {
                domain,
                addr,
                enable,
                data: data.id,
            });
        });
        data
    }
}
