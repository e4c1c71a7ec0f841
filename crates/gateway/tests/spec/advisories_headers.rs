//! What other gateways let services be told, each by the name under which it is known.

use crate::harness::{Harness, Seen};

const TOKEN: &str = "Authorization: Bearer {token}\r\n";

async fn seen(harness: &Harness, path: &str, headers: &str) -> Seen {
    harness.get(path, headers).await.seen()
}

/// The service knows the caller of the token, or nobody, whatever the client says of itself.
async fn assert_ours(headers: &str) {
    let harness = Harness::start().await;
    let known = seen(&harness, "/orders", &format!("{TOKEN}{headers}")).await;
    assert_eq!(known.folded("X-User-ID"), ["user_1"], "{headers}");
    assert_eq!(known.folded("X-User-Roles"), ["editor,reviewer"], "{headers}");
    let open = seen(&harness, "/open", headers).await;
    assert!(open.folded("X-User-ID").is_empty(), "{headers}");
    for told in [known, open] {
        assert_eq!(told.folded("X-Forwarded-For"), ["127.0.0.1"], "{headers}");
        assert!(!told.0.to_string().contains("spoof"), "{headers}: {}", told.0);
    }
}

#[tokio::test]
async fn cve_2025_64484_cve_2026_54763_ghsa_f59h_an_underscore_is_a_hyphen() {
    assert_ours("X_User_ID: spoof\r\nx_user_roles: spoof\r\nX-User_ID: spoof\r\nRemote_User: spoof\r\n")
        .await;
}

#[tokio::test]
async fn traefik_3_7_13_a_dot_is_a_hyphen() {
    assert_ours("X.User.ID: spoof\r\nx.user.roles: spoof\r\nX-User.ID: spoof\r\nX.Remote.User: spoof\r\n")
        .await;
}

#[tokio::test]
async fn cve_2026_33433_a_header_that_says_who_asks_is_taken_out_in_every_case_and_number() {
    assert_ours("X-User-ID: spoof\r\nX-USER-ID: spoof\r\nx-user-id: spoof\r\nx-UsEr-RoLeS: spoof\r\n").await;
}

#[tokio::test]
async fn cve_2024_45410_cve_2025_48865_connection_takes_away_nothing_of_ours() {
    assert_ours("Connection: X-User-ID, x-user-roles, X-Forwarded-For, Forwarded, Host\r\n").await;
    assert_ours(
        "Connection: X-User-ID\r\nConnection: X_User_ID, close\r\nX-User-ID: spoof\r\nX_User_ID: spoof\r\n",
    )
    .await;
}

#[tokio::test]
async fn cve_2026_35051_cve_2026_39858_caddy_security_2023_where_a_request_came_from_is_told_anew() {
    assert_ours("X-Forwarded-For: spoof\r\nX-Forwarded-Host: spoof\r\nX-Forwarded-Proto: spoof\r\nForwarded: for=spoof\r\n").await;
    assert_ours("X-Forwarded-Prefix: spoof\r\nX-Forwarded-Port: spoof\r\nX-Forwarded-Server: spoof\r\nX-Real-IP: spoof\r\n").await;
    assert_ours("X_Forwarded_For: spoof\r\nX_Forwarded_Prefix: spoof\r\nx.forwarded.host: spoof\r\nX_Real_IP: spoof\r\n").await;
    let harness = Harness::start().await;
    let told = seen(
        &harness,
        "/open",
        "X-Forwarded-Host: evil.test\r\nX-Forwarded-For: 192.0.2.1\r\n",
    )
    .await;
    assert_eq!(told.header("X-Forwarded-Host").as_deref(), Some("api.test"));
    assert_eq!(
        told.header("Forwarded").as_deref(),
        Some("for=127.0.0.1;host=\"api.test\";proto=http")
    );
}

#[tokio::test]
async fn cve_2024_45806_what_a_mesh_behind_believes_comes_from_no_client() {
    assert_ours("X-Envoy-Original-Path: /spoof\r\nX-Envoy-External-Address: spoof\r\nx_envoy_internal: spoof\r\nX-Envoy-Retry-On: spoof\r\n").await;
}
