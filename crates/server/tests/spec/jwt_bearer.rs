//! JWT bearer (RFC 7523 §2.1): what every assertion must be, and a client's own.

use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
use carnet_oauth::client_auth::JWT_BEARER;
use carnet_oauth::extent::Extent;
use carnet_store::{AuditAction, GrantKey, NewAudit, User};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client_auth::{PEM, assertion};
use crate::harness::{ALICE, API, Reply, Server, claims};
use crate::web::{TOKEN, assert_refused, text};

pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const IDP: &str = "https://idp.example.com";

/// The client `jwtc`, with its assertion alone.
async fn own(server: &Server, assertion: &str, more: &[(&str, &str)]) -> Reply {
    let fields = [("grant_type", GRANT_TYPE), ("assertion", assertion)];
    server
        .post(TOKEN)
        .form(&[&fields[..], more].concat())
        .send()
        .await
}

/// The client `reports`, with the assertion of another issuer.
pub(crate) async fn brought(server: &Server, assertion: &str, more: &[(&str, &str)]) -> Reply {
    let fields = [("grant_type", GRANT_TYPE), ("assertion", assertion)];
    let call = server.post(TOKEN).basic("reports", "web.secret");
    call.form(&[&fields[..], more].concat()).send().await
}

/// A server that trusts the issuer, whose key is that of `jwtc`: what tells them apart is what they say.
pub(crate) async fn trusting(more: &str) -> Server {
    Server::with(&format!(
        "[[trusted_issuers]]\nissuer = {IDP:?}\njwks_file = \"jwtc.jwks.json\"\nclients = [\"reports\", \"jwtc\"]\n{more}"
    ))
    .await
}

/// As [`trusting`], with Alice, who has let `reports` do this.
pub(crate) async fn with_alice(more: &str, scope: &str) -> Server {
    let server = trusting(more).await;
    let alice = server.user(ALICE).await;
    let_client(&server, &alice, ("reports", API), scope).await;
    server
}

/// The user has let the client do this at that resource.
pub(crate) async fn let_client(
    server: &Server,
    user: &User,
    (client_id, audience): (&str, &str),
    scope: &str,
) {
    let key = GrantKey {
        user: user.id,
        client_id,
        audience,
    };
    let extent = Extent {
        scope: scope.parse().unwrap(),
        ..Extent::default()
    };
    let now = (
        server.app_now(),
        &NewAudit::success("test", AuditAction::Consent, client_id),
    );
    let remembered = server.app.store.remember_grant(key, &extent, now).await;
    remembered.unwrap();
}

/// What the issuer says of Alice.
pub(crate) async fn about_alice(server: &Server, change: impl FnOnce(&mut Value)) -> String {
    let sub = server.user(ALICE).await.sub;
    assertion(server, |claims| {
        claims["iss"] = json!(IDP);
        claims["sub"] = json!(sub);
        change(claims);
    })
}

pub(crate) fn signed(key: AnySigningKey, typ: TokenType, claims: &Value) -> String {
    Signer::new(key, typ, Some("k1".to_owned()))
        .unwrap()
        .sign(claims)
        .unwrap()
}

pub(crate) fn key() -> AnySigningKey {
    AnySigningKey::from_pem(PEM, Algorithm::Ed25519).unwrap()
}

fn good(server: &Server, jti: &str) -> Value {
    let now = server.app.now_seconds();
    json!({ "iss": "jwtc", "sub": "jwtc", "aud": ISSUER, "exp": now + 60, "jti": jti })
}

