//! The dense engine of a card.

use super::array::{CHAIN_INTERLEAVE, check_pairing, check_rows};
use super::keys::{Allowed, Checked, Visitor, choice, key, optional_choices, required};
use super::{ArrayKind, ConfigError, MemoryConfig, Pe};
use crate::epilogue::{EpilogueCaps, EpilogueStep};
use crate::format::{MAX_TUPLES, Tuple};

/// An output-stationary array with its scratchpads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GemmConfig {
    /// Rows of multipliers: rows of D computed at once, times the [`depth`](Self::depth) of the PEs.
    pub rows: u32,
    /// PE columns.
    pub cols: u32,
    /// How the PEs are joined.
    pub array: ArrayKind,
    /// What multiplies and adds.
    pub pe: Pe,
    /// Type tuples commands choose among, by index.
    pub tuples: Vec<Tuple>,
    /// Accumulator width of integer tuples.
    pub acc_bits: u32,
    /// Most groups of rows that work on steps of k of their own.
    pub k_split: u32,
    /// A scratchpad, KiB, both buffers together.
    pub a_kib: u32,
    /// B scratchpad, KiB, both buffers together.
    pub b_kib: u32,
    /// Result buffer, KiB.
    pub result_kib: u32,
    /// Operand and result addresses and strides are multiples of this many bytes.
    pub align: u32,
    /// What the card can do to integer sums on their way to memory.
    pub epilogue: Vec<EpilogueStep>,
    /// A command may be many products of one shape.
    pub batch: bool,
}

impl Default for GemmConfig {
    fn default() -> Self {
        GemmConfig {
            rows: 0,
            cols: 0,
            array: ArrayKind::Systolic,
            pe: Pe::Auto,
            tuples: Vec::new(),
            acc_bits: 32,
            k_split: 1,
            a_kib: 16,
            b_kib: 16,
            result_kib: 16,
            align: 64,
            epilogue: Vec::new(),
            batch: false,
        }
    }
}

impl GemmConfig {
    /// Steps of k that PEs sum a cycle.
    pub fn depth(&self) -> u32 {
        self.array.depth(self.rows)
    }

    /// Rows of D that a PE works on in turn, which is also the cycles of a step of k: more than one where sums are chained, for as
    /// many stages has the addition.
    pub fn interleave(&self) -> u32 {
        if self.pe.resolve(&self.tuples) == Pe::FpChain { CHAIN_INTERLEAVE } else { 1 }
    }

    /// Rows of D computed at once.
    pub fn tile_rows(&self) -> u32 {
        self.rows / self.depth() * self.interleave()
    }

    /// Bits of an element in the scratchpads: of the widest operand.
    pub fn element_bits(&self) -> u32 {
        self.a_bits().max(self.b_bits()).max(8)
    }

    /// The widest storage of an A operand over all tuples, in bits.
    pub fn a_bits(&self) -> u32 {
        self.tuples.iter().map(|t| t.a.storage_bits()).max().unwrap_or(0)
    }

    /// The widest storage of a B operand over all tuples, in bits.
    pub fn b_bits(&self) -> u32 {
        self.tuples.iter().map(|t| t.b.storage_bits()).max().unwrap_or(0)
    }

    /// What the card will say about its epilogue.
    pub fn epilogue_caps(&self) -> Option<EpilogueCaps> {
        let steps = self.epilogue.iter().fold(0, |mask, step| mask | 1 << *step as u32);
        let columns = EpilogueStep::RECORDS * self.cols;
        (steps != 0).then_some(EpilogueCaps { steps, columns })
    }

    /// Whether this version's generator builds the tuple: results narrower than the sums need an epilogue.
    pub fn is_buildable(&self, tuple: &Tuple) -> bool {
        tuple.is_built() && (!tuple.is_narrowed() || !self.epilogue.is_empty())
    }

