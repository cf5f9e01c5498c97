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

/// The divisor nearest to `baud` at `clock_mhz`.
///
/// # Errors
/// [`BoardError::Baud`] when the rate is more than 2 % off.
pub fn uart_divisor(clock_mhz: f64, baud: u32) -> Result<UartClock, BoardError> {
    let exact = clock_mhz * 1e6 / f64::from(baud.max(1));
    let divisor = exact.round().max(1.0);
    let error_percent = (exact / divisor - 1.0) * 100.0;
    if error_percent.abs() <= LIMIT && divisor >= 4.0 {
        return Ok(UartClock { divisor: divisor as u64, error_percent });
    }
    // Below four cycles a bit a receiver cannot find the middle, whatever the rate.
    let (divisor, percent) =
        if divisor >= 4.0 { (divisor, error_percent) } else { (4.0, (exact / 4.0 - 1.0) * 100.0) };
    Err(BoardError::Baud {
        baud,
        clock_mhz,
        divisor: divisor as u64,
        actual: clock_mhz * 1e6 / divisor,
        percent: percent.abs(),
        limit: LIMIT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_within_two_percent_are_taken() {
        assert_eq!(uart_divisor(12.0, 115_200).unwrap().divisor, 104);
        assert_eq!(
            uart_divisor(50.0, 1_000_000).unwrap(),
            UartClock { divisor: 50, error_percent: 0.0 }
        );
        let slow = uart_divisor(27.0, 115_200).unwrap();
        assert!(slow.error_percent.abs() < 0.2, "{slow:?}");
    }

    #[test]
    fn rates_that_are_off_are_refused() {
        let errors = [(12.0, 2_700_000), (12.0, 6_000_000), (1.0, u32::MAX)]
            .map(|(mhz, baud)| uart_divisor(mhz, baud).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"));
    }
}
