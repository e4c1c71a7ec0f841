//! `carnet jwk`: make keys, name them, and take their public halves out.
//!
//! Spec: RFC 7517 · RFC 7638 (thumbprint) · RFC 9278 (thumbprint URI)

mod convert;

use std::path::PathBuf;

use carnet_jose::{Algorithm, AnySigningKey, Jwk as JsonWebKey};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::input;
use crate::key_file::{self, KeyText, algorithm_parser, unusable};
use crate::output::Output;
use convert::Convert;

#[derive(Debug, Subcommand)]
pub(crate) enum Jwk {
    /// Make a key
    Generate(Generate),
    /// The name that a key's own value gives it (RFC 7638)
    Thumbprint(Thumbprint),
    /// The public half of a private key, or all public halves of a set
    Public(Public),
    /// The same key in another form: JWK, PEM, DER, PKCS#1, SEC1
    Convert(Convert),
}

impl Jwk {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Generate(generate) => generate.run(output),
            Self::Thumbprint(thumbprint) => thumbprint.run(output),
            Self::Public(public) => public.run(output),
            Self::Convert(convert) => convert.run(output),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Jwk,
    Pem,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet jwk generate --out key.jwk --public-out public.jwk
  carnet jwk generate --algorithm RS256 --format pem --out key.pem --public-out public.pem")]
#[command(after_help = "\
Files with private keys get mode 0600; no file is overwritten (exit 4).
JSON: {\"algorithm\",\"kid\",\"private\",\"public\",\"private_file\",\"public_file\"}; what went to a file is null")]
pub(crate) struct Generate {
    /// What the key will sign with; HS256, HS384 and HS512 make shared secrets
    #[arg(short, long, default_value = "ES256", value_parser = algorithm_parser())]
    algorithm: Algorithm,

    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// The key's name [default: its thumbprint; a random one for shared secrets]
    #[arg(long)]
    kid: Option<String>,

    /// Write the private key here instead of stdout
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write the public key here as well
    #[arg(long, value_name = "FILE")]
    public_out: Option<PathBuf>,
}

impl Generate {
    fn run(self, output: &Output) -> Result<(), Failure> {
        if self.algorithm.is_mac() && (self.format == Format::Pem || self.public_out.is_some()) {
            return Err(Failure::usage(
                "key_symmetric",
                format!("{} has one shared secret: no PEM, no public half", self.algorithm),
            )
            .todo("leave --format pem and --public-out away, or choose ES256"));
        }
        let key =
            AnySigningKey::generate(self.algorithm).map_err(|error| Failure::broken(error.to_string()))?;
        let kid = match &self.kid {
            Some(kid) => kid.clone(),
            None => key_id(&key)?,
        };
        let private = match self.format {
            Format::Jwk => named(&key.to_jwk_private().map_err(unusable)?, &kid)?,
            Format::Pem => key.to_pkcs8_pem().map_err(unusable)?.to_string(),
        };
        let public = match (self.algorithm.is_mac(), self.format) {
            (true, _) => None,
            (false, Format::Pem) => Some(key.verifying_key().to_spki_pem().map_err(unusable)?),
            (false, Format::Jwk) => Some(text(
                &key.verifying_key()
                    .to_jwk()
                    .map_err(unusable)?
                    .with_kid(&kid)
                    .with_use_sig(),
            )?),
        };
        if let Some(path) = &self.out {
            input::create(path, lined(&private), true)?;
        }
        if let (Some(path), Some(public)) = (&self.public_out, &public) {
            input::create(path, lined(public), false)?;
        }
        self.show(&kid, &private, public.as_deref(), output)
    }

    fn show(&self, kid: &str, private: &str, public: Option<&str>, output: &Output) -> Result<(), Failure> {
        if output.is_json() {
            let shown = |format: Format, text: &str| match format {
                Format::Jwk => serde_json::from_str(text).unwrap_or(Value::Null),
                Format::Pem => Value::from(text),
            };
            let here = |file: &Option<PathBuf>, text: Option<&str>| {
                text.filter(|_| file.is_none())
                    .map(|text| shown(self.format, text))
            };
            output.value(&json!({
                "algorithm": self.algorithm, "kid": kid,
                "private": here(&self.out, Some(private)), "public": here(&self.public_out, public),
                "private_file": self.out, "public_file": self.public_out,
            }));
            return Ok(());
        }
        match &self.out {
            Some(path) => output.note(&format!(
                "{} key {kid} is in {} (mode 0600).",
                self.algorithm,
                path.display()
            )),
            None => {
                output.line(private.trim_end());
                output.warn("this is a private key, shown once: keep it out of logs and chats; --out FILE writes it with mode 0600");
            }
        }
        let file = self
            .out
            .as_ref()
            .map_or("FILE".to_owned(), |path| path.display().to_string());
        output.next(&format!(
            "carnet jwt sign --key {file} --subject alice --audience https://api.example.com"
        ));
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet jwk thumbprint key.pem
  carnet jwk generate | carnet jwk thumbprint")]
#[command(
    after_help = "JSON: {\"thumbprint\",\"uri\",\"algorithm\"}; for a JWKS {\"keys\":[{\"kid\",\"thumbprint\",\"uri\",\"algorithm\"}]}"
)]
pub(crate) struct Thumbprint {
    /// PEM, JWK or JWKS [default: stdin]
    file: Option<PathBuf>,
}

