//! Operations on values of at most 64 bits, run as batches: one loop per batch instead of one
//! dispatch per node. Identical instances fill the batches, so an array of processing elements
//! runs as a few vector loops.
//!
//! Values are canonical (see [`super::flatten::Shape`]), so exact arithmetic, logic and comparison
//! need no masking at all; only operations that drop bits do.

/// A batch operation. `imm` and `k` are the batch's constants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Code {
    And,
    Or,
    Xor,
    /// `a ^ imm`: complement, `imm` being the ones of the width.
    XorImm,
    Eq,
    Ne,
    EqImm,
    NeImm,
    /// Parity of `a & imm`.
    Parity,
    LtU,
    LtS,
    GeU,
    GeS,
    Add,
    Sub,
    Mul,
    Neg,
    /// `a + b` cut to the bits of `imm`.
    AddU,
    /// `a + b` cut to the signed type whose top bit is `imm`.
    AddS,
    SubU,
    SubS,
    /// `a` cut to the bits of `imm`.
    CutU,
    /// `a` cut to the signed type whose top bit is `imm`.
    CutS,
    /// `a << k`.
    ShlK,
    /// `a >> k`, zeros.
    ShrK,
    /// `a >> k`, sign.
    SarK,
    ShlU,
    ShlS,
    ShrU,
    ShrS,
    Sra,
    /// `(a >> b) & imm`.
    Slice,
    /// Bits across two words `a` (low) and `b`, from bit `c` of `a` on.
    Slice2,
    /// `a` above the `k` bits of `b`, cut to the bits of `imm`.
    Cat,
    /// `a ? b : c`.
    Mux,
    /// Lane `b` of `a`, lanes of `k` bits, `imm` lanes.
    Lane,
    /// `a != 0 ? b : 0` where the false arm is zero.
    Gate,
    /// Asynchronous read of memory `k` at address `a`.
    MemRead,
    /// Several words: entry `k` of the table of wide operations.
    Wide,
    /// Black box `k`.
    Box,
}

/// Where the operands of a batch are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    /// Consecutive slots from here.
    Run(u32),
    /// The same slot for all.
    Same(u32),
    /// Slots listed in the pool from here.
    Gather(u32),
}

/// `len` operations of one kind with results in consecutive slots from `dst`.
/// Operands are always in slots before `dst`.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) code: Code,
    pub(super) imm: u64,
    pub(super) k: u32,
    pub(super) dst: u32,
    pub(super) len: u32,
    pub(super) args: [Arg; 3],
}

fn cut_s(x: u64, sign: u64) -> u64 {
    // `sign | (sign - 1)` are the ones of the width; no arithmetic shift, so that it vectorises.
    ((x & (sign | (sign - 1))) ^ sign).wrapping_sub(sign)
}

impl Batch {
    /// Runs a batch of narrow operations; memories and wide operations are run by the interpreter.
    pub(super) fn run(&self, v: &mut [u64], pool: &[u32]) {
        let (m, k) = (self.imm, self.k);
        match self.code {
            Code::And => self.binary(v, pool, |a, b| a & b),
            Code::Or => self.binary(v, pool, |a, b| a | b),
            Code::Xor => self.binary(v, pool, |a, b| a ^ b),
            Code::XorImm => self.unary(v, pool, |a| a ^ m),
            Code::Eq => self.binary(v, pool, |a, b| (a == b) as u64),
            Code::Ne => self.binary(v, pool, |a, b| (a != b) as u64),
            Code::EqImm => self.unary(v, pool, |a| (a == m) as u64),
            Code::NeImm => self.unary(v, pool, |a| (a != m) as u64),
            Code::Parity => self.unary(v, pool, |a| ((a & m).count_ones() & 1) as u64),
            Code::LtU => self.binary(v, pool, |a, b| (a < b) as u64),
            Code::LtS => self.binary(v, pool, |a, b| ((a as i64) < b as i64) as u64),
            Code::GeU => self.binary(v, pool, |a, b| (a >= b) as u64),
            Code::GeS => self.binary(v, pool, |a, b| (a as i64 >= b as i64) as u64),
            Code::Add => self.binary(v, pool, u64::wrapping_add),
            Code::Sub => self.binary(v, pool, u64::wrapping_sub),
            Code::Mul => self.binary(v, pool, u64::wrapping_mul),
            Code::Neg => self.unary(v, pool, u64::wrapping_neg),
            Code::AddU => self.binary(v, pool, |a, b| a.wrapping_add(b) & m),
            Code::AddS => self.binary(v, pool, |a, b| cut_s(a.wrapping_add(b), m)),
            Code::SubU => self.binary(v, pool, |a, b| a.wrapping_sub(b) & m),
            Code::SubS => self.binary(v, pool, |a, b| cut_s(a.wrapping_sub(b), m)),
            Code::CutU => self.unary(v, pool, |a| a & m),
            Code::CutS => self.unary(v, pool, |a| cut_s(a, m)),
            Code::ShlK => self.unary(v, pool, |a| a << k),
            Code::ShrK => self.unary(v, pool, |a| a >> k),
            Code::SarK => self.unary(v, pool, |a| (a as i64 >> k) as u64),
            Code::ShlU => self.binary(v, pool, |a, n| if n > 63 { 0 } else { (a << n) & m }),
            Code::ShlS => self.binary(v, pool, |a, n| if n > 63 { 0 } else { cut_s(a << n, m) }),
            Code::ShrU => self.binary(v, pool, |a, n| if n > 63 { 0 } else { a >> n }),
            Code::ShrS => {
                self.binary(
                    v,
                    pool,
                    |a, n| {
                        if n > 63 { 0 } else { cut_s((a & (m | (m - 1))) >> n, m) }
                    },
                )
            }
            Code::Sra => self.binary(v, pool, |a, n| (a as i64 >> n.min(63)) as u64),
            Code::Slice => self.binary(v, pool, |a, n| (a >> (n & 63)) & m),
            Code::Slice2 => {
                self.ternary(v, pool, |a, b, n| ((a >> (n & 63)) | (b << ((64 - n) & 63))) & m)
            }
            Code::Cat => self.binary(v, pool, |a, b| ((a << k) | (b & !(u64::MAX << k))) & m),
            Code::Mux => self.ternary(v, pool, |s, a, b| b ^ ((a ^ b) & s.wrapping_neg())),
            Code::Gate => self.binary(v, pool, |s, a| a & s.wrapping_neg()),
            Code::Lane => self.binary(v, pool, |a, i| {
                if i >= m { 0 } else { (a >> ((i as u32 * k) & 63)) & (u64::MAX >> (64 - k)) }
            }),
            Code::MemRead | Code::Wide | Code::Box => {}
        }
    }

