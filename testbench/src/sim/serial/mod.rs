//! The host's side of a serial card.
//!
//! | module | what |
//! |---|---|
//! | `bytes` | a host at a serial port by bytes, for [`super::SimCard`] |
//! | [`LineDriver`], [`LineMonitor`] | one end of a line, bit by bit |
//! | [`PtyCard`] | a card behind a pseudo-terminal, with a line that may be disturbed |

mod bytes;
mod line;
#[cfg(unix)]
mod pty;

pub(super) use bytes::ByteHost;
pub use line::{LineDriver, LineMonitor};
#[cfg(unix)]
pub use pty::{Disturbance, PtyCard, PtyError, Undisturbed};
