//! Two servers over one database: what one does, the other knows.

use std::collections::HashSet;

use crate::support::{Browser, Carnet, EMAIL, Engine, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn rc_08_what_one_node_takes_back_the_other_refuses_on_sqlite() {
    two_nodes(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rc_08_what_one_node_takes_back_the_other_refuses_on_postgres() {
    two_nodes(Engine::Postgres).await;
}

async fn two_nodes(engine: Engine) {
    let a = Carnet::start(engine, "").await;
    let b = a.second_node().await;
    a.command(&["user", "add", EMAIL, "--password-stdin"], PASSWORD);
    let (at_a, at_b) = (Browser::new(&a.base), Browser::new(&b.base));
    let me = |node: &Carnet| format!("{}/auth/me", node.base);

    // A token of one is good at the other, and a session goes on there.
    let first = at_a.log_in().await;
    assert_eq!(at_b.get(&me(&b), Some(&first.access)).await.0, 200);
    let second = at_b.refresh(&first.refresh).await.unwrap().unwrap();

    // Logged out here, refused there at once.
    assert_eq!(at_a.log_out(&second).await, 204);
    assert_eq!(at_b.get(&me(&b), Some(&second.access)).await.0, 401);
    assert!(at_b.refresh(&second.refresh).await.unwrap().is_err());

    // One token, presented at both nodes at once, has one successor.
    let tokens = at_a.log_in().await;
    let calls = (0..32).flat_map(|_| [at_a.clone(), at_b.clone()]).map(|node| {
        let token = tokens.refresh.clone();
        tokio::spawn(async move { node.refresh(&token).await.unwrap().unwrap().refresh })
    });
    let calls: Vec<_> = calls.collect();
    let mut successors = HashSet::new();
    for call in calls {
        successors.insert(call.await.unwrap());
    }
    assert_eq!(successors.len(), 1);

    // Both publish the same keys, whoever made them.
    let jwks = |node: &Carnet| format!("{}/.well-known/jwks.json", node.base);
    assert_eq!(at_a.get(&jwks(&a), None).await, at_b.get(&jwks(&b), None).await);
}
