//! What a configuration says that would not be done: it is refused.

use std::sync::Arc;

use carnet_gateway::load;
use carnet_gateway::site::Site;
use carnet_guard::testing::TestClock;
use carnet_listen::secret_file;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::harness::NOW;

/// The key that is wrong with these lines in the file, if one is; the last are about a service.
pub(crate) async fn wrong(text: &str, upstream: &str) -> Option<String> {
    let text = format!(
        "{text}\n[[upstreams]]\n{upstream}\nname = \"s\"\nurls = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"s\"\n"
    );
    place(&text).await
}

/// The key that is wrong with a file, if one is.
pub(crate) async fn place(text: &str) -> Option<String> {
    let config = load::parse(text, "gateway.toml".as_ref()).unwrap();
    let site = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
    site.err().map(|error| error.place)
}

/// A folder with a certificate and its key, the key of another, and a text.
pub(crate) struct Shown(TempDir);

impl Shown {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("a.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("text"), "{}").unwrap();
        for (name, key) in [("a.key", key), ("b.key", other)] {
            let file = folder.path().join(name);
            assert!(secret_file::create(&file, key.serialize_pem().as_bytes()).unwrap());
        }
        Self(folder)
    }

    /// A line that names one of them as `tls_certificate_file` or `tls_key_file`.
    pub(crate) fn named(&self, what: &str, file: &str) -> String {
        format!("tls_{what}_file = {:?}", self.0.path().join(file))
    }
}

#[tokio::test]
async fn tls_is_configured_whole_or_not_at_all() {
    let shown = Shown::new();
    let (certificate, key) = (shown.named("certificate", "a.pem"), shown.named("key", "a.key"));
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
        // What no listener could show.
        (
            format!("[listen]\n{certificate}\n{}", shown.named("key", "b.key")),
            Some("listen"),
        ),
        (
            format!("[listen]\n{certificate}\n{}", shown.named("key", "nope")),
            Some("listen"),
        ),
        (
            format!("[listen]\n{}\n{key}", shown.named("certificate", "text")),
            Some("listen"),
        ),
        (
            format!("[listen]\n{}\n{key}", shown.named("certificate", "nope")),
            Some("listen"),
        ),
        (String::new(), None),
    ] {
        assert_eq!(wrong(&text, "").await.as_deref(), place, "{text}");
    }
}

