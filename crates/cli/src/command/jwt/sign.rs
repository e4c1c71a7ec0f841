//! `carnet jwt sign`: a token from flags or JSON, for tests and for machines.
//!
//! Spec: RFC 7519 §7.1 · RFC 7515 §5.1

use std::path::PathBuf;

use carnet_jose::{
    Algorithm, AnySigningKey, MAX_HEADER_BYTES, MAX_TOKEN_BYTES, Signer, base64url, primitive,
};
use clap::Args;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::sheet;
use super::verify::token_type;
use crate::failure::Failure;
use crate::key_file::{self, algorithm_parser, unusable};
use crate::output::Output;
use crate::{input, moment};

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet jwt sign --key key.pem --subject alice --audience https://api.example.com --expires-in 15m
  echo '{\"sub\":\"alice\",\"role\":\"admin\"}' | carnet jwt sign --secret-file hs256.secret --claims -")]
#[command(after_help = "\
Adds iat, exp (15 min) and a random jti where the claims have none; --exact adds nothing.
JSON: {\"token\",\"algorithm\",\"key_id\",\"claims\",\"times\"}")]
pub(crate) struct Sign {
    /// The private key: PEM or JWK
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["secret_file", "secret"])]
    key: Option<PathBuf>,

    /// The shared secret, as the file has it without its last line break
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    secret_file: Option<PathBuf>,

    /// The shared secret (better: --secret-file)
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true, conflicts_with_all = ["key", "secret_file"])]
    secret: Option<String>,

    /// What to sign with [default: what the key is for; HS256 for a secret]
    #[arg(short, long, value_parser = algorithm_parser())]
    algorithm: Option<Algorithm>,

    /// The key's name in the header [default: the JWK's kid, else the thumbprint of the public key]
    #[arg(long)]
    kid: Option<String>,

    /// The `typ` in the header: JWT, at+jwt, or another
    #[arg(short, long = "type", value_name = "TYPE", default_value = "JWT")]
    token_type: String,

    /// A file with the claims as a JSON object; `-` for stdin [default: stdin when no claim is given by flags]
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,

    /// The issuer
    #[arg(short, long)]
    issuer: Option<String>,

    /// The subject
    #[arg(short, long)]
    subject: Option<String>,

    /// An audience; several times for several
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,

    /// How long it lives
    #[arg(short, long, value_name = "TIME", value_parser = moment::parse_span)]
    expires_in: Option<i64>,

    /// A further claim; the value is read as JSON, else as text
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = named_value)]
    claim: Vec<(String, String)>,

    /// Sign the claims as they are
    #[arg(long, conflicts_with = "expires_in")]
    exact: bool,

    /// Make it as if it were this moment
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<i64>,
}

/// Claims as somebody wrote them, to the character.
type Exact = Option<Box<RawValue>>;

impl Sign {
    pub(crate) fn run(mut self, output: &Output) -> Result<(), Failure> {
        let now = self.at.unwrap_or_else(moment::now);
        let (key, kid) = self.key(output)?;
        let (claims, exact) = self.claims(now, output)?;
        let signer = Signer::new(key, token_type(Some(self.token_type.clone())), kid).map_err(unusable)?;
        let signed = match &exact {
            Some(text) => signer.sign(text),
            None => signer.sign(&claims),
        };
        let token = signed.map_err(|error| {
            Failure::refused(error.code(), "the token cannot be made").because(error.to_string())
        })?;
        check_size(&token)?;
        if output.is_json() {
            output.value(&json!({
                "token": token, "algorithm": signer.algorithm(), "key_id": signer.key_id(), "claims": claims, "times": sheet::times(&claims, now),
            }));
            return Ok(());
        }
        output.line(&token);
        if !claims.contains_key("exp") {
            output.warn("the token has no exp: it is valid for ever, whoever finds it");
        }
        let key = if signer.algorithm().is_mac() {
            "--secret-file FILE"
        } else {
            "--key FILE"
        };
        output.next(&format!(
            "carnet jwt verify TOKEN {key}, or carnet jwt decode TOKEN"
        ));
        Ok(())
    }

    fn key(&mut self, output: &Output) -> Result<(AnySigningKey, Option<String>), Failure> {
        let Some(path) = &self.key else {
            let secret = input::secret(self.secret_file.as_deref(), self.secret.take(), output)?;
            let key = AnySigningKey::from_secret(&secret, self.algorithm.unwrap_or(Algorithm::Hs256))
                .map_err(unusable)?;
            return Ok((key, self.kid.take()));
        };
        let text = key_file::read(path, output)?;
        let key = text.signing(self.algorithm)?;
        let kid = match self.kid.take().or_else(|| text.key_id()) {
            Some(kid) => Some(kid),
            // The thumbprint of a secret could be guessed against.
            None if key.algorithm().is_mac() => None,
            None => Some(key.thumbprint().map_err(unusable)?),
        };
        Ok((key, kid))
    }

