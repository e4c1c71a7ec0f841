//! `carnet jwt verify`: signature, times, issuer, audience, type, with the verifier that the server uses.
//!
//! Spec: RFC 7519 §7.2 · RFC 8725 §3

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Algorithm, AnyVerifyingKey, KeySet, TokenType, Verified, Verifier};
use clap::Args;
use serde_json::{Map, Value, json};

use super::refusal::{self, Circumstances};
use super::{pasted, reading, remote, sheet};
use crate::failure::Failure;
use crate::key_file::{self, KeyText, algorithm_parser, unusable};
use crate::output::{Ink, Output, failure_value};
use crate::{input, moment};

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet jwt verify eyJhbGciOi… --key public.pem --issuer https://id.example.com --audience https://api.example.com
  carnet jwt verify --issuer https://id.example.com --audience https://api.example.com < token.txt")]
#[command(after_help = "\
Exit 1 when the token is refused; the code, the reason and the section of the RFC are told.
JSON: {\"valid\":true,\"algorithm\",\"key_id\",\"checked\":{\"signature\",\"expiry\",\"issuer\",\"audience\",\"type\"},\"claims\",\"times\"}
  or {\"valid\":false,\"section\",\"error\":{\"code\",\"what\",\"why\",\"todo\",\"exit\"}}; section is null for a limit of our own")]
pub(crate) struct Verify {
    /// The token [default: stdin]
    token: Option<String>,

    /// The key: PEM, DER, JWK or JWKS
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["jwks", "secret_file", "secret", "issuer"])]
    key: Option<PathBuf>,

    /// The issuer's key set: a file, or its URL
    #[arg(long, value_name = "FILE|URL", conflicts_with = "key")]
    jwks: Option<String>,

    /// The shared secret, as the file has it without its last line break
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "jwks"])]
    secret_file: Option<PathBuf>,

    /// The shared secret (better: --secret-file)
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true, conflicts_with_all = ["key", "jwks", "secret_file"])]
    secret: Option<String>,

    /// The algorithm that the token must have; several times for several [default: what fits the key]
    #[arg(short, long, value_parser = algorithm_parser())]
    algorithm: Vec<Algorithm>,

    /// Who must have issued it; without a key, its keys are found by its metadata (RFC 8414, OpenID Connect Discovery)
    #[arg(short, long)]
    issuer: Option<String>,

    /// For whom it must be; several times for any of several
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,

    /// What kind it must be: at+jwt, jwt, or any other `typ` [default: the token's own]
    #[arg(short, long = "type", value_name = "TYPE")]
    token_type: Option<String>,

    /// How far clocks may differ
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = moment::parse_span_or_none)]
    leeway: i64,

    /// The longest time since it was issued
    #[arg(long, value_name = "TIME", value_parser = moment::parse_span_or_none)]
    max_age: Option<i64>,

    /// Check as if it were this moment
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<i64>,
}

impl Verify {
    pub(crate) fn run(mut self, output: &Output) -> Result<(), Failure> {
        let text = input::text_or_stdin(self.token.take(), "the token", output)?;
        let token = pasted::strip(&text).token;
        let now = self.at.unwrap_or_else(moment::now);
        let reading = reading::read(&token);
        let (header, claims) = reading.map_or_else(Default::default, |reading| {
            (
                reading.header.unwrap_or_default(),
                reading.claims.unwrap_or_default(),
            )
        });
        let verifier = self.verifier(&header, output)?;
        match verifier.verify_owned::<Map<String, Value>>(&token, u64::try_from(now).unwrap_or_default()) {
            Ok(verified) => {
                self.show(&verified, (now, output));
                Ok(())
            }
            Err(error) => {
                let issuer = self.issuer.as_deref();
                let about = Circumstances {
                    header: &header,
                    claims: &claims,
                    issuer,
                    audiences: &self.audience,
                    now,
                };
                let failure = refusal::failure(error, &about);
                if output.is_json() {
                    let section = refusal::section(error);
                    output.value(
                        &json!({ "valid": false, "section": section, "error": failure_value(&failure) }),
                    );
                }
                Err(failure)
            }
        }
    }

    fn verifier(&mut self, header: &Map<String, Value>, output: &Output) -> Result<Verifier, Failure> {
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let named = text("alg").and_then(Algorithm::from_name);
        let keys = self.keys(named, text("kid").map(str::to_owned), output)?;
        let wanted = self.token_type.clone().or_else(|| text("typ").map(str::to_owned));
        let mut builder = Verifier::builder(Arc::new(keys.set))
            .algorithms(&keys.algorithms)
            .token_type(token_type(wanted));
        builder = match &self.issuer {
            Some(issuer) => builder.issuer(issuer.clone()),
            None => builder.without_issuer_check(),
        };
        builder = match self.audience.is_empty() {
            true => builder.without_audience_check(),
            false => self
                .audience
                .iter()
                .fold(builder, |builder, audience| builder.audience(audience.clone())),
        };
        if let Some(age) = self.max_age {
            builder = builder.max_token_age(Duration::from_secs(u64::try_from(age).unwrap_or_default()));
        }
        let leeway = Duration::from_secs(u64::try_from(self.leeway).unwrap_or_default());
        builder.leeway(leeway).build().map_err(|error| {
            Failure::usage(error.code(), "this policy cannot be used").because(error.to_string())
        })
    }

