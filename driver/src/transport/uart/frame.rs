//! Frames: requests as bytes, and replies found in bytes.

use mattock_spec::serial::{
    CRC_BYTES, MAX_PAYLOAD, Op, REPLY_HEADER_BYTES, REPLY_START, REQUEST_START, crc32,
};

/// Bytes of a reply without payload.
pub(super) const REPLY_BYTES: usize = 1 + REPLY_HEADER_BYTES as usize + CRC_BYTES as usize;

/// A request as bytes for the line. `length` is that of the answer for reads, of `payload` for writes.
pub(super) fn request(seq: u8, op: Op, address: u32, length: usize, payload: &[u8]) -> Vec<u8> {
    debug_assert!(
        length <= MAX_PAYLOAD as usize && (payload.is_empty() || payload.len() == length)
    );
    let mut frame = vec![REQUEST_START, seq, op as u8];
    frame.extend((length as u16).to_le_bytes());
    frame.extend(address.to_le_bytes());
    frame.extend(payload);
    let crc = crc32(&frame[1..]);
    frame.extend(crc.to_le_bytes());
    frame
}

/// A reply whose check was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Sequence number of the request.
    pub seq: u8,
    /// Sequence number the card expects next.
    pub next: u8,
    /// Status byte.
    pub status: u8,
    /// What was read.
    pub payload: Vec<u8>,
}

/// Finds replies in whatever comes over the line.
///
/// Any bytes may be fed. A byte that begins no whole reply is skipped and counted, so that after noise every
/// undisturbed reply is found: those that lie within a false beginning as well.
#[derive(Clone, Debug, Default)]
pub struct ReplyDecoder {
    bytes: Vec<u8>,
    start: usize,
    skipped: u64,
}

impl ReplyDecoder {
    /// Takes bytes from the line.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole reply.
    pub fn next_reply(&mut self) -> Option<Reply> {
        while self.start < self.bytes.len() {
            match parse(&self.bytes[self.start..]) {
                Parsed::Reply(reply) => {
                    self.start += REPLY_BYTES + reply.payload.len();
                    return Some(reply);
                }
                Parsed::More => return None,
                Parsed::Noise => {
                    self.start += 1;
                    self.skipped += 1;
                }
            }
        }
        None
    }

    /// After a silence: what was begun is not going to end, and may hide whole replies.
    pub fn give_up(&mut self) {
        if self.start < self.bytes.len() {
            self.start += 1;
            self.skipped += 1;
        }
    }

    /// Whether bytes are waiting for the rest of a reply.
    pub fn is_waiting(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = ReplyDecoder { skipped: self.skipped, ..ReplyDecoder::default() };
    }

    /// Bytes that belonged to no reply.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

enum Parsed {
    Reply(Reply),
    More,
    Noise,
}

/// What the bytes begin with.
fn parse(bytes: &[u8]) -> Parsed {
    if bytes[0] != REPLY_START {
        return Parsed::Noise;
    }
    let &[_, seq, next, status, low, high, ..] = bytes else { return Parsed::More };
    let length = usize::from(u16::from_le_bytes([low, high]));
    if length > MAX_PAYLOAD as usize {
        return Parsed::Noise;
    }
    let body = 1 + REPLY_HEADER_BYTES as usize + length;
    let Some(frame) = bytes.get(..body + CRC_BYTES as usize) else { return Parsed::More };
    if frame[body..] != crc32(&frame[1..body]).to_le_bytes() {
        return Parsed::Noise;
    }
    Parsed::Reply(Reply {
        seq,
        next,
        status,
        payload: frame[REPLY_HEADER_BYTES as usize + 1..body].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(reply: &Reply) -> Vec<u8> {
        let mut frame = vec![REPLY_START, reply.seq, reply.next, reply.status];
        frame.extend((reply.payload.len() as u16).to_le_bytes());
        frame.extend(&reply.payload);
        let crc = crc32(&frame[1..]);
        frame.extend(crc.to_le_bytes());
        frame
    }

    fn replies() -> impl Strategy<Value = Reply> {
        let byte = prop_oneof![Just(REPLY_START), any::<u8>()];
        let payload = prop::collection::vec(byte, 0..=MAX_PAYLOAD as usize);
        (any::<u8>(), any::<u8>(), any::<u8>(), payload)
            .prop_map(|(seq, next, status, payload)| Reply { seq, next, status, payload })
    }

    fn all(decoder: &mut ReplyDecoder, bytes: &[u8], cuts: &[usize]) -> Vec<Reply> {
        let mut found = vec![];
        let mut rest = bytes;
        for cut in cuts {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            rest = later;
            decoder.feed(now);
            found.extend(std::iter::from_fn(|| decoder.next_reply()));
        }
        decoder.feed(rest);
        loop {
            found.extend(std::iter::from_fn(|| decoder.next_reply()));
            if !decoder.is_waiting() {
                return found;
            }
            decoder.give_up();
        }
    }

    proptest! {
        /// Whatever comes: no panic, and nothing but replies with a right check.
        #[test]
        fn noise_is_no_reply(bytes in prop::collection::vec(prop_oneof![Just(REPLY_START), Just(0u8), any::<u8>()], 0..2000)) {
            let found = all(&mut ReplyDecoder::default(), &bytes, &[7, 100]);
            for reply in found {
                let frame = bytes_of(&reply);
                prop_assert!(bytes.windows(frame.len()).any(|w| w == frame));
            }
        }

        /// Every reply among noise is found, however the bytes are cut, unless noise before it happens to be one.
        #[test]
        fn replies_among_noise_are_found(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), replies()), 1..6),
            cuts in prop::collection::vec(0usize..300, 0..8),
        ) {
            let mut bytes = vec![];
            for (noise, reply) in &parts {
                bytes.extend(noise);
                bytes.extend(bytes_of(reply));
            }
            let mut decoder = ReplyDecoder::default();
            let found = all(&mut decoder, &bytes, &cuts);
            let sent: Vec<Reply> = parts.iter().map(|p| p.1.clone()).collect();
            prop_assert_eq!(&found, &sent);
            let noise: usize = parts.iter().map(|p| p.0.len()).sum();
            prop_assert_eq!(decoder.skipped(), noise as u64);
        }

        /// One byte changed, lost or doubled: the reply it hits is not taken, all others are.
        #[test]
        fn damage_costs_one_reply(sent in prop::collection::vec(replies(), 3), at in any::<prop::sample::Index>(), kind in 0..3, flip in 1u8..) {
            let frame = bytes_of(&sent[1]);
            let at = at.index(frame.len());
            let mut hit = frame.clone();
            match kind {
                0 => hit[at] ^= flip,
                1 => {
                    hit.remove(at);
                }
                _ => hit.insert(at, frame[at]),
            }
            let bytes = [bytes_of(&sent[0]), hit.clone(), bytes_of(&sent[2])].concat();
            let found = all(&mut ReplyDecoder::default(), &bytes, &[]);
            // A byte doubled or lost among equal ones at an end leaves the frame whole.
            let whole = hit.windows(frame.len()).any(|w| w == frame);
            let expected: Vec<Reply> = sent.iter().enumerate().filter(|(i, _)| *i != 1 || whole).map(|(_, r)| r.clone()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
