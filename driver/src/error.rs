//! The one error type of the library.

use std::path::PathBuf;
use std::time::Duration;

use mattock_spec::ErrorCode;
use mattock_spec::regs::CapabilityError;

use crate::io::ReadError;
use crate::quant::QuantError;
use crate::sparse::{ConvertError, CsrError};

/// Why a call failed. Every variant says what was asked, what is allowed, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument makes no sense; nothing was sent to the card.
    #[error("argument {index} is bad: {what}")]
    InvalidArg {
        /// Position of the argument in the call, from 1, the receiver not counted (as in LAPACK).
        index: usize,
        /// What is wrong with it, with the value and what is allowed.
        what: String,
    },
    /// The card was not built for this. Nothing is converted silently.
    #[error("the card cannot do {asked}; it has {have}")]
    Unsupported {
        /// What the call asked for.
        asked: String,
        /// What the card was built with.
        have: String,
    },
    /// There is no card at this address.
    #[error("no card at {card}: check the address, or list what is there with `mattock doctor`")]
    NotFound {
        /// Address of the card as given.
        card: String,
    },
    /// Another process owns the card.
    #[error("card {card} is in use by another process")]
    Busy {
        /// Address of the card as given.
        card: String,
    },
    /// The file of the card may not be opened.
    #[error("no permission for {}: give your user access to it", path.display())]
    Permission {
        /// File that was refused.
        path: PathBuf,
    },
    /// The machine gives the card no memory protection.
    #[error("no IOMMU group for {card}: switch the IOMMU on in the firmware and the kernel")]
    NoIommu {
        /// Address of the card as given.
        card: String,
    },
    /// The process may not lock enough memory for DMA.
    #[error("DMA needs {need} bytes of locked memory, the limit is {limit}: raise `ulimit -l`")]
    MemlockLimit {
        /// Bytes needed.
        need: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// What answers is not a card of ours.
    #[error("not a Mattock card: its identification reads {got:#010x}, not {want:#010x}")]
    IdMismatch {
        /// Word read.
        got: u32,
        /// Word expected.
        want: u32,
    },
    /// The card speaks another version of the register map.
    #[error("the card speaks register map {card}, this library {library}: update the older one")]
    VersionMismatch {
        /// Version of the card.
        card: String,
        /// Version of this library.
        library: String,
    },
    /// Card or host memory does not suffice.
    #[error("out of memory: {need} bytes are needed, {have} are there")]
    OutOfMemory {
        /// Bytes needed.
        need: u64,
        /// Bytes there.
        have: u64,
    },
    /// The card did not finish in time. It has been reset and can be used again.
    #[error("{op} did not finish in {after:?}; {snapshot}")]
    Timeout {
        /// Operation that was waited for.
        op: &'static str,
        /// How long it was waited for.
        after: Duration,
        /// Registers of the card when time ran out.
        snapshot: String,
    },
    /// The card no longer answers: every register reads as all ones.
    #[error("card {card} is lost: it no longer answers; open it again after a reset")]
    DeviceLost {
        /// Address of the card as given.
        card: String,
    },
    /// The card's own processor or the rings it serves do not work.
    #[error("card {card}: {what}; reset the card")]
    Controller {
        /// Address of the card as given.
        card: String,
        /// What was seen.
        what: String,
    },
    /// The card refused a command or gave it up.
    #[error("the card reported {}: {} ({}: {info:#x})", code.name(), code.meaning(), code.info())]
    DeviceFault {
        /// Code in the completion record.
        code: ErrorCode,
        /// Its detail; the code tells what it is.
        info: u32,
    },
    /// The card gave up a batch because of one of its products.
    #[error("product {product} of the batch: the card reported {}: {} ({}: {info:#x})", code.name(), code.meaning(), code.info())]
    BatchFault {
        /// Which product, counted from 0.
        product: u64,
        /// Code in the completion record.
        code: ErrorCode,
        /// Its detail; the code tells what it is.
        info: u32,
    },
    /// The card describes itself in a way this library does not understand.
    #[error("the card's description of itself makes no sense: {0}")]
    Capability(#[from] CapabilityError),
    /// The card gave a result that cannot be right.
    #[error("the card's result is wrong, please report it: {what}")]
    BadResult {
        /// What is wrong with it.
        what: String,
    },
    /// The way to the card is broken, or the card breaks its own rules.
    #[error("{card}: {source}")]
    Link {
        /// Address of the card as given.
        card: String,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The call was cancelled before it was done.
    #[error("the call was cancelled")]
    Cancelled,
    /// Arrays do not form a sparse matrix.
    #[error("bad sparse matrix: {0}")]
    Matrix(#[from] CsrError),
    /// A value does not fit the asked type.
    #[error("bad value: {0}")]
    Convert(#[from] ConvertError),
    /// Weights or activations cannot be quantised, or do not make quantised weights.
    #[error("bad quantised product: {0}")]
    Quant(#[from] QuantError),
    /// A file of weights or activations is not what it should be.
    #[error("{}: {source}", path.display())]
    QuantFile {
        /// File that was read.
        path: PathBuf,
        /// What is wrong with it.
        source: QuantError,
    },
    /// A matrix file is not what it should be.
    #[error("{}: {source}", path.display())]
    Read {
        /// File that was read.
        path: PathBuf,
        /// What is wrong with it, and on which line.
        source: ReadError,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, for example `write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Error {
    /// An [`Error::InvalidArg`] for argument `index`, counted from 1.
    pub fn invalid_arg(index: usize, what: impl Into<String>) -> Self {
        Self::InvalidArg { index, what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages are read by people: what was asked, what is allowed, what to do next.
    #[test]
    fn messages() {
        let card = || "pci:0000:03:00.0".to_string();
        let refused = || std::io::Error::other("refused");
        let errors = [
            Error::invalid_arg(3, "m is -1, it must be 0 or more"),
            Error::Unsupported { asked: "i8,i8,f32".into(), have: "i8,i8,i32".into() },
            Error::NotFound { card: card() },
            Error::Busy { card: card() },
            Error::Permission { path: "/dev/vfio/7".into() },
            Error::NoIommu { card: card() },
            Error::MemlockLimit { need: 1 << 20, limit: 1 << 16 },
            Error::IdMismatch { got: u32::MAX, want: 0x4d41_4331 },
            Error::VersionMismatch { card: "2.0".into(), library: "1.3".into() },
            Error::OutOfMemory { need: 4096, have: 1024 },
            Error::Timeout {
                op: "gemm",
                after: Duration::from_millis(1500),
                snapshot: "STATUS was 0x00000001".into(),
            },
            Error::DeviceLost { card: card() },
            Error::Controller { card: card(), what: "its program did not begin".into() },
            Error::DeviceFault { code: ErrorCode::ReadDecodeError, info: 0x1000 },
            Error::Capability(CapabilityError::Endless),
            Error::BadResult { what: "row pointer 3 falls".into() },
            Error::Link { card: card(), source: Box::new(refused()) },
            Error::Cancelled,
            Error::from(CsrError::RowPointerStart { got: 1 }),
            Error::Read { path: "a.mtx".into(), source: ReadError::Empty },
            Error::from(QuantError::Uncalibrated("scaling by activations")),
            Error::QuantFile {
                path: "w.npy".into(),
                source: QuantError::Archive("it ends early".into()),
            },
            Error::Io { action: "write", path: "c.mtx".into(), source: refused() },
        ];
        insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"));
    }
}
