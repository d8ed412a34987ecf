//! The way back after a lost connection: tries on a thread of its own, sooner at
//! first and later less often, and never all clients at the same moment.

use std::{thread, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use madang_protocol::text::Lang;

use crate::{
    address::Address,
    connection::{Connection, Greeting},
    failure::Failure,
    link::Link,
};

/// The longest wait before the first try, and before the last ones.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Tries to connect until it is dropped, or until one try succeeds.
pub(crate) struct Reconnect {
    links: Receiver<Link>,
    /// Dropped, it wakes the thread, which then ends.
    _dropped: Sender<()>,
}

impl Reconnect {
    /// Starts to try, as late as if `tries` had been in vain already. Without a thread
    /// for it, there will be no link: the channel is disconnected.
    pub(crate) fn start(address: &Address, lang: Lang, mut tries: u32) -> Reconnect {
        let (dropped, is_dropped) = bounded::<()>(0);
        let (sender, links) = bounded(1);
        let address = address.clone();
        let spawned = thread::Builder::new().name("reconnect".into()).spawn(move || {
            loop {
                let wait = wait_before(tries, random());
                if is_dropped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                if let Ok(link) = connect(&address, lang) {
                    // Nobody may wait for it any more.
                    let _ = sender.send(link);
                    return;
                }
                tries = tries.saturating_add(1);
            }
        });
        // Its sender went with it.
        let _ = spawned;
        Reconnect { links, _dropped: dropped }
    }

    /// The link, once there is one.
    pub(crate) fn links(&self) -> &Receiver<Link> {
        &self.links
    }
}

fn connect(address: &Address, lang: Lang) -> Result<Link, Failure> {
    let connection = Connection::open(address)?;
    match connection.greeting() {
        Greeting::Madang(first) => Link::open(connection, &first, lang),
        Greeting::Other(_) => Err(Failure::NoHello),
    }
}

/// The wait before try number `tries`, which counts from 0: doubling, and between
/// half and all of that, as `random` has it.
fn wait_before(tries: u32, random: u16) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST_WAIT);
    wait / 2 + wait / 2 * u32::from(random) / u32::from(u16::MAX)
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    // Without the system's randomness, clients just come back together.
    let _ = getrandom::fill(&mut bytes);
    u16::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_are_spread() {
        #[track_caller]
        fn check(tries: u32, shortest_ms: u64, longest_ms: u64) {
            let waits = [wait_before(tries, 0), wait_before(tries, u16::MAX)];
            assert_eq!(waits, [shortest_ms, longest_ms].map(Duration::from_millis));
        }
        check(0, 250, 500);
        check(1, 500, 1_000);
        check(4, 4_000, 8_000);
        check(5, 7_500, 15_000);
        check(40, 7_500, 15_000);
        let middle = wait_before(0, u16::MAX / 2);
        assert!(middle > wait_before(0, 0) && middle < wait_before(0, u16::MAX));
    }
}
