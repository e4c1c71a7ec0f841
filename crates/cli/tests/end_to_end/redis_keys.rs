//! What is taken back is a key in Redis within a second, whatever happens to Redis; and whatever happens to Redis happens to nobody else.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use carnet_store::{AuditAction, Cut, NewAudit, Reason};
use redis::aio::MultiplexedConnection;
use redis::cmd;

use crate::revocation::{guard, refused_by, sid};
use crate::support::{Browser, Carnet, EMAIL, Engine, Tokens, free_port, write_secret};

/// What security.md D1 allows.
const BOUND: Duration = Duration::from_secs(1);
/// Noticing that everything is gone, and that.
const AFTER_A_FLUSH: Duration = Duration::from_secs(2);
const PASSWORD: &str = "a-password-of-redis";

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_keys_are_written_and_written_anew_whatever_redis_forgets_on_sqlite() {
    whatever_it_forgets(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_keys_are_written_and_written_anew_whatever_redis_forgets_on_postgres() {
    whatever_it_forgets(Engine::Postgres, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_without_redis_everything_else_goes_on_on_sqlite() {
    goes_on_without(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_without_redis_everything_else_goes_on_on_postgres() {
    goes_on_without(Engine::Postgres).await;
}

#[tokio::test]
async fn a_wrong_redis_url_is_said_without_its_password() {
    for wrong in [
        "http://:PASSWORD@127.0.0.1/0",
        "rediss://:PASSWORD@127.0.0.1/0#insecure",
        "redis://:PASSWORD@127.0.0.1/x",
    ] {
        let carnet = with_redis(Engine::Sqlite, &wrong.replace("PASSWORD", PASSWORD)).await;
        let output = carnet.try_command(&["config", "check"], "");
        let said = format!("{output:?}");
        assert!(
            !output.status.success() && said.contains("redis.url_file"),
            "{said}"
        );
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

/// A configuration with the URL in its file.
async fn with_redis(engine: Engine, url: &str) -> Carnet {
    let carnet = Carnet::prepare(engine, "[redis]\nurl_file = \"redis.url\"\n").await;
    write_secret(&carnet.config().with_file_name("redis.url"), url);
    carnet
}

async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn value(redis: &mut MultiplexedConnection, key: &str) -> Option<String> {
    cmd("GET").arg(key).query_async(redis).await.unwrap()
}

async fn life(redis: &mut MultiplexedConnection, key: &str) -> i64 {
    cmd("TTL").arg(key).query_async(redis).await.unwrap()
}

/// Until it is there and `fits`; no later than `bound`.
async fn awaited(
    redis: &mut MultiplexedConnection,
    key: &str,
    bound: Duration,
    fits: impl Fn(&str) -> bool,
) -> String {
    let begun = Instant::now();
    loop {
        match value(redis, key).await {
            Some(value) if fits(&value) => {
                println!("{key}: {:?}", begun.elapsed());
                return value;
            }
            other => assert!(begun.elapsed() < bound, "{key}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn of_session(tokens: &Tokens) -> String {
    format!("carnet:revoked:sid:{}", sid(tokens))
}

const MARKER: &str = "carnet:revocations";

async fn whatever_it_forgets(engine: Engine, database: u8) {
    let server =
        std::env::var("CARNET_TEST_REDIS").expect("CARNET_TEST_REDIS names no Redis; ./test.sh starts one");
    let url = format!("{server}/{database}");
    let mut redis = connect(&url).await;
    let () = cmd("FLUSHDB").query_async(&mut redis).await.unwrap();
    let mut a = with_redis(engine, &url).await;
    a.launch().await;
    let mut b = a.second_node().await;
    a.add_user();
    let (at_a, at_b) = (Browser::new(&a.base), Browser::new(&b.base));

    let mut sessions = Vec::new();
    for at in [&at_a, &at_b] {
        let tokens = at.log_in().await;
        assert_eq!(value(&mut redis, &of_session(&tokens)).await, None);
        assert_eq!(at.log_out(&tokens).await, 204);
        sessions.push(of_session(&tokens));
        awaited(&mut redis, &of_session(&tokens), BOUND, |value| value == "1").await;
        // A quarter of an hour, and what clocks may differ.
        let left = life(&mut redis, &of_session(&tokens)).await;
        assert!((950..=961).contains(&left), "{left}");
    }

    let (user, moment) = never_weakened(&a, &at_a, &mut redis).await;

    // An old dump is read back: the marker is older than what a node has seen.
    let marker = value(&mut redis, MARKER).await.unwrap();
    let epoch = marker.rsplit_once('.').unwrap().0;
    let () = cmd("DEL").arg(&sessions).query_async(&mut redis).await.unwrap();
    let () = cmd("SET")
        .arg(MARKER)
        .arg(format!("{epoch}.1"))
        .query_async(&mut redis)
        .await
        .unwrap();
    for key in &sessions {
        awaited(&mut redis, key, BOUND, |_| true).await;
    }

    // Everything is gone; at once, and while no node runs.
    for running in [true, false] {
        if !running {
            a.kill();
            b.kill();
        }
        let () = cmd("FLUSHDB").query_async(&mut redis).await.unwrap();
        if !running {
            a.launch().await;
        }
        for key in sessions.iter().map(String::as_str).chain([user.as_str(), MARKER]) {
            awaited(&mut redis, key, AFTER_A_FLUSH, |_| true).await;
        }
        assert_eq!(value(&mut redis, &user).await, Some(moment.to_string()));
    }

    all_or_no_marker(&a, moment, &mut redis).await;

    // As after a backup.
    a.command(&["migrate", "--restored"], "");
    awaited(&mut redis, MARKER, AFTER_A_FLUSH, |marker| {
        !marker.starts_with(epoch)
    })
    .await;
    assert_eq!(value(&mut redis, &sessions[0]).await.as_deref(), Some("1"));
}

/// A moment and a life that are there are never taken back. The key of the user, and its moment.
async fn never_weakened(carnet: &Carnet, at: &Browser, redis: &mut MultiplexedConnection) -> (String, i64) {
    let tokens = at.log_in().await;
    let claims = carnet_jose::dangerous::decode(&tokens.access).unwrap().payload;
    let (iat, user) = (
        claims["iat"].as_i64().unwrap(),
        format!("carnet:revoked:sub:{}", claims["sub"].as_str().unwrap()),
    );
    carnet.command(&["revoke", "--user", EMAIL], "");
    let moment = awaited(redis, &user, BOUND, |_| true)
        .await
        .parse::<i64>()
        .unwrap();
    assert!((iat - 1..=iat + 30).contains(&moment), "{moment} {iat}");
    let () = cmd("SET")
        .arg(&user)
        .arg(moment + 7)
        .arg("EX")
        .arg(5_000)
        .query_async(redis)
        .await
        .unwrap();
    let () = cmd("DEL").arg(MARKER).query_async(redis).await.unwrap();
    awaited(redis, MARKER, AFTER_A_FLUSH, |_| true).await;
    assert_eq!(value(redis, &user).await, Some((moment + 7).to_string()));
    assert!(life(redis, &user).await > 4_900);
    (user, moment)
}

/// More than is written at once: when the marker is there, all of them are.
async fn all_or_no_marker(carnet: &Carnet, moment: i64, redis: &mut MultiplexedConnection) {
    let (config, _) = carnet_server::config::load(&carnet.config(), std::iter::empty()).unwrap();
    let store = carnet_server::app::App::open_store(&config).await.unwrap();
    let many: Vec<String> = (0..700).map(|at| format!("many-{at}")).collect();
    let cut = Cut {
        at: moment * 1_000,
        entry_ttl_ms: 600_000,
        reason: Reason::Revoked,
        audit: NewAudit::success("cli", AuditAction::Revoke, ""),
    };
    for jti in &many {
        store.revoke_token(jti, &cut).await.unwrap();
    }
    let () = cmd("FLUSHDB").query_async(redis).await.unwrap();
    awaited(redis, MARKER, AFTER_A_FLUSH, |_| true).await;
    let keys: Vec<String> = many
        .iter()
        .map(|jti| format!("carnet:revoked:jti:{jti}"))
        .collect();
    let there: i64 = cmd("EXISTS").arg(&keys).query_async(redis).await.unwrap();
    assert_eq!(there, 700);
}

/// A Redis of our own, to be killed.
struct OwnRedis {
    child: Child,
    port: u16,
}

impl OwnRedis {
    async fn start(port: u16) -> Self {
        let child = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                "/tmp",
            ])
            .args(["--port", &port.to_string(), "--requirepass", PASSWORD])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Self { child, port };
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        redis
    }

    fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/0", self.port)
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn goes_on_without(engine: Engine) {
    let server = OwnRedis::start(free_port()).await;
    let mut carnet = with_redis(engine, &server.url()).await;
    carnet.launch().await;
    carnet.add_user();
    let guards = [guard(&carnet, &carnet).await];
    let at = Browser::new(&carnet.base);
    let mut redis = connect(&server.url()).await;
    awaited(&mut redis, MARKER, BOUND, |_| true).await;

    // Slow: it takes what it is told, and answers nothing.
    let tokens = at.log_in().await;
    server.signal("-STOP");
    log_out_in_time(&at, &tokens).await;
    assert!(refused_by(&guards, &tokens.access).await <= BOUND);
    server.signal("-CONT");
    awaited(&mut redis, &of_session(&tokens), AFTER_A_FLUSH, |_| true).await;

    // Gone: it comes back with nothing.
    let (port, next) = (server.port, at.log_in().await);
    drop(server);
    log_out_in_time(&at, &next).await;
    assert!(refused_by(&guards, &next.access).await <= BOUND);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(
        at.get(&format!("{}/health/ready", carnet.base), None).await.0,
        200
    );
    let said = carnet
        .log()
        .lines()
        .filter(|line| line.contains("does not reach Redis"))
        .count();
    assert!((1..=2).contains(&said), "{}", carnet.log());

    let server = OwnRedis::start(port).await;
    let mut redis = connect(&server.url()).await;
    for tokens in [&tokens, &next] {
        awaited(&mut redis, &of_session(tokens), AFTER_A_FLUSH, |_| true).await;
    }
    let () = cmd("FLUSHALL").query_async(&mut redis).await.unwrap();
    awaited(&mut redis, &of_session(&tokens), AFTER_A_FLUSH, |_| true).await;
    assert!(!carnet.log().contains(PASSWORD), "{}", carnet.log());
}

async fn log_out_in_time(at: &Browser, tokens: &Tokens) {
    let begun = Instant::now();
    assert_eq!(at.log_out(tokens).await, 204);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
}
