//! The certificate that a client showed: on the connection, or as a proxy that is trusted tells it.
//!
//! Spec: RFC 8705 §3 · RFC 9440 §2 (Client-Cert)

use carnet_jose::{base64url, primitive};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use http::HeaderMap;
use http::request::Parts;

use crate::peer::Peers;

/// The certificate that the client showed on this connection: whoever ends TLS puts it into the extensions of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    sha256: [u8; 32],
}

impl ClientCertificate {
    /// Of the DER bytes, as TLS libraries hand them out. Made once a connection, it costs requests nothing.
    pub fn from_der(der: &[u8]) -> Self {
        Self {
            sha256: primitive::sha256(der),
        }
    }
}

/// How a proxy that ends TLS names the certificate of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateHeader {
    /// `Client-Cert` (RFC 9440): the whole certificate between colons, in Base64.
    ClientCert,
    /// `X-Forwarded-Client-Cert`, as Envoy writes it: the `Hash` of its one element. A header with several elements is refused: let the
    /// proxy replace what came from outside (`SANITIZE_SET`).
    XForwardedClientCert,
}

/// Whose word counts about certificates.
#[derive(Debug)]
pub(crate) struct CertificateProxies {
    header: CertificateHeader,
    peers: Peers,
}

impl CertificateProxies {
    pub(crate) fn new(header: CertificateHeader, peers: &[String]) -> Result<Self, String> {
        let peers = Peers::read(peers).map_err(|why| format!("client_certificates_from: {why}"))?;
        Ok(Self { header, peers })
    }
}

/// The certificate behind a request, as `x5t#S256` writes it; `None` when there is none, and an error when a trusted proxy sends nonsense.
///
/// A listed proxy speaks for its clients, by the header alone: its own certificate is not theirs. From everybody else the header is not read.
pub(crate) fn thumbprint(
    request: &Parts,
    proxies: Option<&CertificateProxies>,
) -> Result<Option<String>, &'static str> {
    let proxy = proxies.filter(|proxies| proxies.peers.sent(request) == Some(true));
    let sha256 = match proxy {
        Some(proxies) => named_by_proxy(&request.headers, proxies.header)?,
        None => request
            .extensions
            .get::<ClientCertificate>()
            .map(|certificate| certificate.sha256),
    };
    Ok(sha256.map(|digest| base64url::encode(&digest)))
}

fn named_by_proxy(headers: &HeaderMap, kind: CertificateHeader) -> Result<Option<[u8; 32]>, &'static str> {
    let name = match kind {
        CertificateHeader::ClientCert => "client-cert",
        CertificateHeader::XForwardedClientCert => "x-forwarded-client-cert",
    };
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let read = match kind {
        CertificateHeader::ClientCert => text.and_then(rfc_9440),
        CertificateHeader::XForwardedClientCert => text.and_then(envoy),
    };
    read.map(Some).ok_or("certificate_header_malformed")
}

/// RFC 9440 §2.2: a byte sequence, `:…:`, of the DER.
fn rfc_9440(text: &str) -> Option<[u8; 32]> {
    let inside = text.trim_matches(' ').strip_prefix(':')?.strip_suffix(':')?;
    let der = BASE64.decode(inside.as_bytes()).ok()?;
    (!der.is_empty()).then(|| primitive::sha256(&der))
}

/// The one `Hash` of the one element. What stands between quotes, as the name of a subject does, divides nothing.
fn envoy(text: &str) -> Option<[u8; 32]> {
    let mut hash = None;
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().chain([b';']).enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            // Another element: another proxy's client.
            b',' if !quoted => return None,
            b';' if !quoted => {
                let (name, value) = text.get(start..at)?.split_once('=').unwrap_or(("", ""));
                if name.eq_ignore_ascii_case("hash") && hash.replace(value).is_some() {
                    return None;
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return None;
    }
    let digest = HEXLOWER_PERMISSIVE.decode(hash?.as_bytes()).ok()?;
    digest.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";

    #[test]
    fn the_hash_of_one_element_counts_wherever_it_stands() {
        let expected = HEXLOWER_PERMISSIVE.decode(HASH.as_bytes()).unwrap();
        for text in [
            format!("Hash={HASH}"),
            format!("By=spiffe://a;Hash={HASH};Subject=\"CN=x\""),
            format!(
                "Subject=\"CN=a,Hash=00;\\\"Hash=11\";hash={}",
                HASH.to_uppercase()
            ),
        ] {
            assert_eq!(envoy(&text).unwrap().as_slice(), expected, "{text}");
        }
    }

    #[test]
    fn a_header_that_can_be_read_in_two_ways_is_refused() {
        for text in [
            format!("Hash={HASH},Hash={HASH}"),
            format!("By=a,Hash={HASH}"),
            format!("Hash={HASH};Hash={HASH}"),
            format!("Subject=\"CN=a;Hash={HASH}\""),
            format!("Subject=\"CN=a;Hash={HASH}"),
            format!("Hash=\"{HASH}\""),
            format!("Hash={HASH}00"),
            "Hash=".to_owned(),
            "By=a".to_owned(),
            String::new(),
        ] {
            assert_eq!(envoy(&text), None, "{text}");
        }
    }

    #[test]
    fn a_certificate_stands_between_colons() {
        assert_eq!(rfc_9440(":AQID:"), Some(primitive::sha256(&[1, 2, 3])));
        for text in ["AQID", ":AQID", "::", ":AQID:,:AQID:", ":AQI:", ":AQ_D:", ""] {
            assert_eq!(rfc_9440(text), None, "{text}");
        }
    }
}
