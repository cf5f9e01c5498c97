//! Value change dump, IEEE 1364-2005 clause 18.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// Writes a VCD file. Time unit: 1 ns.
pub(super) struct VcdWriter {
    out: BufWriter<File>,
    next: usize,
}

impl VcdWriter {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(b"$version rtl-gen $end\n$timescale 1 ns $end\n")?;
        Ok(VcdWriter { out, next: 0 })
    }

    pub(super) fn scope(&mut self, name: &str) -> Result<()> {
        writeln!(self.out, "$scope module {name} $end")
    }

    pub(super) fn up(&mut self) -> Result<()> {
        writeln!(self.out, "$upscope $end")
    }

    /// Declares a variable; they are numbered in order.
    pub(super) fn variable(&mut self, name: &str, width: u32) -> Result<()> {
        let code = code(self.next);
        self.next += 1;
        let range = if width == 1 { String::new() } else { format!(" [{}:0]", width - 1) };
        writeln!(self.out, "$var wire {width} {code} {name}{range} $end")
    }

    pub(super) fn end_header(&mut self) -> Result<()> {
        writeln!(self.out, "$enddefinitions $end")
    }

    pub(super) fn time(&mut self, time: u64) -> Result<()> {
        writeln!(self.out, "#{time}")
    }

    pub(super) fn change(&mut self, variable: usize, bits: &str) -> Result<()> {
        let code = code(variable);
        match bits.len() {
            1 => writeln!(self.out, "{bits}{code}"),
            _ => writeln!(self.out, "b{bits} {code}"),
        }
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.out.flush()
    }
}

/// Identifier of a variable: the printable characters as digits.
fn code(mut n: usize) -> String {
    let mut text = String::new();
    loop {
        text.push((b'!' + (n % 94) as u8) as char);
        n /= 94;
        if n == 0 {
            return text;
        }
        n -= 1;
    }
}
