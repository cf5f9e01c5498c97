//! Dense products.

use crate::card::Staging;
use crate::plan::{Memory, Plan, Problem};
use crate::{Card, Error};
use mattock_spec::command::{Command, GemmCommand};
use mattock_spec::regs::{ErrorCode, GemmCaps, gemm};
use mattock_spec::{Format, Rounding, Tuple};

/// Positions of the fields of [`GemmCall`], for [`Error::InvalidArg`].
const ARG_M: usize = 1;
const ARG_N: usize = 2;
const ARG_K: usize = 3;
const ARG_A: usize = 4;
const ARG_B: usize = 5;

/// In which direction neighbours in memory lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// A row lies together.
    Row,
    /// A column lies together.
    Column,
}

impl Order {
    /// The other one.
    pub fn other(self) -> Order {
        match self {
            Order::Row => Order::Column,
            Order::Column => Order::Row,
        }
    }
}

/// Elements of an operand.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'a> {
    /// 8-bit integers.
    I8(&'a [i8]),
    /// 4-bit integers, two a byte, the first in the low half.
    I4(&'a [u8]),
    /// Codes of any format, packed from the low bits of the first byte up, each in
    /// [`storage_bits`](Format::storage_bits).
    Packed {
        /// What the codes mean.
        format: Format,
        /// The codes.
        bytes: &'a [u8],
    },
}

/// How results that do not fit their format are made to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundingOptions {
    /// Which neighbour a float result becomes.
    pub rounding: Rounding,
    /// Infinite float results become the largest finite number.
    pub saturate: bool,
}

/// A matrix in host memory: rows (columns) of elements, `ld` elements from the start of one to the next.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// The elements.
    pub elements: Elements<'a>,
    /// Whether rows or columns lie together.
    pub order: Order,
    /// Elements from one row (column) to the next; whole bytes.
    pub ld: usize,
}

/// A dense product D = A * B with A of m x k, B of k x n, D of m x n.
#[derive(Clone, Copy, Debug)]
pub struct GemmCall<'a> {
    /// Rows of A and D.
    pub m: usize,
    /// Columns of B and D.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
    /// Left operand.
    pub a: Operand<'a>,
    /// Right operand.
    pub b: Operand<'a>,
    /// Order of the result.
    pub order: Order,
    /// Load both operands into the card first, compute into its result buffer, then store: three commands.
    pub resident: bool,
}

/// What a dense product cost, by the card's own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GemmStats {
    /// Clock cycles from the start of a command to its last write response, all commands together.
    pub cycles: u64,
    /// Clock cycles from the first operand entering the array to the last result leaving it.
    pub compute_cycles: u64,
    /// Products that belong to the result.
    pub macs: u64,
    /// Bytes read from memory, whole bus beats.
    pub bytes_read: u64,
    /// Bytes written to memory, whole bus beats.
    pub bytes_written: u64,
}

impl Card {
    /// How a product would run on this card, with `memory` behind it: what [`gemm`](Self::gemm) does with the same call.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm), before anything is sent.
    pub fn plan_gemm(&self, call: &GemmCall<'_>, memory: &Memory) -> Result<Plan, Error> {
        let (shape, caps) = self.gemm_shape(call)?;
        Ok(shape.plan(call, &caps, memory))
    }

    /// Computes `D = A * B` in 32-bit integers that wrap; gives D densely packed in `order`.
    ///
    /// m or n = 0 gives an empty D and touches nothing; k = 0 gives zeros.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] and [`Error::Unsupported`] before anything is sent; [`Error::OutOfMemory`] when operands do
    /// not fit card memory, or with `resident` the card's buffers; [`Error::DeviceFault`], [`Error::Timeout`] and those
    /// of the transport.
    pub fn gemm(&mut self, call: &GemmCall<'_>) -> Result<(Vec<i32>, GemmStats), Error> {
        self.gemm_rounded(call, RoundingOptions::default())
    }

