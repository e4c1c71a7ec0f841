//! `carnet tls pin`: the pins of a server's keys, in the forms that phones take.
//!
//! Spec: RFC 7469 §2.4 (SPKI fingerprint)

use std::path::Path;

use carnet_client::error::ClientError;
use carnet_client::pin::{self, Pin};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::moment;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Tls {
    /// The SHA-256 of each public key in a chain, as Android and iOS take them
    #[command(before_help = "\
Examples:
  carnet tls pin https://auth.example.com
  carnet tls pin spare.pem")]
    #[command(after_help = "JSON: [{\"subject\",\"not_after\",\"sha256\"}], the server's own first")]
    Pin {
        /// An https URL, whose chain is verified first; or a file with PEM certificates
        #[arg(value_name = "URL|FILE")]
        place: String,
    },
}

pub(crate) async fn run(tls: Tls, out: &Output) -> Result<(), Failure> {
    let Tls::Pin { place } = tls;
    let pins = match place.contains("://") {
        true => pin::of_server(&place).await.map_err(failure)?,
        false => pin::of_file(Path::new(&place)).map_err(failure)?,
    };
    if out.is_json() {
        let of = |pin: &Pin| json!({ "subject": pin.subject, "not_after": exact(pin), "sha256": pin.sha256 });
        out.value(&Value::from(pins.iter().map(of).collect::<Vec<_>>()));
        return Ok(());
    }
    let now = moment::now();
    let rows = pins.iter().enumerate().map(|(place, pin)| {
        let whose = if place == 0 { "its own" } else { "authority" };
        let until =
            i64::try_from(pin.not_after).map_or_else(|_| String::new(), |until| moment::words(until, now));
        vec![whose.to_owned(), pin.sha256.clone(), until, pin.subject.clone()]
    });
    out.listing(
        &["Key", "SHA-256 of the public key", "Expires", "Subject"],
        &rows.collect::<Vec<_>>(),
    );
    out.heading("Android, in res/xml/network_security_config.xml");
    for pin in &pins {
        out.line(&format!("<pin digest=\"SHA-256\">{}</pin>", pin.sha256));
    }
    out.heading(
        "iOS, in NSPinnedDomains: NSPinnedLeafIdentities for its own, NSPinnedCAIdentities for authorities",
    );
    for pin in &pins {
        out.line(&format!(
            "<dict><key>SPKI-SHA256-BASE64</key><string>{}</string></dict>",
            pin.sha256
        ));
    }
    out.note("Pin two keys at least, one of them a spare that no server uses yet: with one alone, a lost key locks every app out.");
    Ok(())
}

fn exact(pin: &Pin) -> Option<String> {
    moment::exact(i64::try_from(pin.not_after).ok()?)
}

fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Address(url) => Failure::usage("no_https", format!("{url} is no https URL"))
            .because("pins are of the keys that a server proves itself by in TLS")
            .todo("name it as https://host, or name a file with certificates"),
        ClientError::Unreachable(what) => Failure::unreachable("unreachable", what)
            .because("its chain is asked for, and verified as browsers do")
            .todo("check the name; or save the certificates and name the file"),
        other => Failure::refused("certificate_invalid", other.to_string())
            .because("pins are made from X.509 certificates, in a file as PEM")
            .todo("name a file that begins with -----BEGIN CERTIFICATE-----"),
    }
}
