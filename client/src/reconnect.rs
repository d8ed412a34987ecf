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
    pub(crate) fn start(address: &Address, lang: Lang, tries: u32) -> Reconnect {
        let mut backoff = Backoff { tries };
        let (dropped, is_dropped) = bounded::<()>(0);
        let (sender, links) = bounded(1);
        let address = address.clone();
        let spawned = thread::Builder::new().name("reconnect".into()).spawn(move || {
            while is_dropped.recv_timeout(backoff.next(random())) == Err(RecvTimeoutError::Timeout)
            {
                if let Ok(link) = connect(&address, lang) {
                    // Nobody may wait for it any more.
                    let _ = sender.send(link);
                    return;
                }
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

/// How long to wait before each try.
struct Backoff {
    /// Tries before the next one.
    tries: u32,
}

impl Backoff {
    /// The wait before the next try: twice as long each time up to [`LONGEST_WAIT`], and
    /// between half and all of that, as `random` has it.
    fn next(&mut self, random: u16) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.tries)).min(LONGEST_WAIT);
        self.tries = self.tries.saturating_add(1);
        wait / 2 + wait / 2 * u32::from(random) / u32::from(u16::MAX)
    }
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
        fn check(tries: u32, random: u16, expected_ms: &[u64]) {
            let mut backoff = Backoff { tries };
            let waits: Vec<_> = expected_ms.iter().map(|_| backoff.next(random)).collect();
            let expected = expected_ms.iter().copied().map(Duration::from_millis);
            assert_eq!(waits, expected.collect::<Vec<_>>());
        }
        check(0, 0, &[250, 500, 1_000, 2_000, 4_000, 7_500, 7_500]);
        check(0, u16::MAX, &[500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
        // As late as if others had been in vain before.
        check(4, 0, &[4_000, 7_500]);
        check(u32::MAX, u16::MAX, &[15_000, 15_000]);
        let wait = |random| Backoff { tries: 0 }.next(random);
        assert!((wait(0)..wait(u16::MAX)).contains(&wait(u16::MAX / 2)));
    }
}
