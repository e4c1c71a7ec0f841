//! Certificates: presented, renewed, refused with a reason.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{super::tls::Certificate, *};
use crate::tls_pair::TlsFiles;

#[tokio::test]
async fn tls_speaks_http_1_and_2() {
    let folder = TempDir::new().unwrap();
    let pem = write_pair(folder.path());
    let served = Served::start(config(folder.path()), plain()).await;
    for (asked, spoken) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = soon(connect(served.address, &pem, asked)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(spoken.as_bytes()));
        assert_eq!(
            stream.get_ref().1.protocol_version(),
            Some(rustls::ProtocolVersion::TLSv1_3)
        );
    }
    let mut stream = soon(connect(served.address, &pem, &[])).await.unwrap();
    stream.write_all(GET_AND_CLOSE.as_bytes()).await.unwrap();
    assert!(soon(rest(&mut stream)).await.ends_with("127.0.0.1"));
}

/// RFC 8446 §6.1: without close_notify the peer could not tell the end from one that somebody else has made.
#[tokio::test]
async fn a_connection_that_has_rested_ends_with_a_word() {
    let folder = TempDir::new().unwrap();
    let pem = write_pair(folder.path());
    let config = ListenConfig {
        rest_after: Duration::ZERO,
        idle_timeout: SHORT,
        ..config(folder.path())
    };
    let served = Served::start(config, plain()).await;
    let mut stream = soon(connect(served.address, &pem, &[])).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = soon(stream.read_to_end(&mut bytes)).await;
    assert!(end.is_ok() && bytes.ends_with(b"127.0.0.1"), "{end:?}");
}

#[tokio::test]
async fn ds_01_a_handshake_that_never_ends_is_cut() {
    let folder = TempDir::new().unwrap();
    write_pair(folder.path());
    let config = ListenConfig {
        handshake_timeout: SHORT,
        ..config(folder.path())
    };
    let served = Served::start(config, plain()).await;
    assert_eq!(soon(served.talk("")).await, "");
    assert!(
        !soon(served.talk(GET)).await.contains("127.0.0.1"),
        "nor is plain HTTP answered"
    );
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let folder = TempDir::new().unwrap();
    let first = write_pair(folder.path());
    let files = files(folder.path());
    let certificate = Certificate::load(files.clone(), false).unwrap();
    let before = certificate.current();

    certificate.look();
    assert!(
        Arc::ptr_eq(&before, &certificate.current()),
        "nothing has changed"
    );

    let key = fs::read(&files.key).unwrap();
    write_pair(folder.path());
    let new_key = fs::read(&files.key).unwrap();
    fs::write(&files.key, key).unwrap();
    certificate.look();
    assert!(
        Arc::ptr_eq(&before, &certificate.current()),
        "the key of another certificate"
    );
    fs::remove_file(&files.key).unwrap();
    certificate.look();
    assert!(Arc::ptr_eq(&before, &certificate.current()), "no key at all");

    write_private(&files.key, &new_key);
    certificate.look();
    assert!(
        !Arc::ptr_eq(&before, &certificate.current()),
        "the pair is whole again"
    );
    assert_ne!(first, fs::read_to_string(&files.certificate).unwrap());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let files = files(folder.path());
    let reason = || Certificate::load(files.clone(), false).unwrap_err().to_string();
    let (certificate, key) = (
        files.certificate.display().to_string(),
        files.key.display().to_string(),
    );

    assert!(
        reason().starts_with(&certificate),
        "a missing certificate: {}",
        reason()
    );
    fs::write(&files.certificate, "nonsense").unwrap();
    assert!(reason().starts_with(&key), "a missing key: {}", reason());
    write_private(&files.key, b"nonsense");
    assert_eq!(
        reason(),
        format!("{certificate}: holds no certificate (BEGIN CERTIFICATE)")
    );

    write_pair(folder.path());
    let good = fs::read(&files.key).unwrap();
    write_private(&files.key, b"nonsense");
    assert_eq!(
        reason(),
        format!("{key}: holds no private key in PEM (BEGIN PRIVATE KEY), or an encrypted one")
    );
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    write_private(&files.key, other.as_bytes());
    assert_eq!(
        reason(),
        format!("{key}: is not the key of the certificate in {certificate}")
    );

    write_private(&files.key, &good);
    assert!(Certificate::load(files.clone(), false).is_ok());
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        reason(),
        format!("{key}: has mode 0644: others than its owner can read it; run: chmod 600 {key}")
    );
}

#[tokio::test]
async fn a_listener_without_a_usable_certificate_does_not_start() {
    let folder = TempDir::new().unwrap();
    assert!(Listener::bind(config(folder.path())).await.is_err());
}

async fn connect(address: SocketAddr, root: &str, alpn: &[&str]) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, TcpStream::connect(address).await?)
        .await
}

fn config(folder: &Path) -> ListenConfig {
    ListenConfig {
        tls: Some(files(folder)),
        ..ListenConfig::default()
    }
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("chain.pem"),
        key: folder.join("key.pem"),
    }
}

/// A new certificate for localhost, and its key.
fn write_pair(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = files(folder);
    fs::write(files.certificate, made.cert.pem()).unwrap();
    write_private(&files.key, made.signing_key.serialize_pem().as_bytes());
    made.cert.pem()
}

fn write_private(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}
