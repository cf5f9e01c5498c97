//! Four-bit integers in memory: two to a byte, the first one in the low half.

/// A value outside -8..=7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("value {value} at {index} is outside -8..=7, the range of a 4-bit integer")]
pub struct Int4Error {
    /// Position of the value.
    pub index: usize,
    /// The value.
    pub value: i8,
}

/// Packs values, the first into the low half of the first byte; an odd end is filled with 0.
///
/// # Errors
/// [`Int4Error`] at the first value that does not fit.
pub fn pack_i4(values: &[i8]) -> Result<Vec<u8>, Int4Error> {
    let outside = |value: &i8| !(-8..=7).contains(value);
    if let Some(index) = values.iter().position(outside) {
        return Err(Int4Error { index, value: values[index] });
    }
    let nibble = |value: i8| value as u8 & 0xf;
    Ok(values
        .chunks(2)
        .map(|pair| nibble(pair[0]) | nibble(*pair.get(1).unwrap_or(&0)) << 4)
        .collect())
}

/// All values of `packed`: twice as many as there are bytes.
pub fn unpack_i4(packed: &[u8]) -> Vec<i8> {
    packed.iter().flat_map(|&byte| [(byte as i8) << 4 >> 4, byte as i8 >> 4]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_round_trips_low_half_first() {
        let values: Vec<i8> = (-8..=7).collect();
        let packed = pack_i4(&values).unwrap();
        assert_eq!(packed[0], 0x98);
        assert_eq!(unpack_i4(&packed), values);
        assert_eq!(pack_i4(&[-1]).unwrap(), [0x0f]);
        assert_eq!(pack_i4(&[0, 8]), Err(Int4Error { index: 1, value: 8 }));
    }
}
