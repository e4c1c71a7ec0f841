//! `carnet jwt decode`: explains a token like a colleague who has seen many. Checks no signature.
//!
//! Spec: RFC 7519 · RFC 7515

use clap::Args;
use serde_json::{Value, json};

use super::finding::{Finding, Level};
use super::pasted::{self, Pasted};
use super::reading::{self, Kind, Reading};
use super::{claim_suspicion, header_suspicion, refresh_token, sheet};
use crate::failure::Failure;
use crate::output::{Ink, Output};
use crate::{input, moment};

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet jwt decode eyJhbGciOi…
  pbpaste | carnet jwt decode        also with Bearer, cookie names, quotes or line breaks around it")]
#[command(after_help = "\
Damaged and cut-off tokens are shown as far as they can be read (exit 1 when header or claims are not whole).
JSON: {\"kind\":\"jws\"|\"jwe\",\"whole\",\"stripped\":[…],\"header\",\"claims\",\"times\":{\"exp\":{\"seconds\",\"at\",\"words\"},…},
  \"size\":{\"characters\",\"parts\":[…],\"signature_bytes\"},\"findings\":[{\"level\",\"code\",\"place\",\"text\"}]}
  or {\"kind\":\"carnet_refresh_token\",\"whole\",\"stripped\",\"refresh_token\":{\"family\",\"generation\",\"whole\"}}")]
pub(crate) struct Decode {
    /// The token [default: stdin]
    token: Option<String>,

    /// Explain times as if it were this moment
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<i64>,
}

impl Decode {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        let from_argument = self.token.is_some();
        let text = match self.token {
            Some(token) => token,
            // Bytes that are no text are damage like any other: the rest can still be read.
            None => String::from_utf8_lossy(&input::stdin("the token", output)?).into_owned(),
        };
        let pasted = pasted::strip(&text);
        if let Some(token) = refresh_token::recognise(&pasted.token) {
            if from_argument {
                output.warn("a refresh token in an argument stays in the shell's history: it is as good as a password; use stdin, and log out that session");
            }
            return show_refresh_token(&token, &pasted, output);
        }
        let Some(reading) = reading::read(&pasted.token) else {
            return Err(Failure::refused("token_unreadable", "nothing in this text can be read as a token")
                .because("neither header nor payload decode to a JSON object")
                .todo("copy the token whole, from its eyJ to its end; opaque tokens can only be explained by who issued them"));
        };
        let now = self.at.unwrap_or_else(moment::now);
        let findings = everything(&reading, &pasted.token, now);
        match output.is_json() {
            true => output.value(&value(&reading, &pasted, &findings, now)),
            false => show(&reading, &pasted, &findings, (now, output)),
        }
        if !reading.whole {
            return Err(
                Failure::refused("token_damaged", "the token is damaged or cut off")
                    .because("what can be read of it is shown above; no verifier accepts it")
                    .todo("copy it again, whole"),
            );
        }
        suggest(&reading, output);
        Ok(())
    }
}

/// The worst first; of the same weight in the order of the token.
fn everything(reading: &Reading, token: &str, now: i64) -> Vec<Finding> {
    let mut found = reading.damage.clone();
    found.extend(header_suspicion::findings(reading, token));
    if let Some(claims) = &reading.claims {
        let token_type = reading
            .header
            .as_ref()
            .and_then(|header| header.get("typ"))
            .and_then(Value::as_str);
        found.extend(claim_suspicion::findings(claims, token_type, now));
    }
    if !reading.whole {
        // What was not read may say it.
        found.retain(|finding| !finding.code.ends_with("_missing"));
    }
    if token.len() > carnet_jose::MAX_TOKEN_BYTES {
        found.push(Finding::warning(
            "token_too_large",
            "token",
            "has more than 16 KiB: strict verifiers and most proxies refuse it",
        ));
    } else if token.len() > 4_096 {
        found.push(Finding::warning(
            "token_large",
            "token",
            "has more than 4096 characters: it does not fit in a cookie, and is sent with every request",
        ));
    }
    if reading.kind == Kind::Jwe {
        found.push(Finding::note(
            "token_encrypted",
            "token",
            "is encrypted (RFC 7516): only who holds the key can read the claims",
        ));
    }
    found.sort_by_key(|finding| finding.level);
    found
}

fn value(reading: &Reading, pasted: &Pasted, findings: &[Finding], now: i64) -> Value {
    json!({
        "kind": match reading.kind { Kind::Jws => "jws", Kind::Jwe => "jwe" },
        "whole": reading.whole,
        "stripped": pasted.stripped,
        "header": reading.header,
        "claims": reading.claims,
        "times": reading.claims.as_ref().map(|claims| sheet::times(claims, now)),
        "size": { "characters": pasted.token.len(), "parts": reading.lengths, "signature_bytes": reading.signature.len() },
        "findings": findings.iter().map(Finding::value).collect::<Vec<_>>(),
    })
}

