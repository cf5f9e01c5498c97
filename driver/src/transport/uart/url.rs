//! `uart:/dev/ttyUSB0?baud=921600`.

use std::fmt;
use std::str::FromStr;

/// Baud rate of a URL that names none.
pub const DEFAULT_BAUD: u32 = 115_200;

/// Address of a serial card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UartUrl {
    /// The serial device.
    pub path: String,
    /// Bits a second.
    pub baud: u32,
}

impl FromStr for UartUrl {
    type Err = String;

    /// Reads a URL, with or without `uart:`.
    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("uart:").unwrap_or(text);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.is_empty() {
            return Err("it names no serial device; write `uart:/dev/ttyUSB0`".into());
        }
        let mut url = UartUrl { path: path.into(), baud: DEFAULT_BAUD };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let Some(("baud", value)) = part.split_once('=') else {
                return Err(format!("it has no option {part:?}; write `?baud=<rate>`"));
            };
            url.baud = match value.parse() {
                Ok(baud) if (50..=25_000_000).contains(&baud) => baud,
                _ => return Err(format!("{value:?} is no baud rate from 50 to 25000000")),
            };
        }
        Ok(url)
    }
}

impl fmt::Display for UartUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uart:{}?baud={}", self.path, self.baud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let url = |path: &str, baud| Ok(UartUrl { path: path.into(), baud });
        assert_eq!("uart:/dev/ttyUSB1?baud=3000000".parse(), url("/dev/ttyUSB1", 3_000_000));
        assert_eq!("uart:COM3".parse(), url("COM3", DEFAULT_BAUD));
        assert_eq!("/dev/pts/4?".parse(), url("/dev/pts/4", DEFAULT_BAUD));
        for bad in
            ["uart:", "uart:?baud=9600", "uart:x?baud=fast", "uart:x?baud=0", "uart:x?parity=even"]
        {
            assert!(bad.parse::<UartUrl>().is_err(), "{bad}");
        }
        let text = "uart:/dev/ttyS0?baud=9600";
        assert_eq!(text.parse::<UartUrl>().unwrap().to_string(), text);
    }
}