    /// The keys, and the algorithms that they allow: what the token names only picks among those that fit the key.
    fn keys(
        &mut self,
        named: Option<Algorithm>,
        kid: Option<String>,
        output: &Output,
    ) -> Result<Keys, Failure> {
        let wanted = |named: Option<Algorithm>| match self.algorithm.as_slice() {
            [] => named,
            [only] => Some(*only),
            several => named
                .filter(|named| several.contains(named))
                .or(several.first().copied()),
        };
        if self.secret_file.is_some() || self.secret.is_some() {
            let algorithm = wanted(named.filter(|named| named.is_mac())).unwrap_or(Algorithm::Hs256);
            let secret = input::secret(self.secret_file.as_deref(), self.secret.take(), output)?;
            return Keys::one(
                AnyVerifyingKey::from_secret(&secret, algorithm).map_err(unusable)?,
                kid,
            );
        }
        let text = match (&self.key, &self.jwks) {
            (Some(path), _) => key_file::read(path, output)?,
            (None, Some(url)) if remote::is_url(url) => remote::key_set(url, output)?,
            (None, Some(path)) => key_file::read(&PathBuf::from(path), output)?,
            (None, None) => remote::keys_of(self.issuer.as_deref().unwrap_or_default(), output)?,
        };
        let KeyText::Jwks(set) = &text else {
            if text.holds_private_key() {
                output.warn("this is a private key: checking needs only its public half; carnet jwk public takes it out");
            }
            // The token picks among the algorithms of the key; one that does not fit is refused by the verifier, not by the key.
            let picked = wanted(named).filter(|one| text.verifying(Some(*one)).is_ok());
            let strict = self.algorithm.first().copied().filter(|_| picked.is_none());
            return Keys::one(text.verifying(picked.or(strict))?, kid);
        };
        let algorithms = if self.algorithm.is_empty() {
            signatures()
        } else {
            self.algorithm.clone()
        };
        let parsed = KeySet::from_jwks_json(set.as_bytes(), &algorithms).map_err(unusable)?;
        for skipped in &parsed.skipped {
            output.note(&format!(
                "Key {} of the set is not used: {}.",
                skipped.kid.as_deref().unwrap_or("without name"),
                skipped.reason
            ));
        }
        Ok(Keys {
            set: parsed.set,
            algorithms,
        })
    }

    fn show(&self, verified: &Verified<Map<String, Value>>, (now, output): (i64, &Output)) {
        let audience = Some(&self.audience).filter(|audience| !audience.is_empty());
        if output.is_json() {
            let checked = json!({
                "signature": true, "expiry": true, "issuer": self.issuer, "audience": audience, "type": self.token_type,
            });
            return output.value(&json!({
                "valid": true, "algorithm": verified.algorithm, "key_id": verified.key_id.as_deref(), "checked": checked,
                "claims": verified.claims, "times": sheet::times(&verified.claims, now),
            }));
        }
        let checks = [
            ("issuer", self.issuer.is_some()),
            ("audience", audience.is_some()),
            ("type", self.token_type.is_some()),
        ];
        let done: String = checks
            .iter()
            .filter(|(_, done)| *done)
            .map(|(name, _)| format!(", {name}"))
            .collect();
        let word = output.ink(Ink::Good, "Valid.");
        output.line(&format!(
            "{word} {}: signature, times{done} are as they should be.",
            verified.algorithm
        ));
        output.heading("Claims");
        output.sheet(&sheet::claims(&verified.claims, now));
        if verified.issued_in_future {
            output.warn("iat lies in the future: the clock of the issuer or of this machine is wrong");
        }
        let open: Vec<String> = checks
            .iter()
            .filter(|(_, done)| !done)
            .map(|(name, _)| format!("--{name}"))
            .collect();
        if !open.is_empty() {
            output.note(&format!(
                "Not checked, since not asked: {}. A service must check them.",
                open.join(", ")
            ));
        }
    }
}

struct Keys {
    set: KeySet,
    algorithms: Vec<Algorithm>,
}

impl Keys {
    /// One key that the caller chose: it stands for whatever `kid` the token names.
    fn one(key: AnyVerifyingKey, kid: Option<String>) -> Result<Self, Failure> {
        let algorithms = vec![key.algorithm()];
        Ok(Self {
            set: KeySet::new(vec![(kid, key)]).map_err(unusable)?,
            algorithms,
        })
    }
}

/// What a key set of strangers may be used for: shared secrets are not published.
fn signatures() -> Vec<Algorithm> {
    Algorithm::ALL
        .iter()
        .copied()
        .filter(|algorithm| !algorithm.is_mac())
        .collect()
}

/// The name is needed as long as the process lives, which is not long.
pub(super) fn token_type(name: Option<String>) -> TokenType {
    let Some(name) = name else { return TokenType::Jwt };
    // RFC 7515 §4.1.9: compared without regard to case.
    let name = name.to_ascii_lowercase();
    let short = name.strip_prefix("application/").unwrap_or(&name).to_owned();
    match short.as_str() {
        "jwt" => TokenType::Jwt,
        "at+jwt" => TokenType::AccessToken,
        _ => TokenType::Other(short.leak()),
    }
}
