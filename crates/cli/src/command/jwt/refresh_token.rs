//! Carnet's own refresh tokens: `carnet_rt.FAMILY.GENERATION.MAC`, no JWT.
//!
//! Spec: RFC 9700 §4.14 (rotation and families)

use serde_json::{Value, json};

use crate::output::Output;

/// What a refresh token says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RefreshToken<'a> {
    family: Option<&'a str>,
    generation: Option<u64>,
    mac_is_whole: bool,
}

/// Recognises a refresh token, whole or cut.
pub(crate) fn recognise(token: &str) -> Option<RefreshToken<'_>> {
    let mut parts = token.strip_prefix("carnet_rt")?.split('.');
    parts.next().filter(|first| first.is_empty())?;
    let family = parts.next().filter(|family| !family.is_empty());
    let generation = parts.next().and_then(|number| {
        number
            .parse()
            .ok()
            .filter(|parsed: &u64| parsed.to_string() == number)
    });
    let mac = parts
        .next()
        .and_then(|mac| carnet_jose::base64url::decode(mac).ok());
    let mac_is_whole = mac.is_some_and(|mac| mac.len() == 32) && parts.next().is_none();
    Some(RefreshToken {
        family,
        generation,
        mac_is_whole,
    })
}

impl RefreshToken<'_> {
    /// Whether every part is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.family.is_some() && self.generation.is_some() && self.mac_is_whole
    }

    /// As `--json` shows it.
    pub(crate) fn value(&self) -> Value {
        json!({ "family": self.family, "generation": self.generation, "whole": self.is_whole() })
    }

    /// As people read it.
    pub(crate) fn show(&self, output: &Output) {
        output.line("A refresh token of Carnet. It is no JWT: it says nothing about its user, and only the server can check it.");
        output.heading("Parts");
        let or_lost = |text: Option<String>| text.unwrap_or_else(|| "cannot be read".to_owned());
        let generation = match self.generation {
            Some(0) => "the first of its family: from the login itself".to_owned(),
            Some(count) => format!(
                "the family was refreshed {count} {}",
                if count == 1 { "time" } else { "times" }
            ),
            None => String::new(),
        };
        let row = |name: &str, value: String, meaning: &str| [name.to_owned(), value, meaning.to_owned()];
        output.sheet(&[
            row(
                "family",
                or_lost(self.family.map(str::to_owned)),
                "one login; all tokens refreshed from it belong together",
            ),
            row(
                "generation",
                or_lost(self.generation.map(|count| count.to_string())),
                &generation,
            ),
            row(
                "mac",
                if self.mac_is_whole {
                    "32 bytes".to_owned()
                } else {
                    "damaged".to_owned()
                },
                "made with a key that only the server has",
            ),
        ]);
        output.heading("What that means");
        output.line(" Only the newest generation can be used. An older one that comes back takes the whole family down.");
        output.line(" Whoever holds this token can act as its user: treat it like a password.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens_are_recognised_whole_or_cut() {
        let mac = carnet_jose::base64url::encode(&[9; 32]);
        let whole = format!("carnet_rt.fam.3.{mac}");
        assert!(recognise(&whole).is_some_and(|token| token.is_whole() && token.generation == Some(3)));
        for cut in [
            "carnet_rt",
            "carnet_rt.",
            "carnet_rt.fam",
            "carnet_rt.fam.3",
            "carnet_rt.fam.03.x",
            &whole[..whole.len() - 2],
        ] {
            assert!(recognise(cut).is_some_and(|token| !token.is_whole()), "{cut}");
        }
        assert!(recognise("carnet_rtx.fam.3.x").is_none() && recognise("eyJh.eyJz.c2ln").is_none());
    }
}
