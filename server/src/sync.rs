//! The locks of shared structures, and the channels for a room's answers: parking_lot's and
//! crossbeam's, or shuttle's behind the same interface to test interleavings.

#[cfg(not(feature = "shuttle"))]
pub(crate) use crossbeam_channel::{Sender, bounded};
#[cfg(feature = "shuttle")]
pub(crate) use model::{Condvar, ModelSender as Sender, Mutex, MutexGuard, bounded};
#[cfg(not(feature = "shuttle"))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

#[cfg(feature = "shuttle")]
mod model {
    use std::{
        collections::VecDeque,
        ops::{Deref, DerefMut},
        sync::Arc,
        time::Instant,
    };

    use crossbeam_channel::{RecvError, RecvTimeoutError, SendError};

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            // Like parking_lot's, this lock survives a panic of its holder.
            MutexGuard(Some(self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())))
        }
    }

    /// Empty only inside [`Condvar::wait`].
    pub(crate) struct MutexGuard<'a, T>(Option<shuttle::sync::MutexGuard<'a, T>>);

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect("only wait takes it out, and puts it back")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("only wait takes it out, and puts it back")
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(shuttle::sync::Condvar);

    pub(crate) struct WaitTimeoutResult;

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(&self) -> bool {
            false
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Condvar {
            Condvar(shuttle::sync::Condvar::new())
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let inner = guard.0.take().expect("a guard is full outside of wait");
            guard.0 = Some(self.0.wait(inner).unwrap_or_else(|poisoned| poisoned.into_inner()));
        }

        /// A model has no clock, so a wait with a deadline is an ordinary wait.
        pub(crate) fn wait_until<T>(
            &self,
            guard: &mut MutexGuard<'_, T>,
            _deadline: Instant,
        ) -> WaitTimeoutResult {
            self.wait(guard);
            WaitTimeoutResult
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// A channel for a few messages from one sender. It never blocks its sender.
    pub(crate) fn bounded<T>(_capacity: usize) -> (ModelSender<T>, ModelReceiver<T>) {
        let state = Mutex::new(ChannelState { messages: VecDeque::new(), has_sender: true });
        let channel = Arc::new(Channel { state, changed: Condvar::new() });
        (ModelSender(channel.clone()), ModelReceiver(channel))
    }

    #[derive(Debug)]
    struct Channel<T> {
        state: Mutex<ChannelState<T>>,
        changed: Condvar,
    }

    #[derive(Debug)]
    struct ChannelState<T> {
        messages: VecDeque<T>,
        has_sender: bool,
    }

    #[derive(Debug)]
    pub(crate) struct ModelSender<T>(Arc<Channel<T>>);

    #[derive(Debug)]
    pub(crate) struct ModelReceiver<T>(Arc<Channel<T>>);

    impl<T> ModelSender<T> {
        pub(crate) fn send(&self, message: T) -> Result<(), SendError<T>> {
            self.0.state.lock().messages.push_back(message);
            self.0.changed.notify_all();
            Ok(())
        }
    }

    impl<T> Drop for ModelSender<T> {
        fn drop(&mut self) {
            self.0.state.lock().has_sender = false;
            self.0.changed.notify_all();
        }
    }

    impl<T> ModelReceiver<T> {
        pub(crate) fn recv(&self) -> Result<T, RecvError> {
            let mut state = self.0.state.lock();
            loop {
                match state.messages.pop_front() {
                    Some(message) => return Ok(message),
                    None if !state.has_sender => return Err(RecvError),
                    None => self.0.changed.wait(&mut state),
                }
            }
        }

        /// A model has no clock, so this waits like [`recv`](Self::recv).
        pub(crate) fn recv_deadline(&self, _deadline: Instant) -> Result<T, RecvTimeoutError> {
            self.recv().map_err(|RecvError| RecvTimeoutError::Disconnected)
        }
    }
}
