//! Ed25519 public keys that are points of small order: under them one signature fits many messages, and nobody needs a private key to make it.
//!
//! Spec: RFC 7748 §6.1, RFC 8032 §5.1 (the curve) · RFC 8725 §3.5

/// Whether these 32 bytes, or the last 32 of a SubjectPublicKeyInfo, are such a point. Its eight points have five second coordinates, of which two can
/// also be written with the field's prime added (which RFC 8032 §5.1.3 forbids); the highest bit is the sign of the first coordinate.
pub(super) fn is_small_order(public: &[u8]) -> bool {
    let Some(point) = public.last_chunk::<32>() else {
        return false;
    };
    let mut unsigned = *point;
    unsigned[31] &= 0x7f;
    SMALL.contains(&unsigned)
}

/// The second coordinates, lowest byte first.
const SMALL: [[u8; 32]; 7] = [
    near(0x00, 0x00, 0x00),
    near(0x01, 0x00, 0x00),
    ORDER_8,
    ORDER_8_MINUS,
    near(0xec, 0xff, 0x7f),
    near(0xed, 0xff, 0x7f),
    near(0xee, 0xff, 0x7f),
];

const fn near(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

const ORDER_8: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
    0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];
const ORDER_8_MINUS: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
    0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];