    /// [`gemm`](Self::gemm) for operands of any type of the card; gives D's codes: integers, or the bits of binary32
    /// numbers. Sums of floats are exact and rounded once, as `rounding` says.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm); [`Error::Unsupported`] too when k is above the depth to which sums of these types are exact.
    pub fn gemm_rounded(
        &mut self,
        call: &GemmCall<'_>,
        rounding: RoundingOptions,
    ) -> Result<(Vec<i32>, GemmStats), Error> {
        let (shape, caps) = self.gemm_shape(call)?;
        let shape = Shape { rounding, ..shape };
        if shape.m == 0 || shape.n == 0 {
            return Ok((vec![], GemmStats::default()));
        }
        self.staged(|card, staging| card.gemm_staged(call, &shape, &caps, staging))
    }

    /// Checks a call.
    fn gemm_shape(&self, call: &GemmCall<'_>) -> Result<(Shape, GemmCaps), Error> {
        let (m, n, k) = (dim(ARG_M, call.m)?, dim(ARG_N, call.n)?, dim(ARG_K, call.k)?);
        call.a.check(ARG_A, m, k)?;
        call.b.check(ARG_B, k, n)?;
        let Some(caps) = self.capabilities().gemm else {
            let (asked, have) = ("gemm".into(), "no GEMM engine".into());
            return Err(Error::Unsupported { asked, have });
        };
        let (a, b) = (call.a.format(), call.b.format());
        let d = if a.is_integer() { Format::I32 } else { Format::F32 };
        let Some(tuple) = caps.tuples.position(a, b, d) else {
            let tuples: Vec<String> = caps.tuples.iter().map(|t| t.to_string()).collect();
            return Err(Error::Unsupported {
                asked: format!("{a},{b},{d}"),
                have: tuples.join(" "),
            });
        };
        if let Some(most) = caps.tuples.get(tuple).and_then(|t: Tuple| t.depth_limit())
            && u64::from(k) > most
        {
            return Err(Error::Unsupported {
                asked: format!("k = {k} of {a},{b},{d}"),
                have: format!("sums that are exact up to k = {most}; cut k and add the parts"),
            });
        }
        Ok((Shape { m, n, k, tuple: tuple as u8, rounding: RoundingOptions::default() }, caps))
    }

    fn gemm_staged(
        &mut self,
        call: &GemmCall<'_>,
        shape: &Shape,
        caps: &GemmCaps,
        staging: &mut Staging,
    ) -> Result<(Vec<i32>, GemmStats), Error> {
        let Shape { m, n, k, tuple, rounding } = *shape;
        let plan = shape.plan(call, caps, &Memory::new(self.capabilities().bus_bytes));
        let [order_a, order_b, order_d] = plan.problem.orders;
        let (d_lines, d_len) = if order_d == Order::Row { (m, n) } else { (n, m) };
        let d_stride = stride(u64::from(d_len) * 4, caps.align)?;
        let (a, a_stride) = call.a.stage(self, staging, [m, k], order_a, caps.align)?;
        let (b, b_stride) = call.b.stage(self, staging, [k, n], order_b, caps.align)?;
        let d = staging.room(self, u64::from(d_lines) * u64::from(d_stride))?;
        let command = GemmCommand {
            tuple,
            rounding: rounding.rounding,
            saturate: rounding.saturate,
            a_col_major: order_a == Order::Column,
            b_col_major: order_b == Order::Column,
            d_col_major: order_d == Order::Column,
            m,
            n,
            k,
            a,
            a_stride,
            b,
            b_stride,
            d,
            d_stride,
            ..GemmCommand::default()
        };
        let (load, compute, store) = (true, true, true);
        let commands = if call.resident {
            vec![
                GemmCommand { load_a: load, load_b: load, ..command },
                GemmCommand { compute, ..command },
                GemmCommand { store, ..command },
            ]
        } else {
            vec![GemmCommand { load_a: load, load_b: load, compute, store, ..command }]
        };
        let limit = shape.cycle_limit(caps, self.capabilities().bus_bytes);
        let mut stats = GemmStats::default();
        for command in commands {
            let completion = self.run("gemm", &Command::Gemm(command), limit)?;
            if completion.code == ErrorCode::TooLarge {
                let kib = caps.a_kib.max(caps.b_kib).max(caps.result_kib);
                let have = u64::from(kib) * 1024;
                return Err(Error::OutOfMemory { need: completion.info.into(), have });
            }
            if !completion.is_ok() {
                return Err(crate::card::run::fault(&completion));
            }
            stats.cycles += completion.cycles;
            self.add_counters(&mut stats, command.compute)?;
        }
        let bytes = self.fetch(d, d_lines as usize * d_stride as usize)?;
        let mut out = Vec::with_capacity(call.m * call.n);
        for line in bytes.chunks_exact(d_stride as usize) {
            let words = line.chunks_exact(4).take(d_len as usize);
            out.extend(words.map(|w| i32::from_le_bytes([w[0], w[1], w[2], w[3]])));
        }
        if order_d != call.order {
            out = turned(&out, d_lines as usize, d_len as usize);
        }
        Ok((out, stats))
    }

