//! `carnet pkce`: a code verifier and its challenge.
//!
//! Spec: RFC 7636 §4.1 (verifier), §4.2 (challenge)

use carnet_jose::{base64url, primitive};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet pkce
  printf %s \"$verifier\" | carnet pkce --of-stdin")]
#[command(after_help = "JSON: {\"code_verifier\",\"code_challenge\",\"code_challenge_method\":\"S256\"}")]
pub(crate) struct Pkce {
    /// The challenge of a verifier on stdin, instead of a new one
    #[arg(long)]
    of_stdin: bool,
}

impl Pkce {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        let verifier = if self.of_stdin {
            let text = input::text_or_stdin(None, "the code verifier", output)?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        } else {
            let mut random = Zeroizing::new([0; 32]);
            primitive::fill_random(random.as_mut_slice())
                .map_err(|error| Failure::broken(error.to_string()))?;
            Zeroizing::new(base64url::encode(random.as_slice()))
        };
        check(&verifier)?;
        let challenge = base64url::encode(&primitive::sha256(verifier.as_bytes()));
        if output.is_json() {
            output.value(&json!({
                "code_verifier": verifier.as_str(), "code_challenge": challenge, "code_challenge_method": "S256",
            }));
            return Ok(());
        }
        output.line(&format!("code_verifier   {}", verifier.as_str()));
        output.line(&format!("code_challenge  {challenge}"));
        output.note("Send the challenge with code_challenge_method=S256 to the authorization endpoint, the verifier to the token endpoint.");
        Ok(())
    }
}

/// §4.1: 43 to 128 unreserved characters.
fn check(verifier: &str) -> Result<(), Failure> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved) {
        return Ok(());
    }
    Err(
        Failure::refused("code_verifier_invalid", "this is no code verifier")
            .because("it has 43 to 128 letters, digits, and - . _ ~ (RFC 7636 §4.1)")
            .todo("make one: carnet pkce"),
    )
}
