//! A configuration that could not be used: it is in use as soon as it can be, without anybody's touching it again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::followed::secret;
use crate::harness::{AUDIENCE, ISSUER, Issuer, mirror};
use crate::read_again::{Gate, looked};

/// Its one route lets everybody in; `rest` comes before it.
fn text(service: std::net::SocketAddr, rest: &str) -> String {
    format!(
        "{rest}[[upstreams]]\nname = \"service\"\nurls = [\"http://{service}\"]\n\
         [[routes]]\npath = \"/\"\npublic = true\nupstream = \"service\"\n"
    )
}

/// The same for those with a token.
fn closed(service: std::net::SocketAddr, rest: &str) -> String {
    text(service, rest).replace("public = true\n", "")
}

fn issuer(more: &str) -> String {
    format!(
        "[tokens]\naudience = {AUDIENCE:?}\n[[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n{more}"
    )
}

const FEED: &str = "revocations = { client_id = \"gateway\", client_secret_file = \"feed.secret\", url = \"http://127.0.0.1:9/\", on_loss = \"open\" }\n";

fn readable(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn it_is_taken_when_a_file_comes_that_it_names_or_its_mode_is_put_right() {
    let (folder, service) = (tempfile::tempdir().unwrap(), mirror().await);
    let (keys, feed) = (folder.path().join("jwks.json"), folder.path().join("feed.secret"));
    let mut gate = Gate::start(folder.path(), &text(service.address, "")).await;
    assert_eq!(gate.asks("").await, 200);
    gate.write(&closed(service.address, &issuer(FEED)));
    secret(folder.path(), "feed.secret", "secret");
    readable(&feed, 0o644);
    assert!(!looked(&mut gate.reload).await, "there are no keys");
    fs::write(&keys, Issuer::new().jwks).unwrap();
    assert!(!looked(&mut gate.reload).await, "everybody may read the secret");
    assert_eq!(gate.asks("").await, 200);
    readable(&feed, 0o600);
    assert!(looked(&mut gate.reload).await);
    assert_eq!(gate.asks("").await, 401);
}

#[tokio::test]
async fn it_is_taken_when_its_folder_is_made_and_what_is_written_there_is_no_change() {
    let (folder, service) = (tempfile::tempdir().unwrap(), mirror().await);
    fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    let mut gate = Gate::start(folder.path(), &text(service.address, "")).await;
    let keys = issuer("").replace("[tokens]", "[tokens]\nkey_folder = \"keys\"");
    gate.write(&closed(service.address, &keys));
    assert!(!looked(&mut gate.reload).await);
    fs::create_dir(folder.path().join("keys")).unwrap();
    assert!(looked(&mut gate.reload).await);
    assert_eq!(gate.asks("").await, 401);
    fs::write(folder.path().join("keys/kept.json"), "{}").unwrap();
    assert!(!looked(&mut gate.reload).await);
}

#[tokio::test]
async fn it_is_read_again_after_ten_seconds_and_the_log_says_once_why_it_was_not_taken() {
    let (folder, service) = (tempfile::tempdir().unwrap(), mirror().await);
    let mut gate = Gate::start(folder.path(), &text(service.address, "")).await;
    let shown = "]\nclient_certificate_file = \"mine.pem\"\nclient_key_file = \"mine.key\"\n[[routes]]";
    let written = text(service.address, "").replace("http:", "https:");
    let written = written.replace("]\n[[routes]]", shown);
    gate.write(&written);
    assert!(!looked(&mut gate.reload).await);
    for _ in 0..12 {
        assert!(!gate.reload.look_again().await);
    }
    let said = crate::log::lines();
    let about = folder.path().join("mine.pem").display().to_string();
    assert_eq!(
        said.lines().filter(|line| line.contains(&about)).count(),
        1,
        "{said}"
    );
}
