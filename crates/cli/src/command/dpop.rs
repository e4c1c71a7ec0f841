//! `carnet dpop`: the header that proves possession of a key, for requests by hand.
//!
//! Spec: RFC 9449 §4.1 (header), §4.2 (proof)

use std::path::{Path, PathBuf};

use carnet_jose::{Algorithm, AnySigningKey, Error};
use carnet_oauth::dpop::{self, Prover, Request};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input;
use crate::key_file::{self, unusable};
use crate::login::key::sound;
use crate::moment;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet dpop POST https://auth.example.com/oauth/token --key dpop.jwk
  carnet dpop GET https://api.example.com/orders --key dpop.jwk --token-file token.txt
  curl -H \"$(carnet dpop GET $url --key dpop.jwk --token-file t)\" -H \"Authorization: DPoP $(cat t)\" $url")]
#[command(after_help = "JSON: {\"header\",\"proof\",\"jkt\",\"key_file\"}")]
pub(crate) struct Dpop {
    /// The method of the request
    method: String,
    /// Its URL; query and fragment are left out of the proof
    url: String,
    /// Your private key: PEM, DER or JWK. When there is no such file, a new key (ES256) is written there
    #[arg(short, long, value_name = "FILE")]
    key: PathBuf,
    /// The access token that the request carries, for APIs; - reads stdin
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The nonce that the server gave in DPoP-Nonce
    #[arg(long, allow_hyphen_values = true)]
    nonce: Option<String>,
}

impl Dpop {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        let token = match &self.token_file {
            Some(file) => Some(input::text_file(file, "the access token", output)?),
            None => None,
        };
        let method = self.method.to_ascii_uppercase();
        sound((&method, &self.url), self.nonce.as_deref())?;
        let request = Request {
            method: &method,
            uri: &self.url,
            access_token: token.as_deref().map(|token| token.trim()),
        };
        let prover = Prover::new(key(&self.key, output)?).map_err(not_for_proofs)?;
        let now = u64::try_from(moment::now()).unwrap_or_default();
        let proof = prover
            .prove(&request, self.nonce.as_deref(), now)
            .map_err(|error| Failure::broken(error.to_string()))?;
        // What we would not take ourselves is not given out.
        dpop::check(&proof, &request, now).map_err(|error| {
            Failure::usage("proof_impossible", error.reason())
                .because("a proof names the method and the whole URL of one request (RFC 9449 §4.2)")
                .todo("write it as: carnet dpop GET https://api.example.com/orders --key dpop.jwk")
        })?;
        let header = format!("{}: {proof}", dpop::SCHEME);
        if output.is_json() {
            output.value(&json!({
                "header": header, "proof": proof, "jkt": prover.thumbprint(), "key_file": self.key,
            }));
            return Ok(());
        }
        output.line(&header);
        output.note(&format!(
            "For one request within {} seconds. The key's thumbprint (jkt, dpop_jkt): {}",
            dpop::WINDOW_SECONDS,
            prover.thumbprint()
        ));
        Ok(())
    }
}

/// The key in the file, or a new one that is written there.
fn key(file: &Path, output: &Output) -> Result<AnySigningKey, Failure> {
    if file == Path::new("-") || file.exists() {
        return key_file::read(file, output)?.signing(None);
    }
    let key =
        AnySigningKey::generate(Algorithm::Es256).map_err(|error| Failure::broken(error.to_string()))?;
    let text = Zeroizing::new(format!("{}\n", key.to_jwk_private().map_err(unusable)?.as_str()));
    input::create(file, text.as_bytes(), true)?;
    output.note(&format!("A new key is in {}.", file.display()));
    Ok(key)
}

fn not_for_proofs(error: Error) -> Failure {
    if error != Error::AlgorithmNotAllowed {
        return unusable(error);
    }
    Failure::refused(
        error.code(),
        "this key is of an algorithm that servers do not take for proofs",
    )
    .because(format!("Carnet takes {}", dpop::algorithm_names().join(", ")))
    .todo("make one: carnet jwk generate --algorithm ES256 --out dpop.jwk")
}
