//! Which card a command is about: `--config NAME|PATH` or `--card URL`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::Args;
use mattock_spec::CardConfig;
use mattock_spec::config::REFERENCE_NAMES;

use crate::error::{Failure, nearest};

/// Most bytes of a configuration file; a card's TOML has a few hundred.
const MOST_BYTES: u64 = 1 << 20;

/// The kinds of card URLs, and whether this version can open them.
const SCHEMES: [(&str, bool); 4] =
    [("sim", true), ("vfio-user", false), ("pci", false), ("uart", false)];

/// The options that choose a card.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CardOptions {
    /// Simulated card: a reference card (tiny, small, bench16, sparse4, sparse4_2m, sparse4x4) or a TOML file
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) config: Option<String>,
    /// URL of a card, such as `sim:small` [default: sim:small]
    #[arg(long, value_name = "URL")]
    pub(crate) card: Option<String>,
}

/// A card configuration and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// The checked configuration.
    pub(crate) config: CardConfig,
    /// Reference name or path, as the user gave it.
    pub(crate) origin: String,
}

impl CardOptions {
    /// The card that was chosen, or `sim:small`.
    ///
    /// # Errors
    /// Both options given, a URL that cannot be opened, or a configuration at fault.
    pub(crate) fn choose(&self, asked: &str) -> Result<Chosen, Failure> {
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
            Some(("sim", _)) if !rest.is_empty() => Chosen::load(rest, "--card"),
            Some((_, true)) => Err(refuse(asked, url).next("name a configuration: `sim:small`")),
            Some((name, false)) => Err(Failure::argument(
                asked,
                "--card",
                format!("{url:?}, and `{name}:` cards are not supported yet"),
            )
            .allowed("sim:NAME or sim:PATH")
            .next("simulate the card with `--card sim:<config>`")),
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

fn refuse(asked: &str, url: &str) -> Failure {
    Failure::argument(asked, "--card", format!("{url:?}, which is no card URL"))
        .allowed("sim:NAME or sim:PATH; later vfio-user:, pci: and uart:")
        .usage()
}

impl Chosen {
    /// Reads a reference card by name, or else a TOML file, as the argument `key` asks for.
    ///
    /// # Errors
    /// Neither there is, or the configuration is at fault.
    pub(crate) fn load(origin: &str, key: &str) -> Result<Self, Failure> {
        if REFERENCE_NAMES.contains(&origin) {
            let config =
                CardConfig::reference(origin).map_err(|e| Failure::config(&e, origin, ""))?;
            return Ok(Self { config, origin: origin.to_owned() });
        }
        let path = Path::new(origin);
        let looks_like_path = origin.contains(['/', '\\']) || path.extension().is_some();
        if !looks_like_path && !path.exists() {
            return Err(unknown(origin, key));
        }
        let text = read(path)?;
        match CardConfig::from_toml(&text) {
            Ok(config) => Ok(Self { config, origin: origin.to_owned() }),
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
