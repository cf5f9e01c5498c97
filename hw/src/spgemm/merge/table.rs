//! Shape of the hash table and of the words that travel through the merge core.

use mattock_spec::config::HashKind;
use rtl_gen::{Sig, bit, bits, cat, uint};

/// One hash table: `banks` x buckets x `ways` entries in each of two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Banks; a power of two from 2.
    pub banks: u32,
    /// Entries per bucket; a power of two.
    pub ways: u32,
    /// Entries of one half over all banks; a power of two.
    pub entries_per_half: u32,
    /// Bits of a column.
    pub index_bits: u32,
    /// Bits of a row slot.
    pub row_bits: u32,
    /// Where keys live.
    pub hash: HashKind,
    /// Elements of a mask come among the products: tags know whether an entry is masked and whether a product touched it.
    pub masks: bool,
}

/// A product on its way to a table entry.
#[derive(Clone, Copy)]
pub(super) struct Product<'m> {
    pub(super) half: Sig<'m>,
    pub(super) bucket: Sig<'m>,
    /// Row slot above column.
    pub(super) key: Sig<'m>,
    pub(super) value: Sig<'m>,
    /// It is an element of a mask, if the table has masks.
    pub(super) of_mask: Option<Sig<'m>>,
}

/// A way of a bucket.
#[derive(Clone, Copy)]
pub(super) struct Tag<'m> {
    pub(super) used: Sig<'m>,
    pub(super) marks: Option<Marks<'m>>,
    pub(super) key: Sig<'m>,
}

/// What came for an entry.
#[derive(Clone, Copy)]
pub(super) struct Marks<'m> {
    /// A product did.
    pub(super) touched: Sig<'m>,
    /// An element of the mask did.
    pub(super) masked: Sig<'m>,
}

impl Table {
    /// Buckets of one half of one bank.
    pub fn buckets(&self) -> u32 {
        self.entries_per_half / (self.banks * self.ways)
    }

    /// Entries of one half of one bank.
    pub fn bank_entries(&self) -> u32 {
        self.entries_per_half / self.banks
    }

    /// Refuses shapes that make no hardware.
    ///
    /// # Errors
    /// Names the parameter, its value and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        for (name, value, least) in [
            ("banks", self.banks, 2),
            ("ways", self.ways, 1),
            ("entries_per_half", self.entries_per_half, 4),
        ] {
            if !value.is_power_of_two() || value < least {
                return Err(format!("{name} = {value}: must be a power of two from {least}"));
            }
        }
        if self.entries_per_half < 2 * self.banks * self.ways {
            return Err(format!(
                "entries_per_half = {}: at least two buckets per bank are needed, {} for banks = {} and ways = {}",
                self.entries_per_half,
                2 * self.banks * self.ways,
                self.banks,
                self.ways
            ));
        }
        if !(1..=32).contains(&self.index_bits) {
            return Err(format!("index_bits = {}: must be 1 to 32", self.index_bits));
        }
        if !(1..=16).contains(&self.row_bits) {
            return Err(format!("row_bits = {}: must be 1 to 16", self.row_bits));
        }
        Ok(())
    }

    pub(super) fn bank_bits(&self) -> u32 {
        self.banks.ilog2()
    }

    pub(super) fn bucket_bits(&self) -> u32 {
        self.buckets().ilog2()
    }

    pub(super) fn entry_bits(&self) -> u32 {
        self.bank_entries().ilog2()
    }

    /// Bits of row slot and column together.
    pub(super) fn key_bits(&self) -> u32 {
        self.row_bits + self.index_bits
    }

    /// Bits of a [`Product`] as one word.
    pub(super) fn product_bits(&self) -> u32 {
        1 + self.bucket_bits() + self.key_bits() + 32 + u32::from(self.masks)
    }

    /// Bits of a [`Tag`] as one word.
    pub(super) fn tag_bits(&self) -> u32 {
        1 + 2 * u32::from(self.masks) + self.key_bits()
    }

    /// Bits of an entry that leaves: row slot, column, value, and above them whether the mask wants it.
    pub(super) fn leaving_bits(&self) -> u32 {
        self.key_bits() + 32 + u32::from(self.masks)
    }

    /// Text that tells tables apart, for module names.
    pub(super) fn suffix(&self) -> String {
        let Table { banks, ways, entries_per_half, index_bits, row_bits, masks, hash } = self;
        let masks = if *masks { "_m" } else { "" };
        let hash = match hash {
            HashKind::Multiplicative => "",
            HashKind::LowBits => "_low",
            HashKind::HighBits => "_high",
        };
        format!("n{banks}_w{ways}_t{entries_per_half}_c{index_bits}_r{row_bits}{masks}{hash}")
    }

    pub(super) fn pack<'m>(&self, p: Product<'m>) -> Sig<'m> {
        let parts = [p.half, p.bucket.as_bits(), p.key, p.value];
        cat(&p.of_mask.into_iter().chain(parts).collect::<Vec<_>>())
    }

    pub(super) fn unpack<'m>(&self, word: Sig<'m>) -> Product<'m> {
        let (key, bucket) = (self.key_bits(), self.bucket_bits());
        Product {
            half: word.bit(32 + key + bucket).as_type(bit()),
            bucket: word.slice(31 + key + bucket, 32 + key).as_type(uint(bucket)),
            key: word.slice(31 + key, 32).as_type(bits(key)),
            value: word.slice(31, 0),
            of_mask: self.masks.then(|| word.msb()),
        }
    }

    pub(super) fn pack_tag<'m>(&self, tag: Tag<'m>) -> Sig<'m> {
        let marks = tag.marks.map(|marks| [marks.touched, marks.masked]);
        let parts = [tag.used].into_iter().chain(marks.into_iter().flatten()).chain([tag.key]);
        cat(&parts.collect::<Vec<_>>())
    }

    pub(super) fn unpack_tag<'m>(&self, word: Sig<'m>) -> Tag<'m> {
        let key = self.key_bits();
        let marks = self.masks.then(|| Marks { touched: word.bit(key + 1), masked: word.bit(key) });
        Tag { used: word.msb(), marks, key: word.slice(key - 1, 0) }
    }
}
