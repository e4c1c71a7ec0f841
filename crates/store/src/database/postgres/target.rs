//! Where the server is, and how to speak to it: URL, TLS, time limits.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::failed;
use crate::error::StoreError;

/// A server, and what is needed to reach it.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Target {
    /// Read a URL. The certificate is checked whenever TLS is spoken, so libpq's `verify-full` means `require` here.
    pub(crate) fn parse(url: &str, roots: Option<&Path>) -> Result<Self, StoreError> {
        let says_mode = url.contains("sslmode=");
        // The parser's message may quote the URL, and with it the password.
        let mut config = written(url)
            .map_err(|_| StoreError::Unavailable("the PostgreSQL URL cannot be read".to_owned()))?;
        if !says_mode {
            config.ssl_mode(if is_local(&config) {
                SslMode::Disable
            } else {
                SslMode::Require
            });
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        // What the operator's URL says comes later, and counts.
        let theirs = config.get_options().unwrap_or_default();
        let options = format!("{PATIENCE} {theirs}");
        config.options(options);
        if config.get_application_name().is_none() {
            config.application_name("carnet");
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(tls_config(roots)?)),
        };
        Ok(Self { config, tls })
    }

    /// What fills the pool.
    pub(super) fn manager(&self) -> Manager {
        let how = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        match &self.tls {
            None => Manager::from_config(self.config.clone(), NoTls, how),
            Some(tls) => Manager::from_config(self.config.clone(), tls.clone(), how),
        }
    }

    /// A connection, and the future that drives it.
    pub(super) async fn connect(&self) -> Result<(Client, BoxFuture<'static, ()>), StoreError> {
        let broken = |error| failed("connect", &error);
        Ok(match &self.tls {
            None => {
                let (client, driver) = self.config.connect(NoTls).await.map_err(broken)?;
                (client, driver.map(report).boxed())
            }
            Some(tls) => {
                let (client, driver) = self.config.connect(tls.clone()).await.map_err(broken)?;
                (client, driver.map(report).boxed())
            }
        })
    }
}

fn report(ended: Result<(), tokio_postgres::Error>) {
    if let Err(error) = ended {
        tracing::warn!(%error, "a connection to the database was lost");
    }
}

/// Whether a text says where a PostgreSQL server is: a URL, or words such as `host=db user=carnet`.
pub fn is_postgres_url(text: &str) -> bool {
    let config: Option<Config> = written(text).ok();
    config.is_some_and(|config| !config.get_hosts().is_empty())
}

/// What the text says. libpq's names for a checked certificate mean `require` here.
fn written(text: &str) -> Result<Config, tokio_postgres::Error> {
    text.replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require")
        .parse()
}

/// On this machine, where nobody listens on the wire.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn tls_config(roots: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let broken = |why: &dyn std::fmt::Display| StoreError::Unavailable(format!("TLS to PostgreSQL: {why}"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?;
    let Some(path) = roots else {
        let builder = builder.with_platform_verifier().map_err(|error| broken(&error))?;
        return Ok(builder.with_no_client_auth());
    };
    let unreadable = |why: &dyn std::fmt::Display| broken(&format!("{}: {why}", path.display()));
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        store.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if store.is_empty() {
        return Err(unreadable(&"there is no certificate in it"));
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

const CONNECT: Duration = Duration::from_secs(5);

/// How long sent data may stay unanswered before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(15);

/// Somebody else's forgotten transaction holds a row: whoever needs it is told to come back, and those behind them wait no longer
/// than this for each. Our own transactions hold a row for milliseconds.
const PATIENCE: &str =
    "-c lock_timeout=300ms -c statement_timeout=4s -c idle_in_transaction_session_timeout=10s";

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Target::parse(url, None).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn tls_is_required_off_this_machine_unless_the_url_says_otherwise() {
        assert_eq!(mode("postgres://u@127.0.0.1/d"), SslMode::Disable);
        assert_eq!(
            mode("postgres://u@localhost/d?application_name=x"),
            SslMode::Disable
        );
        assert_eq!(mode("postgres://u@%2Frun%2Fpg/d"), SslMode::Disable);
        assert_eq!(mode("postgres://u@db.example/d"), SslMode::Require);
        assert_eq!(mode("postgres://u@127.0.0.1,db.example/d"), SslMode::Require);
        assert_eq!(
            mode("postgres://u@127.0.0.1/d?sslmode=verify-full"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgres://u@db.example/d?sslmode=disable"),
            SslMode::Disable
        );
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_quoted() {
        let error = Target::parse("postgres://user:s3cret@host/d?nonsense=s3cret", None)
            .err()
            .unwrap();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
