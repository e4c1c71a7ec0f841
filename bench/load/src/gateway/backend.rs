//! The service behind every gateway: one answer of 100 bytes, and on `…/who` what it was told of the caller.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;

/// What every request but `…/who` is answered.
pub(super) const BODY: &[u8] =
    br#"{"id":"order_1","status":"open","items":[{"sku":"a-1","count":2},{"sku":"b-2","count":1}],"cents":1}"#;

/// Listens until the program ends; says where.
pub(super) async fn start() -> Outcome<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(attend(stream));
        }
    });
    Ok(address)
}

/// Requests come one after the other and have no body.
async fn attend(mut stream: TcpStream) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let usual = answer(BODY);
    let mut buffer = Vec::with_capacity(4096);
    while stream.read_buf(&mut buffer).await? > 0 {
        if !buffer.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = buffer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        if line.ends_with(b"/who HTTP/1.1") {
            let told = std::str::from_utf8(&buffer)?.to_ascii_lowercase();
            let mut values = told.lines().filter_map(|line| line.strip_prefix("x-user-id: "));
            stream
                .write_all(&answer(values.next().unwrap_or("nobody").as_bytes()))
                .await?;
        } else {
            stream.write_all(&usual).await?;
        }
        buffer.clear();
    }
    Ok(())
}

fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
