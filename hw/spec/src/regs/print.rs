//! The register tables as a manual page and as a C header.

use super::capability::{CapabilityId, words};
use super::{CAPABILITY_BASE, ErrorCode, Field, MAPS, Reg, ValueType};
use crate::semiring::SEMIRINGS;
use std::fmt::Write;

/// The register manual, Markdown.
pub fn manual_markdown() -> String {
    let mut page = Page(String::new());
    page.line("# Registers");
    page.line("");
    page.line(
        "All registers are 32 bits wide, little-endian, in BAR0 (or behind the serial port), and are \
         accessed whole. Reading an offset without a register gives 0; writing one does nothing.",
    );
    for map in MAPS {
        page.line(&format!("\n## {} at {:#06x}\n\n{}\n", map.name, map.base, map.doc));
        page.line("| offset | register | access | bits | field | meaning |");
        page.line("|---|---|---|---|---|---|");
        map.regs.iter().for_each(|reg| page.register(reg));
    }
    page.value_types();
    page.semirings();
    page.capabilities();
    page.errors();
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0 += text;
        self.0.push('\n');
    }

    fn register(&mut self, reg: &Reg) {
        let (offset, name, access) = (reg.address(), reg.name, reg.access.name());
        self.line(&format!("| `{offset:#06x}` | **{name}** | {access} | | | {} |", reg.doc));
        for field in reg.fields {
            self.line(&format!(
                "| | | | {} | `{}` | {} |",
                bit_range(*field),
                field.name,
                field.doc
            ));
        }
    }

    fn capabilities(&mut self) {
        self.line(&format!(
            "\n## capability list at {CAPABILITY_BASE:#06x}\n\nRead-only. `CAP_PTR` gives the first header; \
             a driver skips entries whose number it does not know.\n"
        ));
        self.line("| entry | word | bits | field | meaning |");
        self.line("|---|---|---|---|---|");
        for field in [words::ID, words::LENGTH, words::NEXT] {
            self.capability_row("header", 0, field);
        }
        for (id, name, body) in CapabilityId::TABLE {
            for (i, fields) in body.iter().enumerate() {
                for field in *fields {
                    self.capability_row(&format!("{name} ({})", id as u8), i + 1, *field);
                }
            }
        }
        self.line(
            "\nFormats in tuple words: 0x00 + n is i`n`, 0x40 + n is u`n`, 0x80 + n is b`n`;",
        );
        let floats: Vec<String> = crate::format::FORMATS
            .iter()
            .filter(|f| !f.is_integer())
            .map(|f| format!("{:#04x} is {f}", f.wire_code()))
            .collect();
        self.line(&format!("{}.", floats.join(", ")));
    }

    fn capability_row(&mut self, entry: &str, word: usize, field: Field) {
        let (bits, name, doc) = (bit_range(field), field.name, field.doc);
        self.line(&format!("| {entry} | {word} | {bits} | `{name}` | {doc} |"));
    }

    fn value_types(&mut self) {
        self.line("\n## value types\n\nNumbers of `MODE.VALUE` of the SpGEMM engine. A and B have values of the same type; sums and C are i32 or f32.\n");
        self.line("| number | name | bytes | computed in | what becomes of them |");
        self.line("|---|---|---|---|---|");
        for &v in ValueType::ALL {
            let (name, bytes, sum) = (v.format(), v.bytes(), v.sum().format());
            self.line(&format!("| {} | {name} | {bytes} | {sum} | {} |", v as u8, v.doc()));
        }
    }

    fn semirings(&mut self) {
        self.line("\n## semirings\n\nNumbers of `MODE.SEMIRING` of the SpGEMM engine. Identities of i32 and f32.\n");
        self.line("| number | name | multiply | add | identity | use |");
        self.line("|---|---|---|---|---|---|");
        for &s in SEMIRINGS {
            let (multiply, add) = (s.multiply().formula(), s.add().formula());
            let (number, identity, doc) = (s as u8, s.add().identity(), s.doc());
            self.line(&format!("| {number} | {s} | {multiply} | {add} | {identity} | {doc} |"));
        }
    }

    fn errors(&mut self) {
        self.line("\n## error codes\n");
        self.line("| code | name | meaning | ERROR_INFO |");
        self.line("|---|---|---|---|");
        for e in ErrorCode::ALL {
            self.line(&format!(
                "| {} | `{}` | {} | {} |",
                *e as u8,
                e.name(),
                e.meaning(),
                e.info()
            ));
        }
    }
}

fn bit_range(field: Field) -> String {
    match field.width {
        1 => field.low.to_string(),
        width => format!("{}:{}", field.low + width - 1, field.low),
    }
}

/// C constants: BAR0 offsets, field shifts and masks, error codes.
pub fn c_header() -> String {
    let mut text = String::from(
        "/* Registers of Mattock cards, printed from the tables of mattock-spec; do not edit. */\n\
         #ifndef MATTOCK_REGS_H\n#define MATTOCK_REGS_H\n",
    );
    // Writing to a String cannot fail.
    let mut define = |name: String, value: String| {
        let _ = writeln!(text, "#define MATTOCK_{name} {value}");
    };
    for map in MAPS {
        let block = map.name.to_uppercase();
        for reg in map.regs {
            let name = format!("{block}_{}", reg.name);
            define(name.clone(), format!("{:#06x}u", reg.address()));
            for field in reg.fields.iter().filter(|f| f.width < 32) {
                define(format!("{name}_{}_SHIFT", field.name), field.low.to_string());
                define(format!("{name}_{}_MASK", field.name), format!("{:#010x}u", field.mask()));
            }
        }
    }
    for e in ErrorCode::ALL {
        define(format!("ERROR_{}", e.name()), (*e as u8).to_string());
    }
    text += "#endif\n";
    text
}
