//! TLS to PostgreSQL: a real server with `ssl=on` and a certificate of our own making.

use std::path::{Path, PathBuf};
use std::process::Command;

use carnet_store::{Engine, Store, StoreConfig, StoreError};

use crate::support::postgres_server::{Server, run};
use crate::support::sample::{login, theft, user};
use crate::support::scratch::Scratch;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_spoken_to_over_tls_and_only_with_the_right_certificate() {
    let folder = Scratch::new("certificates");
    let (ours, foreign) = (
        authority(folder.path(), "ours"),
        authority(folder.path(), "foreign"),
    );
    certificate(folder.path());
    let server = Server::start(&["ssl=on"], |data| {
        for name in ["server.crt", "server.key"] {
            std::fs::copy(folder.path().join(name), data.join(name)).unwrap();
        }
        run(Command::new("chmod").arg("600").arg(data.join("server.key")));
        // Whoever comes without TLS is turned away.
        std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
    });
    let at = |host: &str, mode: &str, roots: Option<&PathBuf>| {
        StoreConfig::of(Engine::Postgres {
            url: format!(
                "postgres://postgres@{host}:{}/postgres?sslmode={mode}",
                server.port
            ),
            root_certificates: roots.cloned(),
            pool_size: 2,
        })
    };

    let good = at("127.0.0.1", "verify-full", Some(&ours));
    Store::migrate(&good).await.unwrap();
    let store = Store::open(&good).await.unwrap();
    let family = login(&store, &user(&store, "a@x.example").await).await;
    store
        .rotate(family.clone(), (0, None), (1, 0), theft)
        .await
        .unwrap();
    let record = store.family(&family.fam).await.unwrap().unwrap();
    assert_eq!(record.family.generation, 1);
    store.close().await;

    for (what, config) in [
        ("without TLS", at("127.0.0.1", "disable", Some(&ours))),
        ("a foreign authority", at("127.0.0.1", "require", Some(&foreign))),
        ("the platform's authorities", at("127.0.0.1", "require", None)),
        (
            "another name than the certificate's",
            at("localhost", "require", Some(&ours)),
        ),
    ] {
        let refused = Store::open(&config).await.err();
        assert!(
            matches!(refused, Some(StoreError::Unavailable(_))),
            "{what}: {refused:?}"
        );
    }
    let missing = at("127.0.0.1", "require", Some(&folder.path().join("none.pem")));
    let refused = Store::open(&missing).await.err();
    assert!(
        matches!(&refused, Some(StoreError::Unavailable(why)) if why.contains("none.pem")),
        "{refused:?}"
    );
}

fn authority(folder: &Path, name: &str) -> PathBuf {
    let (key, certificate) = (
        folder.join(format!("{name}.key")),
        folder.join(format!("{name}.pem")),
    );
    run(openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ])
    .args([
        "-subj",
        &format!("/CN={name}"),
        "-addext",
        "keyUsage=critical,keyCertSign",
    ])
    .arg("-keyout")
    .arg(key)
    .arg("-out")
    .arg(&certificate));
    certificate
}

/// A certificate for 127.0.0.1, and for no name.
fn certificate(folder: &Path) {
    let file = |name: &str| folder.join(name);
    std::fs::write(
        file("extensions"),
        "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n",
    )
    .unwrap();
    run(openssl(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ])
    .args(["-subj", "/CN=postgres", "-keyout"])
    .arg(file("server.key"))
    .arg("-out")
    .arg(file("server.csr")));
    run(openssl(&["x509", "-req", "-days", "2", "-CAcreateserial"])
        .arg("-in")
        .arg(file("server.csr"))
        .arg("-CA")
        .arg(file("ours.pem"))
        .arg("-CAkey")
        .arg(file("ours.key"))
        .arg("-extfile")
        .arg(file("extensions"))
        .arg("-out")
        .arg(file("server.crt")));
}

fn openssl(words: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(words);
    command
}
