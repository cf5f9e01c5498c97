//! What can be known to be wrong before an engine starts.

use mattock_spec::command::{Command, GemmCommand, Rejected, SpgemmCommand};
use mattock_spec::regs::{Capabilities, ErrorCode, GemmCaps, SpgemmCaps};

/// Checks a command against what the card can do.
///
/// # Errors
/// The first fault, as the completion will report it: no such engine (`BAD_OPCODE`), type tuple,
/// value type, semiring or steps not built in (`UNSUPPORTED_MODE`), dimensions (`BAD_SHAPE`), alignment and address range
/// (`BAD_ADDRESS`), on-chip space (`TOO_LARGE`).
pub fn validate(command: &Command, caps: &Capabilities) -> Result<(), Rejected> {
    let memory = Memory { address_bits: caps.address_bits };
    let no_engine = Rejected { code: ErrorCode::BadOpcode, info: command.opcode() as u32 };
    match command {
        Command::Nop => Ok(()),
        Command::Gemm(c) => gemm(c, caps.gemm.as_ref().ok_or(no_engine)?, &memory),
        Command::Spgemm(c) => spgemm(c, caps.spgemm.as_ref().ok_or(no_engine)?, &memory),
    }
}

fn gemm(c: &GemmCommand, caps: &GemmCaps, memory: &Memory) -> Result<(), Rejected> {
    let unsupported = Rejected { code: ErrorCode::UnsupportedMode, info: c.mode() };
    let tuple = caps.tuples.get(c.tuple.into()).ok_or(unsupported)?;
    if !(c.load_a || c.load_b || c.compute || c.store) {
        return Err(unsupported);
    }
    if tuple.depth_limit().is_some_and(|most| u64::from(c.k) > most) {
        return Err(Rejected { code: ErrorCode::BadShape, info: GemmCommand::OFFSET_K });
    }
    let lines = |major_lines, minor_lines, col_major| {
        if col_major { (minor_lines, major_lines) } else { (major_lines, minor_lines) }
    };
    if c.load_a {
        let (count, length) = lines(c.m, c.k, c.a_col_major);
        let a = Strided { at: GemmCommand::OFFSET_A, base: c.a, stride: c.a_stride, count, length };
        memory.strided(&a, tuple.a.storage_bits(), caps.align)?;
    }
    if c.load_b {
        let (count, length) = lines(c.k, c.n, c.b_col_major);
        let b = Strided { at: GemmCommand::OFFSET_B, base: c.b, stride: c.b_stride, count, length };
        memory.strided(&b, tuple.b.storage_bits(), caps.align)?;
    }
    if c.store {
        let (count, length) = lines(c.m, c.n, c.d_col_major);
        let d = Strided { at: GemmCommand::OFFSET_D, base: c.d, stride: c.d_stride, count, length };
        let line_bytes = memory.strided(&d, tuple.d.storage_bits(), caps.align)?;
        // Rows of D that overlap would make the result depend on the order of writes.
        if count > 1 && u64::from(c.d_stride) < line_bytes {
            return Err(bad_address(GemmCommand::OFFSET_D));
        }
    }
    // An operand that another command loads or uses, and a result that another command stores or
    // computed, must lie on chip as a whole.
    if c.load_a != c.compute {
        fits(caps.a_bytes(c.m, c.k), caps.a_kib)?;
    }
    if c.load_b != c.compute {
        fits(caps.b_bytes(c.k, c.n), caps.b_kib)?;
    }
    if c.store != c.compute {
        fits(caps.result_bytes(c.m, c.n), caps.result_kib)?;
    }
    Ok(())
}

fn fits(bytes: u64, kib: u32) -> Result<(), Rejected> {
    if bytes <= u64::from(kib) * 1024 {
        return Ok(());
    }
    Err(Rejected { code: ErrorCode::TooLarge, info: u32::try_from(bytes).unwrap_or(u32::MAX) })
}

fn spgemm(c: &SpgemmCommand, caps: &SpgemmCaps, memory: &Memory) -> Result<(), Rejected> {
    if !caps.has(c.value) || !caps.has_semiring(c.semiring) {
        return Err(Rejected { code: ErrorCode::UnsupportedMode, info: c.mode() });
    }
    let bad_shape = |at| Err(Rejected { code: ErrorCode::BadShape, info: at });
    if u64::from(c.cols) > 1 << caps.index_bits.min(32) {
        return bad_shape(SpgemmCommand::OFFSET_COLS);
    }
    if u64::from(c.nnz_a) > u64::from(c.rows) * u64::from(c.inner) {
        return bad_shape(SpgemmCommand::OFFSET_NNZ_A);
    }
    if u64::from(c.nnz_b) > u64::from(c.inner) * u64::from(c.cols) {
        return bad_shape(SpgemmCommand::OFFSET_NNZ_B);
    }
    let pointers = |rows: u32| u64::from(rows) + 1;
    let [a, b, c_room] = [c.nnz_a, c.nnz_b, c.c_capacity].map(u64::from);
    let words = [pointers(c.rows), a, a, pointers(c.inner), b, b, pointers(c.rows), c_room, c_room];
    let mut at = SpgemmCommand::OFFSET_ADDRESSES;
    for (base, words) in c.addresses().into_iter().zip(words) {
        memory.array(at, base, 4 * words, caps.align)?;
        at += 8;
    }
    Ok(())
}

fn bad_address(at: u32) -> Rejected {
    Rejected { code: ErrorCode::BadAddress, info: at }
}

/// Lines of elements, `stride` bytes apart.
struct Strided {
    /// Byte offset of the address in the parameter block.
    at: u32,
    base: u64,
    stride: u32,
    count: u32,
    length: u32,
}

/// The card's address space.
struct Memory {
    address_bits: u32,
}

impl Memory {
    /// Checks a strided operand and gives the bytes of one of its lines.
    fn strided(&self, x: &Strided, bits: u32, align: u32) -> Result<u64, Rejected> {
        let line_bytes = (u64::from(x.length) * u64::from(bits)).div_ceil(8);
        if x.count > 1 && !x.stride.is_multiple_of(align) {
            return Err(bad_address(x.at));
        }
        let bytes = if x.count == 0 || x.length == 0 {
            0
        } else {
            // Below 2^64: the product of two numbers below 2^32, plus less than 2^35.
            (u64::from(x.count - 1) * u64::from(x.stride)).saturating_add(line_bytes)
        };
        self.array(x.at, x.base, bytes, align)?;
        Ok(line_bytes)
    }

    /// Checks that `bytes` from `base` on are aligned and addressable.
    fn array(&self, at: u32, base: u64, bytes: u64, align: u32) -> Result<(), Rejected> {
        if bytes == 0 {
            return Ok(()); // never accessed, so its address means nothing
        }
        let last = base.checked_add(bytes - 1).ok_or(bad_address(at))?;
        let reachable = u64::MAX >> (64 - self.address_bits.clamp(1, 64));
        if last > reachable || !base.is_multiple_of(align.into()) {
            return Err(bad_address(at));
        }
        Ok(())
    }
}
