//! Two servers of a cluster in network namespaces with addresses of their own, a partition between
//! one of them and Redis, and its healing.

use std::{
    env,
    net::SocketAddr,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use madang_tests::redis::TestRedis;

use crate::{
    cluster::{count, join_once_free, joined, left},
    incoming::PATIENCE,
    peer::Peer,
    program::Program,
    server_process::command_under,
};

/// Set for the process that runs in a network of its own.
const INSIDE: &str = "MADANG_TEST_INSIDE";

/// How long a server that is silent counts as alive here.
const LEASE: Duration = Duration::from_secs(5);

const REDIS_PORT: u16 = 6_379;

/// A namespace that this one reaches by two links: one for members (10.78.N.2), and one on which
/// its server reaches Redis (10.77.N.1).
struct Site {
    number: u8,
    /// Keeps the namespace.
    holder: Program,
}

/// Runs a command without quotes.
#[track_caller]
fn sh(line: &str) {
    let mut words = line.split(' ');
    let status = Command::new(words.next().expect("a program")).args(words).status();
    assert!(status.is_ok_and(|status| status.success()), "{line}");
}

impl Site {
    #[track_caller]
    fn new(number: u8) -> Site {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "sh", "-c", "echo here; exec sleep infinity"]).stdin(Stdio::null());
        let mut holder = Program::start(&mut holder);
        holder.out().expect("here\n");
        let site = Site { number, holder };
        let pid = site.holder.pid().as_raw_nonzero();
        site.inside("ip link set lo up");
        for (link, net) in [("redis", 77), ("people", 78)] {
            sh(&format!("ip link add {link}{number} type veth peer name {link}"));
            sh(&format!("ip link set {link} netns {pid}"));
            sh(&format!("ip addr add 10.{net}.{number}.1/24 dev {link}{number}"));
            sh(&format!("ip link set {link}{number} up"));
            site.inside(&format!("ip addr add 10.{net}.{number}.2/24 dev {link}"));
            site.inside(&format!("ip link set {link} up"));
        }
        site
    }

    fn namespace(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.holder.pid().as_raw_nonzero())
    }

    #[track_caller]
    fn inside(&self, line: &str) {
        sh(&format!("nsenter {} {line}", self.namespace()));
    }

    /// Separates its server from Redis, or lets it reach Redis again.
    #[track_caller]
    fn link(&self, state: &str) {
        sh(&format!("ip link set redis{} {state}", self.number));
    }

    #[track_caller]
    fn start_server(&self) -> Program {
        let Site { number, .. } = self;
        let mut server = command_under("nsenter", &[&self.namespace()]);
        server.args(["--listen", &format!("10.78.{number}.2:9009")]);
        server.args(["--web", &format!("10.78.{number}.2:9998")]);
        server.args(["--cluster", &format!("redis://10.77.{number}.1:{REDIS_PORT}")]);
        server.args(["--cluster-lease", &LEASE.as_millis().to_string()]);
        let mut server = Program::start(server.args(["--rate-limit", "off"]));
        server.out().expect("curl -NT. telnet://");
        server
    }

    fn address(&self) -> SocketAddr {
        ([10, 78, self.number, 2], 9_009).into()
    }

    /// Waits until `/healthz` says this.
    #[track_caller]
    fn wait_for_health(&self, status: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut peer = Peer::connect(([10, 78, self.number, 2], 9_998).into());
            peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
            peer.expect("HTTP/1.1 ");
            if peer.expect("\r\n") == status {
                return;
            }
            assert!(Instant::now() < deadline, "{status} is not what /healthz says");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
#[ignore = "needs redis-server, ip and namespaces"]
fn a_partition_heals_or_ends_the_server_on_its_far_side() {
    if env::var_os(INSIDE).is_some() {
        return partition_and_heal();
    }
    let namespaces = [&["--net"][..], &["--map-root-user", "--net"]];
    let allowed = namespaces.into_iter().find(|namespaces| {
        let mut unshare = Command::new("unshare");
        unshare.args(*namespaces).args(["ip", "link", "set", "lo", "up"]).stderr(Stdio::null());
        unshare.status().is_ok_and(|status| status.success())
    });
    let Some(namespaces) = allowed else {
        eprintln!("skipped: this machine allows no network namespaces");
        return;
    };
    let name = "cluster_partition::a_partition_heals_or_ends_the_server_on_its_far_side";
    let status = Command::new("unshare")
        .args(namespaces)
        .arg(env::current_exe().expect("this program"))
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env(INSIDE, "")
        .status();
    assert!(status.is_ok_and(|status| status.success()), "see above");
}

fn partition_and_heal() {
    sh("ip link set lo up");
    let sites = [Site::new(1), Site::new(2)];
    let _redis = TestRedis::start_at(REDIS_PORT);
    let [near, far] = &sites;
    let _near_server = near.start_server();
    let mut far_server = far.start_server();
    let mut alice = Peer::join(near.address(), "alice");
    let mut bob = Peer::join(far.address(), "bob");
    alice.expect(&joined("bob"));

    // For less than a lease: what was said meanwhile is heard once, and nobody leaves.
    far.link("down");
    bob.say("is anybody there?");
    alice.say("where is bob?");
    alice.expect("[alice] where is bob?\n");
    far.wait_for_health("503 Service Unavailable");
    far.link("up");
    far.wait_for_health("200 OK");
    bob.expect("[bob] is anybody there?\n");
    alice.say("here I am");
    bob.expect("[alice] here I am\n");
    assert_eq!(count(&mut alice, "is anybody there?", "[alice] here I am\n"), 1);

    // For longer: the far side's members leave, and nothing that was said there comes later.
    far.link("down");
    bob.say("from the far side");
    alice.expect(&left("bob"));
    far.link("up");
    bob.expect_end();
    assert_eq!(far_server.expect_exit(), 1);
    let _far_server = far.start_server();
    let mut bob = join_once_free(far.address(), "bob");
    alice.expect(&joined("bob"));
    bob.say("the far side is back");
    assert_eq!(count(&mut alice, "from the far side", "[bob] the far side is back\n"), 0);
    bob.say("for good");
    assert_eq!(count(&mut alice, &left("bob"), "[bob] for good\n"), 1);
}
