//! Card configurations: what a card is built with, written as TOML.
//!
//! ```
//! use mattock_spec::CardConfig;
//! let card = CardConfig::reference("bench16").unwrap();
//! assert_eq!((card.gemm.as_ref().unwrap().rows, card.memory.bus_bytes), (16, 64));
//!
//! let text = "name = \"mine\"\n[gemm]\nrows = 4\ncols = 4\ntuples = [\"i8,i8,i33\"]\n";
//! let error = CardConfig::from_toml(text).unwrap_err();
//! assert_eq!(error.key, "gemm.tuples");
//! assert_eq!(&text[error.span.unwrap()], "\"i8,i8,i33\"");
//! ```

mod array;
mod card;
mod error;
mod gemm;
mod keys;
mod reader;
mod reference;
mod sdram;
mod spgemm;
mod uart;

pub use array::{ArrayKind, CHAIN_INTERLEAVE, PES, Pe, PeInfo};
pub use card::{CardConfig, Control, HostPort, MemoryConfig};
pub use error::ConfigError;
pub use gemm::GemmConfig;
pub use keys::config_markdown;
pub use reference::REFERENCE_NAMES;
pub use sdram::SdramConfig;
pub use spgemm::{Dispatch, HashKind, SpgemmConfig};
pub use uart::UartConfig;
