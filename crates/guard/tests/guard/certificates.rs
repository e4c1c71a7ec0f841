//! Tokens that are bound to a certificate (RFC 8705 §3), as an API meets them.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use carnet_guard::testing::{TestClock, TestIssuer};
use carnet_guard::{BuildError, CertificateHeader, ClientCertificate, Guard, PeerAddress};
use carnet_jose::{Algorithm, AnySigningKey, base64url, primitive};
use carnet_oauth::dpop::{Prover, Request as Proven};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::api::{API, Answer, routes, send};

const NOW: u64 = 1_800_000_000;
/// Nobody reads them: a certificate is what TLS has accepted.
const CERTIFICATE: &[u8] = b"the DER bytes of a certificate";
const ANOTHER: &[u8] = b"the DER bytes of another";

fn x5t(der: &[u8]) -> String {
    base64url::encode(&primitive::sha256(der))
}

fn hex(der: &[u8]) -> String {
    primitive::sha256(der)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn rfc_9440(der: &[u8]) -> String {
    format!(":{}:", data_encoding::BASE64.encode(der))
}

struct Api {
    issuer: TestIssuer,
    guard: Guard,
}

impl Api {
    async fn start(header: Option<CertificateHeader>) -> Self {
        let issuer = TestIssuer::with_clock(TestClock::at(NOW));
        let server = issuer.resource_server(API);
        let server = match header {
            Some(header) => server.client_certificates_from(header, ["10.1.0.0/16", "::1"]),
            None => server,
        };
        let guard = server.build().await.unwrap();
        Self { issuer, guard }
    }

    fn token(&self, cnf: Value) -> String {
        self.issuer.token("alice").claim("cnf", cnf).sign()
    }

    fn bound(&self) -> String {
        self.token(json!({ "x5t#S256": x5t(CERTIFICATE) }))
    }

    async fn send(&self, token: &str, prepare: impl FnOnce(&mut Request<Body>)) -> Answer {
        let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
        let mut request = request.body(Body::empty()).unwrap();
        prepare(&mut request);
        send(routes(&self.guard), request).await
    }
}

fn shows(der: &[u8]) -> impl FnOnce(&mut Request<Body>) {
    let certificate = ClientCertificate::from_der(der);
    move |request| {
        request.extensions_mut().insert(certificate);
    }
}

/// A request of this peer, with these headers.
fn comes_from<'h>(peer: &str, headers: &'h [(&'static str, String)]) -> impl FnOnce(&mut Request<Body>) + 'h {
    let peer: SocketAddr = peer.parse().unwrap();
    move |request| {
        request.extensions_mut().insert(ConnectInfo(peer));
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
    }
}

fn assert_invalid(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "token_invalid"),
        "{answer:?}"
    );
    assert!(answer.challenge.contains("error=\"invalid_token\""), "{answer:?}");
}

#[tokio::test]
async fn pp_07_a_bound_token_gets_in_with_its_certificate_and_no_other() {
    let api = Api::start(None).await;
    let token = api.bound();
    assert_eq!(api.send(&token, shows(CERTIFICATE)).await.status, StatusCode::OK);
    assert_invalid(&api.send(&token, shows(ANOTHER)).await);
    assert_invalid(&api.send(&token, |_| {}).await);
    // Whoever shows a certificate may use a token that is bound to none.
    let free = api.issuer.token("alice").sign();
    assert_eq!(api.send(&free, shows(ANOTHER)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn pp_07_a_header_counts_from_listed_peers_alone() {
    for (kind, name, value) in [
        (
            CertificateHeader::ClientCert,
            "client-cert",
            rfc_9440(CERTIFICATE),
        ),
        (
            CertificateHeader::XForwardedClientCert,
            "x-forwarded-client-cert",
            format!("By=spiffe://x;Hash={};Subject=\"CN=alice\"", hex(CERTIFICATE)),
        ),
    ] {
        let api = Api::start(Some(kind)).await;
        let token = api.bound();
        let headers = [(name, value)];
        for peer in ["10.1.2.3:9", "[::1]:9", "[::ffff:10.1.2.3]:9"] {
            let answer = api.send(&token, comes_from(peer, &headers)).await;
            assert_eq!(answer.status, StatusCode::OK, "{name} {peer}");
        }
        for peer in ["10.2.0.1:9", "127.0.0.1:9", "[::2]:9"] {
            assert_invalid(&api.send(&token, comes_from(peer, &headers)).await);
        }
        // Nobody knows whom it comes from.
        let header = |request: &mut Request<Body>| {
            request.headers_mut().insert(name, headers[0].1.parse().unwrap());
        };
        assert_invalid(&api.send(&token, header).await);
        let named = |request: &mut Request<Body>| {
            header(request);
            request
                .extensions_mut()
                .insert(PeerAddress("10.1.0.1".parse().unwrap()));
        };
        assert_eq!(api.send(&token, named).await.status, StatusCode::OK);
        // A header that is not the configured one is nobody's word.
        let unlisted = Api::start(None).await;
        assert_invalid(
            &unlisted
                .send(&unlisted.bound(), comes_from("10.1.2.3:9", &headers))
                .await,
        );
    }
}

#[tokio::test]
async fn pp_07_what_a_proxy_says_can_be_read_in_one_way_or_not_at_all() {
    let api = Api::start(Some(CertificateHeader::ClientCert)).await;
    let token = api.bound();
    let good = || ("client-cert", rfc_9440(CERTIFICATE));
    for headers in [
        vec![],
        vec![good(), good()],
        vec![("client-cert", rfc_9440(ANOTHER))],
        vec![("client-cert", rfc_9440(CERTIFICATE).replace(':', ""))],
        vec![("client-cert", String::new())],
        vec![("x-forwarded-client-cert", format!("Hash={}", hex(CERTIFICATE)))],
        vec![("client_cert", rfc_9440(CERTIFICATE))],
    ] {
        assert_invalid(&api.send(&token, comes_from("10.1.2.3:9", &headers)).await);
    }
    // The proxy's own certificate is not its client's.
    let own = |request: &mut Request<Body>| {
        comes_from("10.1.2.3:9", &[])(request);
        shows(CERTIFICATE)(request);
    };
    assert_invalid(&api.send(&token, own).await);
    // Whoever comes directly shows their own.
    let direct = |request: &mut Request<Body>| {
        comes_from("192.0.2.1:9", &[("client-cert", rfc_9440(ANOTHER))])(request);
        shows(CERTIFICATE)(request);
    };
    assert_eq!(api.send(&token, direct).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_is_bound_twice_needs_both() {
    let api = Api::start(None).await;
    let key = Prover::new(AnySigningKey::generate(Algorithm::Es256).unwrap()).unwrap();
    let token = api.token(json!({ "jkt": key.thumbprint(), "x5t#S256": x5t(CERTIFICATE) }));
    assert_invalid(&api.send(&token, shows(CERTIFICATE)).await);
    let proven = |request: &mut Request<Body>| {
        let proof = Proven {
            method: "GET",
            uri: "https://api.test/me",
            access_token: Some(&token),
        };
        let proof = key.prove(&proof, None, NOW).unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", format!("DPoP {token}").parse().unwrap());
        headers.insert("dpop", proof.parse().unwrap());
    };
    assert_invalid(&api.send(&token, proven).await);
    let both = |request: &mut Request<Body>| {
        proven(request);
        shows(CERTIFICATE)(request);
    };
    assert_eq!(api.send(&token, both).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_confirmation_with_an_unknown_member_refuses_whatever_is_shown() {
    let api = Api::start(None).await;
    for cnf in [
        json!({ "x5t#S256": x5t(CERTIFICATE), "new": "x" }),
        json!({ "x5t#s256": x5t(CERTIFICATE) }),
        json!({ "x5t#S256": [x5t(CERTIFICATE)] }),
        json!({ "x5t#S256": null }),
        json!({ "x5t": x5t(CERTIFICATE) }),
        json!([x5t(CERTIFICATE)]),
        json!({}),
    ] {
        assert_invalid(&api.send(&api.token(cnf), shows(CERTIFICATE)).await);
    }
    // By the scheme DPoP a key is proven, and this token is bound to none.
    let by_dpop = |request: &mut Request<Body>| {
        let token = format!("DPoP {}", api.bound());
        request
            .headers_mut()
            .insert("authorization", token.parse().unwrap());
        shows(CERTIFICATE)(request);
    };
    assert_invalid(&api.send("x", by_dpop).await);
}

#[tokio::test]
async fn a_list_of_peers_that_cannot_be_read_is_said_at_once() {
    let issuer = TestIssuer::new();
    for peer in ["localhost", "10.0.0.0/33", ""] {
        let server = issuer.resource_server(API);
        let built = server
            .client_certificates_from(CertificateHeader::ClientCert, [peer])
            .build()
            .await;
        assert!(matches!(built, Err(BuildError::Policy(_))), "{peer}");
    }
}
