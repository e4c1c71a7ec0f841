//! A first look at a key that is hardly ever there: one word of memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// Says of most keys that are not there that they are not, by one word of memory: four of its bits stand for a key.
pub(super) struct Filter {
    words: Box<[AtomicU64]>,
    shift: u32,
}

impl Filter {
    /// Two to four entries a word: of a thousand keys that are not there it lets four pass at the most.
    pub(super) fn for_entries(entries: usize) -> Self {
        let words = (entries / 2).next_power_of_two().max(4) / 2;
        Self {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            shift: 64 - words.trailing_zeros(),
        }
    }

    /// Seen by everybody who sees the set that is made with it: that is put in place afterwards.
    pub(super) fn add(&self, key: u64) {
        if let Some(word) = self.word(key) {
            word.fetch_or(bits(key), Ordering::Relaxed);
        }
    }

    pub(super) fn may_have(&self, key: u64) -> bool {
        let bits = bits(key);
        self.word(key)
            .is_some_and(|word| word.load(Ordering::Relaxed) & bits == bits)
    }

    fn word(&self, key: u64) -> Option<&AtomicU64> {
        self.words.get(usize::try_from(key >> self.shift).ok()?)
    }
}

fn bits(key: u64) -> u64 {
    1 << (key & 63) | 1 << (key >> 6 & 63) | 1 << (key >> 12 & 63) | 1 << (key >> 18 & 63)
}
