//! From a round's events to the bytes in each socket: rendering once for each form, a queue for each
//! connection, the thread that waits for full sockets.

pub mod carrier;
pub mod batch;
pub(crate) mod outbox;
pub(crate) mod sink;
pub(crate) mod drainer;
