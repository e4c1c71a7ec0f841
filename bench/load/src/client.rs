//! One keep-alive connection, so that what is measured is the server and not the client.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Outcome;

/// A connection to one address.
pub(crate) struct Connection {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            address: address.to_owned(),
            sender,
        })
    }

    pub(crate) async fn get(&mut self, path: &str, bearer: &str) -> Outcome<Answer> {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        self.send(request, Bytes::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, cookie: &str, json: String) -> Outcome<Answer> {
        let mut request = Request::post(path).header(header::COOKIE, format!("refresh_token={cookie}"));
        if !json.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.send(request, Bytes::from(json)).await
    }

    /// Sends whatever it is; `Host` is added.
    pub(crate) async fn send(&mut self, request: http::request::Builder, body: Bytes) -> Outcome<Answer> {
        let request = request
            .header(header::HOST, &self.address)
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let (parts, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

impl Answer {
    /// The refresh token that the answer sets.
    pub(crate) fn refresh_token(&self) -> Outcome<String> {
        let lines = self
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let found = lines
            .filter_map(|line| line.strip_prefix("refresh_token=")?.split(';').next())
            .next();
        Ok(found
            .ok_or_else(|| format!("{}: no refresh cookie", self.status))?
            .to_owned())
    }

    /// The access token of the answer.
    pub(crate) fn access_token(&self) -> Outcome<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body)?;
        Ok(body["access_token"]
            .as_str()
            .ok_or_else(|| format!("{}: no access token", self.status))?
            .to_owned())
    }
}
