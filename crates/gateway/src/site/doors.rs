//! What a configuration says of its listeners, as far as it can be wrong.
//!
//! Spec: RFC 8446 (TLS 1.3)

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

fn alone(there: &str, missing: &str) -> ConfigError {
    ConfigError::at(
        format!("listen.{there}"),
        format_args!("is of no use without {missing}: plain HTTP would be spoken"),
        "write both, or neither",
    )
}
