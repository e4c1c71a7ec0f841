//! Headers that services believe because some proxy in front of them says them. No client says them through the gateway.
//!
//! A name is meant in every spelling that folds into it; a star ends the beginning of a name. docs/gateway.md says what an operator may let pass.
//!
//! Spec: OWASP ASVS 5.0 §4.1.3 (headers of intermediaries) · RFC 7239 §8.1 · RFC 9440 §2.4

/// What a service takes from a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Who asks. Nothing lets it pass.
    Who,
    /// Which certificate the client has shown. Nothing lets it pass.
    Certificate,
    /// Where the request came from, and by which way.
    Whence,
    /// Another path or method than the one that was judged, or what a framework says to itself.
    What,
}

/// Names that a group of services believes, and why none of them may come from a client.
pub(crate) struct Believed {
    pub(crate) says: Says,
    pub(crate) names: &'static [&'static str],
    pub(crate) why: &'static str,
}

const fn row(says: Says, names: &'static [&'static str], why: &'static str) -> Believed {
    Believed { says, names, why }
}

/// What the gateway writes itself, whatever came: not even an operator lets the client's pass.
pub(crate) const WRITTEN: [&str; 7] = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Request-ID",
    "Traceparent",
    "Tracestate",
];

/// All of them.
#[rustfmt::skip]
pub(crate) const BELIEVED: &[Believed] = &[
    row(Says::Who, &["X-User", "X-User-*", "X-JWT-*", "X-Identity-*", "X-Calling-Service"],
        "the gateway's own words"),
    row(Says::Who, &["Remote-*", "X-Remote-*", "Auth-User", "Logon-User"],
        "REMOTE_USER of CGI: Django's RemoteUserMiddleware, Authelia, the authenticating proxy of Kubernetes, IIS"),
    row(Says::Who, &["X-Auth-Request-*", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Roles",
        "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token"],
        "oauth2-proxy, in both of its modes"),
    row(Says::Who, &["X-Auth-User", "X-Auth-Username", "X-Auth-Userid", "X-Auth-Email", "X-Auth-Name", "X-Auth-Groups", "X-Auth-Roles",
        "X-Auth-Subject", "X-Authenticated-*", "X-Webauth-*", "X-Principal*", "X-SSO-*"],
        "what guides to Traefik, Grafana, Gitea, Apache and Spring (RequestHeaderAuthenticationFilter) call the user"),
    row(Says::Who, &["X-Consumer-*", "X-Credential-*", "X-Anonymous-Consumer", "X-Userinfo", "X-ID-Token"],
        "Kong and APISIX"),
    row(Says::Who, &["X-MS-Client-Principal", "X-MS-Client-Principal-*", "X-MS-Token-*"],
        "Azure App Service and Container Apps"),
    row(Says::Who, &["X-Amzn-Oidc-*", "X-Amzn-Request-Context", "X-Amzn-Lambda-Context"],
        "AWS: the load balancer's login, and the web adapter of Lambda"),
    row(Says::Who, &["X-Goog-Authenticated-User-*", "X-Goog-IAP-*", "X-Endpoint-API-*", "X-Apigateway-API-*", "X-Appengine-*",
        "X-Cloudtasks-*", "X-Cloudscheduler*"],
        "Google Cloud: Identity-Aware Proxy, API Gateway, App Engine, its queues and timers"),
    row(Says::Who, &["CF-Access-*"], "Cloudflare Access"),
    row(Says::Who, &["X-Pomerium-*", "X-Vouch-*", "X-Authentik-*", "Tailscale-*", "L5D-Client-ID", "Dapr-Caller-*"],
        "proxies that know the user or the service: Pomerium, Vouch, authentik, Tailscale, Linkerd, Dapr"),
    row(Says::Who, &["OIDC-*", "Mellon-*", "Shib-*", "X-Shib-*", "AJP-*", "SM-*", "OAM-*", "IV-*", "X-Iisnode-*", "$WS*"],
        "modules of Apache and IIS, Shibboleth, SiteMinder, Oracle, IBM WebSEAL and WebSphere"),
    row(Says::Certificate, &["Client-Cert*", "X-Client-Cert*", "X-ClientCert*", "X-Client-Verify", "X-Client-DN", "X-Client-Subject*",
        "X-Forwarded-Client-Cert", "X-Forwarded-TLS-Client-Cert*"],
        "RFC 9440, Envoy and Traefik"),
    row(Says::Certificate, &["SSL-*", "X-SSL", "X-SSL-*", "X-TLS-*", "TLS-Client-*", "X-ARR-*", "X-Amzn-Mtls-*", "X-Amzn-TLS-*",
        "X-Spiffe-*", "X-Peer-Cert*", "WL-Proxy-*"],
        "nginx, HAProxy, Apache, IIS and Azure, AWS, WebLogic"),
    row(Says::Whence, &["Forwarded", "Forwarded-*", "X-Forwarded", "X-Forwarded-*", "X-Forward-*"],
        "RFC 7239 and what came before it: nearly every framework"),
    row(Says::Whence, &["Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "X-Real-*", "X-Originating-*", "X-ProxyUser-IP",
        "X-Custom-IP-*", "X-Coming-From", "Coming-From", "X-MS-Forwarded-*", "MS-Forwarded-*"],
        "the client's address: Rails, Express, Go and PHP frameworks, Akamai, Rackspace, Azure"),
    row(Says::Whence, &["CF-*", "Fastly-*", "Akamai-*", "X-Akamai-*", "CloudFront-*", "X-Azure-*", "X-FD-*", "X-Vercel-*", "X-NF-*", "Fly-*",
        "DO-Connecting-IP", "Incap-Client-IP", "X-Sucuri-*", "Ali-CDN-*", "CDN-Src-IP", "CDN-Real-IP"],
        "networks that deliver: Cloudflare, Fastly, Akamai, CloudFront, Front Door, Vercel, Netlify, Fly, DigitalOcean, Imperva, Sucuri, Alibaba"),
    row(Says::Whence, &["X-Envoy-*", "L5D-*"],
        "Envoy, Istio and Linkerd: the address, and how often and for how long a service is asked (CVE-2024-45806)"),
    row(Says::Whence, &["Front-End-HTTPS", "X-Scheme", "X-URL-Scheme", "X-Proto", "X-HTTPS", "HTTPS", "X-EdgeConnect-*"],
        "whether the client spoke TLS: Rails, Exchange, nginx ingress, Django's SECURE_PROXY_SSL_HEADER"),
    row(Says::Whence, &["X-Host", "X-Original-Host", "X-Request-ID", "Traceparent", "Tracestate"],
        "the host, and the name of the request, which the gateway writes anew"),
    row(Says::What, &["X-Original-*", "X-Rewrite-*", "X-Replaced-Path", "X-Envoy-Original-Path", "X-Request-URI", "X-Request-URL", "Request-URI",
        "X-Raw-URL", "X-Script-Name", "Script-Name", "Path-Info", "X-Path-Info", "X-Ingress-Path"],
        "the path: IIS, Symfony and Laravel, gunicorn, Envoy, Traefik"),
    row(Says::What, &["X-HTTP-*", "X-Method-Override", "X-Method"],
        "the method: Rails, Symfony and Laravel, Express, Google's services; and the host by X-HTTP-Host-Override"),
    row(Says::What, &["X-Middleware-*", "X-Invoke-*", "X-Matched-Path", "X-Now-*"],
        "Next.js to itself (CVE-2025-29927)"),
    row(Says::What, &["X-Accel-*", "X-Sendfile-*"],
        "which files a server gives out: Rack::Sendfile"),
    row(Says::What, &["Proxy", "Proxy-*", "HTTP-*"],
        "variables of CGI: HTTP_PROXY (CVE-2016-5385), HTTP_HTTP_CLIENT_IP"),
];

/// The names that say one of these.
pub(crate) fn names<'n>(says: &'n [Says]) -> impl Iterator<Item = &'n str> {
    let rows = BELIEVED.iter().filter(move |row| says.contains(&row.says));
    rows.flat_map(|row| row.names.iter().map(|name| -> &'n str { name }))
}

/// Why none of these may come from a client, for who wants one to.
pub(crate) fn why(fits: impl Fn(&[&'static str]) -> bool) -> &'static str {
    BELIEVED
        .iter()
        .find(|row| fits(row.names))
        .map_or("the operator's own words", |row| row.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_and_each_row_says_why() {
        let mut seen = std::collections::HashSet::new();
        for row in BELIEVED {
            assert!(!row.why.is_empty() && !row.names.is_empty());
            for name in row.names {
                assert!(seen.insert(name.to_ascii_lowercase()), "{name} stands twice");
            }
        }
    }
}
