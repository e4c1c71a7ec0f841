//! From a logout until every guard and every gateway refuses, through the binary and over HTTP; and what a look at a million revocations costs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_client::revocations::{self, Keys, OnLoss, Source, Verdict};
use carnet_guard::{Algorithm, Issuer, ResourceServer, Revocations};
use carnet_jose::dangerous;
use carnet_oauth::revocation::RevocableToken;
use carnet_store::{AuditAction, Cut, NewAudit, Reason, Store, StoreConfig};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::Connection;
use crate::process::Process;
use crate::subject::{self, AUDIENCE, INTROSPECTION_ID, INTROSPECTION_SECRET, Subject};

const GUARDS: usize = 3;
const GATEWAYS: usize = 2;
const LOGOUTS: usize = 200;
const COMMANDS: usize = 20;
const ENTRIES: usize = 1_000_000;
const LOOKS: usize = 1_000_000;
/// Runs of which the median is printed: compilers come and go.
const RUNS: usize = 9;

/// Measures `binary` and prints Markdown.
pub(crate) async fn run(binary: &str) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let subject = Subject::start(binary, folder.path()).await?;
    subject.add_user(binary, folder.path())?;
    let mut guards = Vec::new();
    for _ in 0..GUARDS {
        guards.push(guarded(&subject.address).await?);
    }
    let service = service().await?;
    let mut gateways = Vec::new();
    for number in 0..GATEWAYS {
        let gateway = Gateway::start(binary, (folder.path(), number), (&subject.address, &service)).await?;
        guards.push(gateway.address.clone());
        gateways.push(gateway);
    }
    println!("| what | p50 | p99 | longest | aim |\n|---|--:|--:|--:|---|");
    logouts(&subject, &guards).await?;
    commands(binary, folder.path(), &subject, &guards).await?;
    println!("\n| what | measured | aim |\n|---|--:|---|");
    million(folder.path(), &subject).await
}

