//! `carnet service-token`: the header by which a service calls another one, for requests by hand.
//!
//! Spec: RFC 6750 §2.1 (header) · RFC 8725 §3.11 (svc+jwt) · RFC 9449 §4.2 (htm, htu)

use std::path::PathBuf;
use std::time::Duration;

use carnet_client::service_signer::ServiceSigner;
use carnet_oauth::service_token::{LONGEST_SECONDS, id, is_name};
use clap::Args;
use http::{HeaderValue, Method};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet service-token billing --service orders --key orders.jwk --issuer https://auth.example.com
  curl -H \"$(carnet service-token billing)\" https://billing.example.com/close    # the rest from the environment
  carnet service-token billing --bound POST https://billing.example.com/close      # for this one request")]
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
    /// For this one request: its token names method and URL, and goes with no other
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    bound: Option<Vec<String>>,
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
        let value = match self.bound.as_deref() {
            None => {
                let made = signer.authorization(&self.target);
                made.map_err(|error| Failure::broken(error.to_string()))?
            }
            Some([method, url]) => bound(&signer, &self.target, (method, url))?,
            Some(_) => return Err(Failure::broken("--bound has two values")),
        };
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

fn bound(signer: &ServiceSigner, target: &str, (method, url): (&str, &str)) -> Result<HeaderValue, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::usage("request_invalid", why.to_string())
            .because("the token names the request that it is for")
            .todo("write it as: carnet service-token billing --bound POST https://billing.example.com/close")
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| refused(&error))?;
    let made = signer.bound_authorization(target, &method, url);
    made.map_err(|error| refused(&error))
}
