//! TLS towards services: whom the gateway trusts, the certificate that it shows, and what the log says when one of the two will not do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carnet_client::shown_certificate::ShownCertificate;
use carnet_gateway::load;
use carnet_gateway::site::Site;
use carnet_guard::testing::TestClock;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::client::ResolvesClientCert as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::harness::{Answer, Harness, NOW, Running};

/// An authority and a folder with what it has signed.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    _kept: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        fs::write(
            kept.path().join("ca.pem"),
            params.self_signed(&key).unwrap().pem(),
        )
        .unwrap();
        Self {
            issuer: Issuer::new(params, key),
            folder: kept.path().to_owned(),
            _kept: kept,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes `{file}.pem` and `{file}.key` for this name.
    pub(crate) fn sign(&self, file: &str, name: &str, last_year: i32) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{file}.pem")), signed.pem()).unwrap();
        private(&self.file(&format!("{file}.key")), &key.serialize_pem());
    }

    pub(crate) fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file(name)).unwrap()
    }
}

pub(crate) fn private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A service that talks to nobody without a certificate of this authority, and says whose it was shown.
pub(crate) async fn service(authority: &Authority, name: &str) -> Running {
    authority.sign("service", name, 2040);
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate("ca.pem")).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![authority.certificate("service.pem")],
            PrivateKeyDer::from_pem_file(authority.file("service.key")).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let shown = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                let answer = service_fn(move |request: Request<Incoming>| {
                    let text = format!("{:?} with {shown} of mine", request.version());
                    std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(text)))
                });
                let _ = Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    let (stop, _) = oneshot::channel();
    Running { address, _stop: stop }
}

/// Asks the service at this URL through a gateway whose upstream has these keys as well.
async fn ask(service: Running, host: &str, keys: &str) -> (Answer, String) {
    let url = format!("{host}:{}", service.address.port());
    let text = format!(
        "[[upstreams]]\nname = \"service\"\nurls = [\"https://{url}\"]\n{keys}\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"service\"\n"
    );
    let answer = Harness::with(&text, service).await.get("/", "").await;
    let lines = crate::log::lines();
    let ours = lines.lines().filter(|line| line.contains(&url));
    (answer, ours.collect::<Vec<_>>().join("\n"))
}

fn keys(authority: &Authority, shown: &str) -> String {
    let file = |name: &str| authority.file(name).display().to_string();
    let root = format!("root_certificates_file = {:?}\n", file("ca.pem"));
    match shown {
        "" => root,
        name => format!(
            "{root}client_certificate_file = {:?}\nclient_key_file = {:?}\n",
            file(&format!("{name}.pem")),
            file(&format!("{name}.key"))
        ),
    }
}