#[tokio::test]
async fn a_client_gets_a_token_for_itself_by_its_own_assertion_and_nothing_else() {
    let server = Server::start().await;
    let reply = own(&server, &assertion(&server, |_| {}), &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let body = reply.json();
    let said = claims(text(&body, "access_token"));
    assert_eq!(
        (&said["sub"], &said["client_id"]),
        (&json!("jwtc"), &json!("jwtc"))
    );
    assert_eq!(
        (&body["scope"], &said["aud"]),
        (&json!("read:metrics"), &json!(API))
    );
    for member in ["refresh_token", "id_token"] {
        assert!(body.get(member).is_none(), "{member}");
    }
    for member in ["sid", "fam", "auth_time", "acr"] {
        assert!(said.get(member).is_none(), "{member}");
    }
}

#[tokio::test]
async fn an_assertion_is_one_thing_and_counts_once_on_all_nodes() {
    let server = Server::start().await;
    let node = server.another(&[]).await;
    let once = assertion(&server, |_| {});
    assert_eq!(own(&server, &once, &[]).await.status, StatusCode::OK);
    assert_refused(&own(&node, &once, &[]).await, "invalid_grant");
    // Nor does it prove who the client is any more; nor the other way round.
    let proof = |jwt: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", jwt),
        ];
        server.post(TOKEN).form(&fields)
    };
    assert_eq!(proof(&once).send().await.status, StatusCode::UNAUTHORIZED);
    let other = assertion(&server, |_| {});
    assert_eq!(proof(&other).send().await.status, StatusCode::OK);
    assert_refused(&own(&server, &other, &[]).await, "invalid_grant");
    // §3.1: a client that proves itself as well takes two of them.
    let (first, second) = (assertion(&server, |_| {}), assertion(&server, |_| {}));
    let both = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", first.as_str()),
    ];
    assert_eq!(own(&server, &second, &both).await.status, StatusCode::OK);
    let third = assertion(&server, |_| {});
    let same = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", third.as_str()),
    ];
    assert_refused(&own(&server, &third, &same).await, "invalid_grant");
}

/// Every claim of RFC 7523 §3 that is missing or wrong.
fn wrong_claims(now: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("iss", Value::Null),
        ("sub", Value::Null),
        ("aud", Value::Null),
        ("aud", json!("https://auth.example.com/oauth/token")),
        ("aud", json!("https://other.example.com")),
        ("aud", json!([ISSUER, "https://other.example.com"])),
        ("exp", Value::Null),
        ("exp", json!(now - 60)),
        ("exp", json!(now + 86_400)),
        ("nbf", json!(now + 300)),
        ("iat", json!(now + 300)),
        ("iat", json!(now - 3_600)),
        ("jti", Value::Null),
        ("jti", json!("")),
    ]
}

fn change(claims: &mut Value, (name, value): &(&str, Value)) {
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
        value => claims[*name] = value.clone(),
    }
}

#[tokio::test]
async fn tk_13_what_an_assertion_says_must_be_whole_right_and_short_lived() {
    let server = with_alice("[login]\nattempts_per_account_and_address = 1000", "read:orders").await;
    for wrong in &wrong_claims(server.app.now_seconds()) {
        let jwt = assertion(&server, |claims| change(claims, wrong));
        assert_refused(&own(&server, &jwt, &[]).await, "invalid_grant");
        let jwt = about_alice(&server, |claims| change(claims, wrong)).await;
        assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
    }
    for sub in ["svc", "reports", ""] {
        let jwt = assertion(&server, |claims| claims["sub"] = json!(sub));
        assert_refused(&own(&server, &jwt, &[]).await, "invalid_grant");
    }
    let none = server
        .post(TOKEN)
        .form(&[("grant_type", GRANT_TYPE)])
        .send()
        .await;
    assert_refused(&none, "invalid_request");
}

#[tokio::test]
async fn tk_13_only_the_right_key_signs_and_the_type_must_fit() {
    let server = with_alice("", "read:orders").await;
    let alice = server.user(ALICE).await.sub;
    let mut jti = 0;
    let mut of = |iss: &str, sub: &str| {
        jti += 1;
        let mut claims = good(&server, &format!("t{jti}"));
        (claims["iss"], claims["sub"]) = (json!(iss), json!(sub));
        claims
    };
    for (iss, sub) in [("jwtc", "jwtc"), (IDP, alice.as_str())] {
        let stranger = AnySigningKey::generate(Algorithm::Ed25519).unwrap();
        let mac = AnySigningKey::from_secret(&[7; 32], Algorithm::Hs256).unwrap();
        // The key in its header is nobody's that we know.
        let embedded = AnySigningKey::generate(Algorithm::Ed25519).unwrap();
        let embedded = Signer::with_embedded_key(embedded, TokenType::Jwt).unwrap();
        for jwt in [
            signed(stranger, TokenType::Jwt, &of(iss, sub)),
            signed(mac, TokenType::Jwt, &of(iss, sub)),
            embedded.sign(&of(iss, sub)).unwrap(),
            signed(key(), TokenType::AccessToken, &of(iss, sub)),
            signed(
                key(),
                TokenType::Other("client-authentication+jwt"),
                &of(iss, sub),
            ),
            signed(key(), TokenType::Other("logout+jwt"), &of(iss, sub)),
            unsigned(&of(iss, sub)),
            "x.y.z".to_owned(),
        ] {
            let reply = match iss == IDP {
                true => brought(&server, &jwt, &[]).await,
                false => own(&server, &jwt, &[]).await,
            };
            assert_refused(&reply, "invalid_grant");
        }
    }
    let grant = TokenType::Other("authorization-grant+jwt");
    let typed = signed(key(), grant, &of("jwtc", "jwtc"));
    assert_eq!(own(&server, &typed, &[]).await.status, StatusCode::OK);
    let typed = signed(key(), grant, &of(IDP, &alice));
    assert_eq!(brought(&server, &typed, &[]).await.status, StatusCode::OK);
}

