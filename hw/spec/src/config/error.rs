//! What is wrong with a configuration, in the shape every error of ours has.

use std::{error, fmt, ops::Range};

/// One fault in a card configuration: the key, its value, what is allowed, and the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Path of the key, such as `gemm.rows`; empty when the text is no TOML at all.
    pub key: String,
    /// The value found, as written; empty when the key is missing.
    pub value: String,
    /// What is allowed there.
    pub allowed: String,
    /// What to do next.
    pub next_step: String,
    /// Bytes of the TOML text at fault; `None` when the configuration was not read from text.
    pub span: Option<Range<usize>>,
}

impl ConfigError {
    pub(super) fn new(
        key: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
        next_step: impl Into<String>,
    ) -> ConfigError {
        ConfigError {
            key: key.into(),
            value: value.to_string(),
            allowed: allowed.into(),
            next_step: next_step.into(),
            span: None,
        }
    }

    /// Line and column, both from 1, where `span` begins in `text`.
    pub fn line_column(&self, text: &str) -> Option<(usize, usize)> {
        let before = text.get(..self.span.as_ref()?.start)?;
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("card configuration: ")?;
        match (self.key.as_str(), self.value.as_str()) {
            ("", value) => write!(f, "{value}")?,
            (key, "") => write!(f, "`{key}` is missing")?,
            (key, value) => write!(f, "`{key}` is {value}")?,
        }
        if !self.allowed.is_empty() {
            write!(f, "; allowed: {}", self.allowed)?;
        }
        if !self.next_step.is_empty() {
            write!(f, "; next: {}", self.next_step)?;
        }
        Ok(())
    }
}

impl error::Error for ConfigError {}