    fn add_counters(&mut self, stats: &mut GemmStats, computed: bool) -> Result<(), Error> {
        self.counters(|regs| {
            if computed {
                stats.compute_cycles = regs.wide(gemm::COMPUTE_CYCLES_LO, gemm::COMPUTE_CYCLES_HI);
                stats.macs = regs.wide(gemm::MACS_LO, gemm::MACS_HI);
            }
            stats.bytes_read += regs.wide(gemm::BYTES_READ_LO, gemm::BYTES_READ_HI);
            stats.bytes_written += regs.wide(gemm::BYTES_WRITTEN_LO, gemm::BYTES_WRITTEN_HI);
        })
    }
}

/// A shape the card is asked for.
struct Shape {
    m: u32,
    n: u32,
    k: u32,
    tuple: u8,
    rounding: RoundingOptions,
}

impl Shape {
    /// The plan of a call. Operands that are loaded by a command of their own must agree on the order of D, and their
    /// contract is that of the shape as it is: there the orders are the caller's.
    fn plan(&self, call: &GemmCall<'_>, caps: &GemmCaps, memory: &Memory) -> Plan {
        let bits = [&call.a, &call.b].map(|x| x.format().storage_bits());
        let orders = [call.a.order, call.b.order, call.order];
        let problem = Problem { m: self.m, n: self.n, k: self.k, bits, orders };
        Plan::choose(&problem, [!call.resident; 3], caps, memory)
    }

    /// Cycles after which something must be wrong: many times what the worst memory would take.
    fn cycle_limit(&self, caps: &GemmCaps, bus_bytes: u32) -> u64 {
        let (m, n, k) = (u64::from(self.m), u64::from(self.n), u64::from(self.k));
        let (rows, cols) = (u64::from(caps.rows), u64::from(caps.cols));
        let tiles = m.div_ceil(rows).saturating_mul(n.div_ceil(cols));
        let beats = 1 + (rows + cols) / u64::from(bus_bytes);
        let tile = k.max(rows).saturating_mul(beats).saturating_add(4 * rows * cols + 1000);
        tiles.saturating_mul(tile).saturating_mul(16).saturating_add(1_000_000)
    }
}

fn dim(index: usize, value: usize) -> Result<u32, Error> {
    u32::try_from(value)
        .map_err(|_| Error::invalid_arg(index, format!("{value} is above {}", u32::MAX)))
}

/// Bytes from one line in card memory to the next.
fn stride(line_bytes: u64, align: u32) -> Result<u32, Error> {
    let stride = line_bytes.next_multiple_of(align.into());
    u32::try_from(stride).map_err(|_| Error::OutOfMemory { need: stride, have: u32::MAX.into() })
}

