//! With `MADANG_TEST_NODES=2`, each server of a test is two that are one chat, over a Redis of
//! their own, and the test's clients connect to them in turn: what holds on one server has to
//! hold on two. They share their console.

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
};

use madang_server::config::Config;

use crate::{TestServer, screen::Screen};

/// The variable with the number of servers.
const VARIABLE: &str = "MADANG_TEST_NODES";

/// The other server, and the Redis of both.
pub(crate) struct Second {
    server: Box<TestServer>,
    is_next: AtomicBool,
    #[cfg(unix)]
    _redis: crate::redis::TestRedis,
}

impl Second {
    /// Starts it, if there are to be two, and makes `config` that of the first. Tests that have
    /// a cluster of their own, or that save messages, get one server.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn start(config: &mut Config, screen: &Screen) -> Option<Second> {
        let is_wanted = env::var(VARIABLE).is_ok_and(|nodes| nodes == "2");
        if !is_wanted || config.cluster.is_some() || config.journal.is_some() {
            return None;
        }
        let redis = crate::redis::TestRedis::start();
        config.cluster = Some(madang_server::cluster::ClusterConfig::at(&redis.url()));
        let server = Box::new(TestServer::start_inside(config.clone(), None, screen.clone()));
        Some(Second { server, is_next: AtomicBool::new(false), _redis: redis })
    }

    /// There is no Redis for this system.
    #[cfg(not(unix))]
    pub(crate) fn start(_: &mut Config, _: &Screen) -> Option<Second> {
        assert!(env::var_os(VARIABLE).is_none(), "{VARIABLE}: there is no Redis here");
        None
    }

    /// The server, every other time.
    pub(crate) fn in_turn(&self) -> Option<&TestServer> {
        self.is_next.fetch_xor(true, Ordering::Relaxed).then_some(&self.server)
    }

    /// Does something with this server and the other.
    pub(crate) fn with_each(&self, act: impl Fn(&TestServer), other: &TestServer) {
        [other, &self.server].into_iter().for_each(act);
    }

    /// Stops it.
    ///
    /// # Panics
    ///
    /// As [`TestServer::stop`] does.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.server.stop();
    }
}
