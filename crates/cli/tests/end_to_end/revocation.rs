//! What is taken back at one place is refused at every other within a second: three guards, two nodes, commands beside them, a kill -9.

use std::time::{Duration, Instant};

use carnet_guard::{Guard, Issuer, Refused, ResourceServer, Revocations};
use http::Request;

use crate::support::{Browser, Carnet, Engine, Tokens};

/// What security.md D1 allows.
const BOUND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_a_revocation_is_seen_everywhere_within_a_second_on_sqlite() {
    everywhere(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_a_revocation_is_seen_everywhere_within_a_second_on_postgres() {
    everywhere(Engine::Postgres).await;
}

/// A guard that trusts the issuer and follows the feed of one of its nodes.
pub(crate) async fn guard(issuer: &Carnet, node: &Carnet) -> Guard {
    let feed = Revocations::feed(
        format!("{}/revocations", node.base),
        "orders",
        "an introspection secret of some length",
    );
    let issuer = Issuer::discover(&issuer.base).revocations(feed);
    let server = ResourceServer::new("https://api.example.com").issuer(issuer);
    server.build().await.unwrap()
}

async fn check(guard: &Guard, token: &str) -> Result<(), Refused> {
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    guard.check(&parts).await.map(|_| ())
}

/// Until every guard refuses; counted from now.
pub(crate) async fn refused_by(guards: &[Guard], token: &str) -> Duration {
    let begun = Instant::now();
    for guard in guards {
        while check(guard, token).await.is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is still accepted");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(check(guard, token).await, Err(Refused::TokenRevoked));
    }
    begun.elapsed()
}

pub(crate) fn sid(tokens: &Tokens) -> String {
    let claims = carnet_jose::dangerous::decode(&tokens.access).unwrap().payload;
    claims["sid"].as_str().unwrap().to_owned()
}

async fn everywhere(engine: Engine) {
    let mut a = Carnet::start(engine, "").await;
    let b = a.second_node().await;
    a.add_user();
    let guards = [guard(&a, &a).await, guard(&a, &a).await, guard(&a, &b).await];
    let (at_a, at_b) = (Browser::new(&a.base), Browser::new(&b.base));
    let witness = at_a.log_in().await;
    let mut longest = Duration::ZERO;
    for at in [&at_a, &at_b, &at_a, &at_b] {
        let tokens = at.log_in().await;
        for guard in &guards {
            check(guard, &tokens.access).await.unwrap();
        }
        assert_eq!(at.log_out(&tokens).await, 204);
        longest = longest.max(refused_by(&guards, &tokens.access).await);
    }
    for what in ["--session", "--jti", "--token"] {
        let tokens = at_a.log_in().await;
        let claims = carnet_jose::dangerous::decode(&tokens.access).unwrap().payload;
        let (sid, jti) = (sid(&tokens), claims["jti"].as_str().unwrap());
        match what {
            "--session" => a.command(&["revoke", what, &sid], ""),
            "--jti" => a.command(&["revoke", what, jti], ""),
            _ => a.command(&["revoke", what], &tokens.access),
        };
        longest = longest.max(refused_by(&guards, &tokens.access).await);
    }
    println!("{engine:?}: the longest took {longest:?}");
    assert!(longest <= BOUND, "{longest:?}");

    // What happens while a node is dead is known when it is back.
    let during = at_a.log_in().await;
    a.kill();
    a.command(&["revoke", "--session", &sid(&during)], "");
    assert!(refused_by(&guards[2..], &during.access).await <= BOUND);
    a.launch().await;
    refused_by(&guards, &during.access).await;

    // As after a backup: everybody takes everything anew, and goes on.
    a.command(&["migrate", "--restored"], "");
    let after = at_a.log_in().await;
    assert_eq!(at_a.log_out(&after).await, 204);
    refused_by(&guards, &after.access).await;
    for guard in &guards {
        check(guard, &witness.access).await.unwrap();
    }
    a.command(
        &["revoke", "--user", crate::support::EMAIL, "--client", "nobody"],
        "",
    );
    a.command(&["revoke", "--user", crate::support::EMAIL], "");
    refused_by(&guards, &witness.access).await;
}
