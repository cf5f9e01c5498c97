//! One end of a serial line, bit by bit: 8 data bits, no parity, one stop bit.

use std::collections::VecDeque;

/// Drives a line.
#[derive(Clone, Debug)]
pub struct LineDriver {
    clocks_per_bit: f64,
    /// Level and length in clocks of what comes.
    pieces: VecDeque<(bool, f64)>,
    /// Clocks of the present piece that are over; the fraction carries into the next piece.
    elapsed: f64,
}

impl LineDriver {
    /// A line at rest; bits are `clocks_per_bit` clocks long, a fraction too.
    pub fn new(clocks_per_bit: f64) -> Self {
        LineDriver { clocks_per_bit, pieces: VecDeque::new(), elapsed: 0.0 }
    }

    /// Sends a byte.
    pub fn send(&mut self, byte: u8) {
        self.send_bits(u16::from(byte) << 1 | 0x200);
    }

    /// Sends ten bits as they are, lowest first: also what is no byte.
    pub fn send_bits(&mut self, bits: u16) {
        (0..10).for_each(|i| self.hold(bits >> i & 1 == 1, self.clocks_per_bit));
    }

    /// Holds a level: a glitch, a pause or a break.
    pub fn hold(&mut self, level: bool, clocks: f64) {
        self.pieces.push_back((level, clocks));
    }

    /// Whether everything has been sent.
    pub fn is_idle(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The level in the coming clock.
    pub fn clock(&mut self) -> bool {
        let Some(&(level, _)) = self.pieces.front() else { return true };
        self.elapsed += 1.0;
        while self.pieces.front().is_some_and(|piece| self.elapsed >= piece.1) {
            self.elapsed -= self.pieces.pop_front().map_or(0.0, |piece| piece.1);
        }
        if self.pieces.is_empty() {
            self.elapsed = 0.0;
        }
        level
    }
}

/// Reads a line.
#[derive(Clone, Debug)]
pub struct LineMonitor {
    clocks_per_bit: f64,
    before: bool,
    /// Clocks since the start bit began, and the bits so far.
    frame: Option<(f64, u32, u8)>,
}

impl LineMonitor {
    /// A monitor of bits `clocks_per_bit` clocks long.
    pub fn new(clocks_per_bit: f64) -> Self {
        LineMonitor { clocks_per_bit, before: true, frame: None }
    }

    /// Whether no byte is on the line.
    pub fn is_idle(&self) -> bool {
        self.frame.is_none()
    }

    /// Takes the level of a clock: a byte when it is complete, `None` in place of a byte without stop bit.
    pub fn clock(&mut self, level: bool) -> Option<Option<u8>> {
        let fell = self.before && !level;
        self.before = level;
        match &mut self.frame {
            None if fell => self.frame = Some((0.0, 0, 0)),
            None => return None,
            Some((clocks, ..)) => *clocks += 1.0,
        }
        self.sample(level)
    }

    /// Takes the level as the next bit if this clock is the one in its middle: bit 0 is the start bit, bit 9 the stop bit.
    fn sample(&mut self, level: bool) -> Option<Option<u8>> {
        let (clocks, number, byte) = self.frame.as_mut()?;
        if *clocks + 0.5 < (f64::from(*number) + 0.5) * self.clocks_per_bit {
            return None;
        }
        *number += 1;
        match *number {
            1 if level => self.frame = None,
            2..=9 => *byte = *byte >> 1 | u8::from(level) << 7,
            10 => {
                let byte = level.then_some(*byte);
                self.frame = None;
                return Some(byte);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_driven_is_read() {
        for clocks in [1.0, 7.76, 8.0, 8.24, 16.7] {
            let (mut driver, mut monitor) = (LineDriver::new(clocks), LineMonitor::new(clocks));
            (0..=255).for_each(|byte| driver.send(byte));
            driver.hold(false, 15.0 * clocks);
            driver.hold(true, 2.0 * clocks);
            driver.send(7);
            let mut read = vec![];
            let mut cycles = 0;
            while !driver.is_idle() || !monitor.is_idle() {
                read.extend(monitor.clock(driver.clock()));
                cycles += 1;
            }
            let expected: Vec<_> = (0..=255).map(Some).chain([None, Some(7)]).collect();
            assert_eq!(read, expected, "{clocks} clocks a bit");
            assert!((f64::from(cycles) - 2587.0 * clocks).abs() <= 2.0, "{cycles}");
        }
    }
}
