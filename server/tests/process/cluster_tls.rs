//! Servers that reach their Redis over TLS, and what an operator reads when they don't.

use std::time::{Duration, Instant};

use madang_tests::{
    Authority, Flaw, TestFolder,
    redis::{TestRedis, free_port},
};

use crate::{
    cluster::joined,
    peer::Peer,
    program::Program,
    server_process::{ServerProcess, command},
};

/// The longest that a refusal takes, on a busy machine.
const SECONDS: Duration = Duration::from_secs(10);

/// A Redis that speaks TLS, and the file that has its authority's certificate.
struct TlsRedis {
    redis: TestRedis,
    port: u16,
    trusted: String,
    _folder: TestFolder,
}

impl TlsRedis {
    #[track_caller]
    fn start(flaw: Flaw) -> TlsRedis {
        let (authority, folder, port) = (Authority::new(), TestFolder::new(), free_port());
        let redis = TestRedis::start_with_tls(port, &authority.issue_with(flaw));
        let trusted = folder.write("authority.pem", &authority.pem()).display().to_string();
        TlsRedis { redis, port, trusted, _folder: folder }
    }
}

/// A server with this address of Redis, which trusts the authorities in a file, or is left with the
/// system's, refuses to start, and gives this reason.
#[track_caller]
fn check_refused(url: &str, trusted: Option<&str>, reason: &str) {
    let mut server = command();
    server.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    server.envs(trusted.map(|file| ("SSL_CERT_FILE", file)));
    let began = Instant::now();
    let mut server = Program::start(server.args(["--listen", "127.0.0.1:0", "--cluster", url]));
    assert_eq!(server.expect_exit(), 1);
    assert!(began.elapsed() < SECONDS, "{:?}", began.elapsed());
    let err = server.err().expect_end();
    assert!(err.starts_with("madang-server: --cluster: failed to "), "{err}");
    assert!(err.contains(reason), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
#[ignore = "needs redis-server"]
fn two_servers_talk_over_tls_to_a_redis_with_a_password() {
    let redis = TlsRedis::start(Flaw::None);
    assert_eq!(redis.redis.ask("CONFIG SET requirepass secret"), "+OK\r\n");
    let url = format!("rediss://localhost:{}", redis.port);
    let node = || {
        let mut node = command();
        node.env("SSL_CERT_FILE", &redis.trusted).env("MADANG_CLUSTER_PASSWORD", "secret");
        ServerProcess::start_as(node.args(["--cluster", &url]))
    };
    let (one, other) = (node(), node());
    let mut alice = Peer::join(one.address, "alice");
    let mut bob = Peer::join(other.address, "bob");
    alice.expect(&joined("bob"));
    alice.say("over TLS");
    bob.expect("[alice] over TLS\n");
    bob.say("here too");
    alice.expect("[bob] here too\n");
    check_refused(&url, Some(&redis.trusted), "set MADANG_CLUSTER_PASSWORD");
}

#[test]
#[ignore = "needs redis-server"]
fn a_certificate_that_is_not_trusted_is_refused_with_advice() {
    let redis = TlsRedis::start(Flaw::None);
    let url = format!("rediss://localhost:{}", redis.port);
    check_refused(&url, None, "name the file with its certificate (PEM) in SSL_CERT_FILE");
    check_refused(&url, Some("/nowhere/authority.pem"), "/nowhere/authority.pem");
}

#[test]
#[ignore = "needs redis-server"]
fn a_flawed_certificate_is_refused_with_the_reason() {
    let reasons = [
        (Flaw::Expired, "its certificate has expired"),
        (Flaw::OtherName, "is not for localhost, only for other.example"),
    ];
    for (flaw, reason) in reasons {
        let redis = TlsRedis::start(flaw);
        let url = format!("rediss://localhost:{}", redis.port);
        check_refused(&url, Some(&redis.trusted), reason);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn an_address_with_the_wrong_scheme_is_refused_with_the_other_one() {
    let redis = TlsRedis::start(Flaw::None);
    let url = format!("redis://localhost:{}", redis.port);
    check_refused(&url, None, "if Redis takes TLS on this port, use rediss://");
    let (port, trusted) = (free_port(), Some(redis.trusted.as_str()));
    let _plain = TestRedis::start_at(port);
    let url = format!("rediss://localhost:{port}");
    check_refused(&url, trusted, "if Redis does not take TLS on this port, use redis://");
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_wants_a_certificate_of_the_server_is_refused_with_advice() {
    let redis = TlsRedis::start(Flaw::None);
    assert_eq!(redis.redis.ask("CONFIG SET tls-auth-clients yes"), "+OK\r\n");
    let url = format!("rediss://localhost:{}", redis.port);
    check_refused(&url, Some(&redis.trusted), "set its tls-auth-clients to no");
}

#[test]
#[ignore = "needs redis-server"]
fn a_replica_is_refused_with_advice() {
    let port = free_port();
    let _primary = TestRedis::start_at(port);
    let replica = TestRedis::start_replica(0, port);
    check_refused(&replica.url(), None, "this Redis is a read-only replica");
}