/// An API behind a guard that follows the feed; where it listens.
async fn guarded(server: &str) -> Outcome<String> {
    let base = format!("http://{server}");
    let feed = Revocations::feed(
        format!("{base}/revocations"),
        INTROSPECTION_ID,
        INTROSPECTION_SECRET,
    );
    let issuer = Issuer::discover(&base).revocations(feed);
    let guard = ResourceServer::new(AUDIENCE).issuer(issuer).build().await?;
    let routes = Router::new()
        .route("/orders", get(async || "[]"))
        .layer(guard.layer());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

/// What stands behind the gateways.
async fn service() -> Outcome<String> {
    let routes = Router::new().route("/orders", get(async || "[]"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

/// A running `carnet gateway` that follows the feed.
struct Gateway {
    _process: Process,
    address: String,
}

impl Gateway {
    async fn start(
        binary: &str,
        (folder, number): (&Path, usize),
        (server, service): (&str, &str),
    ) -> Outcome<Self> {
        let free = || -> Outcome<String> {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
            Ok(listener.local_addr()?.to_string())
        };
        let (address, admin) = (free()?, free()?);
        let config = folder.join(format!("gateway{number}.toml"));
        let text = format!(
            r#"
[listen]
address = "{address}"
[admin]
address = "{admin}"
[log]
level = "warn"
access = false
[tokens]
audience = "{AUDIENCE}"
[[issuers]]
issuer = "http://{server}"
revocations = {{ client_id = "{INTROSPECTION_ID}", client_secret_file = "orders.secret" }}
[[upstreams]]
name = "orders"
urls = ["http://{service}"]
[[routes]]
path = "/orders"
upstream = "orders"
"#
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(binary);
        command.args(["gateway", "--config"]).arg(&config);
        let process = Process::silent(command)?;
        let until = Instant::now() + Duration::from_secs(20);
        while !subject::is_ready(&admin).await {
            if Instant::now() > until {
                return Err("a gateway did not become ready".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Self {
            _process: process,
            address,
        })
    }
}

/// From the moment the logout is sent until the last of them has refused.
async fn logouts(subject: &Subject, guards: &[String]) -> Outcome<()> {
    let mut connection = Connection::open(&subject.address).await?;
    let mut times = Vec::new();
    for _ in 0..LOGOUTS {
        let (access, refresh) = subject::log_in(&mut connection).await?;
        let refusals = refusals(guards, &access).await?;
        let begun = Instant::now();
        connection.post("/auth/logout", &refresh, String::new()).await?;
        times.push(last(refusals, begun).await?);
    }
    row(
        "POST /auth/logout sent, until three guards and two gateways refuse",
        times,
    );
    Ok(())
}

/// The same for a command beside the server: from the moment it has ended.
async fn commands(binary: &str, folder: &Path, subject: &Subject, guards: &[String]) -> Outcome<()> {
    let mut connection = Connection::open(&subject.address).await?;
    let mut times = Vec::new();
    for _ in 0..COMMANDS {
        let (access, _) = subject::log_in(&mut connection).await?;
        let claims = dangerous::decode(&access)?.payload;
        let sid = claims["sid"].as_str().ok_or("no sid")?.to_owned();
        let mut command = Command::new(binary);
        command
            .args(["revoke", "--session", &sid, "--config"])
            .arg(folder.join("carnet.toml"))
            .stdout(Stdio::null());
        let refusals = refusals(guards, &access).await?;
        let ended =
            tokio::task::spawn_blocking(move || command.status().map(|status| (status, Instant::now())));
        let (status, begun) = ended.await??;
        if !status.success() {
            return Err("carnet revoke failed".into());
        }
        times.push(last(refusals, begun).await?);
    }
    row(
        "carnet revoke --session has ended, until three guards and two gateways refuse",
        times,
    );
    Ok(())
}

/// Asks every one of them without a pause; each answers the moment at which it first refused.
async fn refusals(guards: &[String], access: &str) -> Outcome<JoinSet<Outcome<Instant>>> {
    let mut asking = JoinSet::new();
    for guard in guards {
        let mut connection = Connection::open(guard).await?;
        if !connection.get("/orders", access).await?.status.is_success() {
            return Err("a token that is good is refused".into());
        }
        let access = access.to_owned();
        asking.spawn(async move {
            let until = Instant::now() + Duration::from_secs(10);
            while Instant::now() < until {
                if connection.get("/orders", &access).await?.status.as_u16() == 401 {
                    return Ok(Instant::now());
                }
            }
            Err("a token was not refused within ten seconds".into())
        });
    }
    Ok(asking)
}

async fn last(mut refusals: JoinSet<Outcome<Instant>>, begun: Instant) -> Outcome<Duration> {
    let mut longest = Duration::ZERO;
    while let Some(refused) = refusals.join_next().await {
        longest = longest.max(refused??.saturating_duration_since(begun));
    }
    Ok(longest)
}

/// Until further than the clock of any run.
fn cut() -> Cut {
    Cut {
        at: 3_999_999_999_999,
        entry_ttl_ms: 1,
        reason: Reason::Revoked,
        audit: NewAudit::success("bench", AuditAction::Revoke, ""),
    }
}

/// A million sessions that were revoked, and a look at them.
async fn million(folder: &Path, subject: &Subject) -> Outcome<()> {
    let store = Store::open(&StoreConfig::sqlite(folder.join("carnet.db"))).await?;
    let cut = cut();
    let mut writing = JoinSet::new();
    for n in 0..ENTRIES {
        if writing.len() >= 500 {
            writing.join_next().await.ok_or("nobody writes")???;
        }
        let (store, cut) = (store.clone(), cut.clone());
        writing.spawn(async move { store.revoke_token(&format!("{n:0>22}"), &cut).await });
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    let issuer = format!("http://{}", subject.address);
    let http = HttpClient::new()?;
    let algorithms = vec![Algorithm::Es256];
    let keys = RemoteKeys::new(http.clone(), Location::Discover(issuer.clone()), &algorithms);
    let source = Source {
        url: format!("{issuer}/revocations"),
        id: INTROSPECTION_ID.to_owned(),
        secret: INTROSPECTION_SECRET.to_owned(),
        issuer,
        keys: Keys::Remote(Arc::new(keys)),
        algorithms,
    };
    let begun = Instant::now();
    let revocations = revocations::Revocations::follow(http, source, OnLoss::default())?;
    revocations.prepare(Duration::from_secs(300)).await;
    let entries = revocations.status().entries;
    println!(
        "| the first set, {entries} entries in signed messages | {:.1} s | |",
        begun.elapsed().as_secs_f64()
    );
    println!(
        "| a look at a token with seven claims, {entries} entries about tokens, sessions and families | {} | ≤ 100 ns |",
        looks(&revocations)?
    );
    // Kinds of which there is no entry cost nothing: one of each.
    let user = store.list_users(None, 1).await?.pop().ok_or("no user")?;
    store.revoke_user((user.id, &user.sub), &cut).await?;
    store.revoke_client("nobody", None, &cut).await?;
    store.revoke_client("nobody", Some("nobody"), &cut).await?;
    while revocations.status().entries < entries + 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!(
        "| the same, and one entry each about a user, a client, and a user at a client | {} | ≤ 100 ns |",
        looks(&revocations)?
    );
    Ok(())
}

/// The median of several runs, and the quickest and the slowest.
fn looks(revocations: &revocations::Revocations) -> Outcome<String> {
    let mut runs = (0..RUNS)
        .map(|_| look(revocations))
        .collect::<Outcome<Vec<f64>>>()?;
    runs.sort_unstable_by(f64::total_cmp);
    match runs.as_slice() {
        [least, .., most] => Ok(format!("{:.0} ns ({least:.0} to {most:.0})", runs[RUNS / 2])),
        _ => Err("nothing was measured".into()),
    }
}

/// Nanoseconds for a token that was not taken back: the longest way.
fn look(revocations: &revocations::Revocations) -> Outcome<f64> {
    let names: Vec<[String; 5]> = (0..10_000)
        .map(|n| ["j", "s", "f", "u", "k"].map(|kind| format!("{kind}{n:0>21}")))
        .collect();
    let begun = Instant::now();
    for names in names.iter().cycle().take(LOOKS) {
        let [jti, sid, fam, sub, kid] = names;
        let token = RevocableToken {
            jti: Some(jti),
            sid: Some(sid),
            fam: Some(fam),
            sub: Some(sub),
            client_id: Some("first-party"),
            kid: Some(kid),
            iat: Some(1_800_000_000),
        };
        if std::hint::black_box(revocations.check(&token)) != Verdict::Good {
            return Err("a good token was taken for a revoked one".into());
        }
    }
    Ok(begun.elapsed().as_secs_f64() * 1e9 / LOOKS as f64)
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| {
        let index = (times.len() as f64 * part).ceil() as usize;
        times
            .get(index.saturating_sub(1))
            .map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    };
    println!(
        "| {what}, {} times | {:.1} ms | {:.1} ms | {:.1} ms | p50 ≤ 50 ms, p99 ≤ 1 s |",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
