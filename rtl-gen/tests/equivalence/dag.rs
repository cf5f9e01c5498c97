//! Seeded random modules over all operators, registers and memories.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rtl_gen::{
    Builder, Collision, MemSpec, Module, Sig, Type, Value, bits, case, cat, index_width,
    one_hot_mux, sint, uint,
};

const WIDTHS: [u32; 12] = [1, 2, 3, 8, 17, 31, 32, 33, 63, 64, 65, 128];
/// Wider results are cut, so that products of products stay small.
const WIDEST: u32 = 140;

/// Inputs every module may read, by name.
pub(crate) fn inputs() -> Vec<(String, Type)> {
    let kinds = [("b", bits as fn(u32) -> Type), ("u", uint), ("s", sint)];
    let all = WIDTHS.iter().flat_map(|w| kinds.map(|(k, ty)| (format!("{k}{w}"), ty(*w))));
    all.collect()
}

/// One random graph.
#[derive(Debug)]
pub(crate) struct Dag {
    pub(crate) seed: u64,
}

/// Many graphs on the same inputs.
#[derive(Debug)]
pub(crate) struct Dags {
    pub(crate) seeds: std::ops::Range<u64>,
}

impl Module for Dags {
    fn name(&self) -> String {
        format!("dags_{}_{}", self.seeds.start, self.seeds.end)
    }
    fn build(&self, m: &Builder) {
        let inputs: Vec<_> =
            inputs().into_iter().map(|(name, ty)| (m.input(&name, ty), name)).collect();
        for (_, name) in &inputs {
            m.unused(name);
        }
        for seed in self.seeds.clone() {
            let inst = m.inst(&format!("dag_{seed}_i"), &Dag { seed });
            for (sig, name) in &inputs {
                if inst.ports().iter().any(|p| p.0 == *name) {
                    inst.set(name, *sig);
                }
            }
            m.output(&format!("y{seed}"), inst.get("y"));
        }
    }
}

impl Module for Dag {
    fn name(&self) -> String {
        format!("dag_{}", self.seed)
    }
    fn build(&self, m: &Builder) {
        let mut draw = Draw::new(m, self.seed);
        let state: Vec<_> = (0..draw.rng.random_range(0..3)).map(|i| draw.register(i)).collect();
        let reset = m.reset_signal();
        let steps = draw.rng.random_range(4..11);
        for i in 0..steps {
            if draw.rng.random_bool(0.06) {
                draw.memory(i);
            }
            let sig = draw.operation();
            let sig = draw.cut(sig);
            let sig = if draw.rng.random_bool(0.2) { sig.named(&format!("n{i}")) } else { sig };
            draw.pool.push(sig);
            draw.fresh.push(sig);
        }
        for (reg, has_reset) in state {
            let next = draw.fresh.choose(&mut draw.rng).copied().unwrap_or(reg.q());
            let next = fit(next, reg.q().ty());
            if !has_reset {
                // Must not take what is unknown before the reset.
                let enable = draw.flag();
                reg.drive_when(enable & !reset, next);
            } else if draw.rng.random_bool(0.5) {
                let enable = draw.flag();
                reg.drive_when(enable, next);
            } else {
                reg.drive(next);
            }
        }
        let tail = draw.fresh.len().saturating_sub(5);
        let parts: Vec<Sig<'_>> = draw.fresh[tail..].to_vec();
        m.output("y", cat(&parts));
    }
}

struct Draw<'m> {
    m: &'m Builder,
    rng: StdRng,
    inputs: Vec<(String, Type, Option<Sig<'m>>)>,
    /// Everything that may be an operand.
    pool: Vec<Sig<'m>>,
    /// What operations made.
    fresh: Vec<Sig<'m>>,
}

/// The bits of `sig` as a signal of type `ty`.
fn fit<'m>(sig: Sig<'m>, ty: Type) -> Sig<'m> {
    sig.resize(ty.width()).as_type(ty)
}

impl<'m> Draw<'m> {
    fn new(m: &'m Builder, seed: u64) -> Self {
        let inputs = inputs().into_iter().map(|(n, t)| (n, t, None)).collect();
        Draw { m, rng: StdRng::seed_from_u64(seed), inputs, pool: vec![], fresh: vec![] }
    }

    fn below(&mut self, n: u32) -> u32 {
        self.rng.random_range(0..n)
    }

    fn width(&mut self) -> u32 {
        *WIDTHS.choose(&mut self.rng).unwrap()
    }