impl Operand<'_> {
    fn format(&self) -> Format {
        match self.elements {
            Elements::I8(_) => Format::int(8),
            Elements::I4(_) => Format::int(4),
            Elements::Packed { format, .. } => format,
        }
    }

    /// Bytes of so many elements.
    fn bytes(&self, elements: usize) -> usize {
        (elements * self.format().storage_bits() as usize).div_ceil(8)
    }

    /// Lines and elements in each.
    fn lines(&self, rows: u32, cols: u32) -> (usize, usize) {
        let (rows, cols) = (rows as usize, cols as usize);
        if self.order == Order::Row { (rows, cols) } else { (cols, rows) }
    }

    /// Checks that a `rows` x `cols` matrix lies inside the slice.
    fn check(&self, index: usize, rows: u32, cols: u32) -> Result<(), Error> {
        let (lines, len) = self.lines(rows, cols);
        if lines == 0 || len == 0 {
            return Ok(());
        }
        let bad = |what: String| Err(Error::invalid_arg(index, what));
        if lines > 1 && self.ld < len {
            return bad(format!("ld is {}, it must be at least {len}", self.ld));
        }
        let bits = self.format().storage_bits() as usize;
        let in_a_byte = (8 / bits).max(1);
        if lines > 1 && !self.ld.is_multiple_of(in_a_byte) {
            let rule = if in_a_byte == 2 { "even" } else { "whole bytes" };
            return bad(format!("ld is {}, it must be {rule} for {bits}-bit elements", self.ld));
        }
        let there = match self.elements {
            Elements::I8(elements) => elements.len(),
            Elements::I4(bytes) | Elements::Packed { bytes, .. } => {
                bytes.len().saturating_mul(8) / bits
            }
        };
        let needed = (lines - 1).checked_mul(self.ld).and_then(|n| n.checked_add(len));
        match needed {
            Some(needed) if needed <= there => Ok(()),
            Some(needed) => bad(format!("it has {there} elements, {needed} are needed")),
            None => bad(format!("{lines} lines of {} elements have no end", self.ld)),
        }
    }

    /// Copies the matrix to the card in an order, every line at a multiple of `align`: address and stride.
    fn stage(
        &self,
        card: &mut Card,
        staging: &mut Staging,
        [rows, cols]: [u32; 2],
        order: Order,
        align: u32,
    ) -> Result<(u64, u32), Error> {
        if order != self.order {
            let (lines, len) = self.lines(rows, cols);
            let other = self.turned(lines, len);
            return other.view(order, lines).stage(card, staging, [rows, cols], order, align);
        }
        let (lines, len) = self.lines(rows, cols);
        let line_bytes = self.bytes(len);
        let stride = stride(line_bytes as u64, align)?;
        let need = lines as u64 * u64::from(stride);
        let address = staging.room(card, need)?;
        let mut image = vec![0u8; need as usize];
        if line_bytes > 0 {
            for (i, line) in image.chunks_exact_mut(stride as usize).enumerate() {
                match self.elements {
                    Elements::I8(from) => {
                        let from = &from[i * self.ld..][..len];
                        line.iter_mut().zip(from).for_each(|(to, from)| *to = *from as u8);
                    }
                    Elements::I4(from) | Elements::Packed { bytes: from, .. } => {
                        let from = &from[self.bytes(i * self.ld)..][..line_bytes];
                        line[..line_bytes].copy_from_slice(from);
                    }
                }
            }
        }
        if !image.is_empty() {
            card.transport().write(address, &image)?;
        }
        Ok((address, stride))
    }
}

/// `lines` lines of `len` values, the values of each place together.
fn turned<T: Copy>(values: &[T], lines: usize, len: usize) -> Vec<T> {
    (0..len).flat_map(|i| (0..lines).map(move |line| values[line * len + i])).collect()
}

/// The elements of an operand in their other order.
struct Turned {
    format: Format,
    bytes: Vec<u8>,
}

/// Elements in a byte, at least one.
fn in_a_byte(format: Format) -> usize {
    (8 / format.storage_bits() as usize).max(1)
}

impl Turned {
    /// As an operand of lines of `len` elements.
    fn view(&self, order: Order, len: usize) -> Operand<'_> {
        let elements = Elements::Packed { format: self.format, bytes: &self.bytes };
        Operand { elements, order, ld: len.next_multiple_of(in_a_byte(self.format)) }
    }
}

impl Operand<'_> {
    /// Lines of up to 8-bit elements, the other way round.
    fn turned(&self, lines: usize, len: usize) -> Turned {
        let format = self.format();
        let bits = format.storage_bits() as usize;
        let mask = ((1u32 << bits) - 1) as u8;
        let element = |line: usize, i: usize| {
            let at = (line * self.ld + i) * bits;
            match self.elements {
                Elements::I8(from) => from[at / 8] as u8,
                Elements::I4(from) | Elements::Packed { bytes: from, .. } => {
                    from[at / 8] >> (at % 8) & mask
                }
            }
        };
        let step = in_a_byte(format);
        let byte = |i: usize, line: usize| {
            (0..step.min(lines - line)).fold(0, |byte, j| byte | element(line + j, i) << (j * bits))
        };
        let bytes = (0..len)
            .flat_map(|i| (0..lines).step_by(step).map(move |line| (i, line)))
            .map(|(i, line)| byte(i, line))
            .collect();
        Turned { format, bytes }
    }
}
