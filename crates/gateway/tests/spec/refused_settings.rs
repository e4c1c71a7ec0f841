//! What a configuration says that would not be done: it is refused.

use std::sync::Arc;

use carnet_gateway::load;
use carnet_gateway::site::Site;
use carnet_guard::testing::TestClock;

use crate::harness::NOW;

/// The key that is wrong with these lines in the file, if one is; the last are about a service.
async fn wrong(text: &str, upstream: &str) -> Option<String> {
    let text = format!(
        "{text}\n[[upstreams]]\n{upstream}\nname = \"s\"\nurls = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"s\"\n"
    );
    let config = load::parse(&text, "gateway.toml".as_ref()).unwrap();
    let site = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
    site.err().map(|error| error.place)
}

#[tokio::test]
async fn tls_is_configured_whole_or_not_at_all() {
    let (certificate, key) = ("tls_certificate_file = \"a.pem\"", "tls_key_file = \"a.key\"");
    let side = |tls: bool| format!("[forward_auth]\ndialects = [\"nginx\"]\ntls = {tls}");
    for (text, place) in [
        (
            format!("[listen]\n{certificate}"),
            Some("listen.tls_certificate_file"),
        ),
        (format!("[listen]\n{key}"), Some("listen.tls_key_file")),
        (
            format!("[listen]\nclient_certificates = true\n{certificate}"),
            Some("listen.tls_certificate_file"),
        ),
        (
            "[listen]\nclient_certificates = true".to_owned(),
            Some("listen.client_certificates"),
        ),
        // Proxies would ask in plain text, and show tokens to whoever listens.
        (side(true), Some("forward_auth.tls")),
        (side(false), None),
        (format!("[listen]\n{certificate}\n{key}\n{}", side(true)), None),
        (format!("[listen]\n{certificate}\n{key}"), None),
        (String::new(), None),
    ] {
        assert_eq!(wrong(&text, "").await.as_deref(), place, "{text}");
    }
}

#[tokio::test]
async fn a_host_beside_another_authority_is_sent_to_nobody() {
    for (upstream, place) in [
        (
            "preserve_host = true\nprotocol = \"http2\"\n",
            Some("upstreams[0].preserve_host"),
        ),
        ("preserve_host = true\nprotocol = \"http1\"\n", None),
        ("preserve_host = false\nprotocol = \"http2\"\n", None),
    ] {
        assert_eq!(wrong("", upstream).await.as_deref(), place, "{upstream}");
    }
}
