//! What a configuration says of its listeners, as far as it can be wrong.
//!
//! Spec: RFC 8446 (TLS 1.3)

use carnet_listen::value::Address;

use crate::config::Config;
use crate::load::ConfigError;

/// Whether clients are to speak TLS.
///
/// # Errors
/// TLS that is asked for, and would silently not be spoken.
pub(super) fn https(config: &Config) -> Result<bool, ConfigError> {
    let listen = &config.listen;
    let https = match (&listen.tls_certificate_file, &listen.tls_key_file) {
        (Some(_), Some(_)) => true,
        (None, None) => false,
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
