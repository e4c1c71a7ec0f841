//! What was taken back, as keys in Redis or Valkey. Everything that is said to Redis is said here.
//!
//! Spec: RFC 7009 §2.1 (what is revoked is of no use any more)

use std::path::Path;

use carnet_listen::secret_file;
use carnet_store::{REDIS_CONNECT, RedisServer, RevocationEntry};
use futures_util::{Stream, StreamExt as _};
use redis::aio::MultiplexedConnection;
use redis::cmd;

pub(crate) use redis::RedisError;

/// The server that the configuration names.
pub struct Target(RedisServer);

impl Target {
    /// The server whose URL is in the file; with TLS its chain must lead to these PEM certificates, or to the system's. What is wrong with
    /// them is said without the URL: it has a password.
    pub fn read(url_file: &Path, root_file: Option<&Path>) -> Result<Self, String> {
        let url = secret_file::read(url_file).map_err(|error| error.what)?;
        let url = std::str::from_utf8(&url).map_err(|_| "is not text")?;
        let read = |file: &Path| {
            std::fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
        };
        let roots = root_file.map(read).transpose()?;
        RedisServer::named(url, roots).map(Self)
    }

    /// Whether it is on another machine and nothing encrypts what is said to it.
    pub fn is_unprotected(&self) -> bool {
        self.0.is_unprotected()
    }

    /// Connects, for no longer than a second.
    pub(crate) async fn connect(&self) -> Result<RedisKeys, RedisError> {
        Ok(RedisKeys(self.0.connect().await?))
    }

    /// One item for each time that a node has written keys.
    pub(crate) async fn wakes(&self) -> Result<impl Stream<Item = ()> + use<>, RedisError> {
        let subscribe = async {
            let mut pubsub = self.0.client().get_async_pubsub().await?;
            pubsub.subscribe(CHANNEL).await?;
            Ok(pubsub.into_on_message().map(|_| ()))
        };
        let late = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(REDIS_CONNECT, subscribe)
            .await
            .map_err(late)?
    }
}

/// A connection to where the keys are.
pub(crate) struct RedisKeys(MultiplexedConnection);

/// What must still be there for a write to count. A flush, a restart or a failover between two steps takes it away.
pub(crate) struct Guard {
    key: String,
    value: String,
}

impl Guard {
    /// The marker is what it was when we looked: whatever it stands for is there.
    pub(crate) fn marker(value: String) -> Self {
        Self {
            key: MARKER.to_owned(),
            value,
        }
    }
}

impl RedisKeys {
    /// How far the keys that are there reach. What somebody else has put there says nothing, and is written over.
    pub(crate) async fn marker(&mut self) -> Result<Option<String>, RedisError> {
        let read: Result<_, RedisError> = cmd("GET").arg(MARKER).query_async(&mut self.0).await;
        match read {
            Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
            other => other,
        }
    }

    /// Before everything is written anew: until that is done there is no marker, so that nobody takes what is there for everything. `name` is
    /// that of this attempt alone.
    pub(crate) async fn begin_anew(&mut self, name: &str) -> Result<Guard, RedisError> {
        let guard = Guard {
            key: format!("{ATTEMPT}{name}"),
            value: "1".to_owned(),
        };
        let () = cmd("DEL").arg(MARKER).query_async(&mut self.0).await?;
        let mut set = cmd("SET");
        set.arg(&guard.key)
            .arg(&guard.value)
            .arg("EX")
            .arg(ATTEMPT_SECONDS);
        let () = set.query_async(&mut self.0).await?;
        Ok(guard)
    }

    /// Writes what still counts of the entries and then the marker, all or nothing; `false` when the guard is not there any more.
    ///
    /// A key that is there is never weakened: not its moment, not its life.
    pub(crate) async fn write(
        &mut self,
        guard: &Guard,
        entries: &[RevocationEntry],
        now: i64,
        marker: Option<&str>,
    ) -> Result<bool, RedisError> {
        let living: Vec<_> = entries.iter().filter(|entry| entry.expires > now).collect();
        let mut eval = cmd("EVAL");
        eval.arg(WRITE).arg(living.len() + 2).arg(MARKER).arg(&guard.key);
        for entry in &living {
            eval.arg(key(entry));
        }
        eval.arg(CHANNEL)
            .arg(&guard.value)
            .arg(marker.unwrap_or_default());
        for entry in &living {
            // Rounded up: a second too long does no harm.
            let life = (entry.expires - now).saturating_add(999) / 1_000;
            eval.arg(entry.issued_before.unwrap_or(1)).arg(life);
        }
        eval.query_async(&mut self.0).await
    }
}

fn key(entry: &RevocationEntry) -> String {
    format!("carnet:revoked:{}:{}", entry.kind.as_str(), entry.value)
}

/// `EPOCH.CURSOR`: everything up to there that still counts is in Redis.
const MARKER: &str = "carnet:revocations";
/// Nodes tell each other here that there is something to read in the store.
const CHANNEL: &str = "carnet:revocations";
const ATTEMPT: &str = "carnet:revocations:attempt:";
/// Writing everything takes a second or two; what is left of an attempt that was broken off goes by itself.
const ATTEMPT_SECONDS: u32 = 300;

/// KEYS: the marker, the guard, then the keys. ARGV: the channel, what the guard must be, the new marker or nothing, then value and life in
/// seconds of each key.
const WRITE: &str = "
if redis.pcall('GET', KEYS[2]) ~= ARGV[2] then return 0 end
for i = 3, #KEYS do
  local value, life = ARGV[2 * i - 2], ARGV[2 * i - 1]
  local known, left = redis.pcall('GET', KEYS[i]), redis.call('PTTL', KEYS[i])
  local before = type(known) == 'string' and tonumber(known)
  if before and before > tonumber(value) then value = known end
  if value == known and left >= tonumber(life) * 1000 - 999 then
  elseif left > tonumber(life) * 1000 then redis.call('SET', KEYS[i], value, 'PX', left)
  else redis.call('SET', KEYS[i], value, 'EX', life) end
end
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[1], ARGV[3])
  if KEYS[2] ~= KEYS[1] then redis.call('DEL', KEYS[2]) end
  redis.call('PUBLISH', ARGV[1], ARGV[3])
end
return 1
";

#[cfg(test)]
mod tests;
