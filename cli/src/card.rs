//! Which card a command is about: `--config NAME|PATH` or `--card URL`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::Args;
use mattock_spec::CardConfig;
use mattock_spec::config::REFERENCE_NAMES;

use crate::error::{Failure, nearest};
use crate::live::{self, Live};
use crate::simulation::SimulatorKind;

/// Most bytes of a configuration file; a card's TOML has a few hundred.
const MOST_BYTES: u64 = 1 << 20;

/// A kind of card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Simulated here, from a configuration.
    Simulated,
    /// There already; it says itself what it is.
    Live,
}

/// The kinds of card URLs.
const SCHEMES: [(&str, Kind); 4] = [
    ("sim", Kind::Simulated),
    ("vfio-user", Kind::Live),
    ("pci", Kind::Live),
    ("uart", Kind::Live),
];

/// The options that choose a card.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CardOptions {
    #[arg(long, value_name = "NAME|PATH", help = format!("Simulated card: a reference card ({}) or a TOML file", REFERENCE_NAMES.join(", ")))]
    pub(crate) config: Option<String>,
    /// Card URL: `sim:small`, `vfio-user:SOCKET`, `pci:ADDRESS`, `uart:TTY` [default: sim:small]
    #[arg(long, value_name = "URL")]
    pub(crate) card: Option<String>,
}

/// A card configuration and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// The checked configuration.
    pub(crate) config: CardConfig,
    /// Reference name or path, as the user gave it; the URL of a card that is there already.
    pub(crate) origin: String,
    /// The card itself, when it is there already.
    pub(crate) live: Option<Live>,
}

impl CardOptions {
    /// The card that was chosen, or `sim:small`, for a command that works on the configuration of a card.
    ///
    /// # Errors
    /// Both options given, a URL of a card that is there already, or a configuration at fault.
    pub(crate) fn choose(&self, asked: &str) -> Result<Chosen, Failure> {
        match &self.card {
            Some(url) if self.config.is_none() && self.kind() == Some(Kind::Live) => {
                let value = format!("{url:?}, a card that is there already");
                Err(Failure::argument(asked, "--card", value)
                    .allowed("sim:NAME or sim:PATH")
                    .next("give the configuration the card was made from"))
            }
            _ => self.any(asked),
        }
    }

    fn kind(&self) -> Option<Kind> {
        let (scheme, rest) = self.card.as_deref()?.split_once(':')?;
        let found = SCHEMES.iter().find(|(name, _)| *name == scheme && !rest.is_empty());
        found.map(|(_, kind)| *kind)
    }

    /// The card that was chosen, or `sim:small`, for a command that runs on any card.
    ///
    /// # Errors
    /// As [`choose`](Self::choose), and those of opening a card that is there already.
    pub(crate) fn any(&self, asked: &str) -> Result<Chosen, Failure> {
        let url = match (&self.config, &self.card) {
            (Some(_), Some(card)) => {
                return Err(Failure::argument(
                    asked,
                    "--card",
                    format!("{card:?} beside `--config`"),
                )
                .allowed("one of `--config` and `--card`")
                .next("leave one out: `--config X` means `--card sim:X`")
                .usage());
            }
            (Some(config), None) => return Chosen::load(config, "--config"),
            (None, Some(card)) => card.as_str(),
            (None, None) => "sim:small",
        };
        let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
        match SCHEMES.iter().find(|(name, _)| *name == scheme) {
            Some(_) if rest.is_empty() => {
                Err(refuse(asked, url).next("name the card: `sim:small`"))
            }
            Some((_, Kind::Simulated)) => Chosen::load(rest, "--card"),
            Some((_, Kind::Live)) => live::open(url),
            None => {
                let names = SCHEMES.map(|(name, _)| name);
                let next = match nearest(scheme, &names) {
                    Some(name) => format!("did you mean `{name}:`?"),
                    None => "begin the URL with the kind of card: `sim:small`".into(),
                };
                Err(refuse(asked, url).next(next))
            }
        }
    }
}

/// URLs of cards.
const KINDS: &str = "sim:NAME, sim:PATH, vfio-user:SOCKET, pci:ADDRESS or uart:TTY";

fn refuse(asked: &str, url: &str) -> Failure {
    Failure::argument(asked, "--card", format!("{url:?}, which is no card URL"))
        .allowed(KINDS)
        .usage()
}

impl Chosen {
    /// What runs the card, in reports: the simulator, or the kind of URL.
    pub(crate) fn runner(&self, simulator: SimulatorKind) -> &'static str {
        let scheme = self.origin.split(':').next().unwrap_or_default();
        let live = SCHEMES.iter().find(|(name, _)| self.live.is_some() && *name == scheme);
        live.map_or(simulator.name(), |(name, _)| name)
    }

    /// The card, for a person; `runner` as in the report.
    pub(crate) fn shown(&self, runner: &str) -> String {
        match self.live {
            None => format!("sim:{} ({runner})", self.origin),
            Some(_) => self.origin.clone(),
        }
    }

    /// Reads a reference card by name, or else a TOML file, as the argument `key` asks for.
    ///
    /// # Errors
    /// Neither there is, or the configuration is at fault.
    pub(crate) fn load(origin: &str, key: &str) -> Result<Self, Failure> {
        if REFERENCE_NAMES.contains(&origin) {
            let config =
                CardConfig::reference(origin).map_err(|e| Failure::config(&e, origin, ""))?;
            return Ok(Self { config, origin: origin.to_owned(), live: None });
        }
        let path = Path::new(origin);
        let looks_like_path = origin.contains(['/', '\\']) || path.extension().is_some();
        if !looks_like_path && !path.exists() {
            return Err(unknown(origin, key));
        }
        let text = read(path)?;
        match CardConfig::from_toml(&text) {
            Ok(config) => Ok(Self { config, origin: origin.to_owned(), live: None }),
            Err(error) => Err(Failure::config(&error, origin, &text)),
        }
    }
}

/// The failure for a word that is neither a reference card nor a file.
fn unknown(origin: &str, key: &str) -> Failure {
    let next = match nearest(origin, &REFERENCE_NAMES) {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!(
            "write one with `mattock new {}`",
            if origin.is_empty() { "mine" } else { origin }
        ),
    };
    let value = format!("{origin:?}: no reference card and no file");
    Failure::argument("card configuration", key, value)
        .allowed(format!("{}, or the path of a TOML file", REFERENCE_NAMES.join(", ")))
        .next(next)
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error| {
        Failure::file("reading a card configuration", path, &error)
            .next("give a reference card or the path of a TOML file")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        let why = format!("{} has more than {MOST_BYTES} bytes", path.display());
        return Err(Failure::new("reading a card configuration", why).next("give a TOML file"));
    }
    String::from_utf8(bytes).map_err(|_| {
        let why = format!("{} is not text (UTF-8)", path.display());
        Failure::new("reading a card configuration", why).next("give a TOML file")
    })
}
