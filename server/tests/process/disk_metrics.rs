//! The metrics of the journal, in a flood and while the disk fails.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_tests::TestClient;
use serde_json::json;

use crate::{
    disk::{FailingDisk, Two},
    incoming::PATIENCE,
    journal::wait_for,
};

/// Some of the metrics, at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Journal {
    queue_bytes: f64,
    degraded: f64,
    holes: f64,
    lines: f64,
    commits: f64,
    commit_seconds: f64,
}

impl Journal {
    #[track_caller]
    fn at(address: SocketAddr) -> Journal {
        let mut client = TestClient::connect(address);
        let answer = client.send("GET /metrics HTTP/1.0\r\n\r\n").expect_rest();
        let value = |name: &str| {
            let mut samples =
                answer.lines().filter_map(|line| line.strip_prefix("madang_journal_"));
            let value = samples.find_map(|sample| sample.strip_prefix(name)?.strip_prefix(' '));
            value.and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("no {name}: {answer}"))
        };
        Journal {
            queue_bytes: value("queue_bytes"),
            degraded: value("degraded"),
            holes: value("holes_total"),
            lines: value("lines_total"),
            commits: value("commit_seconds_count"),
            commit_seconds: value("commit_seconds_sum"),
        }
    }

    /// Looks until it is as expected.
    #[track_caller]
    fn wait_until(address: SocketAddr, is_so: impl Fn(Journal) -> bool) -> Journal {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let journal = Journal::at(address);
            if is_so(journal) {
                return journal;
            }
            assert!(Instant::now() < deadline, "{journal:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Says lines of this length all at once, and waits for their acks.
#[track_caller]
fn flood(two: &mut Two, lines: usize, length: usize) {
    let text = "x".repeat(length);
    for number in 0..lines {
        two.alice
            .send_json(json!({"type": "say", "text": text, "nonce": format!("{length}-{number}")}));
        two.heard("x\n");
    }
    for _ in 0..lines {
        wait_for(&mut two.alice, "ack");
    }
}

#[test]
#[ignore = "needs cc"]
fn the_metrics_tell_what_is_saved_what_waits_and_what_is_lost() {
    let disk = FailingDisk::new();
    let mut server = disk.start_server_with(&["--metrics", "127.0.0.1:0"]);
    server.out().expect("+++ Metrics: http://");
    let address = server.out().expect("/metrics\n").parse().expect("an address");
    let mut two = Two::log_in(&server);
    flood(&mut two, 2_000, 64);
    let good = Journal::wait_until(address, |journal| journal.queue_bytes == 0.0);
    assert_eq!((good.degraded, good.holes), (0.0, 0.0), "{good:?}");
    // Rows also tell of rooms, sessions and ids.
    assert!((2_000.0..20_000.0).contains(&good.lines), "{good:?}");
    assert!((1.0..2_000.0).contains(&good.commits) && good.commit_seconds > 0.0, "{good:?}");

    disk.order("sync");
    flood(&mut two, 10, 65);
    let waiting = Journal::at(address);
    assert_eq!((waiting.degraded, waiting.holes), (1.0, 0.0), "{waiting:?}");
    assert!(waiting.queue_bytes > 10.0 * 65.0, "{waiting:?}");
    assert_eq!((waiting.lines, waiting.commits), (good.lines, good.commits), "nothing is saved");
    // More than may wait for the disk.
    flood(&mut two, 1_500, 4_000);
    let full = Journal::at(address);
    assert!(full.holes > 0.0 && full.holes < 1_500.0, "{full:?}");
    assert!(full.queue_bytes > 1_000_000.0, "{full:?}");

    disk.order("");
    two.say_when_saved_again(&mut server);
    let again = Journal::wait_until(address, |journal| journal.queue_bytes == 0.0);
    assert_eq!((again.degraded, again.holes), (0.0, full.holes), "{again:?}");
    let saved = again.lines - good.lines;
    assert!(saved >= 1_511.0 - full.holes, "{again:?} after {good:?}");
    assert!(again.commits > good.commits, "{again:?}");
    eprintln!("{good:?}\n{waiting:?}\n{full:?}\n{again:?}");
}
