//! The row types of register tables and the checks that stop the build.

/// What software may do with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read only; writes are ignored.
    Ro,
    /// Write only; reads give 0.
    Wo,
    /// Reads give what was written.
    Rw,
    /// Each 1 written clears that bit; hardware sets it.
    W1c,
}

impl Access {
    /// The usual two or three letters of register manuals.
    pub const fn name(self) -> &'static str {
        match self {
            Access::Ro => "RO",
            Access::Wo => "WO",
            Access::Rw => "RW",
            Access::W1c => "W1C",
        }
    }
}

/// Some bits of a register or of a capability word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Upper-case name, unique in its register.
    pub name: &'static str,
    /// Lowest bit.
    pub low: u32,
    /// Number of bits.
    pub width: u32,
    /// One sentence.
    pub doc: &'static str,
}

impl Field {
    /// The largest value, all bits set, not shifted.
    pub const fn max(self) -> u32 {
        u32::MAX >> (32 - self.width)
    }

    /// The field's bits in place.
    pub const fn mask(self) -> u32 {
        self.max() << self.low
    }

    /// This field of `word`.
    pub const fn get(self, word: u32) -> u32 {
        word >> self.low & self.max()
    }

    /// `value` in this field's place; bits that do not fit are dropped.
    pub const fn put(self, value: u32) -> u32 {
        (value & self.max()) << self.low
    }

    /// `word` with this field replaced.
    pub const fn set(self, word: u32, value: u32) -> u32 {
        word & !self.mask() | self.put(value)
    }
}

/// One 32-bit register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg {
    /// Upper-case name, unique in its map.
    pub name: &'static str,
    /// BAR0 offset of the map.
    pub base: u32,
    /// Byte offset in the map.
    pub offset: u32,
    /// What software may do.
    pub access: Access,
    /// One or two sentences.
    pub doc: &'static str,
    /// From the lowest bit up.
    pub fields: &'static [Field],
}

impl Reg {
    /// Byte offset in BAR0.
    pub const fn address(&self) -> u32 {
        self.base + self.offset
    }

    /// Bits of a field that a card of `address_bits` has: a bus address, which lies in the fields ADDRESS of a `_LO`, `_HI` pair,
    /// ends with them. What is not there reads as 0.
    pub fn width_of(&self, field: &Field, address_bits: u32) -> u32 {
        let before = match (field.name, self.name.rsplit_once('_')) {
            ("ADDRESS", Some((_, "LO"))) => 0,
            ("ADDRESS", Some((_, "HI"))) => 32,
            _ => return field.width,
        };
        field.width.min(address_bits.saturating_sub(before))
    }

    /// All bits of fields that a card of `address_bits` has.
    pub fn mask(&self, address_bits: u32) -> u32 {
        let there = |field: &Field| match self.width_of(field, address_bits) {
            0 => 0,
            width => u32::MAX >> (32 - width) << field.low,
        };
        self.fields.iter().fold(0, |mask, field| mask | there(field))
    }
}

/// The registers of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegMap {
    /// Lower-case name of the block.
    pub name: &'static str,
    /// BAR0 offset.
    pub base: u32,
    /// Bytes of BAR0 that belong to the block.
    pub size: u32,
    /// What the block is.
    pub doc: &'static str,
    /// Rising offsets.
    pub regs: &'static [Reg],
}

impl RegMap {
    /// The register at a byte offset of this map.
    pub fn at(&self, offset: u32) -> Option<&'static Reg> {
        self.regs.iter().find(|r| r.offset == offset)
    }

    /// The register of this name.
    pub fn named(&self, name: &str) -> Option<&'static Reg> {
        self.regs.iter().find(|r| r.name == name)
    }

    /// Stops the build when the table contradicts itself:
    ///
    /// ```compile_fail
    /// use mattock_spec::regs::{Access, Field, Reg, RegMap};
    /// const OVERLAP: RegMap = RegMap {
    ///     name: "bad", base: 0, size: 0x400, doc: "",
    ///     regs: &[Reg { name: "A", base: 0, offset: 0, access: Access::Rw, doc: "", fields: &[
    ///         Field { name: "X", low: 0, width: 9, doc: "" },
    ///         Field { name: "Y", low: 8, width: 8, doc: "" }, // bit 8 twice
    ///     ] }],
    /// };
    /// const _: () = OVERLAP.assert_sound();
    /// ```
    ///
    /// The same table with `Y` at bit 9 builds:
    ///
    /// ```
    /// use mattock_spec::regs::{Access, Field, Reg, RegMap};
    /// const SOUND: RegMap = RegMap {
    ///     name: "good", base: 0, size: 0x400, doc: "",
    ///     regs: &[Reg { name: "A", base: 0, offset: 0, access: Access::Rw, doc: "", fields: &[
    ///         Field { name: "X", low: 0, width: 9, doc: "" },
    ///         Field { name: "Y", low: 9, width: 8, doc: "" },
    ///     ] }],
    /// };
    /// const _: () = SOUND.assert_sound();
    /// ```
    pub const fn assert_sound(&self) {
        assert!(self.base.is_multiple_of(0x400), "register block is not aligned to 0x400");
        let mut i = 0;
        while i < self.regs.len() {
            let reg = &self.regs[i];
            assert!(reg.offset.is_multiple_of(4), "register offset is not word aligned");
            assert!(reg.offset + 4 <= self.size, "register is past the end of its block");
            assert!(reg.base == self.base, "register names another block as its base");
            assert!(
                i == 0 || reg.offset > self.regs[i - 1].offset,
                "register offsets overlap or do not rise"
            );
            assert_fields_fit(reg.fields);
            i += 1;
        }
    }
}

const fn assert_fields_fit(fields: &[Field]) {
    let (mut next_free, mut i) = (0, 0);
    while i < fields.len() {
        assert!(fields[i].width >= 1, "field has no bits");
        assert!(fields[i].low >= next_free, "fields overlap or do not rise");
        next_free = fields[i].low + fields[i].width;
        assert!(next_free <= 32, "field passes bit 31");
        i += 1;
    }
}

/// Declares a block's [`RegMap`] as `MAP`, each register as a constant, and each field as a constant
/// in a module of the register's name, so that software writes `STATUS::BUSY.get(word)`.
macro_rules! registers {
    (
        $block:literal at $base:literal size $size:literal $blockdoc:literal
        $( $reg:ident $offset:literal $access:ident $regdoc:literal {
            $( $field:ident $low:literal $width:literal $fielddoc:literal )*
        } )*
    ) => {
        #[doc = $blockdoc]
        pub const MAP: $crate::regs::RegMap = $crate::regs::RegMap {
            name: $block, base: $base, size: $size, doc: $blockdoc, regs: &[$($reg),*],
        };
        const _: () = MAP.assert_sound();
        $(
            #[doc = $regdoc]
            pub const $reg: $crate::regs::Reg = $crate::regs::Reg {
                name: stringify!($reg), base: $base, offset: $offset,
                access: $crate::regs::Access::$access, doc: $regdoc, fields: &[$($reg::$field),*],
            };
            #[doc = concat!("Fields of [`", stringify!($reg), "`](const@", stringify!($reg), ").")]
            #[allow(non_snake_case, reason = "named like the register it belongs to")]
            pub mod $reg {
                use $crate::regs::Field;
                $(
                    #[doc = $fielddoc]
                    pub const $field: Field = Field {
                        name: stringify!($field), low: $low, width: $width, doc: $fielddoc,
                    };
                )*
            }
        )*
    };
}
pub(super) use registers;
