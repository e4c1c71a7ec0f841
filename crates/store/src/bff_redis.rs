//! Sessions of browsers at a gateway, in Redis or Valkey.
//!
//! One hash for each, which Redis forgets with its absolute end, and for each user and each session at the issuer a set of those that are theirs. Every
//! change is one script: what is looked at and what is written belong together. What has ended is taken out of a set when somebody looks at it.
//!
//! Spec: RFC 10017 §6.1 (tokens stay at the server's side) · OpenID Connect Back-Channel Logout §2.7

mod connection;
mod scripts;

use std::sync::Arc;

use carnet_jose::{base64url, primitive};
use redis::{Cmd, FromRedisValue, cmd};

use crate::bff_session::{BffSession, NewBffSession};
use crate::error::StoreError;
use crate::id;
use crate::redis_server::RedisServer;
use connection::{Connections, wrong};
use scripts::{BEGIN, END_WHERE, FIRST, LEASE, LIVING, RELEASE, RENEW, TOUCH};

/// The sessions of one app. Cheap to clone; all clones share one connection.
#[derive(Clone, Debug)]
pub struct RedisSessions(Arc<Shared>);

struct Shared {
    /// What every key begins with.
    prefix: String,
    connections: Connections,
}

/// In the order of `FIELDS`.
type Row = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
);

impl RedisSessions {
    /// Those of the app with this name; apps of other names have others on the same server.
    pub fn of(server: RedisServer, app: &str) -> Self {
        let digest = primitive::sha256(app.as_bytes());
        Self(Arc::new(Shared {
            prefix: format!("carnet:bff:{}:", base64url::encode(&digest[..12])),
            connections: Connections::to(server),
        }))
    }