    pub(super) fn visit(&mut self, v: &mut dyn Visitor) -> Checked {
        v.number(required("rows", "Rows of multipliers"), Allowed::Range(1, 256), &mut self.rows)?;
        v.number(
            required("cols", "Columns of multipliers"),
            Allowed::Range(1, 256),
            &mut self.cols,
        )?;
        let array = key("array", "How the PEs are joined");
        choice(v, array, ArrayKind::ALL, &mut self.array)?;
        let pe = key(
            "pe",
            "Processing element; `auto`: `dsp` for i8 and i4, `fp-chain` for floats of 16 and 32 bits, `fp` with other types",
        );
        choice(v, pe, &Pe::words(), &mut self.pe)?;
        let acc = key("acc_bits", "Accumulator width of integer tuples");
        v.number(acc, Allowed::Range(8, 32), &mut self.acc_bits)?;
        let split = key(
            "k_split",
            "Few rows: cut the array into up to this many groups with steps of k of their own",
        );
        v.number(split, Allowed::PowerOfTwo(1, 16), &mut self.k_split)?;
        self.visit_tuples(v)?;
        let pad = Allowed::PowerOfTwo(1, 4096);
        v.number(key("a_kib", "A scratchpad in KiB, both buffers together"), pad, &mut self.a_kib)?;
        v.number(key("b_kib", "B scratchpad in KiB, both buffers together"), pad, &mut self.b_kib)?;
        v.number(key("result_kib", "Result buffer in KiB"), pad, &mut self.result_kib)?;
        let align = key("align", "Operand addresses and strides are multiples of this many bytes");
        v.number(align, Allowed::PowerOfTwo(1, 64), &mut self.align)?;
        let epilogue = key("epilogue", "What can be done to integer sums on their way to memory");
        optional_choices(v, epilogue, EpilogueStep::NAMES, &mut self.epilogue)?;
        v.flag(key("batch", "A command may be many products of one shape"), &mut self.batch)
    }

    fn visit_tuples(&mut self, v: &mut dyn Visitor) -> Checked {
        let key = required("tuples", "Type tuples `A,B,D` a command chooses among");
        let allowed = "a list of tuples such as \"i8,i8,i32\"";
        let mut names: Vec<String> = self.tuples.iter().map(Tuple::to_string).collect();
        v.list(key, allowed, &mut names)?;
        self.tuples.clear();
        for (i, name) in names.iter().enumerate() {
            let fault =
                |next: &str| Err(v.fault(key, Some(i), &format!("{name:?}"), allowed, next));
            let tuple = match name.parse::<Tuple>() {
                Ok(tuple) => tuple.with_accumulator(self.acc_bits as u8),
                Err(e) => return fault(&e.to_string()),
            };
            if self.tuples.contains(&tuple) {
                return fault("remove the repeated tuple");
            }
            if self.tuples.len() == MAX_TUPLES {
                return fault(&format!("keep at most {MAX_TUPLES} tuples"));
            }
            self.tuples.push(tuple);
        }
        Ok(())
    }

