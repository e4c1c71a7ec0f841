//! A listener at a unix socket: whose file it is, who may open it, and what counts for who comes over it.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixDatagram, UnixStream};

use super::*;
use crate::value::Address;

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        Self {
            _folder: folder,
            path,
        }
    }

    fn config(&self) -> ListenConfig {
        ListenConfig {
            address: Address::Unix(self.path.clone()),
            ..ListenConfig::default()
        }
    }

    async fn bind(&self) -> io::Result<Listener> {
        Listener::bind(self.config()).await
    }

    async fn talk(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[tokio::test]
async fn a_request_over_the_socket_comes_from_nobodys_address() {
    let place = Place::new();
    let listener = place.bind().await.unwrap();
    assert_eq!(
        listener.local_addr().to_string(),
        format!("unix:{}", place.path.display())
    );
    let found = place.path.symlink_metadata().unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o660);
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(listener.serve(plain(), async { drop(stopped.await) }));
    let answer = soon(place.talk(GET_AND_CLOSE)).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nunix"),
        "{answer}"
    );
    drop(stop);
    soon(served).await.unwrap();
    assert!(!is_there(&place.path), "it goes with the listener");
}

#[tokio::test]
async fn what_a_dead_process_has_left_goes() {
    let place = Place::new();
    // Closed without being removed, as by a process that was killed.
    drop(std::os::unix::net::UnixListener::bind(&place.path).unwrap());
    assert!(is_there(&place.path));
    let listener = place.bind().await.unwrap();
    drop(listener);
    assert!(!is_there(&place.path));
}

#[tokio::test]
async fn nothing_is_taken_from_the_living() {
    let place = Place::new();
    let first = place.bind().await.unwrap();
    let error = place.bind().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let (_stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(first.serve(plain(), async { drop(stopped.await) }));
    assert!(soon(place.talk(GET_AND_CLOSE)).await.ends_with("unix"));
    // One of another kind does not speak HTTP, and lives all the same.
    let other = Place::new();
    let _datagrams = UnixDatagram::bind(&other.path).unwrap();
    assert_eq!(other.bind().await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert!(is_there(&other.path));
}

#[tokio::test]
async fn what_is_no_socket_stays() {
    let place = Place::new();
    std::fs::write(&place.path, "precious").unwrap();
    assert_eq!(
        place.bind().await.unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    assert_eq!(std::fs::read_to_string(&place.path).unwrap(), "precious");
    // A link is none, wherever it leads.
    let link = Place::new();
    let dead = link.path.with_file_name("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    std::os::unix::fs::symlink(&dead, &link.path).unwrap();
    assert_eq!(
        link.bind().await.unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    assert!(is_there(&link.path) && is_there(&dead));
}

#[tokio::test]
async fn the_file_of_a_successor_stays() {
    let place = Place::new();
    let first = place.bind().await.unwrap();
    // Somebody moved it aside and began anew.
    std::fs::rename(&place.path, place.path.with_file_name("before")).unwrap();
    let _second = place.bind().await.unwrap();
    drop(first);
    assert!(is_there(&place.path));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let place = Place::new();
    let config = ListenConfig {
        address: Address::Unix(place.path.join("deeper")),
        ..ListenConfig::default()
    };
    let error = Listener::bind(config).await.unwrap_err().to_string();
    assert!(error.contains("/socket/deeper"), "{error}");
}

#[tokio::test]
async fn of_several_that_start_at_once_one_gets_the_name() {
    let place = Place::new();
    drop(std::os::unix::net::UnixListener::bind(&place.path).unwrap());
    let (one, two, three) = tokio::join!(place.bind(), place.bind(), place.bind());
    let bound = [one, two, three].into_iter().filter_map(Result::ok).count();
    assert_eq!(bound, 1);
}

#[tokio::test]
async fn the_cap_for_each_address_is_one_for_all_who_come_over_the_socket() {
    let place = Place::new();
    let served = |trusted: &[&str]| {
        let config = ListenConfig {
            max_connections_per_address: 1,
            trusted_proxies: trusted.iter().map(|listed| listed.parse().unwrap()).collect(),
            ..place.config()
        };
        async { Listener::bind(config).await.unwrap() }
    };
    for (trusted, answered) in [(&["0.0.0.0/0"][..], false), (&["unix"], true)] {
        let listener = served(trusted).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(listener.serve(plain(), async { drop(stopped.await) }));
        let mut held = UnixStream::connect(&place.path).await.unwrap();
        held.write_all(GET.as_bytes()).await.unwrap();
        assert!(
            soon(answer(&mut held, "unix"))
                .await
                .unwrap()
                .starts_with("HTTP/1.1 200 ")
        );
        let second = soon(place.talk(GET_AND_CLOSE)).await;
        assert_eq!(second.starts_with("HTTP/1.1 200 "), answered, "{second}");
        drop((held, stop));
        soon(task).await.unwrap();
    }
}
