//! Random names: as many as are wanted, without a call of the generator for each.
//!
//! Spec: NIST SP 800-90A (the generator behind it)

use std::cell::RefCell;

use super::primitive::fill_random;
use crate::error::Error;

/// As [`fill_random`](crate::primitive::fill_random) (NIST SP 800-90A), for what names something and is no secret: drawn in blocks, of which each thread keeps what is left.
/// One draw takes the generator as long for 16 bytes as for 256.
///
/// ```
/// let (mut one, mut other) = ([0; 16], [0; 16]);
/// carnet_jose::primitive::fill_name(&mut one)?;
/// carnet_jose::primitive::fill_name(&mut other)?;
/// assert_ne!(one, other);
/// # Ok::<(), carnet_jose::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::CryptoFailed`] when the generator gives none.
pub fn fill_name(bytes: &mut [u8]) -> Result<(), Error> {
    NAMES.with_borrow_mut(|kept| {
        if kept.len() < bytes.len() {
            kept.resize(bytes.len().max(NAMES_AT_ONCE), 0);
            if let Err(error) = fill_random(kept) {
                // What is in there is not random.
                kept.clear();
                return Err(error);
            }
        }
        let rest = kept.len() - bytes.len();
        for (byte, drawn) in bytes.iter_mut().zip(kept.drain(rest..)) {
            *byte = drawn;
        }
        Ok(())
    })
}

thread_local! {
    static NAMES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

const NAMES_AT_ONCE: usize = 512;
