//! `sim:` URLs for the driver: `sim:small`, `sim:path/to/card.toml?simulator=interpreter&memory=64M`.

use super::{OpenError, SimCard, SimOptions, SimulatorKind, ThreadedCard};
use mattock::Error;
use mattock::transport::{self, CardUrl, Opener, Transport};
use mattock_spec::CardConfig;
use mattock_spec::config::REFERENCE_NAMES;
use std::path::PathBuf;

/// Memory of a card whose URL does not say.
const DEFAULT_BYTES: u64 = 256 << 20;
/// Most that is believed: it must be there on this machine.
const MOST_BYTES: u64 = 1 << 36;
const OPTIONS: [&str; 2] = ["simulator", "memory"];

/// Makes `sim:` cards known to [`Device::open`](mattock::Device::open) in this process. Models compiled by Verilator are
/// kept in the folder `cache`.
///
/// A URL names a reference card or a configuration file. Its options are `simulator=verilator` (as long as nothing
/// else is said) or `interpreter`, and `memory=BYTES`, with K, M or G behind the number.
pub fn register(cache: impl Into<PathBuf>) {
    transport::register(Box::new(Simulations { cache: cache.into() }));
}

struct Simulations {
    cache: PathBuf,
}

impl Opener for Simulations {
    fn scheme(&self) -> &'static str {
        "sim"
    }

    fn open(&self, mut url: CardUrl) -> Result<Box<dyn Transport + Send>, Error> {
        let simulator = match url.take("simulator").as_deref() {
            None | Some("verilator") => SimulatorKind::Verilator,
            Some("interpreter") => SimulatorKind::Interpreter,
            Some(other) => return bad(format!("simulator={other}, not verilator or interpreter")),
        };
        let bytes = match url.take("memory") {
            None => DEFAULT_BYTES,
            Some(text) => match bytes(&text).filter(|bytes| (1..=MOST_BYTES).contains(bytes)) {
                Some(bytes) => bytes,
                None => return bad(format!("memory={text}, not bytes from 1 to 64G")),
            },
        };
        url.no_more(&OPTIONS)?;
        let config = configuration(url.place())?;
        let mut options = SimOptions::new(simulator, &self.cache);
        let bits = config.memory.address_bits;
        // Not from zero, so that a lost address is noticed; small cards have no room for that.
        options.memory.base = if bits > 20 { options.memory.base } else { 0 };
        let reach = if bits >= 64 { u64::MAX } else { 1 << bits } - options.memory.base;
        options.memory.bytes = usize::try_from(bytes.min(reach)).unwrap_or(usize::MAX);
        let name = format!("sim:{}", url.place());
        let start_name = name.clone();
        let card = ThreadedCard::spawn(move || {
            SimCard::open(&config, &options).map(|card| card.named(start_name))
        });
        match card {
            Ok(card) => Ok(Box::new(card)),
            Err(OpenError::Driver(error)) => Err(error),
            Err(error) => Err(Error::Link { card: name, source: Box::new(error) }),
        }
    }
}

fn bad<R>(what: String) -> Result<R, Error> {
    Err(Error::invalid_arg(1, format!("the URL says {what}")))
}

/// A number of bytes with an optional K, M or G.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn configuration(place: &str) -> Result<CardConfig, Error> {
    let wrong = |error: &dyn std::fmt::Display| {
        Error::invalid_arg(1, format!("card configuration {place:?}: {error}"))
    };
    if REFERENCE_NAMES.contains(&place) {
        return CardConfig::reference(place).map_err(|error| wrong(&error));
    }
    match std::fs::read_to_string(place) {
        Ok(text) => CardConfig::from_toml(&text).map_err(|error| wrong(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let known = REFERENCE_NAMES.join(", ");
            Err(wrong(&format!("no file, and not one of {known}")))
        }
        Err(error) => Err(wrong(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_memory() {
        let sizes = ["0", "17", "4K", "64M", "2G", "", "M", "1KK", "-1", "1T", "99999999999G"];
        let [zero, plain, kilo, mega, giga, wrong @ ..] = sizes.map(bytes);
        assert_eq!([zero, plain, kilo], [Some(0), Some(17), Some(4096)]);
        assert_eq!([mega, giga], [Some(64 << 20), Some(2 << 30)]);
        assert_eq!(wrong, [None; 6]);
    }
}