#[tokio::test]
async fn what_only_a_service_would_see_is_not_for_routes_of_proxies_alone() {
    let cors = "cors = { origins = [\"https://app.test\"] }";
    let side = |route: &str| {
        format!(
            "[forward_auth]\ndialects = [\"nginx\"]\n[[routes]]\npath = \"/x\"\npublic = true\n{route}\n{cors}"
        )
    };
    assert_eq!(wrong(&side(""), "").await.as_deref(), Some("routes[0].cors"));
    assert_eq!(wrong(&side("upstream = \"s\""), "").await, None);
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

#[tokio::test]
async fn a_level_that_is_none_is_refused_rather_than_silent() {
    for (level, place) in [
        ("warning", Some("log.level")),
        ("verbose", Some("log.level")),
        ("", Some("log.level")),
        ("info ", Some("log.level")),
        ("carnet_gateway", Some("log.level")),
        ("warn", None),
        ("info,carnet_gateway=debug", None),
    ] {
        let text = format!("[log]\nlevel = {level:?}");
        assert_eq!(wrong(&text, "").await.as_deref(), place, "{level:?}");
    }
}

#[tokio::test]
async fn two_listeners_have_two_places() {
    let text = |listen: &str, admin: &str, side: &str| {
        format!(
            "[listen]\naddress = {listen:?}\n[admin]\naddress = {admin:?}\n[forward_auth]\ndialects = [\"nginx\"]\naddress = {side:?}"
        )
    };
    let (a, b, c) = ("127.0.0.1:8081", "127.0.0.1:9081", "127.0.0.1:9082");
    for (text, place) in [
        (text(a, b, c), None),
        (text(a, a, c), Some("admin.address")),
        (text("0.0.0.0:8081", a, c), Some("admin.address")),
        (text("[::]:8081", a, c), Some("admin.address")),
        (text(a, "127.0.0.2:8081", c), None),
        (text(a, b, a), Some("forward_auth.address")),
        (text(a, b, b), Some("forward_auth.address")),
        (text("127.0.0.1:0", "127.0.0.1:0", c), None),
        (text("unix:/run/a", "unix:/run/a", c), Some("admin.address")),
        (text("unix:/run/a", "unix:/run/b", c), None),
    ] {
        assert_eq!(wrong(&text, "").await.as_deref(), place, "{text}");
    }
}

/// What is wrong with a file of one issuer, for which a route asks.
async fn wrong_issuer(issuer: &str) -> Option<String> {
    let text = format!(
        "[tokens]\naudience = \"https://api.test\"\n[[issuers]]\n{issuer}\n[[upstreams]]\nname = \"s\"\nurls = [\"http://127.0.0.1:9\"]\n\
         [[routes]]\npath = \"/\"\nupstream = \"s\"\n"
    );
    place(&text).await
}

#[tokio::test]
async fn an_issuer_that_nobody_could_ever_ask_is_refused_and_one_that_is_down_is_not() {
    let keys = "jwks_url = \"http://127.0.0.1:9/jwks\"";
    let named = |issuer: &str| format!("issuer = {issuer:?}");
    for (issuer, place) in [
        (named(""), Some("issuers[0].issuer")),
        (named("not a url"), Some("issuers[0].issuer")),
        (
            named("https://auth.example.com/path?x=1"),
            Some("issuers[0].issuer"),
        ),
        (named("http://auth.example.com"), Some("issuers[0].issuer")),
        (named("https://auth.example.com "), Some("issuers[0].issuer")),
        (format!("{}\n{keys}", named("")), Some("issuers[0].issuer")),
        (
            format!(
                "{}\njwks_url = \"http://auth.example.com/jwks\"",
                named("https://auth.example.com")
            ),
            Some("issuers[0].jwks_url"),
        ),
        (
            format!("{}\njwks_file = \"nope.json\"", named("my-issuer")),
            Some("issuers[0].jwks_file"),
        ),
        (
            format!("{0}\n{keys}\n[[issuers]]\n{0}\n{keys}", named("my-issuer")),
            Some("issuers[1].issuer"),
        ),
        // Down, and back some day.
        (named("http://127.0.0.1:9"), None),
        (format!("{}\n{keys}", named("https://auth.example.com")), None),
        // Never asked: compared alone.
        (format!("{}\n{keys}", named("my-issuer")), None),
    ] {
        assert_eq!(wrong_issuer(&issuer).await.as_deref(), place, "{issuer}");
    }
}

#[tokio::test]
async fn a_server_is_told_no_password_and_neither_is_the_log() {
    let text = "[[upstreams]]\nname = \"s\"\nserver_name = \"s.test\"\nurls = [\"http://user:s3cret@10.0.0.7\"]\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"s\"\n";
    let config = load::parse(text, "gateway.toml".as_ref()).unwrap();
    let site = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
    let error = site.err().unwrap();
    assert_eq!(error.place, "upstreams[0].urls");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test]
async fn what_is_no_server_is_told_what_a_server_is() {
    for url in [
        "10.0.0.1:80",
        "http://10.0.0.1:80/base",
        "ftp://10.0.0.1",
        "http://10.0.0.1:80?x",
        "http://10.0.0.1:80/#x",
        "http://10.0.0.999",
        // The gateway would ask another port, or nobody.
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://127.0.0.1:",
        "http://:80",
        "http://*",
    ] {
        let text = format!(
            "[[upstreams]]\nname = \"s\"\nurls = [{url:?}]\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"s\"\n"
        );
        let config = load::parse(&text, "gateway.toml".as_ref()).unwrap();
        let site = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
        let error = site.err().unwrap();
        assert_eq!(error.place, "upstreams[0].urls", "{error}");
        assert!(
            error.what.contains(url) && !error.what.contains("https"),
            "{error}"
        );
    }
}
