//! What a configuration says of its listeners, as far as it can be wrong.
//!
//! Spec: RFC 8446 (TLS 1.3)

use std::ops::RangeInclusive;

use carnet_listen::tls_pair::{Pair, TlsFiles};
use carnet_listen::value::Address;

use crate::config::{Config, Listen};
use crate::load::ConfigError;

/// Whether clients are to speak TLS. `running` is what listens already: it looks after its own files, of which one may be about to change.
///
/// # Errors
/// TLS that is asked for, and would silently not be spoken, or not at all.
pub(super) fn https(config: &Config, running: Option<&Listen>) -> Result<bool, ConfigError> {
    let listen = &config.listen;
    let files = listen.tls();
    if let Some(files) = files
        .as_ref()
        .filter(|files| running.and_then(Listen::tls).as_ref() != Some(files))
    {
        shown(files)?;
    }
    let https = files.is_some();
    match (&listen.tls_certificate_file, &listen.tls_key_file) {
        (Some(_), Some(_)) | (None, None) => {}
        (Some(_), None) => return Err(alone("tls_certificate_file", "tls_key_file")),
        (None, Some(_)) => return Err(alone("tls_key_file", "tls_certificate_file")),
    };
    if !https && listen.client_certificates {
        return Err(ConfigError::at(
            "listen.client_certificates",
            "needs TLS, which is not spoken here",
            "add tls_certificate_file and tls_key_file, or let a proxy tell it: tokens.client_certificates",
        ));
    }
    if !https && config.forward_auth.as_ref().is_some_and(|side| side.tls) {
        return Err(ConfigError::at(
            "forward_auth.tls",
            "needs the certificate of [listen], which has none",
            "add listen.tls_certificate_file and listen.tls_key_file, or take `tls` away",
        ));
    }
    Ok(https)
}

fn shown(files: &TlsFiles) -> Result<(), ConfigError> {
    let pair = Pair::read(files).and_then(|pair| pair.server_config(files));
    let todo = "name a certificate with its chain and its key, both in PEM, the key for its owner alone";
    pair.map(drop)
        .map_err(|error| ConfigError::at("listen", error, todo))
}

/// Numbers with which nobody could come in.
///
/// # Errors
/// Names the first.
pub(super) fn wide(config: &Config) -> Result<(), ConfigError> {
    let listen = &config.listen;
    for (key, size) in [
        ("listen.max_connections", listen.max_connections),
        (
            "listen.max_connections_per_address",
            listen.max_connections_per_address,
        ),
    ] {
        if size == 0 {
            return Err(ConfigError::at(
                key,
                "is 0: nobody could connect",
                "write 1 or more",
            ));
        }
    }
    if !HEAD_BYTES.contains(&listen.max_head_bytes) {
        let (least, most) = HEAD_BYTES.into_inner();
        let what = format!("{} is not between {least} and {most}", listen.max_head_bytes);
        return Err(ConfigError::at("listen.max_head_bytes", what, "write 65536"));
    }
    let Some(side) = &config.forward_auth else {
        return Ok(());
    };
    for (key, is_empty, todo) in [
        (
            "forward_auth.dialects",
            side.dialects.is_empty(),
            "name the proxies that ask, such as \"nginx\"",
        ),
        (
            "forward_auth.peers",
            side.peers.is_empty(),
            "name the networks from which they ask, or take it away",
        ),
    ] {
        if is_empty {
            return Err(ConfigError::at(key, "is empty: nobody could ask", todo));
        }
    }
    Ok(())
}

/// No two listeners want the same place: only one of them could have it.
///
/// # Errors
/// Names the second.
pub(super) fn apart(config: &Config) -> Result<(), ConfigError> {
    let admin = config.admin.as_ref().map(|admin| &admin.address);
    let side = config.forward_auth.as_ref().map(|side| &side.address);
    let doors = [
        ("listen.address", Some(&config.listen.address)),
        ("admin.address", admin),
        ("forward_auth.address", side),
    ];
    let doors: Vec<_> = doors
        .into_iter()
        .filter_map(|(key, address)| Some((key, address?)))
        .collect();
    for (at, (key, address)) in doors.iter().enumerate() {
        let taken = doors.iter().take(at).find(|(_, other)| meet(address, other));
        if let Some((first, _)) = taken {
            return Err(ConfigError::at(
                *key,
                format_args!("{address} is where {first} listens already"),
                "give each listener a port of its own",
            ));
        }
    }
    Ok(())
}

/// Whether two listeners would be in each other's way. Port 0 is another one each time.
fn meet(one: &Address, other: &Address) -> bool {
    match (one.tcp(), other.tcp()) {
        (Some(one), Some(other)) => {
            let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
            one.port() != 0 && one.port() == other.port() && (everywhere || one.ip() == other.ip())
        }
        _ => one == other,
    }
}

fn alone(there: &str, missing: &str) -> ConfigError {
    ConfigError::at(
        format!("listen.{there}"),
        format_args!("is of no use without {missing}: plain HTTP would be spoken"),
        "write both, or neither",
    )
}

/// hyper reads into no less. Every connection may fill as much, and services take far shorter ones.
const HEAD_BYTES: RangeInclusive<usize> = 8 * 1024..=1024 * 1024;
