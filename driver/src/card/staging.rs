//! Card memory held for the length of one call.

use super::Card;
use crate::Error;

/// Pieces of card memory to be given back when the call ends, well or not.
#[derive(Default)]
pub(crate) struct Staging {
    pieces: Vec<u64>,
}

impl Card {
    /// Runs `call` and frees what it staged.
    pub(crate) fn staged<R>(
        &mut self,
        call: impl FnOnce(&mut Card, &mut Staging) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut staging = Staging::default();
        let result = call(self, &mut staging);
        for address in staging.pieces {
            self.transport.free(address);
        }
        result
    }
}

impl Staging {
    /// Room for `bytes` of a result.
    pub(crate) fn room(&mut self, card: &mut Card, bytes: u64) -> Result<u64, Error> {
        let address = card.transport.alloc(bytes)?;
        self.pieces.push(address);
        Ok(address)
    }

    /// A copy of `data` in card memory.
    pub(crate) fn copy(&mut self, card: &mut Card, data: &[u8]) -> Result<u64, Error> {
        let address = self.room(card, data.len() as u64)?;
        card.transport.write(address, data)?;
        Ok(address)
    }

    /// A copy of 32-bit words in card memory.
    pub(crate) fn copy_words(
        &mut self,
        card: &mut Card,
        words: impl Iterator<Item = u32>,
    ) -> Result<u64, Error> {
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        self.copy(card, &bytes)
    }
}

impl Card {
    /// The largest piece of card memory there is now.
    pub(crate) fn available(&self) -> u64 {
        self.transport.available()
    }

    /// Bytes out of card memory.
    pub(crate) fn fetch(&mut self, address: u64, bytes: usize) -> Result<Vec<u8>, Error> {
        let mut data = vec![0; bytes];
        if bytes > 0 {
            self.transport.read(address, &mut data)?;
        }
        Ok(data)
    }

    /// Words out of card memory.
    pub(crate) fn fetch_words(&mut self, address: u64, words: usize) -> Result<Vec<u32>, Error> {
        let bytes = self.fetch(address, 4 * words)?;
        let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        Ok(bytes.chunks_exact(4).map(word).collect())
    }
}
