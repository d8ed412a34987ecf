//! A server's settings for its cluster, and why it can't join one.

use std::{fmt, io, time::Duration};

use crate::system;

/// A server's cluster settings.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where Redis, or Valkey, is: `redis://HOST`, or `rediss://` over TLS.
    pub url: String,
    /// Its password, if that is not in the address. Default: none.
    pub password: Option<String>,
    /// Accept a Redis that loses its data when it restarts. Default: false.
    pub volatile: bool,
    /// How long messages may wait for an unreachable Redis before members are told and new
    /// messages are refused. Default: 10 s.
    pub patience: Duration,
    /// After how many entries a room's state is saved. Default: 1,000.
    pub entries_kept_after: u64,
    /// How long entries are kept that a saved state contains. Default: 60 s.
    pub entries_kept_for: Duration,
    /// How much of a room's log Redis may hold; while it does, what is said in the room waits.
    /// Default: 32 MiB.
    pub log_bytes: u64,
    /// What this server is called among the others. Default: the name of its machine.
    pub node: String,
    /// How long a server that is not heard of counts as alive. Default: 15 s.
    pub lease: Duration,
    /// How long a server must have been there itself before it may declare another dead.
    /// Default: 20 s.
    pub settling: Duration,
}

impl ClusterConfig {
    /// The default settings for an address.
    pub fn at(url: &str) -> ClusterConfig {
        ClusterConfig {
            url: url.to_owned(),
            password: None,
            volatile: false,
            patience: Duration::from_secs(10),
            entries_kept_after: 1_000,
            entries_kept_for: Duration::from_secs(60),
            log_bytes: 32 * 1_024 * 1_024,
            node: system::own_name(),
            lease: Duration::from_secs(15),
            settling: Duration::from_secs(20),
        }
    }
}

/// Without the address and the password, which are secret.
impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClusterConfig {
            volatile,
            patience,
            entries_kept_after,
            entries_kept_for,
            log_bytes,
            node,
            lease,
            settling,
            ..
        } = self;
        f.debug_struct("ClusterConfig")
            .field("volatile", volatile)
            .field("patience", patience)
            .field("entries_kept_after", entries_kept_after)
            .field("entries_kept_for", entries_kept_for)
            .field("log_bytes", log_bytes)
            .field("node", node)
            .field("lease", lease)
            .field("settling", settling)
            .finish_non_exhaustive()
    }
}

/// Why a server can't join the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Not a valid address.
    #[error("not the address of a Redis: {0}")]
    Address(String),
    /// Nothing answers there, or it is not Redis.
    #[error("failed to reach Redis at {address}: {cause}")]
    Unreachable {
        /// The address, without the password.
        address: String,
        /// What happened.
        cause: String,
    },
    /// It answers, and refuses what the server needs.
    #[error("failed to use Redis at {address}: {cause}")]
    Refused {
        /// The address, without the password.
        address: String,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// This Redis lacks a feature that is needed.
    #[error("Redis {version} is too old: 6.2 is needed, or Valkey")]
    Version {
        /// Its version.
        version: String,
    },
    /// It evicts keys.
    #[error(
        "this Redis drops what it has when its memory is full (maxmemory-policy {policy}): set \
         it to noeviction"
    )]
    Eviction {
        /// Its eviction policy.
        policy: String,
    },
    /// It saves nothing to disk.
    #[error(
        "this Redis keeps nothing over a restart: turn on appendonly, or accept that with \
         --cluster-volatile"
    )]
    Volatile,
    /// The system can't start another thread.
    #[error("failed to start the cluster's threads: {0}")]
    Threads(#[from] io::Error),
}
