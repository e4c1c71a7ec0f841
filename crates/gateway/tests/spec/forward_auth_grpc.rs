//! What Envoy is told that asks over gRPC.

use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;

use crate::forward_auth::SIDE;
use crate::forward_auth_settings::speaking_of_services;
use crate::harness::{Harness, mirror, soon};

/// A field with a length, of a message that is shorter than 16 KiB.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    match bytes.len() {
        short @ 0..128 => field.push(short as u8),
        long => field.extend([(long & 0x7f) as u8 | 0x80, (long >> 7) as u8]),
    }
    field.extend_from_slice(bytes);
    field
}

fn question(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let pair = |(name, value): &(&str, &str)| {
        field(
            3,
            &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat(),
        )
    };
    let http = [
        field(1, b"an-id-that-nobody-needs"),
        field(2, method.as_bytes()),
        headers.iter().flat_map(pair).collect(),
        field(4, path.as_bytes()),
        field(5, b"api.test"),
        field(6, b"https"),
    ]
    .concat();
    field(1, &field(4, &field(2, &http)))
}

/// The message of the answer and the status of the call.
async fn call(harness: &Harness, body: Vec<u8>) -> (String, String) {
    let stream = TcpStream::connect(harness.side.unwrap()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://carnet.test/envoy.service.auth.v3.Authorization/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(body))
        .unwrap();
    let answer = soon(sender.send_request(request)).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let collected = soon(answer.into_body().collect()).await.unwrap();
    let trailers: HeaderMap = collected.trailers().cloned().unwrap();
    let status = trailers["grpc-status"].to_str().unwrap().to_owned();
    let bytes = collected.to_bytes();
    // Without what frames it.
    (shown(bytes.get(5..).unwrap_or_default()), status)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

async fn ask(harness: &Harness, path: &str, headers: &[(&str, &str)]) -> String {
    let (answer, status) = call(harness, framed(&question("GET", path, headers))).await;
    assert_eq!(status, "0", "{answer}");
    answer
}

/// Byte by byte as characters.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A header that is put in place of what the client sent.
fn put(name: &str, value: &str) -> String {
    let header = [field(1, name.as_bytes()), field(2, value.as_bytes())].concat();
    shown(&field(2, &[field(1, &header), vec![3 << 3, 2]].concat()))
}

/// A header that is taken out.
fn removed(name: &str) -> String {
    shown(&field(5, name.as_bytes()))
}

/// `status` of a `CheckResponse` that allows: empty, and that is what 0 looks like.
const ALLOWED: &str = "\u{a}\u{0}\u{1a}";

#[tokio::test]
async fn a_token_opens_and_envoy_is_told_what_to_put_and_what_to_take_out() {
    let harness = Harness::with(SIDE, mirror().await).await;
    let bearer = format!("Bearer {}", harness.issuer.token(&json!({})));
    let spoofed = [
        (":path", "/orders"),
        ("authorization", bearer.as_str()),
        ("x-user-id", "admin"),
        ("x_user_id", "admin"),
        ("x.user.id", "admin"),
        ("x-http-method-override", "DELETE"),
        ("ssl-client-verify", "SUCCESS"),
        ("content_length", "7"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("cookie", "a=1"),
        ("accept", "*/*"),
    ];
    let answer = ask(&harness, "/orders?a=b", &spoofed).await;
    assert!(answer.starts_with(ALLOWED), "{answer:?}");
    for part in [
        put("x-user-id", "user_1"),
        put("x-user-roles", "editor,reviewer"),
        removed("authorization"),
        removed("x_user_id"),
        removed("x.user.id"),
        removed("x-http-method-override"),
        removed("ssl-client-verify"),
        removed("content_length"),
        removed("cf-connecting-ip"),
        put("cookie", "a=1"),
    ] {
        assert!(answer.contains(&part), "{part:?} in {answer:?}");
    }
    for name in ["accept", "x-forwarded-for"] {
        assert!(!answer.contains(name), "{answer:?}");
    }

    let answer = ask(
        &harness,
        "/open",
        &[("x-user-id", "admin"), ("x_user_roles", "admin")],
    )
    .await;
    assert!(answer.starts_with(ALLOWED), "{answer:?}");
    for name in ["x-user-id", "x-user-roles", "x_user_roles", "authorization"] {
        assert!(answer.contains(&removed(name)), "{name}");
    }
}

#[tokio::test]
async fn which_service_calls_is_put_in_place_of_what_a_client_says_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, svid) = speaking_of_services(&folder);
    let harness = Harness::with(&lines, mirror().await).await;
    let spoofed = [("x-calling-service", "admin"), ("x-identity-assertion", "x")];
    let answer = ask(&harness, "/open", &spoofed).await;
    assert!(answer.starts_with(ALLOWED), "{answer:?}");
    for (name, _) in spoofed {
        assert!(answer.contains(&removed(name)), "{name}");
    }
    let token = svid.trim().trim_start_matches("Authorization: ");
    let answer = ask(&harness, "/inner", &[spoofed[0], ("authorization", token)]).await;
    assert!(
        answer.contains(&put("x-calling-service", crate::spiffe::ORDERS)),
        "{answer:?}"
    );
    assert!(!answer.contains(&removed("x-calling-service")), "{answer:?}");
}

#[tokio::test]
async fn no_other_protocol_is_let_through() {
    let harness = Harness::with(SIDE, mirror().await).await;
    for header in [
        ("upgrade", "h2c"),
        ("upgrade", "foo"),
        ("http2-settings", "AAMAAABk"),
    ] {
        let answer = ask(&harness, "/open", &[header]).await;
        assert!(answer.contains("upgrade_refused"), "{header:?}: {answer}");
    }
}

#[tokio::test]
async fn a_refusal_has_status_challenge_and_body() {
    let harness = Harness::with(SIDE, mirror().await).await;
    let two = format!("Bearer {0},Bearer {0}", harness.issuer.token(&json!({})));
    for (path, headers, status, code) in [
        ("/orders", &[][..], 401_u16, "token_missing"),
        (
            "/orders",
            &[("authorization", "Bearer a.b.c")],
            401,
            "token_invalid",
        ),
        (
            "/orders",
            &[("authorization", two.as_str())],
            400,
            "invalid_request",
        ),
        ("/nowhere", &[], 404, "route_unknown"),
        ("/open/../orders", &[], 400, "path_invalid"),
        ("/open#", &[], 400, "forward_auth_unclear"),
        ("", &[], 400, "forward_auth_unclear"),
    ] {
        let answer = ask(&harness, path, headers).await;
        assert!(!answer.starts_with(ALLOWED), "{answer:?}");
        // HttpStatus { code }
        let code_of_http = [0xa, 3, 8, (status & 0x7f) as u8 | 0x80, (status >> 7) as u8];
        assert!(
            answer.contains(&shown(&code_of_http)) && answer.contains(code),
            "{path}: {answer:?}"
        );
        assert_eq!(
            answer.contains("www-authenticate"),
            status == 401 || code == "invalid_request",
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_question_gets_an_error_and_never_a_yes() {
    let harness = Harness::with(SIDE, mirror().await).await;
    let whole = question("GET", "/open", &[]);
    let compressed = [&[1], &framed(&whole)[1..]].concat();
    let twice = framed(&[whole.clone(), whole.clone()].concat());
    let strange = framed(&question("GET", "/open", &[("a b", "c")]));
    let line = framed(&question("GET", "/open", &[("a", "b\r\nc: d")]));
    let longer = [framed(&whole), vec![0]].concat();
    let cut = framed(&whole)[..20].to_vec();
    for body in [
        Vec::new(),
        vec![0; 4],
        cut,
        longer,
        compressed,
        twice,
        strange,
        line,
        framed(&[0xff; 30]),
    ] {
        let (answer, status) = call(&harness, body).await;
        assert_eq!((answer.as_str(), status.as_str()), ("", "3"));
    }
    for empty in [
        framed(&[]),
        framed(&field(1, &[])),
        framed(&question("", "/open", &[])),
    ] {
        let (answer, status) = call(&harness, empty).await;
        assert!(
            status == "0" && answer.contains("forward_auth_unclear"),
            "{answer:?}"
        );
    }
}
