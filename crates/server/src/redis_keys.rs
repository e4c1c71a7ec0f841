//! What was taken back, as keys in Redis or Valkey. Everything that is said to Redis is said here.
//!
//! Spec: RFC 7009 §2.1 (what is revoked is of no use any more)

use std::path::Path;
use std::time::Duration;

use carnet_listen::secret_file;
use carnet_store::RevocationEntry;
use futures_util::{Stream, StreamExt as _};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates,
    cmd,
};
use url::Url;

pub(crate) use redis::RedisError;

/// The server that the configuration names.
pub struct Target(Client);

impl Target {
    /// The server whose URL is in the file; with TLS its chain must lead to these PEM certificates, or to the system's. What is wrong with
    /// them is said without the URL: it has a password.
    pub fn read(url_file: &Path, root_file: Option<&Path>) -> Result<Self, String> {
        let url = secret_file::read(url_file).map_err(|error| error.what)?;
        let url = std::str::from_utf8(&url).map_err(|_| "is not text")?;
        let info = parse(url)?;
        let client = match root_file {
            Some(file) if is_tls(&info) => {
                let roots = std::fs::read(file)
                    .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(roots),
                };
                Client::build_with_tls(info, certificates)
                    .map_err(|_| format!("{} has no usable certificates", file.display()))?
            }
            _ => Client::open(info).map_err(|_| "names no server that can be reached")?,
        };
        Ok(Self(client))
    }

    /// Whether it is on another machine and nothing encrypts what is said to it.
    pub fn is_unprotected(&self) -> bool {
        match self.0.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, _) => {
                let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
                host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
            }
            _ => false,
        }
    }

    /// Connects, for no longer than a second.
    pub(crate) async fn connect(&self) -> Result<RedisKeys, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let connection = self.0.get_multiplexed_async_connection_with_config(&config);
        Ok(RedisKeys(connection.await?))
    }

    /// One item for each time that a node has written keys.
    pub(crate) async fn wakes(&self) -> Result<impl Stream<Item = ()> + use<>, RedisError> {
        let subscribe = async {
            let mut pubsub = self.0.get_async_pubsub().await?;
            pubsub.subscribe(CHANNEL).await?;
            Ok(pubsub.into_on_message().map(|_| ()))
        };
        let late = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(CONNECT, subscribe).await.map_err(late)?
    }
}

fn parse(url: &str) -> Result<ConnectionInfo, String> {
    let wrong = "is no redis://, rediss:// or unix:// URL";
    let url = Url::parse(url).map_err(|_| wrong)?;
    if !["redis", "rediss", "unix"].contains(&url.scheme()) {
        return Err(wrong.to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a part behind #: certificates are checked, always".to_owned());
    }
    let refuse = |_| "names no host, or something that is no number as port or database".to_owned();
    url.into_connection_info().map_err(refuse)
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
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
    /// How far the keys that are there reach.
    pub(crate) async fn marker(&mut self) -> Result<Option<String>, RedisError> {
        cmd("GET").arg(MARKER).query_async(&mut self.0).await
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
const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(2);

/// KEYS: the marker, the guard, then the keys. ARGV: the channel, what the guard must be, the new marker or nothing, then value and life in
/// seconds of each key.
const WRITE: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
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
