//! One field of a form, read at the beginning of a body that goes on to the handler whole.
//!
//! Spec: WHATWG URL §5 (application/x-www-form-urlencoded) · RFC 7578 §4 (multipart/form-data)

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use http::{HeaderMap, Request, header};

/// The field of this name, and the request as it came. Of a multipart form it is found as the first field alone. No more than 64 KiB are held
/// back while it is looked for.
pub(super) async fn field(request: Request<Body>, name: &str) -> (Option<String>, Request<Body>) {
    let Some(kind) = Kind::of(request.headers()) else {
        return (None, request);
    };
    let (parts, body) = request.into_parts();
    let mut rest = body.into_data_stream();
    let (mut held, mut ended, mut broken) = (Vec::new(), false, None);
    // What is held is read anew each time: only when it has doubled, or a body of single bytes would be read thousands of times.
    let mut look_at = 0;
    let found = loop {
        let full = held.len() > MOST_BYTES;
        if ended || full || held.len() >= look_at {
            look_at = 2 * held.len();
            match kind.find(&held, name, ended) {
                Search::Found(value) => break Some(value),
                Search::Absent => break None,
                Search::Open if full => break None,
                Search::Open => {}
            }
        }
        match rest.next().await {
            Some(Ok(piece)) => held.extend_from_slice(&piece),
            Some(Err(error)) => {
                broken = Some(error);
                break None;
            }
            None => ended = true,
        }
    };
    // The handler meets the body as it came, also where it broke off.
    let first = futures_util::stream::iter([Ok(Bytes::from(held))].into_iter().chain(broken.map(Err)));
    let whole = Body::from_stream(first.chain(rest));
    (found, Request::from_parts(parts, whole))
}

enum Kind {
    Urlencoded,
    Multipart(Vec<u8>),
}

enum Search {
    Found(String),
    Absent,
    /// More of the body must be seen.
    Open,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next()?;
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Some(Self::Urlencoded);
        }
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let mut named = parts.filter_map(|part| part.split_once('='));
        let (_, boundary) = named.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
        let boundary = boundary.trim_matches('"');
        (!boundary.is_empty()).then(|| Self::Multipart(format!("--{boundary}").into_bytes()))
    }

    fn find(&self, held: &[u8], name: &str, ended: bool) -> Search {
        match self {
            Self::Urlencoded => urlencoded(held, name, ended),
            Self::Multipart(boundary) => match first_part(held, boundary, name) {
                Search::Open if ended => Search::Absent,
                search => search,
            },
        }
    }
}

fn urlencoded(held: &[u8], name: &str, ended: bool) -> Search {
    // A pair is whole when the next begins.
    let whole = match held.iter().rposition(|byte| *byte == b'&') {
        _ if ended => held,
        Some(at) => &held[..at],
        None => return Search::Open,
    };
    let mut pairs = url::form_urlencoded::parse(whole);
    match pairs.find(|(key, _)| key == name) {
        Some((_, value)) => Search::Found(value.into_owned()),
        None if ended => Search::Absent,
        None => Search::Open,
    }
}

fn first_part(held: &[u8], boundary: &[u8], name: &str) -> Search {
    if held.len() < boundary.len() {
        return if boundary.starts_with(held) {
            Search::Open
        } else {
            Search::Absent
        };
    }
    let Some(part) = held.strip_prefix(boundary) else {
        return Search::Absent;
    };
    let Some((head, content)) = split(part, b"\r\n\r\n") else {
        return Search::Open;
    };
    let head = String::from_utf8_lossy(head);
    let disposition = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let wanted = format!("name=\"{name}\"");
    let is_it = disposition.is_some_and(|value| value.split(';').any(|part| part.trim() == wanted));
    if !is_it {
        return Search::Absent;
    }
    let end = [b"\r\n", boundary].concat();
    match split(content, &end) {
        Some((value, _)) => Search::Found(String::from_utf8_lossy(value).into_owned()),
        None => Search::Open,
    }
}

fn split<'b>(bytes: &'b [u8], by: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(by.len()).position(|window| window == by)?;
    Some((&bytes[..at], &bytes[at + by.len()..]))
}

const MOST_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn look(kind: &str, pieces: &[&'static str]) -> (Option<String>, String) {
        let pieces: Vec<Result<Bytes, std::io::Error>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let request = Request::post("/")
            .header("content-type", kind)
            .body(body)
            .unwrap();
        let (found, request) = field(request, "_csrf").await;
        let whole = request.into_body().collect().await.unwrap().to_bytes();
        (found, String::from_utf8(whole.to_vec()).unwrap())
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[tokio::test]
    async fn a_field_is_found_wherever_the_body_is_cut_and_the_body_stays_whole() {
        for pieces in [
            &["a=1&_csrf=x%2By&b=2"][..],
            &["a=1&_cs", "rf=x%2", "By", "&b=2"],
            &["a=1&b=2&_csrf=x%2By"],
        ] {
            let (found, whole) = look(FORM, pieces).await;
            assert_eq!((found.as_deref(), whole), (Some("x+y"), pieces.concat()));
        }
        let single: Vec<_> = "a=1&_csrf=x%2By&b=2".split_inclusive(|_| true).collect();
        assert_eq!(look(FORM, &single).await.0.as_deref(), Some("x+y"));
        let (found, whole) = look(FORM, &["a=_csrf", "&b=2"]).await;
        assert_eq!((found, whole.as_str()), (None, "a=_csrf&b=2"));
        assert_eq!(look("text/plain", &["_csrf=x&"]).await.0, None);
        assert_eq!(look("application/json", &["_csrf=x&"]).await.0, None);
    }

    #[tokio::test]
    async fn a_multipart_form_shows_it_as_its_first_field() {
        const KIND: &str = "multipart/form-data; boundary=\"xyz\"";
        const FIRST: &str =
            "--xyz\r\nContent-Disposition: form-data; name=\"_csrf\"\r\n\r\nproof\r\n--xyz\r\n";
        const OTHER: &str = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"_csrf\"\r\n\r\nproof\r\n--xyz--";
        for pieces in [
            &[FIRST, "more"][..],
            &[
                "--x",
                "yz\r\nContent-Disposition: form-data; name=\"_csrf\"\r\n\r\npro",
                "of\r\n--xyz\r\nmore",
            ],
        ] {
            let (found, whole) = look(KIND, pieces).await;
            assert_eq!((found.as_deref(), whole), (Some("proof"), pieces.concat()));
        }
        assert_eq!(look(KIND, &[OTHER]).await, (None, OTHER.to_owned()));
        assert_eq!(look(KIND, &["--xyz\r\n"]).await.0, None);
    }

    #[tokio::test]
    async fn no_more_than_the_beginning_is_held_back() {
        let long: &'static str = Box::leak("a".repeat(MOST_BYTES + 2).into_boxed_str());
        let (found, whole) = look(FORM, &[long, "&_csrf=x&"]).await;
        assert_eq!((found, whole.len()), (None, long.len() + 9));
    }
}
