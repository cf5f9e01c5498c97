//! From a card's URL to a transport.
//!
//! Transports of this library have a line in [`open`]; others, such as the simulated card, come by [`register`].

use super::{Transport, pcie, uart};
use crate::Error;
use std::sync::{PoisonError, RwLock};

/// A URL taken apart: `scheme:place?key=value&key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardUrl {
    scheme: String,
    place: String,
    options: Vec<(String, String)>,
}

impl CardUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// [`Error::InvalidArg`]: no scheme, no place, or an option without a value.
    pub fn parse(url: &str) -> Result<CardUrl, Error> {
        let bad = |what: &str| {
            let what = format!("{url:?} {what}; write `scheme:place`, such as `sim:small`");
            Err(Error::invalid_arg(1, what))
        };
        let Some((scheme, rest)) = url.split_once(':') else { return bad("names no kind of card") };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if scheme.is_empty() || place.is_empty() {
            return bad("names no card");
        }
        let mut options = vec![];
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some((key, value)) => options.push((key.to_owned(), value.to_owned())),
                None => return bad("has an option without a value"),
            }
        }
        Ok(CardUrl { scheme: scheme.to_owned(), place: place.to_owned(), options })
    }

    /// What stands before the colon.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the colon and the options.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Takes an option out; an opener that has taken all it knows calls [`no_more`](Self::no_more).
    pub fn take(&mut self, key: &str) -> Option<String> {
        let at = self.options.iter().position(|(k, _)| k == key)?;
        Some(self.options.remove(at).1)
    }

    /// Refuses options that nobody took.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] with those the opener knows.
    pub fn no_more(&self, known: &[&str]) -> Result<(), Error> {
        let Some((key, _)) = self.options.first() else { return Ok(()) };
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let what = format!("`{}:` cards have no option {key:?}; known are {known}", self.scheme);
        Err(Error::invalid_arg(1, what))
    }
}

/// Opens the cards of one scheme.
pub trait Opener: Send + Sync {
    /// The word before the colon.
    fn scheme(&self) -> &'static str;

    /// Opens a card.
    ///
    /// # Errors
    /// Those of the transport; [`Error::InvalidArg`] with index 1 for the URL.
    fn open(&self, url: CardUrl) -> Result<Box<dyn Transport + Send>, Error>;
}

static OPENERS: RwLock<Vec<Box<dyn Opener>>> = RwLock::new(Vec::new());

/// Makes `scheme:` URLs known to [`open`] in this process. A second opener of a scheme is ignored.
pub fn register(opener: Box<dyn Opener>) {
    let mut openers = OPENERS.write().unwrap_or_else(PoisonError::into_inner);
    if openers.iter().all(|known| known.scheme() != opener.scheme()) {
        openers.push(opener);
    }
}

/// Opens the way to a card.
///
/// # Errors
/// [`Error::InvalidArg`] for a URL nobody here knows, and those of the transport.
pub fn open(url: &str) -> Result<Box<dyn Transport + Send>, Error> {
    let parsed = CardUrl::parse(url)?;
    // One line here and one word below for each transport of this library.
    match parsed.scheme() {
        "pci" | "vfio-user" => return pcie::open(parsed),
        "uart" => {
            let place = url.strip_prefix("uart:").unwrap_or(url);
            let wrong = |what| Error::invalid_arg(1, format!("{url:?}: {what}"));
            let place: uart::UartUrl = place.parse().map_err(wrong)?;
            return Ok(Box::new(uart::Uart::open(&place)?));
        }
        _ => {}
    }
    let own = ["pci", "vfio-user", "uart"];
    let openers = OPENERS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(opener) = openers.iter().find(|opener| opener.scheme() == parsed.scheme()) {
        return opener.open(parsed);
    }
    let known = own.into_iter().chain(openers.iter().map(|o| o.scheme()));
    let known = known.map(|scheme| format!("`{scheme}:`")).collect::<Vec<_>>().join(", ");
    let what =
        format!("{url:?}: this program opens no `{}:` cards; it knows {known}", parsed.scheme());
    Err(Error::invalid_arg(1, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let mut url = CardUrl::parse("uart:/dev/ttyUSB1?baud=3000000&window=4").unwrap();
        assert_eq!((url.scheme(), url.place()), ("uart", "/dev/ttyUSB1"));
        assert_eq!(url.take("baud").as_deref(), Some("3000000"));
        assert_eq!(url.take("baud"), None);
        let wrong = [
            url.no_more(&["baud"]).unwrap_err(),
            url.no_more(&[]).unwrap_err(),
            CardUrl::parse("small").unwrap_err(),
            CardUrl::parse("sim:").unwrap_err(),
            CardUrl::parse("sim:small?fast").unwrap_err(),
            open("isa:300").map(drop).unwrap_err(),
        ];
        insta::assert_snapshot!(wrong.map(|e| e.to_string()).join("\n"));
        assert_eq!(CardUrl::parse("pci:0000:03:00.0").unwrap().place(), "0000:03:00.0");
    }
}
