//! The mailbox: posts to a room wait here for their round, and the role of the pump passes from
//! thread to thread. The content of posts does not matter here.
//!
//! # Guarantees
//!
//! 1. While anything waits, exactly one thread has the duty, or one thread waits
//!    to take it over.
//! 2. What is posted is taken once, in the order of the posts.
//! 3. At most [`MAILBOX_BYTES`] wait: who posts more waits for the next round.
//!    Posts of [`Urgency::Now`] never wait for that: of leaves there is one per
//!    member, of the others few, from the timekeeper, the operator and who owned it.
//! 4. A round takes at most [`ROUND_BYTES`], but always one post.
//! 5. A pump that is tired gives up the duty to the first thread that posts, at
//!    the end of its round; until one comes, it goes on.
//! 6. After [`close`](Mailbox::close) nothing is taken in; what waited is still
//!    taken out.
//! 7. A pump that panics gives up its duty.

use std::{collections::VecDeque, mem};

use crate::sync::{Condvar, Mutex, MutexGuard};

/// The maximum that may wait in a mailbox, as counted by the posts.
pub(crate) const MAILBOX_BYTES: usize = 256 * 1_024;

/// The maximum that a round takes.
pub(crate) const ROUND_BYTES: usize = 64 * 1_024;

/// Whether a post waits while the mailbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It waits for the next round.
    Waits,
    /// It does not wait for space, but may wait for a tired pump's round.
    Now,
}

/// The room has ended and accepts no posts; the post is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended<P = ()>(pub(crate) P);

/// Posts in order, and the state of the pump's role.
#[derive(Debug)]
pub(crate) struct Mailbox<P> {
    state: Mutex<MailboxState<P>>,
    /// Signalled when a round was taken or the role changes hands.
    changed: Condvar,
}

#[derive(Debug)]
struct MailboxState<P> {
    posts: VecDeque<(usize, P)>,
    waiting_bytes: usize,
    duty: Duty,
    closed: bool,
    /// How many threads wait for `changed`.
    waiting_threads: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    /// Nobody pumps; nothing waits.
    Free,
    /// A thread pumps.
    Taken,
    /// A thread pumps and would like to hand over.
    Tired,
    /// A thread pumps, and another waits to take over.
    Wanted,
    /// Handed over to the waiting thread.
    Offered,
}

impl<P> Mailbox<P> {
    pub(crate) fn new() -> Mailbox<P> {
        Mailbox {
            state: Mutex::new(MailboxState {
                posts: VecDeque::new(),
                waiting_bytes: 0,
                duty: Duty::Free,
                closed: false,
                waiting_threads: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Posts, and returns the pump's role if the caller has to take it.
    ///
    /// Blocks while the mailbox is full, and until a tired pump's round is over.
    ///
    /// # Errors
    ///
    /// [`Ended`] after [`close`](Self::close).
    pub(crate) fn post(
        &self,
        post: P,
        bytes: usize,
        urgency: Urgency,
    ) -> Result<Option<Pump<'_, P>>, Ended<P>> {
        let mut state = self.state.lock();
        // A post always fits into an empty mailbox, however long it is; and without a pump,
        // waiting would be pointless.
        while urgency == Urgency::Waits
            && !state.closed
            && state.duty != Duty::Free
            && !state.posts.is_empty()
            && state.waiting_bytes + bytes > MAILBOX_BYTES
        {
            self.wait(&mut state);
        }
        if state.closed {
            return Err(Ended(post));
        }
        Ok(self.push(state, post, bytes))
    }

    /// Posts the last post; nothing is accepted after it. Returns the pump's role if the caller
    /// has to take it. Waits only for a tired pump's round.
    pub(crate) fn close(&self, last: P) -> Option<Pump<'_, P>> {
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        state.closed = true;
        self.signal(&state);
        self.push(state, last, 0)
    }

    /// Accepts nothing more; what waits is still taken. Called by the pump.
    pub(crate) fn shut(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        // Waiting for space is pointless now.
        self.signal(&state);
    }

    fn push(
        &self,
        mut state: MutexGuard<'_, MailboxState<P>>,
        post: P,
        bytes: usize,
    ) -> Option<Pump<'_, P>> {
        state.posts.push_back((bytes, post));
        state.waiting_bytes += bytes;
        match state.duty {
            Duty::Taken | Duty::Wanted | Duty::Offered => return None,
            Duty::Free => {}
            Duty::Tired => {
                state.duty = Duty::Wanted;
                while state.duty == Duty::Wanted {
                    self.wait(&mut state);
                }
            }
        }
        state.duty = Duty::Taken;
        Some(Pump { mailbox: self })
    }

    fn wait(&self, state: &mut MutexGuard<'_, MailboxState<P>>) {
        state.waiting_threads += 1;
        self.changed.wait(state);
        state.waiting_threads -= 1;
    }

    fn signal(&self, state: &MailboxState<P>) {
        if state.waiting_threads > 0 {
            self.changed.notify_all();
        }
    }

    fn give_up_duty(&self, state: &mut MailboxState<P>) {
        state.duty = match state.duty {
            Duty::Wanted => Duty::Offered,
            _ => Duty::Free,
        };
        self.signal(state);
    }
}

/// The role of the pump, which one thread at a time has.
pub(crate) struct Pump<'a, P> {
    mailbox: &'a Mailbox<P>,
}

