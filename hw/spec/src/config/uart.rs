//! The serial host port.

use super::ConfigError;
use super::keys::{Allowed, Checked, Visitor, key};
use crate::serial::MIN_CLOCKS_PER_BIT;

/// The serial line of a card with `host = "uart"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UartConfig {
    /// Bits a second; 8 data bits, no parity, one stop bit.
    pub baud: u32,
}

/// Largest error of the rate, in thousandths.
const MOST_PER_MILLE: u64 = 20;

impl Default for UartConfig {
    fn default() -> Self {
        UartConfig { baud: 115_200 }
    }
}

impl UartConfig {
    /// Clocks of a bit: the whole number that comes nearest.
    pub fn clocks_per_bit(&self, clock_mhz: u32) -> u32 {
        let hz = u64::from(clock_mhz) * 1_000_000;
        let (baud, below) = (u64::from(self.baud), hz / u64::from(self.baud));
        // Of the two neighbours the one whose rate is nearer; rates fall as 1/n.
        let error = |n: u64| hz.checked_div(n).map_or(u64::MAX, |rate| rate.abs_diff(baud));
        let nearest = if error(below) <= error(below + 1) { below } else { below + 1 };
        nearest as u32
    }

    pub(super) fn visit(&mut self, v: &mut dyn Visitor) -> Checked {
        v.number(
            key(
                "baud",
                "Bits a second of the serial line, 8N1; within 2 % of a whole number of clocks",
            ),
            Allowed::Range(1200, 25_000_000),
            &mut self.baud,
        )
    }

    /// The rate must come out of the clock.
    pub(super) fn check_together(&self, clock_mhz: u32) -> Checked {
        let hz = u64::from(clock_mhz) * 1_000_000;
        let clocks = u64::from(self.clocks_per_bit(clock_mhz));
        let least = u64::from(MIN_CLOCKS_PER_BIT);
        let off = (clocks * u64::from(self.baud)).abs_diff(hz);
        if clocks >= least && off * 1000 <= hz * MOST_PER_MILLE {
            return Ok(());
        }
        let fast = hz / least;
        let next = if clocks < least {
            format!("choose at most {fast}, or raise `clock_mhz`")
        } else {
            let below = hz / u64::from(self.baud);
            let rate = |n: u64| format!("{} ({n} clocks a bit)", hz / n);
            let near: Vec<_> = [below, below + 1].into_iter().filter(|n| *n >= least).collect();
            let near: Vec<_> = near.into_iter().map(rate).collect();
            format!("choose {}", near.join(" or "))
        };
        let allowed = format!(
            "at most {fast}, and within 2 % of {clock_mhz} MHz divided by a whole number of clocks"
        );
        Err(ConfigError::new("uart.baud", self.baud.to_string(), allowed, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_judged_by_the_nearest_divisor() {
        let judge = |baud, mhz| {
            let uart = UartConfig { baud };
            (uart.clocks_per_bit(mhz), uart.check_together(mhz).is_ok())
        };
        // 3 Mbaud: exact from 12 and 27 MHz, but 12 MHz has too few clocks a bit; 25 MHz is 4 % off.
        assert_eq!(judge(3_000_000, 27), (9, true));
        assert_eq!(judge(3_000_000, 12), (4, false));
        assert_eq!(judge(3_000_000, 25), (8, false));
        assert_eq!(judge(3_125_000, 25), (8, true));
        assert_eq!(judge(3_000_000, 100), (33, true));
        assert_eq!(judge(115_200, 12), (104, true));
        assert_eq!(judge(921_600, 12), (13, true));
        assert_eq!(judge(1_000_000, 50), (50, true));
        let text = UartConfig { baud: 3_000_000 }.check_together(25).unwrap_err().to_string();
        assert!(text.contains("3125000 (8 clocks a bit) or 2777777 (9 clocks a bit)"), "{text}");
        let text = UartConfig { baud: 3_000_000 }.check_together(12).unwrap_err().to_string();
        assert!(text.contains("choose at most 1500000"), "{text}");
    }
}