    fn input(&mut self) -> Sig<'m> {
        let i = self.rng.random_range(0..self.inputs.len());
        let (name, ty, known) = &mut self.inputs[i];
        *known.get_or_insert_with(|| {
            let sig = self.m.input(name, *ty);
            // What reads it may itself be read by nobody.
            self.m.unused(name);
            sig
        })
    }

    fn any(&mut self) -> Sig<'m> {
        match self.rng.random_range(0..20) {
            0 => {
                let ty = self.input().ty();
                self.literal(ty)
            }
            1..=11 if !self.pool.is_empty() => *self.pool.choose(&mut self.rng).unwrap(),
            _ => self.input(),
        }
    }

    fn literal(&mut self, ty: Type) -> Sig<'m> {
        let w = ty.width();
        let words =
            (0..3).map(|_| *[0, 1, u64::MAX, self.rng.random()].choose(&mut self.rng).unwrap());
        let value = Value::from_words(w, words.collect());
        self.m.constant(value, ty)
    }

    fn number(&mut self) -> Sig<'m> {
        let x = self.any();
        match (x.ty().is_number(), self.rng.random()) {
            (true, _) => x,
            (_, true) => x.as_u(),
            (_, false) => x.as_s(),
        }
    }

    /// A number of that sign, of any width.
    fn number_like(&mut self, signed: bool) -> Sig<'m> {
        let x = self.any();
        if signed { x.as_s() } else { x.as_u() }
    }

    fn like(&mut self, x: Sig<'m>) -> Sig<'m> {
        let y = self.any();
        fit(y, x.ty())
    }

    fn flag(&mut self) -> Sig<'m> {
        let x = self.any();
        match self.below(3) {
            0 => x.red_or(),
            1 => x.red_xor(),
            _ => {
                let i = self.below(x.width());
                x.bit(i)
            }
        }
    }

    /// A shift amount or index, seldom in range by itself.
    fn amount(&mut self, limit: u32) -> Sig<'m> {
        let x = self.any().as_u();
        match self.below(3) {
            0 => x,
            _ => {
                let w = (index_width(limit) + self.below(2)).min(x.width());
                x.trunc(w)
            }
        }
    }

    fn cut(&mut self, x: Sig<'m>) -> Sig<'m> {
        if x.width() <= WIDEST {
            return x;
        }
        let w = self.width();
        x.trunc(w)
    }

    fn operation(&mut self) -> Sig<'m> {
        match self.below(36) {
            0 => !self.any(),
            1 => {
                let x = self.any();
                x & self.like(x)
            }
            2 => {
                let x = self.any();
                x | self.like(x)
            }
            3 => {
                let x = self.any();
                x ^ self.like(x)
            }
            4 => self.any().red_and(),
            5 => self.any().red_or(),
            6 => self.any().red_xor(),
            7 | 8 => {
                let x = self.number();
                x + self.number_like(x.ty().is_signed())
            }
            9 | 10 => {
                let x = self.number();
                x - self.number_like(x.ty().is_signed())
            }
            11 | 12 => {
                let x = self.number();
                x * self.number_like(x.ty().is_signed())
            }
            13 => -self.number(),
            14 => {
                let x = self.any();
                x.eq(self.like(x))
            }
            15 => {
                let x = self.any();
                x.ne(self.like(x))
            }
            16 | 17 => {
                let x = self.number();
                let y = self.like(x);
                [x.lt(y), x.gt(y), x.le(y), x.ge(y)][self.below(4) as usize]
            }
            18 => {
                let k = self.below(70);
                self.any().shl_k(k)
            }
            19 => {
                let x = self.any();
                let k = self.below(x.width());
                x.shr_k(k)
            }
            20 => {
                let x = self.any();
                x.shl(self.amount(x.width()))
            }
            21 => {
                let x = self.any();
                x.shr(self.amount(x.width()))
            }
            22 => {
                let x = self.any().as_s();
                x.sra(self.amount(x.width()))
            }
            23 | 24 => {
                let x = self.any();
                let s = self.flag();
                s.mux(x, self.like(x))
            }
            25 => self.case(),
            26 => {
                let x = self.any();
                let lo = self.below(x.width());
                let hi = lo + self.below(x.width() - lo);
                x.slice(hi, lo)
            }
            27 => {
                let n = 1 + self.below(4);
                let parts: Vec<_> = (0..n).map(|_| self.any()).collect();
                cat(&parts)
            }
            28 => {
                let n = 1 + self.below(5);
                self.any().rep(n)
            }
            29 => {
                let x = self.any();
                let w = x.width() + self.below(70);
                x.zext(w)
            }
            30 => {
                let x = self.any();
                let w = x.width() + self.below(70);
                x.sext(w)
            }
            31 => {
                let (x, w) = (self.any(), self.width());
                x.resize(w)
            }
            32 => {
                let x = self.any();
                [x.as_s(), x.as_u(), x.as_bits()][self.below(3) as usize]
            }
            33 | 34 => self.lane(),
            _ => self.derived(),
        }
    }

    fn case(&mut self) -> Sig<'m> {
        let select = self.any();
        let select = if select.width() > 3 && self.rng.random() { select.trunc(3) } else { select };
        let default = self.any();
        let keys: Vec<i128> = match select.ty() {
            Type::SInt(1) => vec![-1, 0],
            Type::SInt(2) => vec![-2, 1],
            Type::SInt(_) => vec![-4, -1, 0, 2],
            ty if ty.width() < 3 => vec![0, 1],
            _ => vec![7, 0, 5, 3, 5],
        };
        let arms: Vec<_> = keys.into_iter().map(|k| (k, self.like(default))).collect();
        case(select, &arms, default)
    }

    fn lane(&mut self) -> Sig<'m> {
        let lanes = [1, 2, 3, 5, 6, 8][self.below(6) as usize];
        let widest = [1, 4, 9, 33, 70][self.below(5) as usize];
        let lane = 1 + self.below(widest.min(300 / lanes));
        let x = self.any();
        let x = if x.ty().is_signed() { x.as_u() } else { x };
        let x = x.resize(lanes * lane);
        let index = self.amount(lanes);
        x.dyn_lane(index, lane)
    }

    /// Builder functions made of several nodes.
    fn derived(&mut self) -> Sig<'m> {
        let x = self.number();
        let y = self.like(x);
        let s = self.flag();
        let all = [x.add_wrap(y), x.sub_wrap(y), x.inc(), x.dec(), s.gate(x)];
        match self.below(6) {
            5 => one_hot_mux(&[(s, x), (!s, y)]),
            i => all[i as usize],
        }
    }

    /// A register, and whether it has a reset (otherwise it has a start value).
    fn register(&mut self, i: u32) -> (rtl_gen::Reg<'m>, bool) {
        let w = self.width();
        let ty = [bits(w), uint(w), sint(w)][self.below(3) as usize];
        let name = format!("r{i}");
        let kind = self.below(3);
        let reg = match kind {
            0 => self.m.state(&name, ty, 0),
            1 => self.m.state_async(&name, ty, if ty.is_signed() { -1 } else { 1 }),
            _ => self.m.reg_decl(&name, ty).init(if w > 4 { 5 } else { 0 }),
        };
        self.pool.push(reg.q());
        self.fresh.push(reg.q());
        (reg, kind < 2)
    }

    /// A memory of any policy. With `DontCare` no read happens while a write does.
    fn memory(&mut self, i: u32) {
        let depth = 1 << (1 + self.below(3));
        let lane = 1 + self.below(12);
        let (count, with_lanes) = (1 + self.below(8), self.rng.random_bool(0.5));
        let width = lane * count;
        let collision =
            [Collision::Old, Collision::New, Collision::DontCare][self.below(3) as usize];
        let style = self.below(3);
        let spec = match style {
            0 => MemSpec::block(depth, width),
            1 => MemSpec::distributed(depth, width),
            _ => MemSpec::registers(depth, width),
        };
        let init = (0..depth).map(|_| {
            let words = (0..2).map(|_| self.rng.random()).collect();
            Value::from_words(width, words)
        });
        let spec = spec.init(init.collect()).collision(collision);
        let spec = if with_lanes { spec.lanes(lane) } else { spec };
        let mem = self.m.mem(&format!("mem{i}"), spec.clone());
        // Reads in reset, so that the output register is known afterwards.
        let reset = self.m.reset_signal();
        let ports = if style == 2 { 2 } else { 1 };
        let mut writing = self.m.low();
        for _ in 0..ports {
            let addr = self.any();
            let addr = fit(addr, spec.addr());
            let data = self.any();
            let data = fit(data, bits(width));
            let enable = self.flag() & !reset;
            writing = writing | enable;
            if with_lanes {
                let lanes = self.any();
                mem.write_lanes(addr, data, enable, fit(lanes, bits(count)));
            } else {
                mem.write(addr, data, enable);
            }
        }
        for p in 0..ports {
            let addr = self.any();
            let addr = fit(addr, spec.addr());
            let name = format!("mem{i}_q{p}");
            let q = if style != 0 && self.rng.random() {
                mem.read_async(&name, addr)
            } else {
                let enable = self.flag() | reset;
                let enable =
                    if collision == Collision::DontCare { enable & !writing } else { enable };
                mem.read(&name, addr, enable)
            };
            self.pool.push(q);
            self.fresh.push(q);
        }
    }
}
