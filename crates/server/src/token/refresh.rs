//! Refresh tokens: `carnet_rt.FAMILY.GENERATION.MAC`, with nothing in the database that could make one.
//!
//! Spec: RFC 9700 §4.14 · RFC 6749 §10.4

use carnet_jose::{base64url, primitive};
use carnet_store::Family;

use crate::app::App;
use crate::http::failure::Failure;
use crate::master_key::{MasterKeys, Purpose};

/// The first part of every refresh token: secret scanners and people recognise it.
pub const PREFIX: &str = "carnet_rt";

/// A refresh token, taken apart but not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken<'a> {
    /// The family it says it belongs to.
    pub fam: &'a str,
    /// Which of the family's tokens it says it is.
    pub generation: i64,
    mac: [u8; 32],
}

impl<'a> RefreshToken<'a> {
    /// Takes a token apart; `None` when it has another shape. There is one spelling of each token.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.strip_prefix('.')?.split('.');
        let (fam, number, mac, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        let generation: i64 = number.parse().ok()?;
        let canonical = generation >= 0 && generation.to_string() == number;
        let short = !fam.is_empty() && fam.len() <= 64 && fam.bytes().all(is_base64url);
        let mac = <[u8; 32]>::try_from(base64url::decode(mac).ok()?.as_slice()).ok()?;
        (canonical && short && end.is_none()).then_some(Self { fam, generation, mac })
    }

    /// Whether we made it, for this family and this generation.
    pub fn is_genuine(&self, master: &MasterKeys, family: &Family) -> bool {
        let expected = mac(master, family, self.generation);
        expected.is_some_and(|expected| primitive::verify_equal(&expected, &self.mac))
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// The token of the family's newest generation. Made again, it is the same token.
pub fn write(app: &App, family: &Family) -> Result<String, Failure> {
    let mac = mac(&app.master, family, family.generation);
    let mac =
        mac.ok_or_else(|| Failure::broken(format!("the master key {} is not in the file", family.mac_key)))?;
    Ok(format!(
        "{PREFIX}.{}.{}.{}",
        family.fam,
        family.generation,
        base64url::encode(&mac)
    ))
}

fn mac(master: &MasterKeys, family: &Family, generation: i64) -> Option<[u8; 32]> {
    let key = master.derive(&family.mac_key, Purpose::RefreshToken)?;
    // Lengths are fixed but for the family's name, which the salt cannot be mistaken for: it goes last.
    Some(primitive::hmac_sha256(
        key.as_slice(),
        &[&family.salt, &generation.to_be_bytes(), family.fam.as_bytes()],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_spelling() {
        let mac = "A".repeat(43);
        assert!(RefreshToken::parse(&format!("carnet_rt.fam.0.{mac}")).is_some());
        for text in [
            format!("carnet_rt.fam.00.{mac}"),
            format!("carnet_rt.fam.-1.{mac}"),
            format!("carnet_rt.fam.+1.{mac}"),
            format!("carnet_rt.fam.1.{mac}.x"),
            format!("carnet_rt.fam.1.{mac}="),
            format!("carnet_rt..1.{mac}"),
            format!("carnet_rt.f\0m.1.{mac}"),
            format!("carnet_rt.fäm.1.{mac}"),
            format!("carnet_rt.fam.99999999999999999999.{mac}"),
            "carnet_rt.fam.1.".to_owned(),
            String::new(),
        ] {
            assert!(RefreshToken::parse(&text).is_none(), "{text}");
        }
    }
}