impl Thumbprint {
    fn run(self, output: &Output) -> Result<(), Failure> {
        let key = key_file::read(&self.file.unwrap_or_else(|| PathBuf::from("-")), output)?;
        if let KeyText::Jwks(text) = &key {
            return set_thumbprints(text, output);
        }
        let (thumbprint, algorithm) = if key.holds_private_key() {
            let key = key.signing(None)?;
            if key.algorithm().is_mac() {
                output.warn(
                    "do not publish the thumbprint of a shared secret: a weak one can be guessed from it",
                );
            }
            (key.thumbprint().map_err(unusable)?, key.algorithm())
        } else {
            let key = key.verifying(None)?;
            (key.thumbprint().map_err(unusable)?, key.algorithm())
        };
        match output.is_json() {
            true => output
                .value(&json!({ "thumbprint": thumbprint, "uri": uri(&thumbprint), "algorithm": algorithm })),
            false => {
                output.line(&thumbprint);
                output.note(&format!("As a URI: {}", uri(&thumbprint)));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet jwk public key.pem --format jwk
  carnet jwk public key.jwk --format pem > public.pem")]
#[command(
    after_help = "JSON: {\"algorithm\",\"kid\",\"public\"}; for a JWKS {\"keys\":[…]}, private members left out"
)]
pub(crate) struct Public {
    /// PEM, JWK or JWKS [default: stdin]
    file: Option<PathBuf>,

    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// What the key signs with, where its kind leaves a choice
    #[arg(short, long, value_parser = algorithm_parser())]
    algorithm: Option<Algorithm>,
}

impl Public {
    fn run(self, output: &Output) -> Result<(), Failure> {
        let read = key_file::read(&self.file.unwrap_or_else(|| PathBuf::from("-")), output)?;
        if let KeyText::Jwks(text) = &read {
            let public = set_members(text)?
                .iter()
                .map(public_member)
                .collect::<Result<Vec<_>, _>>()?;
            output.value(&json!({ "keys": public }));
            return Ok(());
        }
        let key = read.verifying(self.algorithm)?;
        if key.algorithm().is_mac() {
            return Err(Failure::refused("key_symmetric", "this is a shared secret: it has no public half")
                .because("whoever can check its tokens can make them")
                .todo("where others must check tokens, use a key pair: carnet jwk generate --algorithm ES256"));
        }
        let kid = read
            .key_id()
            .map_or_else(|| key.thumbprint().map_err(unusable), Ok)?;
        let jwk = key.to_jwk().map_err(unusable)?.with_kid(&kid).with_use_sig();
        let public = match self.format {
            Format::Jwk => json!(jwk),
            Format::Pem => Value::from(key.to_spki_pem().map_err(unusable)?),
        };
        match (output.is_json(), public.as_str()) {
            (true, _) => output.value(&json!({ "algorithm": key.algorithm(), "kid": kid, "public": public })),
            (false, Some(pem)) => output.line(pem.trim_end()),
            (false, None) => output.line(&text(&jwk)?),
        }
        output.next("carnet jwt verify TOKEN --key FILE");
        Ok(())
    }
}

fn set_thumbprints(text: &str, output: &Output) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for member in set_members(text)? {
        let key = KeyText::Jwk(zeroize::Zeroizing::new(member.to_string()));
        let public = key.verifying(None)?;
        rows.push((
            key.key_id(),
            public.thumbprint().map_err(unusable)?,
            public.algorithm(),
        ));
    }
    if output.is_json() {
        let keys: Vec<Value> = rows
            .iter()
            .map(|(kid, thumbprint, algorithm)| json!({ "kid": kid, "thumbprint": thumbprint, "uri": uri(thumbprint), "algorithm": algorithm }))
            .collect();
        output.value(&json!({ "keys": keys }));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(kid, thumbprint, algorithm)| vec![kid.unwrap_or_default(), algorithm.to_string(), thumbprint])
        .collect();
    output.listing(&["kid", "algorithm", "thumbprint"], &rows);
    Ok(())
}

/// The keys of a set, one JSON object each.
fn set_members(text: &str) -> Result<Vec<Value>, Failure> {
    let set: Value = serde_json::from_str(text).map_err(|error| {
        Failure::refused("key_invalid", "the key set is no JSON").because(error.to_string())
    })?;
    let keys = set
        .get("keys")
        .and_then(Value::as_array)
        .filter(|keys| keys.len() <= carnet_jose::MAX_SET_KEYS);
    keys.cloned()
        .ok_or_else(|| Failure::refused("key_invalid", "`keys` is not a list of at most 100 keys"))
}

fn public_member(member: &Value) -> Result<JsonWebKey, Failure> {
    let key = KeyText::Jwk(zeroize::Zeroizing::new(member.to_string()));
    let public = key.verifying(None)?;
    let kid = key
        .key_id()
        .map_or_else(|| public.thumbprint().map_err(unusable), Ok)?;
    Ok(public.to_jwk().map_err(unusable)?.with_kid(&kid).with_use_sig())
}

/// The thumbprint names a pair; a secret gets a random name, since its thumbprint could be guessed against.
fn key_id(key: &AnySigningKey) -> Result<String, Failure> {
    if !key.algorithm().is_mac() {
        return key.thumbprint().map_err(unusable);
    }
    let mut random = [0; 16];
    carnet_jose::primitive::fill_random(&mut random).map_err(|error| Failure::broken(error.to_string()))?;
    Ok(carnet_jose::base64url::encode(&random))
}

fn named(private: &str, kid: &str) -> Result<String, Failure> {
    let key = JsonWebKey::parse(private).map_err(unusable)?;
    text(&key.with_kid(kid).with_use_sig())
}

fn text(jwk: &JsonWebKey) -> Result<String, Failure> {
    serde_json::to_string(jwk).map_err(|error| Failure::broken(error.to_string()))
}

fn lined(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

fn uri(thumbprint: &str) -> String {
    format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{thumbprint}")
}
