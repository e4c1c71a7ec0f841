//! `carnet service-token`: the header by which a service calls another one, for requests by hand.
//!
//! Spec: RFC 6750 §2.1 (header) · RFC 8725 §3.11 (svc+jwt)

use std::path::PathBuf;
use std::time::Duration;

use carnet_client::service_signer::ServiceSigner;
use carnet_oauth::service_token::{LONGEST_SECONDS, id, is_name};
use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet service-token billing --service orders --key orders.jwk --issuer https://auth.example.com
  curl -H \"$(carnet service-token billing)\" https://billing.example.com/close    # the rest from the environment")]
#[command(after_help = "JSON: {\"header\",\"token\",\"iss\",\"aud\",\"expires_in\"}")]
pub(crate) struct ServiceToken {
    /// The service that is called, by its client_id
    target: String,
    /// The service that calls, by its client_id
    #[arg(long, env = "CARNET_SERVICE", value_name = "ID")]
    service: String,
    /// Its private key: a JWK, or PEM; nobody else may read the file
    #[arg(long, env = "CARNET_SERVICE_KEY_FILE", value_name = "FILE")]
    key: PathBuf,
    /// The authorization server that both are registered at
    #[arg(long, env = "CARNET_ISSUER", value_name = "URL")]
    issuer: String,
    /// How long the token counts, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=LONGEST_SECONDS))]
    life: u64,
}

impl ServiceToken {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        for name in [&self.target, &self.service] {
            if !is_name(name) {
                return Err(Failure::usage("invalid_name", format!("{name:?} is no name of a service"))
                    .because("services are named by the ids of their clients: letters, digits, '-', '.' and '_'")
                    .todo("list them: carnet client list"));
            }
        }
        let signer = ServiceSigner::from_file(&self.issuer, &self.service, &self.key).map_err(|error| {
            Failure::usage("key_invalid", error.to_string())
                .because("the service signs with it")
                .todo("make one: carnet jwk generate --algorithm ES256 --out key.jwk --public-out public.jwk")
        })?;
        let signer = signer.life(Duration::from_secs(self.life));
        let value = signer
            .authorization(&self.target)
            .map_err(|error| Failure::broken(error.to_string()))?;
        let value = value.to_str().unwrap_or_default();
        let header = format!("Authorization: {value}");
        let audience = id(&self.issuer, &self.target);
        if output.is_json() {
            let token = value.strip_prefix("Bearer ");
            output.value(&json!({
                "header": header, "token": token, "iss": signer.id(), "aud": audience, "expires_in": self.life,
            }));
            return Ok(());
        }
        output.line(&header);
        output.note(&format!(
            "From {} for {audience} alone, for {} seconds.",
            signer.id(),
            self.life
        ));
        Ok(())
    }
}
