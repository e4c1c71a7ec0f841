//! What is said to a real Redis, and what is not taken for a URL.

use std::os::unix::fs::PermissionsExt as _;

use carnet_oauth::revocation::RevocationKind;

use super::*;

fn read(url: &str) -> Result<Target, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(file.path(), url).unwrap();
    Target::read(file.path(), None)
}

#[test]
fn a_url_may_have_a_name_a_password_and_a_database() {
    let target = read("redis://carnet:p%40ss@127.0.0.1:6380/3\n").unwrap();
    let settings = target.0.client().get_connection_info().redis_settings();
    assert_eq!(
        (settings.username(), settings.password()),
        (Some("carnet"), Some("p@ss"))
    );
    assert_eq!(settings.db(), 3);
    let tls = read("rediss://redis.example.com").unwrap();
    let address = tls.0.client().get_connection_info().addr();
    assert!(matches!(address, redis::ConnectionAddr::TcpTls { .. }));
}

#[test]
fn a_wrong_url_is_refused_without_saying_it() {
    for wrong in [
        "http://carnet:hunter2@127.0.0.1",
        "redis://:hunter2@",
        "redis://:hunter2@127.0.0.1:no/0",
        "redis://:hunter2@127.0.0.1/hunter2",
        "rediss://:hunter2@127.0.0.1/0#insecure",
        "hunter2",
        "",
    ] {
        let said = read(wrong).err().unwrap_or_else(|| panic!("{wrong} was taken"));
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn only_another_machine_without_tls_is_unprotected() {
    for (url, unprotected) in [
        ("redis://10.0.0.5", true),
        ("redis://redis.example.com", true),
        ("rediss://redis.example.com", false),
        ("redis://127.0.0.1", false),
        ("redis://[::1]", false),
        ("redis://localhost", false),
        ("unix:///run/redis.sock", false),
    ] {
        assert_eq!(read(url).unwrap().is_unprotected(), unprotected, "{url}");
    }
}

/// An empty database of the server that `CARNET_TEST_REDIS` names.
async fn empty(database: u8) -> RedisKeys {
    let server =
        std::env::var("CARNET_TEST_REDIS").expect("CARNET_TEST_REDIS names no Redis; ./test.sh starts one");
    let target = read(&format!("{server}/{database}")).unwrap();
    let mut keys = target.connect().await.unwrap();
    let () = cmd("FLUSHDB").query_async(&mut keys.0).await.unwrap();
    keys
}

fn entry(kind: RevocationKind, value: &str, issued_before: Option<i64>, expires: i64) -> RevocationEntry {
    RevocationEntry {
        cursor: 1,
        kind,
        value: value.to_owned(),
        issued_before,
        expires,
    }
}

/// Value and life in milliseconds.
async fn found(keys: &mut RedisKeys, key: &str) -> (Option<String>, i64) {
    let value = cmd("GET").arg(key).query_async(&mut keys.0).await.unwrap();
    let life = cmd("PTTL").arg(key).query_async(&mut keys.0).await.unwrap();
    (value, life)
}

#[tokio::test]
async fn nothing_is_written_when_redis_forgot_the_guard() {
    let mut keys = empty(11).await;
    let token = [entry(RevocationKind::Jti, "a", None, 60_000)];
    let guard = keys.begin_anew("attempt").await.unwrap();
    let () = cmd("FLUSHDB").query_async(&mut keys.0).await.unwrap();
    assert!(!keys.write(&guard, &token, 0, Some("epoch.1")).await.unwrap());
    assert_eq!(keys.marker().await.unwrap(), None);
    assert_eq!(found(&mut keys, "carnet:revoked:jti:a").await.0, None);

    let guard = keys.begin_anew("attempt").await.unwrap();
    assert!(keys.write(&guard, &token, 0, Some("epoch.1")).await.unwrap());
    assert_eq!(keys.marker().await.unwrap().as_deref(), Some("epoch.1"));
    // Another node was faster.
    let late = Guard::marker("epoch.0".to_owned());
    assert!(!keys.write(&late, &token, 0, Some("epoch.2")).await.unwrap());
    assert_eq!(keys.marker().await.unwrap().as_deref(), Some("epoch.1"));
    // Whoever begins anew says so to those who read.
    keys.begin_anew("next").await.unwrap();
    assert_eq!(keys.marker().await.unwrap(), None);
}

#[tokio::test]
async fn a_marker_that_somebody_else_has_broken_is_none_and_is_written_over() {
    let mut keys = empty(10).await;
    let mut list = cmd("RPUSH");
    let () = list.arg(MARKER).arg("x").query_async(&mut keys.0).await.unwrap();
    assert_eq!(keys.marker().await.unwrap(), None);
    let token = [entry(RevocationKind::Jti, "a", None, 60_000)];
    let known = Guard::marker("epoch.0".to_owned());
    assert!(!keys.write(&known, &token, 0, Some("epoch.1")).await.unwrap());
    let guard = keys.begin_anew("attempt").await.unwrap();
    assert!(keys.write(&guard, &token, 0, Some("epoch.1")).await.unwrap());
    assert_eq!(keys.marker().await.unwrap().as_deref(), Some("epoch.1"));
}

#[tokio::test]
async fn a_key_is_never_weakened() {
    let mut keys = empty(12).await;
    let guard = keys.begin_anew("attempt").await.unwrap();
    let key = "carnet:revoked:sub_client:alice shop";
    let at = |moment, expires| {
        [entry(
            RevocationKind::SubClient,
            "alice shop",
            Some(moment),
            expires,
        )]
    };
    for (moment, expires, value, life) in [
        (1_000, 60_000, "1000", 60),
        (900, 50_000, "1000", 60),
        (999, 90_500, "1000", 91),
        (2_000, 30_000, "2000", 91),
        (2_000, 0, "2000", 91),
    ] {
        assert!(keys.write(&guard, &at(moment, expires), 0, None).await.unwrap());
        let (found, left) = found(&mut keys, key).await;
        assert_eq!(found.as_deref(), Some(value));
        assert!((life * 1_000 - 5_000..=life * 1_000).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn what_others_have_put_in_the_place_of_a_key_is_replaced() {
    let mut keys = empty(13).await;
    let guard = keys.begin_anew("attempt").await.unwrap();
    let () = cmd("LPUSH")
        .arg("carnet:revoked:sid:a")
        .arg("x")
        .query_async(&mut keys.0)
        .await
        .unwrap();
    let () = cmd("SET")
        .arg("carnet:revoked:sid:b")
        .arg("no number")
        .query_async(&mut keys.0)
        .await
        .unwrap();
    let entries = ["a", "b"].map(|value| entry(RevocationKind::Sid, value, None, 60_000));
    assert!(keys.write(&guard, &entries, 0, None).await.unwrap());
    for key in ["carnet:revoked:sid:a", "carnet:revoked:sid:b"] {
        let (found, left) = found(&mut keys, key).await;
        assert_eq!(found.as_deref(), Some("1"));
        assert!((1..=60_000).contains(&left), "{key}: {left}");
    }
}

#[tokio::test]
async fn other_nodes_are_woken_when_the_marker_moves() {
    let mut keys = empty(14).await;
    let server = std::env::var("CARNET_TEST_REDIS").unwrap();
    let mut wakes = std::pin::pin!(read(&format!("{server}/14")).unwrap().wakes().await.unwrap());
    let guard = keys.begin_anew("attempt").await.unwrap();
    assert!(keys.write(&guard, &[], 0, Some("epoch.1")).await.unwrap());
    assert_eq!(wakes.next().await, Some(()));
}
