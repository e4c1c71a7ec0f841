//! What must and must not stand in the log.

use std::sync::{Arc, Mutex};

use super::*;
use crate::clock::FrozenClock;

const EVIL: &str = "x\r\n{\"level\":\"INFO\",\"user\":\"admin\"}\u{1b}[2J\u{2028}\u{2029}\u{202e}\u{85}\0end";

#[test]
fn lk_01_no_value_makes_a_second_line_or_moves_the_terminal() {
    for format in [LogFormat::Json, LogFormat::Text] {
        let text = logged(format, "info", || {
            tracing::info_span!("request", agent = EVIL).in_scope(|| {
                tracing::info!(user = EVIL, shown = %EVIL, debugged = ?EVIL, "{EVIL}");
            });
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.ends_with('\n'));
        let bare = text.trim_end_matches('\n');
        assert!(!bare.chars().any(is_unseen), "{bare:?}");
    }
}

#[test]
fn lk_01_a_json_line_has_one_level_and_its_values_whole() {
    let text = logged(LogFormat::Json, "info", || {
        tracing::info_span!("request", id = "r1").in_scope(|| {
            tracing::warn!(
                user = EVIL,
                status = 401,
                known = false,
                level = "ERROR",
                "refused"
            );
        });
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["time"], "2026-11-20T00:00:00.000Z");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "refused");
    assert_eq!(line["target"], "carnet_server::log::tests");
    assert_eq!(line["fields"]["request.id"], "r1");
    assert_eq!(line["fields"]["status"], 401);
    assert_eq!(line["fields"]["known"], false);
    let user = line["fields"]["user"].as_str().unwrap();
    assert!(
        user.starts_with("x\\r\\n{\"level\"") && user.contains("\\u{1b}[2J\\u{2028}\\u{2029}\\u{202e}"),
        "{user}"
    );
}

#[test]
fn lk_01_a_long_value_is_cut() {
    let long = "ä".repeat(50_000);
    let text = logged(LogFormat::Json, "info", || tracing::info!(agent = long, "{long}"));
    assert!(text.len() < 3000, "{}", text.len());
    assert_eq!(escape(&long).chars().last(), Some('…'));
    assert!(escape(&"\0".repeat(50_000)).len() < 1100);
    assert_eq!(
        escape(&"x".repeat(1024)).len(),
        1024,
        "exactly as long as allowed"
    );
}

#[test]
fn ordinary_text_is_left_alone() {
    assert_eq!(
        escape("Zoë O'Brien <zoë@example.com> 東京 👍"),
        "Zoë O'Brien <zoë@example.com> 東京 👍"
    );
    assert_eq!(
        escape("a\\n"),
        "a\\\\n",
        "what was typed differs from what was escaped"
    );
}

#[test]
fn a_text_line_is_for_people() {
    let text = logged(
        LogFormat::Text,
        "info",
        || tracing::info!(address = %"127.0.0.1:80", count = 3, "ready"),
    );
    let expected =
        "2026-11-20T00:00:00.000Z INFO  carnet_server::log::tests: ready address=\"127.0.0.1:80\" count=3\n";
    assert_eq!(text, expected);
}

#[test]
fn lk_02_other_peoples_code_is_never_heard_below_info() {
    let text = logged(LogFormat::Json, "trace", || {
        tracing::debug!(target: "tokio_postgres::query", "executing with parameters: secret");
        tracing::trace!(target: "h2::codec", "secret");
        tracing::warn!(target: "h2::codec", "odd frame");
        tracing::trace!("ours");
    });
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains("odd frame") && text.contains("ours"), "{text}");
}

#[test]
fn the_level_may_differ_by_part() {
    let text = logged(LogFormat::Json, "warn,carnet_store=debug", || {
        tracing::info!("not wanted");
        tracing::debug!(target: "carnet_store::database", "wanted");
    });
    assert!(
        text.contains("\"wanted\"") && !text.contains("not wanted"),
        "{text}"
    );
}

#[test]
fn a_span_keeps_what_it_learns_later() {
    let text = logged(LogFormat::Json, "info", || {
        let span = tracing::info_span!("request", sub = tracing::field::Empty);
        span.record("sub", EVIL);
        span.in_scope(|| tracing::info!("answered"));
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    assert!(
        line["fields"]["request.sub"]
            .as_str()
            .unwrap()
            .starts_with("x\\r\\n")
    );
}

fn logged(format: LogFormat, level: &str, act: impl FnOnce()) -> String {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    let write = move |line: &str| sink.lock().unwrap().push_str(line);
    let lines = Lines {
        format,
        clock: FrozenClock::at(1_795_132_800_000),
        write,
    };
    tracing::subscriber::with_default(subscriber(level, lines).unwrap(), act);
    text.lock().unwrap().clone()
}
