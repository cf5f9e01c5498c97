//! Constant bit patterns of any width.

use std::fmt;

/// A bit pattern of a width, in 64-bit words, least significant first; bits past the width are 0.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    width: u32,
    words: Box<[u64]>,
}

impl Value {
    /// All zeros.
    pub fn zero(width: u32) -> Self {
        Value { width, words: vec![0; words_for(width)].into() }
    }

    /// The low `width` bits of `value`, sign-extended when `width` is over 128.
    pub fn from_i128(width: u32, value: i128) -> Self {
        let fill = if value < 0 { u64::MAX } else { 0 };
        let mut words = vec![fill; words_for(width)];
        for (i, word) in words.iter_mut().take(2).enumerate() {
            *word = (value >> (64 * i)) as u64;
        }
        Self::from_words(width, words)
    }

    /// A pattern from words, least significant first; missing words are 0, bits past `width` are dropped.
    pub fn from_words(width: u32, mut words: Vec<u64>) -> Self {
        words.resize(words_for(width), 0);
        let spare = width % 64;
        if spare != 0
            && let Some(last) = words.last_mut()
        {
            *last &= (1 << spare) - 1;
        }
        Value { width, words: words.into() }
    }

    /// Width in bits.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The words, least significant first.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bit `i`; false past the width.
    pub fn bit(&self, i: u32) -> bool {
        self.words.get((i / 64) as usize).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    /// The low 64 bits.
    pub fn to_u64(&self) -> u64 {
        self.words.first().copied().unwrap_or(0)
    }

    /// The number read as two's complement, when it fits `i128`.
    pub fn to_i128(&self) -> i128 {
        let low = self
            .words
            .iter()
            .take(2)
            .enumerate()
            .fold(0u128, |v, (i, w)| v | (*w as u128) << (64 * i));
        let spare = 128 - self.width.min(128);
        ((low << spare) as i128) >> spare
    }

    /// Bits `hi..=lo` as a value of their own.
    pub fn slice(&self, hi: u32, lo: u32) -> Value {
        let width = hi - lo + 1;
        let words = (0..words_for(width) as u32)
            .map(|i| {
                let (word, shift) = ((lo / 64 + i) as usize, lo % 64);
                let low = self.words.get(word).copied().unwrap_or(0) >> shift;
                let high = self.words.get(word + 1).copied().unwrap_or(0);
                if shift == 0 { low } else { low | high << (64 - shift) }
            })
            .collect();
        Value::from_words(width, words)
    }
}

fn words_for(width: u32) -> usize {
    width.div_ceil(64) as usize
}

impl fmt::LowerHex for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.words.iter().rev().map(|w| format!("{w:016x}")).collect();
        let digits = self.width.div_ceil(4) as usize;
        f.write_str(&text[text.len() - digits..])
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'h{self:x}", self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_slices() {
        let v = Value::from_i128(200, -2);
        assert!(v.bit(199) && !v.bit(0) && !v.bit(200));
        assert_eq!(v.slice(130, 100).to_i128(), -1);
        assert_eq!(v.slice(70, 0).to_i128(), -2);
        assert_eq!(format!("{:?}", Value::from_i128(9, -1)), "9'h1ff");
        assert_eq!(Value::from_i128(128, i128::MIN).to_i128(), i128::MIN);
    }
}
