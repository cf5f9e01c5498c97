//! What can be wrong with arrays, and with weights made of them.

use std::io;

/// Why weights or activations were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantError {
    /// Reading or unpacking failed.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is no zip archive, or a broken one.
    #[error("is no .npz archive, or was cut short: {0}")]
    Archive(String),
    /// It is no array as NumPy writes them.
    #[error("array `{name}`: {fault}; it must be {right}")]
    Array {
        /// Its name in the archive; that of the file for a single array.
        name: String,
        /// What is wrong with it.
        fault: String,
        /// What would be right.
        right: String,
    },
    /// An array is not there, or not the only one.
    #[error("there is {fault}; other arrays: {have}")]
    Name {
        /// What was looked for.
        fault: String,
        /// Names in the archive.
        have: String,
    },
    /// Infinities and NaN have no code.
    #[error("{what} at row {row}, column {col} (from 0) is {value}: it must be finite")]
    NotFinite {
        /// `a weight` or `an activation`.
        what: &'static str,
        /// Its row.
        row: usize,
        /// Its column.
        col: usize,
        /// Its value.
        value: f32,
    },
    /// A setting outside what there is.
    #[error("{what} is {value}; it must be {right}")]
    Setting {
        /// Which.
        what: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        right: String,
    },
    /// Nothing tells which inputs matter.
    #[error("{0} needs activations to calibrate with")]
    Uncalibrated(&'static str),
}

impl QuantError {
    pub(super) fn array(name: &str, fault: impl Into<String>, right: impl Into<String>) -> Self {
        QuantError::Array { name: name.into(), fault: fault.into(), right: right.into() }
    }

    pub(super) fn setting(
        what: &'static str,
        value: impl ToString,
        right: impl Into<String>,
    ) -> Self {
        QuantError::Setting { what, value: value.to_string(), right: right.into() }
    }
}