    /// Whether the server answers.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.ask::<String>(&cmd("PING"), Again::Yes).await.map(|_| ())
    }

    pub(crate) async fn begin(&self, new: &NewBffSession, now: i64) -> Result<(), StoreError> {
        let life = new.absolute_expires_at.saturating_sub(now).max(1);
        let member = base64url::encode(&new.digest);
        let mut keys = vec![self.session(&member), self.of_user(&new.client_id, &new.sub)];
        if !new.sid.is_empty() {
            keys.push(self.of_sid(&new.client_id, &new.sid));
        }
        let mut eval = script(BEGIN, &keys);
        eval.arg(life).arg(&member).arg(self.session(""));
        let name = id::random_name()?;
        for (field, text) in [
            ("name", &name),
            ("client", &new.client_id),
            ("sub", &new.sub),
            ("sid", &new.sid),
            ("agent", &new.user_agent),
        ] {
            eval.arg(field).arg(text);
        }
        for (field, number) in [
            ("begun", now),
            ("seen", now),
            ("used", 0),
            ("end", new.absolute_expires_at),
            ("version", 1),
            ("until", 0),
        ] {
            eval.arg(field).arg(number);
        }
        eval.arg("sealed").arg(new.sealed.as_slice()).arg("owner").arg("");
        self.ask::<i64>(&eval, Again::Yes).await.map(|_| ())
    }

    pub(crate) async fn find(
        &self,
        digest: &[u8; 32],
        times: (i64, i64),
    ) -> Result<Option<BffSession>, StoreError> {
        let row: Row = self
            .ask(&self.fields(&base64url::encode(digest)), Again::Yes)
            .await?;
        Ok(read(row).filter(|session| is_living(session, times)))
    }

    pub(crate) async fn living(
        &self,
        digests: &[[u8; 32]],
        (now, idle_ms): (i64, i64),
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut living = Vec::with_capacity(digests.len());
        for some in digests.chunks(LOOKED_UP_AT_ONCE) {
            let keys: Vec<_> = some
                .iter()
                .map(|digest| self.session(&base64url::encode(digest)))
                .collect();
            let mut eval = script(LIVING, &keys);
            eval.arg(now).arg(now.saturating_sub(idle_ms));
            let alive: Vec<i64> = self.ask(&eval, Again::Yes).await?;
            let those = some.iter().zip(alive).filter(|(_, alive)| *alive == 1);
            living.extend(those.map(|(digest, _)| *digest));
        }
        Ok(living)
    }

    pub(crate) async fn touch(&self, digest: &[u8; 32], now: i64) -> Result<(), StoreError> {
        let mut eval = self.script_of(TOUCH, digest);
        eval.arg(now).arg(now.saturating_sub(60_000));
        self.ask::<i64>(&eval, Again::Yes).await.map(|_| ())
    }

    pub(crate) async fn lease(
        &self,
        digest: &[u8; 32],
        owner: &str,
        (now, until): (i64, i64),
    ) -> Result<bool, StoreError> {
        let mut eval = self.script_of(LEASE, digest);
        eval.arg(owner).arg(now).arg(until);
        self.ask(&eval, Again::Yes).await
    }

    pub(crate) async fn release(&self, digest: &[u8; 32], owner: &str) -> Result<(), StoreError> {
        let mut eval = self.script_of(RELEASE, digest);
        eval.arg(owner);
        self.ask::<i64>(&eval, Again::Yes).await.map(|_| ())
    }

    pub(crate) async fn renew(
        &self,
        digest: &[u8; 32],
        (version, sealed): (i64, Vec<u8>),
    ) -> Result<bool, StoreError> {
        let mut eval = self.script_of(RENEW, digest);
        eval.arg(version).arg(sealed);
        self.ask(&eval, Again::No).await
    }

    pub(crate) async fn end(&self, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let mut del = cmd("DEL");
        del.arg(self.session(&base64url::encode(digest)));
        self.ask(&del, Again::Yes).await
    }

    /// Those of a set of which all that is said is true.
    pub(crate) async fn end_where(
        &self,
        client_id: &str,
        (sub, sid, name): (Option<&str>, Option<&str>, Option<&str>),
    ) -> Result<u64, StoreError> {
        let set = match (sid.filter(|sid| !sid.is_empty()), sub) {
            (Some(sid), _) => self.of_sid(client_id, sid),
            (None, Some(sub)) => self.of_user(client_id, sub),
            (None, None) => return Ok(0),
        };
        let mut eval = script(END_WHERE, &[set]);
        eval.arg(self.session("")).arg("client").arg(client_id);
        for (field, value) in [("sub", sub), ("sid", sid), ("name", name)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                eval.arg(field).arg(value);
            }
        }
        self.ask(&eval, Again::Yes).await
    }

    pub(crate) async fn list(
        &self,
        (client_id, sub): (&str, &str),
        times: (i64, i64),
    ) -> Result<Vec<BffSession>, StoreError> {
        let mut members = cmd("SMEMBERS");
        members.arg(self.of_user(client_id, sub));
        let members: Vec<String> = self.ask(&members, Again::Yes).await?;
        let mut found = Vec::with_capacity(members.len());
        for member in members {
            let row: Row = self.ask(&self.fields(&member), Again::Yes).await?;
            found.extend(read(row).filter(|session| is_living(session, times) && session.sub == sub));
        }
        found.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.name.cmp(&b.name)));
        Ok(found)
    }

    pub(crate) async fn is_first(&self, key: &str, window_ms: i64) -> Result<bool, StoreError> {
        let mut eval = script(FIRST, &[self.once(key)]);
        // Whoever asks once more knows itself by it.
        eval.arg(id::random_name()?).arg(window_ms);
        self.ask(&eval, Again::Yes).await
    }

    pub(crate) async fn has_come(&self, key: &str) -> Result<bool, StoreError> {
        let mut exists = cmd("EXISTS");
        exists.arg(self.once(key));
        self.ask(&exists, Again::Yes).await
    }

    pub(crate) async fn forget_first(&self, key: &str) -> Result<(), StoreError> {
        let mut del = cmd("DEL");
        del.arg(self.once(key));
        self.ask::<i64>(&del, Again::Yes).await.map(|_| ())
    }

    fn session(&self, member: &str) -> String {
        format!("{}session:{member}", self.0.prefix)
    }

    fn of_user(&self, client_id: &str, sub: &str) -> String {
        self.set("user", client_id, sub)
    }

    fn of_sid(&self, client_id: &str, sid: &str) -> String {
        self.set("sid", client_id, sid)
    }

    /// Names of people do not stand in keys.
    fn set(&self, kind: &str, client_id: &str, value: &str) -> String {
        let digest = primitive::sha256(format!("{client_id}\0{value}").as_bytes());
        format!("{}{kind}:{}", self.0.prefix, base64url::encode(&digest))
    }

    fn once(&self, key: &str) -> String {
        format!("{}once:{key}", self.0.prefix)
    }

    fn fields(&self, member: &str) -> Cmd {
        let mut get = cmd("HMGET");
        get.arg(self.session(member)).arg(&FIELDS);
        get
    }

    fn script_of(&self, text: &str, digest: &[u8; 32]) -> Cmd {
        script(text, &[self.session(&base64url::encode(digest))])
    }

    /// A connection that has died without our knowing is found out by the first command on it: where that does no harm, it is said once more on a new one.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd, again: Again) -> Result<T, StoreError> {
        let connections = &self.0.connections;
        let mut connected = connections.get().await?;
        let asked = command.query_async(&mut connected.connection).await;
        let Err(error) = asked else {
            return asked.map_err(|error| wrong(&error));
        };
        // After a failover the one that was asked may have become a replica: it has done nothing.
        let demoted = error.code() == Some("READONLY");
        if !error.is_unrecoverable_error() && !error.is_timeout() && !demoted {
            return Err(wrong(&error));
        }
        connections.lose(&connected);
        if connected.fresh || error.is_timeout() || again == Again::No && !demoted {
            return Err(wrong(&error));
        }
        let mut connected = connections.get().await?;
        let asked = command.query_async(&mut connected.connection).await;
        asked.map_err(|error| wrong(&error))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

fn script(text: &str, keys: &[String]) -> Cmd {
    let mut eval = cmd("EVAL");
    eval.arg(text).arg(keys.len()).arg(keys);
    eval
}

fn read(row: Row) -> Option<BffSession> {
    let (name, sub, sid, user_agent, created_at, last_seen_at, used, absolute_expires_at, version, sealed) =
        row;
    Some(BffSession {
        name: name?,
        sub: sub?,
        sid: sid?,
        user_agent: user_agent?,
        created_at: created_at?,
        last_seen_at: last_seen_at?,
        used: used? != 0,
        absolute_expires_at: absolute_expires_at?,
        version: version?,
        sealed: sealed?,
    })
}

fn is_living(session: &BffSession, (now, idle_ms): (i64, i64)) -> bool {
    session.absolute_expires_at > now && session.last_seen_at > now.saturating_sub(idle_ms)
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

const LOOKED_UP_AT_ONCE: usize = 500;
const FIELDS: [&str; 10] = [
    "name", "sub", "sid", "agent", "begun", "seen", "used", "end", "version", "sealed",
];
