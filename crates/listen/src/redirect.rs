//! The plain port of an https deployment: sends pages on, refuses everything else, reads no body.
//!
//! Spec: RFC 9110 §15.4.9 (308) · RFC 9457

use axum::{Router, extract::State};
use carnet_oauth::problem::{MEDIA_TYPE, Problem};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version, header};

/// Answers on the plain port. `issuer` is the https URL of the deployment; of a request only the path and the query
/// are used, never its Host.
pub fn router(issuer: String) -> Router {
    let origin = url::Url::parse(&issuer).map_or(issuer, |url| url.origin().ascii_serialization());
    Router::new().fallback(answer).with_state(origin)
}

async fn answer(
    State(origin): State<String>,
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
) -> Response<String> {
    let page = (method == Method::GET || method == Method::HEAD) && accepts_html(&headers);
    let mut response = match page.then(|| location(&origin, &uri)).flatten() {
        Some(location) => moved(location),
        None => refused(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if version < Version::HTTP_2 {
        // A body that is on its way is not waited for.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let mut types = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    types.any(|value| {
        value
            .split(',')
            .filter_map(|kind| kind.split(';').next())
            .any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
    })
}

fn location(origin: &str, uri: &Uri) -> Option<HeaderValue> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // `OPTIONS *` and the like have no path to go to.
    path.starts_with('/')
        .then(|| HeaderValue::try_from(format!("{origin}{path}")).ok())
        .flatten()
}

fn moved(location: HeaderValue) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn refused() -> Response<String> {
    let detail =
        "this port speaks no TLS; whatever was sent here could be read on the way: use the https URL";
    let problem = Problem::new((403, "Forbidden"), "https_required", detail);
    let mut response = Response::new(serde_json::to_string(&problem).unwrap_or_default());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(request: Request<Body>) -> (u16, HeaderMap, String) {
        let response = router("https://auth.example.com:8443/".to_owned())
            .oneshot(request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 16).await.unwrap();
        (
            parts.status.as_u16(),
            parts.headers,
            String::from_utf8_lossy(&body).into_owned(),
        )
    }

    fn page(method: &str, target: &str, accept: &str) -> Request<Body> {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "evil.test");
        request
            .header("accept", accept)
            .header("x-forwarded-host", "evil.test")
            .body(Body::empty())
            .unwrap()
    }

    #[tokio::test]
    async fn a_page_is_sent_to_the_issuer_whatever_host_was_asked() {
        const BROWSER: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
        for (target, location) in [
            ("/account?tab=1", "https://auth.example.com:8443/account?tab=1"),
            ("http://evil.test/a", "https://auth.example.com:8443/a"),
            ("//evil.test/a", "https://auth.example.com:8443//evil.test/a"),
            ("/", "https://auth.example.com:8443/"),
        ] {
            for method in ["GET", "HEAD"] {
                let (status, headers, body) = ask(page(method, target, BROWSER)).await;
                assert_eq!(
                    (status, headers["location"].to_str().unwrap(), body.as_str()),
                    (308, location, "")
                );
            }
        }
    }

    #[tokio::test]
    async fn everything_else_is_refused_and_the_connection_closed() {
        for request in [
            page("POST", "/auth/login", "text/html"),
            page("GET", "/auth/me", "application/json"),
            page("GET", "/auth/me", "*/*"),
            page("OPTIONS", "*", "text/html"),
        ] {
            let (status, headers, body) = ask(request).await;
            assert_eq!(
                (status, headers["content-type"].to_str().unwrap()),
                (403, "application/problem+json")
            );
            assert_eq!(headers["connection"], "close");
            assert!(headers.get("location").is_none());
            let problem: Problem = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (problem.code.as_str(), problem.error.as_str()),
                ("https_required", "https_required")
            );
        }
    }

    #[tokio::test]
    async fn no_body_is_read() {
        let endless = Body::new(Endless);
        let request = Request::post("/auth/login").body(endless).unwrap();
        assert_eq!(ask(request).await.0, 403);
    }

    /// Panics when it is read.
    struct Endless;

    impl hyper::body::Body for Endless {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
            panic!("the body was read")
        }
    }
}