    #[inline(always)]
    fn unary(&self, v: &mut [u64], pool: &[u32], f: impl Fn(u64) -> u64) {
        let n = self.len as usize;
        let (lo, hi) = v.split_at_mut(self.dst as usize);
        let out = &mut hi[..n];
        match self.args[0] {
            Arg::Run(a) => {
                let a = &lo[a as usize..][..n];
                for (o, a) in out.iter_mut().zip(a) {
                    *o = f(*a);
                }
            }
            Arg::Same(a) => out.fill(f(lo[a as usize])),
            Arg::Gather(a) => {
                let a = &pool[a as usize..][..n];
                for (o, a) in out.iter_mut().zip(a) {
                    *o = f(lo[*a as usize]);
                }
            }
        }
    }

    #[inline(always)]
    fn binary(&self, v: &mut [u64], pool: &[u32], f: impl Fn(u64, u64) -> u64) {
        let n = self.len as usize;
        let (lo, hi) = v.split_at_mut(self.dst as usize);
        let out = &mut hi[..n];
        match (self.args[0], self.args[1]) {
            (Arg::Run(a), Arg::Run(b)) => {
                let (a, b) = (&lo[a as usize..][..n], &lo[b as usize..][..n]);
                for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
                    *o = f(*a, *b);
                }
            }
            (Arg::Run(a), Arg::Same(b)) => {
                let (a, b) = (&lo[a as usize..][..n], lo[b as usize]);
                for (o, a) in out.iter_mut().zip(a) {
                    *o = f(*a, b);
                }
            }
            (Arg::Same(a), Arg::Run(b)) => {
                let (a, b) = (lo[a as usize], &lo[b as usize..][..n]);
                for (o, b) in out.iter_mut().zip(b) {
                    *o = f(a, *b);
                }
            }
            (Arg::Gather(a), Arg::Gather(b)) => {
                let (a, b) = (&pool[a as usize..][..n], &pool[b as usize..][..n]);
                for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
                    *o = f(lo[*a as usize], lo[*b as usize]);
                }
            }
            (a, b) => {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = f(pick(a, i, lo, pool), pick(b, i, lo, pool));
                }
            }
        }
    }

    #[inline(always)]
    fn ternary(&self, v: &mut [u64], pool: &[u32], f: impl Fn(u64, u64, u64) -> u64) {
        let n = self.len as usize;
        let (lo, hi) = v.split_at_mut(self.dst as usize);
        let out = &mut hi[..n];
        match self.args {
            [Arg::Run(a), Arg::Run(b), Arg::Run(c)] => {
                let (a, b) = (&lo[a as usize..][..n], &lo[b as usize..][..n]);
                let c = &lo[c as usize..][..n];
                for (((o, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
                    *o = f(*a, *b, *c);
                }
            }
            [Arg::Same(a), Arg::Run(b), Arg::Run(c)] => {
                let (b, c) = (&lo[b as usize..][..n], &lo[c as usize..][..n]);
                let a = lo[a as usize];
                for ((o, b), c) in out.iter_mut().zip(b).zip(c) {
                    *o = f(a, *b, *c);
                }
            }
            [Arg::Run(a), Arg::Same(b), Arg::Run(c)] => {
                let (a, c) = (&lo[a as usize..][..n], &lo[c as usize..][..n]);
                let b = lo[b as usize];
                for ((o, a), c) in out.iter_mut().zip(a).zip(c) {
                    *o = f(*a, b, *c);
                }
            }
            [Arg::Gather(a), Arg::Gather(b), Arg::Gather(c)] => {
                let (a, b) = (&pool[a as usize..][..n], &pool[b as usize..][..n]);
                let c = &pool[c as usize..][..n];
                for (((o, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
                    *o = f(lo[*a as usize], lo[*b as usize], lo[*c as usize]);
                }
            }
            [a, b, c] => {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = f(pick(a, i, lo, pool), pick(b, i, lo, pool), pick(c, i, lo, pool));
                }
            }
        }
    }
}

/// Operand `i` of a batch.
#[inline(always)]
pub(super) fn pick(arg: Arg, i: usize, v: &[u64], pool: &[u32]) -> u64 {
    match arg {
        Arg::Run(a) => v[a as usize + i],
        Arg::Same(a) => v[a as usize],
        Arg::Gather(a) => v[pool[a as usize + i] as usize],
    }
}