    /// The claims; and, where nothing is added to them, their very text: a number may say more than a program keeps of it.
    fn claims(&self, now: i64, output: &Output) -> Result<(Map<String, Value>, Exact), Failure> {
        let by_flags = self.issuer.is_some()
            || self.subject.is_some()
            || !self.audience.is_empty()
            || !self.claim.is_empty();
        let text = match &self.claims {
            Some(path) => input::text_file(path, "the claims", output)?,
            None if by_flags => Zeroizing::new("{}".to_owned()),
            None => input::text_or_stdin(None, "the claims as a JSON object", output)?,
        };
        let mut claims = object(&text)?;
        if self.exact && !by_flags {
            return Ok((claims, serde_json::from_str(&text).ok()));
        }
        let flags = [("iss", &self.issuer), ("sub", &self.subject)];
        claims.extend(
            flags
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))),
        );
        let audience = match self.audience.as_slice() {
            [] => None,
            [one] => Some(Value::from(one.as_str())),
            several => Some(Value::from(several)),
        };
        claims.extend(audience.map(|audience| ("aud".to_owned(), audience)));
        claims.extend(self.further()?);
        if self.exact {
            return Ok((claims, None));
        }
        claims.entry("iat").or_insert(now.into());
        if let Some(life) = self.expires_in {
            claims.insert("exp".to_owned(), now.saturating_add(life).into());
        }
        claims
            .entry("exp")
            .or_insert_with(|| now.saturating_add(900).into());
        if !claims.contains_key("jti") {
            let mut random = [0; 16];
            primitive::fill_random(&mut random).map_err(|error| Failure::broken(error.to_string()))?;
            claims.insert("jti".to_owned(), base64url::encode(&random).into());
        }
        Ok((claims, None))
    }

    /// The claims of `--claim`, none of which another option gives as well.
    fn further(&self) -> Result<Map<String, Value>, Failure> {
        let options = [
            ("iss", self.issuer.is_some()),
            ("sub", self.subject.is_some()),
            ("aud", !self.audience.is_empty()),
            ("exp", self.expires_in.is_some()),
        ];
        let mut claims = Map::new();
        for (name, text) in &self.claim {
            let by_option = options.contains(&(name.as_str(), true));
            if claims.insert(name.clone(), claim_value(name, text)?).is_some() || by_option {
                return Err(
                    Failure::usage("claim_twice", format!("the claim {name} is given twice"))
                        .because("only one of the two could be signed")
                        .todo("give it once: by --claim, or by the option of its own"),
                );
            }
        }
        Ok(claims)
    }
}

fn object(text: &str) -> Result<Map<String, Value>, Failure> {
    let invalid = |why: String| {
        Failure::refused("claims_invalid", "the claims are not one JSON object")
            .because(why)
            .todo("write {\"sub\":\"alice\"}, or use --subject and --claim")
    };
    let claims = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    carnet_jose::json::check_object(text.as_bytes(), carnet_jose::json::MAX_DEPTH)
        .map_err(|error| invalid(error.to_string()))?;
    Ok(claims)
}

fn named_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// JSON where it is JSON, else text. What is JSON but would not be read alike everywhere is neither.
fn claim_value(name: &str, text: &str) -> Result<Value, Failure> {
    let invalid = |why: String| {
        Failure::refused(
            "claims_invalid",
            format!("the value of the claim {name} cannot be kept"),
        )
        .because(why)
        .todo("mend it, or write it in quotes, which makes it text")
    };
    match serde_json::from_str(text) {
        Ok(value) => {
            let member = format!("{{\"value\":{text}}}");
            carnet_jose::json::check_object(member.as_bytes(), carnet_jose::json::MAX_DEPTH)
                .map_err(|error| invalid(error.to_string()))?;
            Ok(value)
        }
        // The parser has no kind for these two: all else that it refuses is no JSON, and so text.
        Err(error) if error.to_string().starts_with("number out of range") => {
            Err(invalid("it is a number that JSON readers do not keep".to_owned()))
        }
        Err(error) if error.to_string().starts_with("recursion limit") => {
            Err(invalid("it is nested deeper than 32 levels".to_owned()))
        }
        Err(_) => Ok(text.into()),
    }
}

/// What the library would not read is not made either.
fn check_size(token: &str) -> Result<(), Failure> {
    let header = token.find('.').unwrap_or_default();
    if token.len() <= MAX_TOKEN_BYTES && header <= MAX_HEADER_BYTES {
        return Ok(());
    }
    let why = format!(
        "it would have {} bytes, its header {header}: 16 KiB and 8 KiB are Carnet's own limits",
        token.len()
    );
    Err(
        Failure::refused("token_too_large", "the token is larger than Carnet reads")
            .because(why)
            .todo("put less into it"),
    )
}
