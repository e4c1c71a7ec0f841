//! WebSockets towards services behind TLS that speak HTTP/2, HTTP/1.1, or both.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Harness, mirror, soon};
use crate::sockets::{handshake, refusal, serve, stream};
use crate::sockets_h2::{Service, is_echoed};
use crate::streams::{HANDSHAKE, head};
use crate::upstream_tls::Authority;

const GRANTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n";

/// A service that offers these protocols: WebSockets over HTTP/1.1 always, over HTTP/2 as `service` says.
async fn listen(service: &Service, protocols: &[&str], authority: &Authority) -> SocketAddr {
    authority.sign("service", "localhost", 2040);
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![authority.certificate("service.pem")],
            PrivateKeyDer::from_pem_file(authority.file("service.key")).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = service.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), service.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => service.attend(stream).await,
                    spoken => {
                        assert_eq!(spoken, Some(b"http/1.1".as_slice()));
                        serve(stream, GRANTED, service.seen.clone()).await;
                    }
                }
            });
        }
    });
    address
}

async fn harness(address: SocketAddr, authority: &Authority) -> Harness {
    let text = format!(
        r#"
        [[upstreams]]
        name = "echo"
        urls = ["https://localhost:{}"]
        protocol = "http2"
        root_certificates_file = {:?}
        [[routes]]
        path = "/ws"
        upstream = "echo"
        websocket = true
        "#,
        address.port(),
        authority.file("ca.pem").display().to_string()
    );
    Harness::with(&text, mirror().await).await
}

async fn open(harness: &Harness) -> (TcpStream, String) {
    let token = harness.issuer.token(&json!({}));
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let request = format!("{HANDSHAKE}Authorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    (stream, head)
}

#[tokio::test]
async fn behind_tls_a_service_is_asked_in_the_protocol_in_which_it_takes_websockets() {
    for (extended, protocols, asked, connections) in [
        (
            true,
            ["h2", "http/1.1"].as_slice(),
            "CONNECT https://localhost:",
            2,
        ),
        (true, &["h2"], "CONNECT https://localhost:", 2),
        (false, &["h2", "http/1.1"], "get /ws http/1.1\r\n", 1),
    ] {
        let authority = Authority::new("internal");
        let service = Service {
            extended,
            ..Service::new()
        };
        let harness = harness(listen(&service, protocols, &authority).await, &authority).await;
        let (mut switched, head) = open(&harness).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        is_echoed(&mut switched).await;
        let response = harness.h2(handshake(&harness, "/ws", (&json!({}), &[]))).await;
        assert_eq!(response.status(), 200);
        is_echoed(&mut stream(response).await).await;
        let seen = service.seen();
        assert_eq!(seen.matches(asked).count(), 2, "{seen}");
        assert_eq!(seen.matches("x-user-id: user_1").count(), 2, "{seen}");
        assert_eq!(service.connections(), connections, "of HTTP/2");
    }
}

#[tokio::test]
async fn behind_tls_a_service_of_h2_alone_that_takes_none_is_a_refusal() {
    let authority = Authority::new("internal");
    let service = Service {
        extended: false,
        ..Service::new()
    };
    let harness = harness(listen(&service, &["h2"], &authority).await, &authority).await;
    for _ in 0..2 {
        let refused = soon(refusal(&harness, handshake(&harness, "/ws", (&json!({}), &[])))).await;
        assert_eq!(refused, (502, "upstream_no_websocket".to_owned()));
    }
    assert_eq!((service.connections(), service.seen()), (1, String::new()));
}
