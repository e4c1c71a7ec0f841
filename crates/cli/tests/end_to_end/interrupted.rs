//! `carnet token` that is stopped with Ctrl-C while the server has the refresh token and it has no new one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::binary;

#[test]
fn a_renewal_that_was_begun_is_kept_before_the_program_ends() {
    let home = tempfile::tempdir().unwrap();
    let logins = home.path().join("carnet/logins");
    std::fs::create_dir_all(&logins).unwrap();
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let issuer = format!("http://{}", server.local_addr().unwrap());
    let kept = json!({ "issuer": issuer, "client_id": "cli", "access_token": "a-1", "expires_at": 0, "refresh_token": "r-1", "scope": "" });
    std::fs::write(logins.join("before.json"), kept.to_string()).unwrap();
    let mut child = Command::new(binary())
        .arg("token")
        .env("XDG_STATE_HOME", home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut asks, request) = asked(&server);
    assert!(request.starts_with("GET /.well-known/"), "{request}");
    let metadata =
        json!({ "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": issuer });
    answer(&mut asks, &metadata);
    let (mut asks, request) = asked(&server);
    assert!(
        request.starts_with("POST /token") && request.contains("refresh_token=r-1"),
        "{request}"
    );
    let stop = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(stop.unwrap().success());
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = said.map_while(Result::ok);
    assert!(said.any(|line| line.contains("ends when the server has answered")));
    let renewed =
        json!({ "access_token": "a-2", "token_type": "Bearer", "expires_in": 900, "refresh_token": "r-2" });
    answer(&mut asks, &renewed);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "");
    let files = std::fs::read_dir(&logins).unwrap();
    let kept: Vec<String> = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(kept.iter().any(|login| login.contains("\"r-2\"")), "{kept:?}");
}

/// The next request, on a connection of its own.
fn asked(server: &TcpListener) -> (TcpStream, String) {
    let mut client = server.accept().unwrap().0;
    let (mut request, mut some) = (String::new(), [0; 4096]);
    loop {
        let read = client.read(&mut some).unwrap();
        request.push_str(std::str::from_utf8(&some[..read]).unwrap());
        let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
        let head = head.to_ascii_lowercase();
        let length = head
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
        if request.contains("\r\n\r\n") && body.len() >= length {
            return (client, request);
        }
    }
}

fn answer(client: &mut TcpStream, body: &Value) {
    let body = body.to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(client, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
}