fn show(reading: &Reading, pasted: &Pasted, findings: &[Finding], (now, output): (i64, &Output)) {
    if !pasted.stripped.is_empty() {
        output.note(&format!(
            "Taken away around the token: {}.",
            pasted.stripped.join(", ")
        ));
    }
    let kind = match reading.kind {
        Kind::Jws => "A JSON Web Token",
        Kind::Jwe => "An encrypted JSON Web Token",
    };
    output.line(&format!(
        "{kind}, {} characters. Read, not checked: anybody can write one that says this.",
        pasted.token.len()
    ));
    if let Some(header) = &reading.header {
        output.heading("Header");
        output.sheet(&sheet::header(header));
    }
    if let Some(claims) = &reading.claims {
        output.heading(&match sheet::life(claims) {
            Some(life) => format!("Claims (lives {life})"),
            None => "Claims".to_owned(),
        });
        output.sheet(&sheet::claims(claims, now));
    }
    if reading.kind == Kind::Jws && !reading.damage.iter().any(|finding| finding.place == "signature") {
        output.heading("Signature");
        output.line(&format!(" {} bytes", reading.signature.len()));
    }
    if findings.is_empty() {
        output.line(&format!(
            "\n{}",
            output.ink(Ink::Good, "Nothing about it looks suspicious.")
        ));
        return;
    }
    output.heading("Look at");
    let rows: Vec<[String; 3]> = findings.iter().map(row).collect();
    output.remarks(&rows);
}

fn row(finding: &Finding) -> [String; 3] {
    let sign = match finding.level {
        Level::Error => "✗",
        Level::Warning => "!",
        Level::Note => "·",
    };
    [sign.to_owned(), finding.place.clone(), finding.text.clone()]
}

fn show_refresh_token(
    token: &refresh_token::RefreshToken<'_>,
    pasted: &Pasted,
    output: &Output,
) -> Result<(), Failure> {
    match output.is_json() {
        true => output.value(&json!({
            "kind": "carnet_refresh_token", "whole": token.is_whole(), "stripped": pasted.stripped, "refresh_token": token.value(),
        })),
        false => token.show(output),
    }
    if token.is_whole() {
        return Ok(());
    }
    Err(
        Failure::refused("token_damaged", "the refresh token is damaged or cut off")
            .because("it has the parts carnet_rt.FAMILY.GENERATION.MAC")
            .todo("log in again: a refresh token cannot be mended"),
    )
}

fn suggest(reading: &Reading, output: &Output) {
    let claim = |name: &str, option: &str| {
        let value = reading.claims.as_ref()?.get(name)?;
        let text = value.as_str().or_else(|| value.as_array()?.first()?.as_str())?;
        // A stranger's text in a command to copy: only what no shell takes for more than a word.
        let harmless = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b":/._-".contains(&byte))
            && !text.starts_with('-');
        harmless.then(|| format!(" {option} {text}"))
    };
    if reading.kind == Kind::Jws {
        let key = match reading
            .header
            .as_ref()
            .and_then(|header| header.get("alg"))
            .and_then(Value::as_str)
        {
            Some(name) if name.starts_with("HS") => "--secret-file FILE",
            _ => "--key public.pem",
        };
        let policy = [claim("iss", "--issuer"), claim("aud", "--audience")]
            .into_iter()
            .flatten()
            .collect::<String>();
        output.next(&format!("carnet jwt verify TOKEN {key}{policy}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_it_stumble() {
        let token = "eyJhbGciOiJIUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJpIiwiYXVkIjpbImEiXSwiZXhwIjo5ZTk5LCJpYXQiOi0xfQ.c2lnbmF0dXJl";
        let mut dice: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut roll = |below: usize| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as usize % below
        };
        let signs: Vec<char> = ". =+/-_\"{}[],:;\\\u{0}\u{1b}üA9%&".chars().collect();
        let mut read = 0;
        for _ in 0..20_000 {
            let mut text: Vec<char> = token.chars().collect();
            for _ in 0..=roll(4) {
                let (at, sign) = (roll(text.len()), signs[roll(signs.len())]);
                match roll(3) {
                    0 => text[at] = sign,
                    1 => text.insert(at, sign),
                    _ => text.truncate(at.max(1)),
                }
            }
            let pasted = pasted::strip(&text.into_iter().collect::<String>());
            let _recognised = refresh_token::recognise(&pasted.token);
            let Some(reading) = reading::read(&pasted.token) else {
                continue;
            };
            read += 1;
            let findings = everything(&reading, &pasted.token, i64::MAX);
            let value = value(&reading, &pasted, &findings, i64::MIN);
            assert!(
                reading.whole
                    || value["findings"]
                        .as_array()
                        .is_some_and(|findings| !findings.is_empty())
            );
        }
        assert!(read > 10_000, "{read}");
    }
}
