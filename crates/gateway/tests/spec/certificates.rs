//! Tokens that are bound to the certificate that a client shows to the gateway itself.

use std::sync::Arc;

use carnet_jose::{base64url, primitive};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::harness::{AUDIENCE, Answer, Harness, ISSUER, USUAL, mirror, soon};

/// Somebody's certificate and its key: nobody else has signed it.
struct Shown {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Shown {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key,
        }
    }

    fn thumbprint(&self) -> String {
        base64url::encode(&primitive::sha256(&self.certificate))
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

struct Scene {
    harness: Harness,
    server: Shown,
    _folder: tempfile::TempDir,
}

async fn scene() -> Scene {
    let server = Shown::new("localhost");
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
    std::fs::write(&certificate, &server.pem).unwrap();
    let private = server.key.serialize_pem();
    assert!(carnet_listen::secret_file::create(&key, private.as_bytes()).unwrap());
    let text = format!(
        "[listen]\ntls_certificate_file = {certificate:?}\ntls_key_file = {key:?}\nclient_certificates = true\n\
         [tokens]\naudience = {AUDIENCE:?}\n[[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n{USUAL}"
    );
    Scene {
        harness: Harness::written(&text, mirror().await).await,
        server,
        _folder: folder,
    }
}

impl Scene {
    async fn get(&self, path: &str, token: &str, shown: Option<&Shown>) -> Answer {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            Some(shown) => config
                .with_client_auth_cert(vec![shown.certificate.clone()], shown.private())
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        let socket = TcpStream::connect(self.harness.gateway.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = soon(TlsConnector::from(Arc::new(config)).connect(name, socket))
            .await
            .unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nClient-Cert: :AQID:\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        Answer::read(&String::from_utf8_lossy(&answer))
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_opens_for_who_shows_it_and_for_nobody_else() {
    let scene = scene().await;
    let (owner, thief) = (Shown::new("owner"), Shown::new("thief"));
    let bound = |to: &str| scene.harness.issuer.token(&json!({ "cnf": { "x5t#S256": to } }));
    let token = bound(&owner.thumbprint());
    let seen = scene.get("/orders", &token, Some(&owner)).await.seen();
    assert_eq!(seen.header("X-User-ID").as_deref(), Some("user_1"));
    assert_eq!(
        (
            seen.header("Client-Cert"),
            seen.header("X-Forwarded-Proto").as_deref()
        ),
        (None, Some("https"))
    );
    for shown in [None, Some(&thief)] {
        let answer = scene.get("/orders", &token, shown).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"));
    }
    // What a client writes of its certificate is its own word: three bytes, and their thumbprint.
    let forged = bound(&base64url::encode(&primitive::sha256(&[1, 2, 3])));
    for shown in [None, Some(&owner)] {
        assert_eq!(scene.get("/orders", &forged, shown).await.status, 401);
    }
    // Who has a token that is not bound, and who needs none, shows what it likes.
    let free = scene.harness.issuer.token(&json!({}));
    for shown in [None, Some(&owner)] {
        assert_eq!(scene.get("/orders", &free, shown).await.status, 200);
        assert_eq!(scene.get("/open", &free, shown).await.status, 200);
    }
    let document = scene
        .get("/.well-known/oauth-protected-resource", &free, None)
        .await;
    assert!(
        document
            .body
            .contains("\"tls_client_certificate_bound_access_tokens\":true"),
        "{document:?}"
    );
}
