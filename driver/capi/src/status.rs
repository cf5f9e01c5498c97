//! Statuses and the message of the last error.

use driver::Error;
use std::cell::RefCell;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// All went well.
pub const MATTOCK_OK: i32 = 0;
/// An argument makes no sense; the message names its position.
pub const MATTOCK_INVALID_ARGUMENT: i32 = 1;
/// The card was not built for this; the message lists what it has.
pub const MATTOCK_UNSUPPORTED: i32 = 2;
/// There is no such card.
pub const MATTOCK_NOT_FOUND: i32 = 3;
/// Another process has the card.
pub const MATTOCK_BUSY: i32 = 4;
/// This user may not open the card, or lock enough memory for it.
pub const MATTOCK_PERMISSION: i32 = 5;
/// What answers is not a card this library understands.
pub const MATTOCK_NOT_A_CARD: i32 = 6;
/// Card memory, or the budget, does not suffice; results are untouched.
pub const MATTOCK_OUT_OF_MEMORY: i32 = 7;
/// The card did not finish in time; it has been reset.
pub const MATTOCK_TIMEOUT: i32 = 8;
/// The card no longer answers.
pub const MATTOCK_DEVICE_LOST: i32 = 9;
/// The card refused a command or gave it up.
pub const MATTOCK_DEVICE_FAULT: i32 = 10;
/// The arrays are no sparse matrix.
pub const MATTOCK_BAD_MATRIX: i32 = 11;
/// Anything else; the message tells.
pub const MATTOCK_OTHER: i32 = 12;
/// A fault of this library; please report it.
pub const MATTOCK_INTERNAL: i32 = 13;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Why a call fails.
pub(crate) enum Fail {
    /// An argument, by its position from 1 and its name, and what is wrong with it: "is 3, must be at least 5".
    Argument { index: usize, name: &'static str, what: String },
    /// What the driver says.
    Driver(Error),
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        Fail::Driver(error)
    }
}

impl std::fmt::Display for Fail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fail::Argument { index, name, what } => write!(f, "argument {index} ({name}) {what}"),
            Fail::Driver(error) => error.fmt(f),
        }
    }
}

fn code(error: &Error) -> i32 {
    match error {
        Error::InvalidArg { .. } => MATTOCK_INVALID_ARGUMENT,
        Error::Unsupported { .. } => MATTOCK_UNSUPPORTED,
        Error::NotFound { .. } => MATTOCK_NOT_FOUND,
        Error::Busy { .. } => MATTOCK_BUSY,
        Error::Permission { .. } | Error::MemlockLimit { .. } | Error::NoIommu { .. } => {
            MATTOCK_PERMISSION
        }
        Error::IdMismatch { .. } | Error::VersionMismatch { .. } | Error::Capability(_) => {
            MATTOCK_NOT_A_CARD
        }
        Error::OutOfMemory { .. } => MATTOCK_OUT_OF_MEMORY,
        Error::Timeout { .. } => MATTOCK_TIMEOUT,
        Error::DeviceLost { .. } => MATTOCK_DEVICE_LOST,
        Error::DeviceFault { .. } | Error::BatchFault { .. } | Error::Controller { .. } => {
            MATTOCK_DEVICE_FAULT
        }
        Error::Matrix(_) => MATTOCK_BAD_MATRIX,
        _ => MATTOCK_OTHER,
    }
}

/// Runs a call: its error, or its panic, becomes a status and the thread's message.
pub(crate) fn run(call: impl FnOnce() -> Result<(), Fail>) -> i32 {
    let (code, text) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => return MATTOCK_OK,
        Ok(Err(fail @ Fail::Argument { .. })) => (MATTOCK_INVALID_ARGUMENT, fail.to_string()),
        Ok(Err(Fail::Driver(error))) => (code(&error), error.to_string()),
        Err(_) => (MATTOCK_INTERNAL, "a fault of the library, please report it".to_owned()),
    };
    LAST.with(|last| *last.borrow_mut() = text);
    code
}

/// The message of this thread's last error.
pub(crate) fn last() -> String {
    LAST.with(|last| last.borrow().clone())
}

/// Refuses an argument.
pub(crate) fn bad<R>(index: usize, name: &'static str, what: impl Into<String>) -> Result<R, Fail> {
    Err(Fail::Argument { index, name, what: what.into() })
}

/// Counts positions as the C call does: `names[i]` is what the driver calls argument `i + 1`.
pub(crate) fn named<R>(
    result: Result<R, Error>,
    names: &[(usize, &'static str)],
) -> Result<R, Fail> {
    result.map_err(|error| match error {
        Error::InvalidArg { index, what } => match names.get(index.wrapping_sub(1)) {
            Some(&(index, name)) => Fail::Argument { index, name, what: format!("is bad: {what}") },
            None => Fail::Driver(Error::InvalidArg { index, what }),
        },
        other => Fail::Driver(other),
    })
}

/// Copies the message of this thread's last error into `buffer`, cut to `bytes` with its final zero; gives the bytes
/// the whole message takes with its final zero.
///
/// # Safety
/// `buffer` is null or has room for `bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_last_error(buffer: *mut c_char, bytes: usize) -> usize {
    // SAFETY: the same contract.
    unsafe { text(&last(), buffer, bytes) }
}

/// Copies a text into the caller's buffer, with a final zero; gives the bytes it takes whole.
///
/// # Safety
/// `buffer` is null or has room for `bytes`.
pub(crate) unsafe fn text(text: &str, buffer: *mut c_char, bytes: usize) -> usize {
    if !buffer.is_null() && bytes > 0 {
        let count = text.len().min(bytes - 1);
        // SAFETY: the caller's buffer has room for `bytes`, and `count` is below that; a string of ours and a buffer of
        // the caller do not overlap.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), buffer, count);
            *buffer.add(count) = 0;
        }
    }
    text.len() + 1
}
