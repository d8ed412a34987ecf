//! A connection to Redis, and the check whether that Redis is suitable.

use std::time::Duration;

use redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _,
    RedisError, RedisResult, io::tcp::TcpSettings,
};

use super::{ClusterConfig, ClusterError, explanation};

/// How long connecting may take, and each answer afterwards.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The oldest Redis with all features used here.
const OLDEST: (u64, u64) = (6, 2);

/// Where Redis is. Cheap to clone.
#[derive(Clone)]
pub(super) struct Redis {
    client: Client,
    /// Without the password.
    pub(super) address: String,
}

impl Redis {
    /// Parses the address; does not connect.
    pub(super) fn at(url: &str, password: Option<&str>) -> Result<Redis, ClusterError> {
        let not_an_address = |error: RedisError| ClusterError::Address(error.to_string());
        let mut info: ConnectionInfo = url.into_connection_info().map_err(not_an_address)?;
        if let Some(password) = password {
            let settings = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(settings);
        }
        let address = info.addr().to_string();
        // Over TLS, the library uses the process's default provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(2 * PATIENCE);
        let client = Client::open(info.set_tcp_settings(tcp)).map_err(not_an_address)?;
        Ok(Redis { client, address })
    }

    /// The error message for a failure before the start.
    pub(super) fn unreachable(&self, cause: &RedisError) -> ClusterError {
        let is_tls =
            matches!(self.client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. });
        let address = self.address.clone();
        let is_refused = matches!(
            cause.kind(),
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed
        );
        let cause = explanation::explain_first(cause, is_tls);
        match is_refused {
            true => ClusterError::Refused { address, cause },
            false => ClusterError::Unreachable { address, cause },
        }
    }

    /// Connects. Every request on the connection is answered within [`PATIENCE`], or fails.
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// The same; also returns which run of Redis that is.
    pub(super) fn connect_to_run(&self) -> RedisResult<(Connection, String)> {
        let mut connection = self.connect()?;
        let run = run_of(&mut connection)?;
        Ok((connection, run))
    }

    /// Connects, and checks that this Redis keeps its data.
    ///
    /// # Errors
    ///
    /// Why this Redis is not suitable.
    pub(super) fn check(&self, config: &ClusterConfig) -> Result<Connection, ClusterError> {
        let mut connection = self.connect().map_err(|it| self.unreachable(&it))?;
        let info: RedisResult<String> = redis::cmd("INFO").query(&mut connection);
        let info = info.map_err(|it| self.unreachable(&it))?;
        check_info(&info, config.volatile)?;
        Ok(connection)
    }
}

/// Which run of Redis a connection leads to.
pub(super) fn run_of(connection: &mut Connection) -> RedisResult<String> {
    let info: String = redis::cmd("INFO").arg("server").query(connection)?;
    let run = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    let run = run.ok_or((ErrorKind::Parse, "Redis does not say which run it is"))?;
    Ok(run.to_owned())
}

/// Whether `INFO` describes a suitable Redis.
fn check_info(info: &str, volatile: bool) -> Result<(), ClusterError> {
    let field = |name: &str| {
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value.trim()).next()
    };
    let version = field("redis_version").unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        return Err(ClusterError::Version { version: version.to_owned() });
    }
    match field("maxmemory_policy") {
        None | Some("noeviction") => {}
        Some(policy) => return Err(ClusterError::Eviction { policy: policy.to_owned() }),
    }
    if field("aof_enabled") != Some("1") && !volatile {
        return Err(ClusterError::Volatile);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(info: &str, volatile: bool, expected: Result<(), &str>) {
        let found = check_info(&info.replace(' ', "\r\n"), volatile);
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_redis_that_would_lose_what_it_is_given_is_refused() {
        const GOOD: &str = "redis_version:7.0.15 maxmemory_policy:noeviction aof_enabled:1";
        check(GOOD, false, Ok(()));
        check(&GOOD.replace("7.0.15", "6.2.0"), false, Ok(()));
        let old = "Redis 6.0.16 is too old: 6.2 is needed, or Valkey";
        check(&GOOD.replace("7.0.15", "6.0.16"), false, Err(old));
        let evicts = "this Redis drops what it has when its memory is full (maxmemory-policy \
                      allkeys-lru): set it to noeviction";
        check(&GOOD.replace("noeviction", "allkeys-lru"), false, Err(evicts));
        let volatile = "this Redis keeps nothing over a restart: turn on appendonly, or accept \
                        that with --cluster-volatile";
        check(&GOOD.replace("aof_enabled:1", "aof_enabled:0"), false, Err(volatile));
        check(&GOOD.replace("aof_enabled:1", "aof_enabled:0"), true, Ok(()));
    }

    #[test]
    fn an_address_without_a_scheme_is_none_and_no_password_is_repeated() {
        assert!(matches!(Redis::at("cache.local:6379", None), Err(ClusterError::Address(_))));
        let redis = Redis::at("redis://:secret@cache.local:6379/2", None).expect("an address");
        assert_eq!(redis.address, "cache.local:6379");
    }
}