/// `alg: none`.
fn unsigned(claims: &Value) -> String {
    let payload = carnet_jose::base64url::encode(claims.to_string().as_bytes());
    format!("eyJhbGciOiJub25lIn0.{payload}.")
}

#[tokio::test]
async fn what_is_refused_for_another_reason_spends_no_assertion() {
    let server = Server::start().await;
    let jwt = assertion(&server, |_| {});
    for (more, error) in [
        (("scope", "admin"), "invalid_scope"),
        (("scope", "openid"), "invalid_scope"),
        (("resource", "https://other.example.com"), "invalid_target"),
    ] {
        assert_refused(&own(&server, &jwt, &[more]).await, error);
    }
    let reply = own(&server, &jwt, &[("scope", "read:metrics"), ("resource", API)]).await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn tk_13_who_is_not_registered_for_it_and_public_clients_get_nothing() {
    let server = with_alice("", "read:orders").await;
    let jwt = about_alice(&server, |_| {}).await;
    // An assertion about a user is no proof of who brings it.
    for more in [
        &[][..],
        &[("client_id", "reports")][..],
        &[("client_id", "spa")][..],
    ] {
        assert_eq!(
            own(&server, &jwt, more).await.status,
            StatusCode::UNAUTHORIZED,
            "{more:?}"
        );
    }
    let of_spa = assertion(&server, |claims| {
        (claims["iss"], claims["sub"]) = (json!("spa"), json!("spa"));
    });
    assert_refused(
        &own(&server, &of_spa, &[("client_id", "spa")]).await,
        "invalid_grant",
    );
    let other = own(&server, &assertion(&server, |_| {}), &[("client_id", "svc")]).await;
    assert_refused(&other, "invalid_grant");
    let call = server.post(TOKEN).basic("web", "web.secret");
    let fields = [("grant_type", GRANT_TYPE), ("assertion", jwt.as_str())];
    assert_refused(&call.form(&fields).send().await, "unauthorized_client");
    // A client whose secret is all that it has signs nothing.
    let of_reports = assertion(&server, |claims| {
        (claims["iss"], claims["sub"]) = (json!("reports"), json!("reports"));
    });
    assert_refused(&brought(&server, &of_reports, &[]).await, "invalid_grant");
}

#[tokio::test]
async fn ca_11_wrong_assertions_are_counted_as_other_failures_are() {
    let server = Server::start().await;
    let mut last = StatusCode::OK;
    for _ in 0..30 {
        let wrong = assertion(&server, |claims| {
            claims["aud"] = json!("https://other.example.com")
        });
        last = own(&server, &wrong, &[]).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        own(&server, &assertion(&server, |_| {}), &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_clients_own_assertion_grants_no_more_scope_than_it_says() {
    let server = Server::replacing(&[(
        "\nscope = \"read:metrics\"",
        "\nscope = \"read:metrics write:logs\"",
    )])
    .await;
    let says = |scope: &str| assertion(&server, |claims| claims["scope"] = json!(scope));
    let reply = own(&server, &says("read:metrics admin"), &[]).await;
    assert_eq!(reply.json()["scope"], "read:metrics", "{reply:?}");
    let more = [("scope", "write:logs")];
    assert_refused(&own(&server, &says("read:metrics"), &more).await, "invalid_scope");
    for nothing in ["", "openid", "admin"] {
        assert_refused(&own(&server, &says(nothing), &[]).await, "invalid_scope");
    }
}

#[tokio::test]
async fn a_clients_own_assertion_for_another_client_is_refused() {
    let server = Server::start().await;
    let names = |id: &str| assertion(&server, |claims| claims["client_id"] = json!(id));
    assert_refused(&own(&server, &names("svc"), &[]).await, "invalid_grant");
    let proof = assertion(&server, |_| {});
    let proven = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", proof.as_str()),
    ];
    assert_refused(&own(&server, &names("svc"), &proven).await, "invalid_grant");
    assert_eq!(own(&server, &names("jwtc"), &[]).await.status, StatusCode::OK);
}
