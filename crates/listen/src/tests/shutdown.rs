//! Down, without cutting anybody off who can be served.

use super::*;

#[tokio::test]
async fn open_requests_finish_and_idle_connections_end() {
    let release = Arc::new(Notify::new());
    let mut served = Served::start(ListenConfig::default(), router(&release)).await;
    let mut idle = served.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    soon(answer(&mut idle, "127.0.0.1")).await.unwrap();
    let mut slow = served.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    // A second request on the idle connection is answered: so the slow one has arrived as well.
    idle.write_all(GET.as_bytes()).await.unwrap();
    soon(answer(&mut idle, "127.0.0.1")).await.unwrap();

    served.ask_to_stop();
    assert_eq!(soon(rest(&mut idle)).await, "");
    assert!(!served.task.is_finished(), "it waits for the open request");
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "and takes no others"
    );
    release.notify_one();
    assert!(soon(rest(&mut slow)).await.ends_with("slow"));
    soon(&mut served.task).await.unwrap();
}

#[tokio::test]
async fn who_does_not_finish_in_time_is_dropped() {
    let mut served = Served::start(
        ListenConfig {
            shutdown_grace: SHORT,
            ..ListenConfig::default()
        },
        plain(),
    )
    .await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    soon(served.talk(GET_AND_CLOSE)).await;
    served.ask_to_stop();
    soon(&mut served.task).await.unwrap();
    assert_eq!(soon(rest(&mut slow)).await, "");
}

#[tokio::test]
async fn connections_that_never_asked_do_not_hold_the_server_up() {
    let mut served = Served::start(ListenConfig::default(), plain()).await;
    let mut silent = served.connect().await;
    soon(served.talk(GET_AND_CLOSE)).await;
    served.ask_to_stop();
    soon(&mut served.task).await.unwrap();
    assert_eq!(soon(rest(&mut silent)).await, "");
}