    pub(super) fn check_together(&self, memory: &MemoryConfig) -> Checked {
        if let Some(tuple) = self.tuples.iter().find(|t| t.exact_depth() == Some(0)) {
            return Err(ConfigError::new(
                "gemm.acc_bits",
                self.acc_bits,
                format!("enough bits for one product of {} and {}", tuple.a, tuple.b),
                "raise it or remove the tuple",
            ));
        }
        check_rows(self.array, self.rows, self.interleave())?;
        self.check_epilogue(memory)?;
        check_pairing(self.array, self.pe, self.cols, &self.tuples)?;
        if self.k_split > 1 && self.array != ArrayKind::Systolic {
            return Err(ConfigError::new(
                "gemm.k_split",
                self.k_split,
                "1 with arrays other than \"systolic\"",
                "leave the key out, or choose the systolic array",
            ));
        }
        let pe = self.pe.resolve(&self.tuples);
        if self.k_split > 1 && matches!(pe, Pe::Fp | Pe::FpChain) {
            let name = pe.info().map_or("", |info| info.name);
            return Err(ConfigError::new(
                "gemm.k_split",
                self.k_split,
                format!(
                    "1 with `pe = \"{name}\"`, whose groups of rows cannot be added as they drain"
                ),
                "leave the key out, or use i8 and i4 only",
            ));
        }
        let bytes = self.element_bits() / 8;
        if self.align < bytes {
            return Err(ConfigError::new(
                "gemm.align",
                self.align,
                format!("at least {bytes}, the bytes of the widest operand"),
                format!("write {bytes} or more"),
            ));
        }
        if self.k_split > 1 && !(self.rows.is_power_of_two() && self.k_split <= self.rows) {
            return Err(ConfigError::new(
                "gemm.k_split",
                self.k_split,
                format!("at most gemm.rows ({}), which must be a power of two", self.rows),
                "make the array a power of two of rows, or leave the key out",
            ));
        }
        // Two buffers of one tile, deep enough that a burst is more than a few beats.
        // Blocks of chained sums are whole lines of the larger scratchpad.
        let shortest = match self.interleave() {
            1 => 16,
            _ => self.tile_rows().max(self.cols).next_power_of_two().max(16),
        };
        let element = |bits| if self.interleave() > 1 { self.element_bits() } else { bits };
        for (key, kib, lanes, bits) in [
            ("gemm.a_kib", self.a_kib, self.rows * self.interleave(), element(self.a_bits())),
            ("gemm.b_kib", self.b_kib, self.cols, element(self.b_bits())),
        ] {
            fits_below(
                key,
                kib,
                2 * shortest * lanes * bits / 8,
                &format!("two buffers of {shortest} steps of the array"),
            )?;
        }
        let acc_bytes =
            self.tuples.iter().map(|t| t.acc.storage_bits() / 8).max().unwrap_or(4).max(1);
        fits_below(
            "gemm.result_kib",
            self.result_kib,
            self.rows * self.interleave() * self.cols * acc_bytes,
            "one tile of results",
        )?;
        for (key, kib) in [
            ("gemm.a_kib", self.a_kib),
            ("gemm.b_kib", self.b_kib),
            ("gemm.result_kib", self.result_kib),
        ] {
            fits_address_space(key, kib, memory)?;
        }
        Ok(())
    }
}

impl GemmConfig {
    fn check_epilogue(&self, memory: &MemoryConfig) -> Checked {
        let (Some(first), key) = (self.epilogue.first(), "gemm.epilogue") else { return Ok(()) };
        if !self.epilogue.contains(&EpilogueStep::Requantise) {
            return Err(ConfigError::new(
                key,
                format!("{:?} alone", first.name()),
                "a list with \"requantise\", which the other steps go with",
                "add it",
            ));
        }
        // A beat of parameters goes to banks side by side.
        let beat = (memory.bus_bytes / EpilogueStep::RECORD_BYTES).max(1);
        if !self.cols.is_multiple_of(beat) {
            return Err(ConfigError::new(
                "gemm.cols",
                self.cols,
                format!("a multiple of {beat}, the columns whose parameters come in a beat"),
                "change it, make the bus narrower, or leave `gemm.epilogue` out",
            ));
        }
        if self.acc_bits != 32 {
            return Err(ConfigError::new(
                "gemm.acc_bits",
                self.acc_bits,
                "32 with an epilogue",
                "leave the key out",
            ));
        }
        Ok(())
    }
}

fn fits_below(key: &str, kib: u32, need_bytes: u32, what: &str) -> Checked {
    if kib * 1024 >= need_bytes {
        return Ok(());
    }
    let need_kib = need_bytes.div_ceil(1024).next_power_of_two();
    Err(ConfigError::new(
        key,
        kib,
        format!("at least {need_kib}, to hold {what}"),
        format!("write {need_kib} or make the array smaller"),
    ))
}

/// A buffer larger than the memory it caches means one of the two numbers is wrong.
pub(super) fn fits_address_space(key: &str, kib: u32, memory: &MemoryConfig) -> Checked {
    let bits = memory.address_bits;
    if bits >= 42 || u64::from(kib) * 1024 <= 1 << bits {
        return Ok(());
    }
    Err(ConfigError::new(
        key,
        kib,
        format!("at most {}, all that {bits} address bits reach", (1u64 << bits) / 1024),
        "make the buffer smaller or raise `memory.address_bits`",
    ))
}
