//! Fuzz targets: whatever bytes come, from a ring, a socket, a line or a caller, nothing panics, hangs or gets through.
//!
//! `cargo test` runs each for a few seconds on a stable compiler; `MATTOCK_FUZZ=SECONDS` gives them longer, and
//! `cargo bolero test -p mattock-testbench TARGET` runs one under a coverage-guided fuzzer.

mod client;
mod commands;
mod decoders;
mod frames;
mod server;

use std::time::Duration;

/// How long each target runs.
fn time() -> Duration {
    let seconds = std::env::var("MATTOCK_FUZZ").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// Changes bytes of something that is right: far more of it is looked at than of mere noise.
fn damage(bytes: &mut Vec<u8>, changes: &[(u8, u8)], cut: u8) {
    for (at, value) in changes {
        if !bytes.is_empty() {
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *value;
        }
    }
    if cut >= 240 {
        bytes.truncate(usize::from(cut - 240) * bytes.len() / 16);
    }
}

/// None to three of the changes.
fn few(changes: &[(u8, u8)], count: u8) -> &[(u8, u8)] {
    &changes[..changes.len().min(usize::from(count) % 4)]
}
