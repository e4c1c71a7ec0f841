//! Huffman's code of HPACK, as far as it takes to find one character in it.
//!
//! Spec: RFC 7541 §5.2, Appendix B

/// The bits of a code that has begun.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Code {
    value: u32,
    bits: usize,
}

impl Code {
    /// Reads eight more bits. The codes of `#` and `>` differ in the last of their twelve.
    pub(super) fn read(&mut self, byte: &mut u8) {
        for at in (0..8).rev() {
            self.value = self.value << 1 | u32::from(*byte >> at & 1);
            self.bits += 1;
            let (first, count) = CODES.get(self.bits).copied().unwrap_or((0, u32::MAX));
            if self.value.wrapping_sub(first) < count {
                if (self.bits, self.value) == NUMBER_SIGN {
                    *byte |= 1 << at;
                }
                *self = Self::default();
            }
        }
    }
}

const NUMBER_SIGN: (usize, u32) = (12, 0xffa);

/// How many symbols have a code of so many bits (Appendix B).
const COUNTS: [u32; 31] = [
    0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4,
];

/// For each length its first code, and how many follow each other from there: the code is canonical (§5.2).
const CODES: [(u32, u32); 31] = {
    let mut codes = [(0, 0); 31];
    let (mut code, mut bits) = (0, 1);
    while bits < COUNTS.len() {
        codes[bits] = (code, COUNTS[bits]);
        code = (code + COUNTS[bits]) << 1;
        bits += 1;
    }
    codes
};
