//! Reconnects after a lost connection: a thread tries repeatedly, with growing random pauses,
//! so that clients don't all come back at the same moment.

use std::{thread, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use madang_protocol::text::Lang;

use crate::{
    address::Address,
    connection::{Connection, Greeting},
    failure::Failure,
    link::Link,
};

/// The upper limit of the first pause, and of all pauses.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Tries to connect until it is dropped, or until one try succeeds.
pub(crate) struct Reconnect {
    links: Receiver<Link>,
    /// Dropping it wakes the thread, which then ends.
    _dropped: Sender<()>,
}

impl Reconnect {
    /// Starts trying, with the pause that follows after `tries` failures. If no thread can be
    /// started, the channel is disconnected and there will be no link.
    pub(crate) fn start(address: &Address, lang: Lang, tries: u32) -> Reconnect {
        let mut backoff = Backoff { tries };
        let (dropped, is_dropped) = bounded::<()>(0);
        let (sender, links) = bounded(1);
        let address = address.clone();
        let spawned = thread::Builder::new().name("reconnect".into()).spawn(move || {
            while is_dropped.recv_timeout(backoff.next(random())) == Err(RecvTimeoutError::Timeout)
            {
                if let Ok(link) = connect(&address, lang) {
                    // The receiver may be gone.
                    let _ = sender.send(link);
                    return;
                }
            }
        });
        // The thread's sender was dropped with it.
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

/// The pauses before the tries.
struct Backoff {
    /// The number of tries so far.
    tries: u32,
}

impl Backoff {
    /// The pause before the next try. Its upper limit doubles each time up to [`LONGEST_WAIT`],
    /// and `random` picks a value between half of the limit and the limit.
    fn next(&mut self, random: u16) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.tries)).min(LONGEST_WAIT);
        self.tries = self.tries.saturating_add(1);
        wait / 2 + wait / 2 * u32::from(random) / u32::from(u16::MAX)
    }
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness, clients come back at the same moment, which still works.
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
        // With the pause that follows after earlier failures.
        check(4, 0, &[4_000, 7_500]);
        check(u32::MAX, u16::MAX, &[15_000, 15_000]);
        let wait = |random| Backoff { tries: 0 }.next(random);
        assert!((wait(0)..wait(u16::MAX)).contains(&wait(u16::MAX / 2)));
    }
}
