//! What can be wrong with a design, found before anything is printed.

use crate::Type;
use std::panic::Location;

/// One mistake in a design.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{path}: {kind}\n  at {}:{}", at.file(), at.line())]
pub struct BuildError {
    /// Instance path from the top, `top/row_0/pe_1`.
    pub path: String,
    /// What is wrong.
    pub kind: ErrorKind,
    /// The line of Rust that made the node.
    pub at: &'static Location<'static>,
}

/// The kinds of [`BuildError`]; the text names the signal, both types and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are the holes of the message above each variant
pub enum ErrorKind {
    /// Two operands that must be of one type are not.
    #[error("{op} of `{left}`: {left_ty} and `{right}`: {right_ty}; both must be of one type")]
    Mismatch { op: &'static str, left: String, left_ty: Type, right: String, right_ty: Type },
    /// An operand has a type the operation does not take.
    #[error("{op} of `{name}`: {ty} is not allowed; it takes {wants}")]
    Operand { op: &'static str, name: String, ty: Type, wants: String },
    /// A slice, shift or extension outside the operand.
    #[error("{op} of `{name}`: {ty}: {what}")]
    Range { op: &'static str, name: String, ty: Type, what: String },
    /// A constant does not fit its type.
    #[error("constant {value} does not fit {ty}")]
    Constant { value: i128, ty: Type },
    /// A signal of another module.
    #[error("{op} uses `{name}`, which belongs to another module; pass it through a port")]
    Foreign { op: &'static str, name: String },
    /// Something is never driven.
    #[error("{what} `{name}` is never driven")]
    Undriven { what: &'static str, name: String },
    /// Something is driven twice.
    #[error("{what} `{name}` is driven twice")]
    DoublyDriven { what: &'static str, name: String },
    /// An input nobody reads.
    #[error("input `{name}` is never used; remove it or call `unused(\"{name}\")`")]
    UnusedInput { name: String },
    /// A loop without a register.
    #[error("combinational loop: {}", path.join(" -> "))]
    Loop { path: Vec<String> },
    /// A signal crosses clock domains without a synchroniser.
    #[error("{sink} in clock domain `{to}` reads `{name}` of `{from}` without a synchroniser")]
    Crossing { sink: String, name: String, from: String, to: String },
    /// An identifier the tools will not take.
    #[error("name `{name}` {why}")]
    Name { name: String, why: &'static str },
    /// Two different modules under one name.
    #[error(
        "two modules named `{name}` with different parameters: {first} and {second}; put the parameters into name()"
    )]
    ModuleName { name: String, first: String, second: String },
    /// A port that is not there.
    #[error("instance `{inst}` of `{module}` has no {what} port `{name}`; it has {have}")]
    NoPort { inst: String, module: String, what: &'static str, name: String, have: String },
    /// A memory that cannot be built as asked.
    #[error("memory `{name}`: {what}")]
    Memory { name: String, what: String },
    /// The module refuses its parameters.
    #[error("{0}")]
    Parameter(String),
}

/// All mistakes found in one elaboration; at least one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct BuildErrors(pub Vec<BuildError>);
