//! Serial rates.

use crate::error::BoardError;

/// Clock cycles a bit of a serial port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UartClock {
    /// Cycles a bit.
    pub divisor: u64,
    /// Difference of the rate from the one asked for, in percent; positive is too fast.
    pub error_percent: f64,
}

/// Largest difference of a rate, in percent. A frame of ten bits is sampled half a bit from its edges, so
/// both ends together may differ by 5 % less the sampling error; 2 % leaves the other end as much.
const LIMIT: f64 = 2.0;
/// Below four cycles a bit a receiver cannot find the middle, whatever the rate.
const LEAST: u64 = 4;

/// The rate that `divisor` makes of `clock_mhz`, if it is near enough to `baud`.
///
/// # Errors
/// [`BoardError::Baud`] when the rate is more than 2 % off, with the divisor that would serve best.
pub fn uart_rate(clock_mhz: f64, baud: u32, divisor: u64) -> Result<UartClock, BoardError> {
    let exact = clock_mhz * 1e6 / f64::from(baud.max(1));
    let error = |divisor: u64| (exact / divisor as f64 - 1.0) * 100.0;
    let error_percent = error(divisor.max(1));
    if error_percent.abs() <= LIMIT && divisor >= LEAST {
        return Ok(UartClock { divisor, error_percent });
    }
    let nearest = (exact.round() as u64).max(LEAST);
    Err(BoardError::Baud {
        baud,
        clock_mhz,
        divisor,
        percent: error_percent.abs(),
        limit: LIMIT,
        nearest,
        actual: clock_mhz * 1e6 / nearest as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_within_two_percent_are_taken() {
        assert_eq!(
            uart_rate(50.0, 1_000_000, 50),
            Ok(UartClock { divisor: 50, error_percent: 0.0 })
        );
        let made = uart_rate(50.14, 1_000_000, 50).unwrap();
        assert!((made.error_percent - 0.28).abs() < 0.01, "{made:?}");
    }

    #[test]
    fn rates_that_are_off_are_refused() {
        let errors =
            [(12.0, 2_700_000, 4), (12.0, 6_000_000, 2), (27.0, 115_200, 104), (1.0, u32::MAX, 0)]
                .map(|(mhz, baud, divisor)| uart_rate(mhz, baud, divisor).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"));
    }
}