#[tokio::test]
async fn a_service_that_demands_a_certificate_is_shown_one_over_either_protocol() {
    let authority = Authority::new("internal");
    authority.sign("gateway", "gateway", 2040);
    for (protocol, spoken) in [("http1", "HTTP/1.1"), ("http2", "HTTP/2.0")] {
        let keys = format!("{}protocol = \"{protocol}\"\n", keys(&authority, "gateway"));
        let (answer, log) = ask(service(&authority, "localhost").await, "localhost", &keys).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, format!("{spoken} with 1 of mine").as_str()),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_service_that_refuses_the_certificate_is_a_502_and_the_log_says_why() {
    let (authority, other) = (Authority::new("internal"), Authority::new("other"));
    let namesake = Authority::new("internal");
    authority.sign("expired", "gateway", 2021);
    for other in [&other, &namesake] {
        other.sign("gateway", "gateway", 2040);
        fs::copy(authority.file("ca.pem"), other.file("ca.pem")).unwrap();
    }
    for (keys, cause, todo) in [
        (
            keys(&authority, ""),
            "CertificateRequired",
            "set client_certificate_file",
        ),
        (
            keys(&authority, "expired"),
            "CertificateExpired",
            "renew client_certificate_file",
        ),
        (
            keys(&namesake, "gateway"),
            "DecryptError",
            "another authority of the same name",
        ),
        (
            keys(&other, "gateway"),
            "UnknownCA",
            "does not know the authority",
        ),
    ] {
        for protocol in ["http1", "http2"] {
            let keys = format!("{keys}protocol = \"{protocol}\"\n");
            let (answer, log) = ask(service(&authority, "localhost").await, "localhost", &keys).await;
            assert_eq!(
                (answer.status, answer.code()),
                (502, "upstream_unreachable".to_owned())
            );
            assert!(
                !answer.body.contains("ertificate"),
                "that is the operator's to know: {answer:?}"
            );
            assert!(
                log.contains(cause) && log.contains(todo),
                "{protocol} {cause}: {log}"
            );
        }
    }
    let expired = format!("certificate={}", authority.file("expired.pem").display());
    let lines = crate::log::lines();
    let warned = lines.lines().filter(|line| line.contains(&expired));
    assert!(
        warned
            .into_iter()
            .any(|line| line.contains("has expired: servers will refuse it"))
    );
}

#[tokio::test]
async fn a_service_is_who_its_certificate_says_and_may_have_another_name_than_its_address() {
    let authority = Authority::new("internal");
    authority.sign("gateway", "gateway", 2040);
    let known = keys(&authority, "gateway");
    let named = format!("{known}server_name = \"orders.internal\"\n");
    let (answer, log) = ask(service(&authority, "orders.internal").await, "127.0.0.1", &named).await;
    assert_eq!(answer.status, 200, "{log}");
    let strange = named.replace("orders", "billing");
    for (host, keys) in [
        ("127.0.0.1", &known),
        ("localhost", &known),
        ("127.0.0.1", &strange),
    ] {
        let (answer, log) = ask(service(&authority, "orders.internal").await, host, keys).await;
        assert_eq!(answer.status, 502);
        assert!(
            log.contains("invalid peer certificate") && log.contains("server_name"),
            "{log}"
        );
    }
    let unknown = known.replace("root_certificates_file", "#root_certificates_file");
    let (answer, log) = ask(service(&authority, "localhost").await, "localhost", &unknown).await;
    assert_eq!(answer.status, 502);
    assert!(log.contains("root_certificates_file"), "{log}");
}

#[tokio::test]
async fn a_renewed_client_certificate_is_shown_and_a_broken_one_is_not() {
    let authority = Authority::new("internal");
    authority.sign("gateway", "gateway", 2040);
    let (certificate, key) = (authority.file("gateway.pem"), authority.file("gateway.key"));
    let clock = Arc::new(TestClock::at(NOW));
    let shown = ShownCertificate::load(&certificate, &key, clock).unwrap();
    let current = || shown.resolve(&[], &[]).unwrap().cert[0].clone();
    let first = current();
    shown.look();
    assert_eq!(current(), first);

    let old_key = fs::read_to_string(&key).unwrap();
    authority.sign("gateway", "gateway", 2041);
    let new_key = fs::read_to_string(&key).unwrap();
    private(&key, &old_key);
    shown.look();
    assert_eq!(current(), first, "the key of another certificate");
    fs::remove_file(&key).unwrap();
    shown.look();
    assert_eq!(current(), first, "no key at all");
    private(&key, &new_key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    shown.look();
    assert_eq!(current(), first, "a key that others can read");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    shown.look();
    assert_eq!(current(), authority.certificate("gateway.pem"));
}

/// What is said of an upstream with these keys; files are those of this authority.
async fn said_of(authority: &Authority, url: &str, keys: &str) -> Option<String> {
    let text = format!(
        "[[upstreams]]\nname = \"service\"\nurls = [\"{url}\"]\n{keys}\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"service\"\n"
    );
    let config = load::parse(&text, &authority.file("gateway.toml")).unwrap();
    let built = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
    let error = built.err()?;
    assert_eq!(error.place, "upstreams[0]", "{error}");
    Some(error.what)
}

const PAIR: &str = "client_certificate_file = \"gateway.pem\"\nclient_key_file = \"gateway.key\"";

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_before_anything_runs() {
    let authority = Authority::new("internal");
    for name in ["gateway", "other"] {
        authority.sign(name, name, 2040);
    }
    let key = fs::read(authority.file("gateway.key")).unwrap();
    fs::write(authority.file("open.key"), key).unwrap();
    fs::set_permissions(authority.file("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    private(&authority.file("nonsense.key"), "nonsense");
    for (file, instead, part) in [
        ("gateway.key", "other.key", "is not the key of the certificate"),
        ("gateway.key", "open.key", "chmod 600"),
        ("gateway.key", "nonsense.key", "holds no private key"),
        ("gateway.key", "none.key", "none.key"),
        ("gateway.pem", "nonsense.key", "holds no certificate"),
    ] {
        let keys = PAIR.replace(file, instead);
        let said = said_of(&authority, "https://localhost:1", &keys).await;
        assert!(
            said.as_ref().is_some_and(|said| said.contains(part)),
            "{instead}: {said:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_would_never_be_shown_is_no_configuration() {
    let authority = Authority::new("internal");
    authority.sign("gateway", "gateway", 2040);
    let (https, http) = ("https://localhost:1", "http://localhost:1");
    assert_eq!(said_of(&authority, https, PAIR).await, None);
    for (url, keys, part) in [
        (
            https,
            "client_certificate_file = \"gateway.pem\"",
            "no client_key_file",
        ),
        (
            https,
            "client_key_file = \"gateway.key\"",
            "no client_certificate_file",
        ),
        (
            https,
            "server_name = \"no name\"",
            "is no name that a certificate can have",
        ),
        (http, "server_name = \"orders\"", "write https://"),
        (http, PAIR, "write https://"),
    ] {
        let said = said_of(&authority, url, keys).await;
        assert!(
            said.as_ref().is_some_and(|said| said.contains(part)),
            "{keys}: {said:?}"
        );
    }
}
