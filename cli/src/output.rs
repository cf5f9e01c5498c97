//! What a command says: text for a person, or one JSON object on one line.

use std::io::{self, Write};

use serde::Serialize;

/// Where the result of a command goes, and how much else is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// One JSON object on standard output instead of text.
    pub(crate) json: bool,
    /// Nothing but the result and errors.
    pub(crate) quiet: bool,
}

impl Output {
    /// Says the result: `object` as one line of JSON, or the text that `text` makes.
    pub(crate) fn result(self, object: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            // Reports are structs of numbers and strings, which always serialise.
            print(&(serde_json::to_string(object).unwrap_or_default() + "\n"));
        } else if !self.quiet {
            print(&text());
        }
    }

    /// Says what the command is for, such as a page it prints; quiet or not.
    pub(crate) fn page(self, text: &str) {
        print(text);
    }
}

/// Writes to standard output. A reader that has gone away, as in `mattock regs | head`, is no fault.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Lines of cells as text: columns are as wide as their widest cell, two blanks between them. The
/// columns in `right` are flush right.
pub(crate) fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let (width, gap) = (widths[column], if column == 0 { "" } else { "  " });
            line += &if right.contains(&column) {
                format!("{gap}{cell:>width$}")
            } else {
                format!("{gap}{cell:<width$}")
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A number with blanks between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A fraction as a percentage with one decimal.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [("a", "10"), ("bcd", "9")].map(|(x, y)| vec![x.to_owned(), y.to_owned()]);
        assert_eq!(table(&rows, &[1]), "a    10\nbcd   9\n");
        assert_eq!(table(&[], &[]), "");
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