impl<'a, P> Pump<'a, P> {
    /// Moves the posts of the next round into `round`, and keeps the role; `None` if nothing
    /// waits or another thread takes over.
    pub(crate) fn next_round(self, tired: bool, round: &mut Vec<P>) -> Option<Pump<'a, P>> {
        let mut state = self.mailbox.state.lock();
        if state.duty == Duty::Wanted || state.posts.is_empty() {
            // The role is given up under the lock that protects the check that nothing waits,
            // so no post can slip in between and find no pump.
            self.mailbox.give_up_duty(&mut state);
            drop(state);
            mem::forget(self);
            return None;
        }
        if tired {
            state.duty = Duty::Tired;
        }
        let mut bytes = 0;
        while let Some((size, _)) = state.posts.front() {
            if !round.is_empty() && bytes + size > ROUND_BYTES {
                break;
            }
            bytes += size;
            round.extend(state.posts.pop_front().map(|(_, post)| post));
        }
        state.waiting_bytes -= bytes;
        self.mailbox.signal(&state);
        drop(state);
        Some(self)
    }
}

/// Reached only if a pump panics.
impl<P> Drop for Pump<'_, P> {
    fn drop(&mut self) {
        let mut state = self.mailbox.state.lock();
        self.mailbox.give_up_duty(&mut state);
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
    };

    use super::*;
    use crate::patience;

    /// Posts, and returns the role, which the first post gets.
    #[track_caller]
    fn first_post(mailbox: &Mailbox<u32>, post: u32, bytes: usize) -> Pump<'_, u32> {
        mailbox.post(post, bytes, Urgency::Waits).expect("it is open").expect("nobody pumps")
    }

    #[track_caller]
    fn beside_a_pump(mailbox: &Mailbox<u32>, post: u32, bytes: usize) {
        assert!(mailbox.post(post, bytes, Urgency::Now).is_ok_and(|duty| duty.is_none()));
    }

    #[test]
    fn a_round_takes_what_fits_and_one_post_at_least() {
        let mailbox = Mailbox::new();
        let pump = first_post(&mailbox, 0, ROUND_BYTES + 1);
        for post in 1..=3 {
            beside_a_pump(&mailbox, post, ROUND_BYTES / 2);
        }
        let mut pump = Some(pump);
        let mut rounds = Vec::new();
        loop {
            let mut round = Vec::new();
            pump = pump.and_then(|pump| pump.next_round(false, &mut round));
            if pump.is_none() {
                break;
            }
            rounds.push(round);
        }
        assert_eq!(rounds, [vec![0], vec![1, 2], vec![3]]);
    }

    #[test]
    fn a_full_mailbox_blocks_a_speaker_until_the_next_round() {
        let mailbox = Arc::new(Mailbox::new());
        let pump = first_post(&mailbox, 0, MAILBOX_BYTES);
        let speaker = patience::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.post(1, 1, Urgency::Waits).is_ok_and(|duty| duty.is_none())
        });
        patience::wait_until(|| mailbox.state.lock().waiting_threads > 0);
        // A leave does not wait for space as a speaker does.
        beside_a_pump(&mailbox, 2, 1);
        let mut round = Vec::new();
        let pump = pump.next_round(false, &mut round).expect("something waited");
        assert_eq!(round, [0]);
        assert!(speaker.join());
        round.clear();
        pump.next_round(false, &mut round).expect("something waited");
        assert_eq!(round, [2, 1]);
    }

    #[test]
    fn a_tired_pump_hands_over_to_the_next_poster() {
        let mailbox = Arc::new(Mailbox::new());
        let mut round = Vec::new();
        let pump = first_post(&mailbox, 0, 1).next_round(true, &mut round);
        let pump = pump.expect("until one posts, it goes on");
        let successor = patience::spawn({
            let mailbox = mailbox.clone();
            move || {
                let duty = mailbox.post(1, 1, Urgency::Waits).expect("it is open");
                let mut round = Vec::new();
                duty.expect("it takes over").next_round(false, &mut round).expect("its own post");
                round
            }
        });
        patience::wait_until(|| mailbox.state.lock().duty == Duty::Wanted);
        assert!(pump.next_round(true, &mut round).is_none(), "another wants it");
        assert_eq!(successor.join(), [1]);
    }

    #[test]
    fn a_panicking_pump_gives_up_its_role() {
        let mailbox = Mailbox::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _pump = first_post(&mailbox, 0, 1);
            panic!("as the test asked");
        }));
        assert!(panicked.is_err());
        let mut round = Vec::new();
        first_post(&mailbox, 1, 1).next_round(false, &mut round).expect("something waits");
        assert_eq!(round, [0, 1]);
    }

    #[test]
    fn after_closing_nothing_is_taken_in() {
        let mailbox = Mailbox::new();
        let pump = first_post(&mailbox, 0, 1);
        assert!(mailbox.close(9).is_none());
        assert!(matches!(mailbox.post(1, 1, Urgency::Now), Err(Ended(1))));
        let mut round = Vec::new();
        assert!(pump.next_round(false, &mut round).is_some());
        assert_eq!(round, [0, 9]);
    }
}
