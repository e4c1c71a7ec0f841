//! One segment of a damaged token: everything that can be decoded, and what is wrong with the rest.
//!
//! Spec: RFC 4648 §3.5, §5 · RFC 7515 §2

use super::finding::Finding;

/// Decodes what is base64url, and reads past what is not. A character that is none counts as zeros.
pub(crate) fn decode(segment: &str, place: &'static str, findings: &mut Vec<Finding>) -> Vec<u8> {
    let damaged = |text: String| Finding::error("base64_invalid", place, text);
    let body = segment.trim_end_matches('=');
    if body.len() < segment.len() {
        findings.push(damaged(
            "ends in = signs: base64url in a token has no padding (RFC 7515 §2); strict verifiers refuse it"
                .to_owned(),
        ));
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    let mut foreign = Vec::new();
    let mut standard = false;
    let mut count = 0;
    for (at, char) in body.chars().enumerate() {
        let value = sextet(char).unwrap_or_else(|| {
            foreign.push((at + 1, char));
            0
        });
        standard |= matches!(char, '+' | '/');
        (bits, held, count) = ((bits << 6 | value) & 0xffff, held + 6, count + 1);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    if standard {
        findings.push(damaged(
            "has + or /: that is plain base64; tokens use - and _ (RFC 4648 §5); strict verifiers refuse it"
                .to_owned(),
        ));
    }
    if let Some((at, char)) = foreign.first() {
        let more = if foreign.len() > 1 {
            format!(", and {} more", foreign.len() - 1)
        } else {
            String::new()
        };
        findings.push(damaged(format!(
            "character {at} is {char:?}{more}: base64url does not have it; what stood there is lost"
        )));
    }
    if count % 4 == 1 {
        findings.push(damaged(format!(
            "has {count} characters, a length that base64url cannot have: it was cut, or never encoded"
        )));
    } else if bits & ((1 << held) - 1) != 0 {
        findings.push(damaged(
            "ends in bits that must be zero: the last character was changed or the end is missing".to_owned(),
        ));
    }
    bytes
}

fn sextet(char: char) -> Option<u32> {
    let value = match char {
        'A'..='Z' => u32::from(char) - u32::from('A'),
        'a'..='z' => u32::from(char) - u32::from('a') + 26,
        '0'..='9' => u32::from(char) - u32::from('0') + 52,
        '-' | '+' => 62,
        '_' | '/' => 63,
        _ => return None,
    };
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(segment: &str) -> (Vec<u8>, usize) {
        let mut findings = Vec::new();
        (decode(segment, "signature", &mut findings), findings.len())
    }

    #[test]
    fn sound_segments_are_decoded_as_the_strict_decoder_does() {
        for length in 0..40_u8 {
            let bytes: Vec<u8> = (0..length).map(|at| at.wrapping_mul(37) ^ 0xf3).collect();
            assert_eq!(read(&carnet_jose::base64url::encode(&bytes)), (bytes, 0));
        }
    }

    #[test]
    fn damage_is_read_past_and_told() {
        assert_eq!(read("aGVsbG8="), (b"hello".to_vec(), 1));
        assert_eq!(read("+/+/"), (vec![0xfb, 0xff, 0xbf], 1));
        assert_eq!(read("aGV*bG8").1, 1);
        assert_eq!(&read("aGVsbG8gd29y*GQ").0[..9], b"hello wor");
        assert_eq!(read("aGVsb").1, 1);
        assert_eq!(read("aGVsbG9").1, 1);
        assert_eq!(read("ü").1, 2);
    }
}
