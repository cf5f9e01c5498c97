//! Register tables as hardware sees them.

use mattock_spec::regs::{Access, Field, Reg, RegMap};
use rtl_gen::{Type, bits};

/// A value software reads or writes: one port of the register block.
///
/// The name is that of the register in lower case (`m`, `a_stride`); followed by that of the field when the
/// register has several (`mode_tuple`, `status_busy`); a `_LO`, `_HI` pair is one value without that ending
/// (`cycles`, `a`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterValue {
    /// Name within its block.
    pub name: String,
    /// Width in bits, 1 to 64.
    pub width: u32,
    /// What software may do.
    pub access: Access,
    /// Where its bits are, lowest first.
    pub parts: Vec<Part>,
}

/// Bits of a value that lie in one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The register.
    pub reg: Reg,
    /// The field that holds them.
    pub field: Field,
}

impl RegisterValue {
    /// Type of the port.
    pub fn ty(&self) -> Type {
        bits(self.width)
    }
}

/// The values of a block in the order of its registers, on a card of `address_bits`.
pub fn values(map: &RegMap, address_bits: u32) -> Vec<RegisterValue> {
    let mut list: Vec<RegisterValue> = vec![];
    for reg in map.regs {
        let pair = reg.name.strip_suffix("_HI").or(reg.name.strip_suffix("_LO"));
        for field in reg.fields {
            let name = match (pair, reg.fields.len()) {
                (Some(stem), _) => stem.to_lowercase(),
                (None, 1) => reg.name.to_lowercase(),
                (None, _) => format!("{}_{}", reg.name, field.name).to_lowercase(),
            };
            let width = reg.width_of(field, address_bits);
            if width == 0 {
                continue;
            }
            let part = Part { reg: *reg, field: Field { width, ..*field } };
            match list.last_mut().filter(|last| reg.name.ends_with("_HI") && last.name == name) {
                Some(low) => {
                    low.width += width;
                    low.parts.push(part);
                }
                None => {
                    list.push(RegisterValue { name, width, access: reg.access, parts: vec![part] })
                }
            }
        }
    }
    list
}
