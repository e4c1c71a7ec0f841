//! `carnet jwk convert`: one key, another form.
//!
//! Spec: RFC 7517 §4 · RFC 5208 (PKCS#8) · RFC 8017 appendix A.1 (PKCS#1) · RFC 5915 (SEC1) · RFC 5280 §4.1.2.7 (SPKI)

use std::io::IsTerminal as _;
use std::path::PathBuf;

use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey};
use clap::{Args, ValueEnum};
use serde_json::json;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input;
use crate::key_file::{self, KeyText, algorithm_parser, unusable};
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet jwk convert key.pem --to jwk --out key.jwk
  carnet jwk convert key.jwk --to traditional        for programs that do not read PKCS#8")]
#[command(after_help = "\
A private key stays private, a public key public. Files with private keys get mode 0600; no file is overwritten (exit 4).
JSON: {\"algorithm\",\"private\",\"form\",\"key\"}; DER in base64; what went to a file is null")]
pub(crate) struct Convert {
    /// PEM, DER or JWK [default: stdin]
    file: Option<PathBuf>,

    /// The form it shall have
    #[arg(short, long, value_enum)]
    to: Form,

    /// What the key signs with, where its kind leaves a choice
    #[arg(short, long, value_parser = algorithm_parser())]
    algorithm: Option<Algorithm>,

    /// Write it here instead of stdout
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A JSON Web Key
    Jwk,
    /// PKCS#8 or SubjectPublicKeyInfo, with BEGIN and END
    Pem,
    /// The same as bytes
    Der,
    /// PKCS#1 for RSA, SEC1 for EC, with BEGIN and END
    Traditional,
}

impl Convert {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        let read = key_file::read(&self.file.clone().unwrap_or_else(|| PathBuf::from("-")), output)?;
        let private = read.holds_private_key();
        let (algorithm, bytes) = if private {
            let key = read.signing(self.algorithm)?;
            (key.algorithm(), self.private(&key, &read)?)
        } else {
            let key = read.verifying(self.algorithm)?;
            (key.algorithm(), Zeroizing::new(self.public(&key, &read)?))
        };
        if let Some(path) = &self.out {
            input::create(path, bytes.as_slice(), private)?;
        }
        self.show((algorithm, private), &bytes, output)
    }

    fn private(&self, key: &AnySigningKey, read: &KeyText) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let bytes = |text: Zeroizing<String>| Zeroizing::new(text.as_bytes().to_vec());
        match self.to {
            Form::Jwk => {
                let kid = read.key_id();
                let jwk = key.to_jwk_private().map_err(unusable)?;
                let mut jwk = carnet_jose::Jwk::parse(&jwk).map_err(unusable)?;
                if let Some(kid) = kid {
                    jwk = jwk.with_kid(&kid);
                }
                lined(&jwk).map(Zeroizing::new)
            }
            Form::Pem => key.to_pkcs8_pem().map(bytes).map_err(no_form),
            Form::Der => key.to_pkcs8_der().map_err(no_form),
            Form::Traditional => key.to_traditional_pem().map(bytes).map_err(no_form),
        }
    }

    fn public(&self, key: &AnyVerifyingKey, read: &KeyText) -> Result<Vec<u8>, Failure> {
        match self.to {
            Form::Jwk => {
                let mut jwk = key.to_jwk().map_err(no_form)?;
                if let Some(kid) = read.key_id() {
                    jwk = jwk.with_kid(&kid);
                }
                lined(&jwk)
            }
            Form::Pem => key.to_spki_pem().map(String::into_bytes).map_err(no_form),
            Form::Der => key.to_spki_der().map(<[u8]>::to_vec).map_err(no_form),
            Form::Traditional => key.to_pkcs1_pem().map(String::into_bytes).map_err(no_form),
        }
    }

    fn show(
        &self,
        (algorithm, private): (Algorithm, bool),
        bytes: &[u8],
        output: &Output,
    ) -> Result<(), Failure> {
        if output.is_json() {
            let key = match std::str::from_utf8(bytes).ok().filter(|_| self.to != Form::Der) {
                Some(text) if self.to == Form::Jwk => serde_json::from_str(text).unwrap_or_default(),
                Some(text) => serde_json::Value::from(text),
                None => carnet_jose::base64url::encode(bytes).into(),
            };
            let form = self
                .to
                .to_possible_value()
                .map(|value| value.get_name().to_owned());
            let shown = Some(key).filter(|_| self.out.is_none());
            output.value(&json!({ "algorithm": algorithm, "private": private, "form": form, "key": shown }));
            return Ok(());
        }
        if let Some(path) = &self.out {
            let mode = if private { " (mode 0600)" } else { "" };
            output.note(&format!("The {algorithm} key is in {}{mode}.", path.display()));
            return Ok(());
        }
        if self.to == Form::Der {
            return raw(bytes, output);
        }
        output.line(String::from_utf8_lossy(bytes).trim_end());
        if private {
            output.warn(
                "this is a private key: keep it out of logs and chats; --out FILE writes it with mode 0600",
            );
        }
        Ok(())
    }
}

fn raw(bytes: &[u8], output: &Output) -> Result<(), Failure> {
    if std::io::stdout().is_terminal() {
        return Err(Failure::usage("binary_on_terminal", "DER is no text")
            .because("a terminal would show it as noise")
            .todo("name a file: --out FILE"));
    }
    output.bytes(bytes);
    Ok(())
}

fn lined(jwk: &carnet_jose::Jwk) -> Result<Vec<u8>, Failure> {
    let mut text = serde_json::to_vec(jwk).map_err(|error| Failure::broken(error.to_string()))?;
    text.push(b'\n');
    Ok(text)
}

/// A key that this form does not know.
fn no_form(error: carnet_jose::Error) -> Failure {
    match error {
        carnet_jose::Error::KeyUnsupported => {
            Failure::refused("form_unsupported", "this key has no such form")
                .because("shared secrets have a JWK alone; PKCS#1 is for RSA, SEC1 for private EC keys")
                .todo("choose --to jwk or --to pem")
        }
        other => unusable(other),
    }
}
