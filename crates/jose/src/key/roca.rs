//! RSA keys of a generator whose primes give themselves away (ROCA, CVE-2017-15361).

/// Whether the modulus has the fingerprint: it is a power of 65537 modulo every small prime.
///
/// A key of an honest generator has it once in 2^27.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    SMALL_PRIMES.iter().all(|prime| {
        let residue = modulus
            .iter()
            .fold(0, |residue, byte| (residue << 8 | u32::from(*byte)) % prime);
        is_power_of_65537(residue, *prime)
    })
}

fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    let generator = 65_537 % prime;
    // A subgroup of the residues modulo `prime` has fewer members than `prime`.
    let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime));
    powers.take(prime as usize).any(|power| power == residue)
}

/// The odd primes whose product the generator used for every length of key.
const SMALL_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];
