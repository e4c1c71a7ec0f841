//! `carnet tls pin`.

use crate::{carnet, run};

/// Of a key that openssl made, and forgot.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBrzCCAVWgAwIBAgIUOoxjWJq/NGPoC8c9A8qtK6rFQCEwCgYIKoZIzj0EAwIw\n\
LTEQMA4GA1UECgwHRXhhbXBsZTEZMBcGA1UEAwwQYXV0aC5leGFtcGxlLmNvbTAe\n\
Fw0yNjExMjExNDU0NTlaFw00NjExMTYxNDU0NTlaMC0xEDAOBgNVBAoMB0V4YW1w\n\
bGUxGTAXBgNVBAMMEGF1dGguZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjO\n\
PQMBBwNCAATutj4kiKUGoSiTu+MAX5BWQvB4D4jFA4N3HGWQngUTJikWYfF5Cl8o\n\
1yoMbu5lEOOppbw4wS7zpdLWClm/PSSfo1MwUTAdBgNVHQ4EFgQUCfARTXcvrQrA\n\
TYiW1N53BrsuzlgwHwYDVR0jBBgwFoAUCfARTXcvrQrATYiW1N53BrsuzlgwDwYD\n\
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBOuDMf3cnuoyWxiMqitc8c\n\
+WKlsrYSMMJn2Glro4c+ZAIhAMJ/3YRWJYPPh5I9tcmALu+f6QdIxDTFPfnbpVRG\n\
rLif\n\
-----END CERTIFICATE-----\n\n";
/// By openssl: x509 -pubkey | pkey -pubin -outform der | dgst -sha256 -binary | base64.
const PIN: &str = "YBEOOZA2fAu8DnZiKmOI507hO3g1qY86ANuA7TvZPPI=";

#[test]
fn the_pin_of_a_certificate_is_the_one_that_openssl_counts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spare.pem"), CERTIFICATE).unwrap();
    let json = carnet(folder.path(), &["--json", "tls", "pin", "spare.pem"], "")
        .done()
        .json();
    assert_eq!(
        (&json[0]["sha256"], json.as_array().unwrap().len()),
        (&PIN.into(), 1)
    );
    assert_eq!(json[0]["not_after"], "2046-11-16T14:54:59Z");
    let said = carnet(folder.path(), &["tls", "pin", "spare.pem"], "").done();
    for form in [
        format!("<pin digest=\"SHA-256\">{PIN}</pin>"),
        format!("<dict><key>SPKI-SHA256-BASE64</key><string>{PIN}</string></dict>"),
        "CN=auth.example.com".to_owned(),
    ] {
        assert!(said.out.contains(&form), "{form}: {}", said.out);
    }
}

#[test]
fn what_has_no_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    std::fs::write(
        folder.path().join("bad.pem"),
        CERTIFICATE.replacen("MIIB", "AAAA", 1),
    )
    .unwrap();
    for file in ["empty.pem", "bad.pem", "missing.pem"] {
        let refused = carnet(folder.path(), &["tls", "pin", file], "");
        assert!(
            refused.exit == 1 && refused.err.contains("certificate_invalid"),
            "{file}: {}",
            refused.err
        );
    }
    let plain = run(&["tls", "pin", "http://auth.example.com"], "");
    assert!(plain.exit == 2 && plain.err.contains("no_https"), "{}", plain.err);
    let nobody = run(&["tls", "pin", "https://127.0.0.1:1"], "");
    assert!(
        nobody.exit == 3 && nobody.err.contains("unreachable"),
        "{}",
        nobody.err
    );
}
