//! Spec tests of OpenID Connect Back-Channel Logout: how often a client is told that does not answer, and by which process.

use std::time::Duration;

use carnet_server::logout::back_channel::BackChannel;
use carnet_store::Outcome;

use crate::back_channel::{changes, log_in, notices, round, token_of, told_at};
use crate::browser::Browser;
use crate::harness::{Server, claims};
use crate::listener::Listener;

/// A server that has a client to tell at this address.
async fn with_a_notice(url: &str) -> Server {
    let server = told_at(url).await;
    let browser = Browser::of(&server);
    log_in(&server, &browser, "openid").await;
    let page = browser.get("/logout").await;
    browser.submit(&page, &[("decision", "logout")]).await;
    server
}

#[tokio::test]
async fn lo_05_what_is_not_delivered_is_tried_again_ever_more_rarely_and_then_given_up() {
    let listener = Listener::start().await;
    let server = with_a_notice(&listener.url).await;
    listener.answers(500, None);
    let mut tokens = Vec::new();
    for wait in [0, 5, 30, 120, 600, 3_600, 21_600] {
        if wait > 0 {
            server.wait(Duration::from_secs(wait - 1)).await;
            assert_eq!(round(&server).await, 0, "{wait}");
            server.wait(Duration::from_secs(1)).await;
        }
        assert_eq!(round(&server).await, 1, "{wait}");
        tokens.extend(
            listener
                .asked()
                .iter()
                .map(|asked| claims(&token_of(asked))["jti"].to_string()),
        );
    }
    server.wait(Duration::from_secs(86_400)).await;
    assert_eq!(round(&server).await, 0);
    assert_eq!(tokens.len(), 7);
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 7, "each counts once");
    assert_eq!(
        notices(server.audit().await),
        [("web".to_owned(), Outcome::Failed, "{\"attempts\":7}".to_owned())]
    );
}

#[tokio::test]
async fn lo_05_redirects_are_not_followed_and_204_is_as_good_as_200() {
    let (listener, elsewhere) = (Listener::start().await, Listener::start().await);
    let server = with_a_notice(&listener.url).await;
    listener.answers(302, Some(&elsewhere.url));
    round(&server).await;
    assert!(elsewhere.asked().is_empty());
    assert!(notices(server.audit().await).is_empty(), "not delivered");
    listener.answers(204, None);
    server.wait(Duration::from_secs(5)).await;
    assert_eq!(round(&server).await, 1);
    assert_eq!(notices(server.audit().await)[0].1, Outcome::Success);
}

#[tokio::test]
async fn a_notice_survives_a_restart_and_of_two_nodes_one_delivers_it() {
    let listener = Listener::start().await;
    let server = with_a_notice(&listener.url).await;
    let changes = changes(&listener.url);
    let changes = changes.each_ref().map(|(from, to)| (from.as_str(), to.as_str()));
    let (one, two) = (server.another(&changes).await, server.another(&changes).await);
    let (first, second) = tokio::join!(round(&one), round(&two));
    assert_eq!(first + second, 1);
    assert_eq!(listener.asked().len(), 1);
}

#[tokio::test]
async fn what_a_stopped_process_was_telling_is_told_at_once_by_the_next_and_the_attempt_counts() {
    let listener = Listener::start().await;
    let server = with_a_notice(&listener.url).await;
    listener.holds(true);
    let channel = BackChannel::new(server.app.clone()).unwrap();
    let telling = channel.clone();
    let telling = tokio::spawn(async move { telling.round().await });
    listener.is_asked().await;
    telling.abort();
    assert!(telling.await.unwrap_err().is_cancelled());
    assert_eq!(round(&server).await, 0, "it is taken still");
    channel.hand_back().await.unwrap();
    listener.holds(false);
    assert_eq!(round(&server).await, 1);
    channel.hand_back().await.unwrap();
    assert_eq!(round(&server).await, 0, "nothing comes back twice");
    assert_eq!(
        notices(server.audit().await),
        [("web".to_owned(), Outcome::Success, "{\"attempts\":2}".to_owned())]
    );
}
