//! Ports: what the caller declares, what the model has, and the storage rule between them.

use std::fmt;

use crate::error::PortError;

/// Which way a port points, seen from the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Driven by Rust, read by the model.
    Input,
    /// Driven by the model, read by Rust.
    Output,
    /// Both; Rust may read and write it.
    Inout,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Inout => "inout",
        })
    }
}

/// One port of a top module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// Name as written in the Verilog source.
    pub name: String,
    /// Direction seen from the model.
    pub direction: Direction,
    /// Width in bits, at least 1.
    pub width: u32,
}

impl Port {
    /// An input of `width` bits.
    pub fn input(name: impl Into<String>, width: u32) -> Self {
        Self { name: name.into(), direction: Direction::Input, width }
    }

    /// An output of `width` bits.
    pub fn output(name: impl Into<String>, width: u32) -> Self {
        Self { name: name.into(), direction: Direction::Output, width }
    }

    /// 32-bit words that hold the port's value, lowest word first.
    pub fn words(&self) -> usize {
        self.width.div_ceil(32) as usize
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}:0] {}", self.direction, self.width.saturating_sub(1), self.name)
    }
}

/// Bytes Verilator gives a port: `CData`, `SData`, `IData`, `QData`, then `VlWide` of 32-bit words.
pub(crate) fn storage_bytes(width: u32) -> u32 {
    match width {
        0..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        33..=64 => 8,
        _ => 4 * width.div_ceil(32),
    }
}

/// Checks that each declared port exists with the declared direction and width.
///
/// Ports of the model that are not declared are allowed.
pub(crate) fn check_declared(
    top: &str,
    declared: &[Port],
    actual: &[Port],
) -> Result<(), PortError> {
    for want in declared {
        match actual.iter().find(|have| have.name == want.name) {
            None => return Err(PortError::missing(top, &want.name, actual)),
            Some(have) if have != want => {
                return Err(PortError::Mismatch {
                    top: top.to_owned(),
                    declared: want.clone(),
                    actual: have.clone(),
                });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_follows_verilators_types() {
        let expected = [(1, 1), (8, 1), (9, 2), (16, 2), (17, 4), (32, 4), (33, 8), (64, 8)];
        for (width, bytes) in expected {
            assert_eq!(storage_bytes(width), bytes, "width {width}");
        }
        assert_eq!(storage_bytes(65), 12);
        assert_eq!(storage_bytes(96), 12);
        assert_eq!(storage_bytes(512), 64);
    }

    #[test]
    fn a_declared_port_must_match() {
        let actual = [Port::input("clk", 1), Port::output("sum", 33)];
        assert!(check_declared("top", &actual[1..], &actual).is_ok());
        let errors: Vec<String> =
            [Port::input("sum", 33), Port::output("sum", 32), Port::input("reset", 1)]
                .into_iter()
                .map(|port| check_declared("top", &[port], &actual).unwrap_err().to_string())
                .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
