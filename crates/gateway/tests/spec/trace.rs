//! The name of a request, in every service, answer and log alike.

use crate::harness::{Answer, Harness, USUAL, mirror};
use crate::log;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(crate) fn answered(answer: &Answer) -> &str {
    let line = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("x-request-id: "));
    line.unwrap_or_else(|| panic!("{answer:?}")).trim_end()
}

async fn behind_a_proxy() -> Harness {
    let text = format!("[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n{USUAL}");
    Harness::with(&text, mirror().await).await
}

#[tokio::test]
async fn a_request_has_a_name_that_service_answer_and_log_agree_on() {
    let harness = Harness::start().await;
    let mut names = Vec::new();
    for said in [
        "",
        "X-Request-ID: theirs\r\n",
        "x_request_id: theirs\r\n",
        "X-Request-ID: a\r\nX-Request-ID: b\r\n",
    ] {
        let answer = harness.get("/open/named", said).await;
        let name = answered(&answer).to_owned();
        assert!(
            name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{name}"
        );
        assert_eq!(
            answer.seen().header("X-Request-ID").as_deref(),
            Some(name.as_str()),
            "{said}"
        );
        let lines = log::lines();
        let line = lines.lines().find(|line| line.contains(&name));
        assert!(
            line.is_some_and(|line| line.contains("path=\"/open/named\"")),
            "{lines}"
        );
        names.push(name);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 4, "no two requests have one name");
    // What the gateway itself answers has one too.
    for (path, status) in [("/orders", 401), ("/nowhere", 404), ("/open//x", 400)] {
        let answer = harness.get(path, "").await;
        assert_eq!(answer.status, status);
        assert_eq!(answered(&answer).len(), 32);
        assert!(log::lines().contains(answered(&answer)));
    }
}

#[tokio::test]
async fn a_trusted_proxy_may_have_named_it_already() {
    let harness = behind_a_proxy().await;
    let answer = harness.get("/open", "X-Request-ID: edge-1/7:a=b+c_d.e\r\n").await;
    assert_eq!(answered(&answer), "edge-1/7:a=b+c_d.e");
    assert_eq!(
        answer.seen().header("X-Request-ID").as_deref(),
        Some("edge-1/7:a=b+c_d.e")
    );
    // What is no name, or two, is none from a proxy either.
    let long = "a".repeat(129);
    for said in ["a b", "a\"b", "a,b", "\u{e9}", "", &long] {
        let answer = harness.get("/open", &format!("X-Request-ID: {said}\r\n")).await;
        assert_eq!(answered(&answer).len(), 32, "{said}");
    }
    let answer = harness
        .get("/open", "X-Request-ID: a\r\nX-Request-ID: b\r\n")
        .await;
    assert_eq!(answered(&answer).len(), 32);
}

#[tokio::test]
async fn a_trace_goes_on_or_begins_anew_and_its_state_goes_with_it_alone() {
    let harness = Harness::start().await;
    let seen = harness
        .get(
            "/open",
            &format!("traceparent: {PARENT}\r\ntracestate: a=1\r\ntracestate: b=2\r\n"),
        )
        .await
        .seen();
    assert_eq!(seen.header("traceparent").as_deref(), Some(PARENT));
    assert_eq!(seen.folded("tracestate"), ["a=1", "b=2"]);
    assert!(log::lines().contains("trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\""));
    for sent in [
        String::new(),
        format!("traceparent: {}\r\n", PARENT.to_uppercase()),
        format!("traceparent: {PARENT}-x\r\n"),
        format!("traceparent: {PARENT}\r\ntraceparent: {PARENT}\r\n"),
        "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\n".to_owned(),
        "traceparent: spoof\r\n".to_owned(),
    ] {
        let seen = harness
            .get("/open", &format!("{sent}tracestate: a=1\r\n"))
            .await
            .seen();
        let parent = seen.header("traceparent").unwrap();
        assert!(
            parent.len() == 55 && parent.starts_with("00-") && parent.ends_with("-00"),
            "{parent}"
        );
        assert!(!parent.contains("4bf92f3577b34da6"), "{parent}");
        assert!(seen.folded("tracestate").is_empty(), "{sent}");
    }
}
