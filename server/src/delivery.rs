//! From a round's events to bytes in sockets: renders each event once per wire form, queues
//! bytes for each connection, and waits for full sockets on one thread.

pub mod carrier;
pub mod batch;
pub(crate) mod outbox;
pub(crate) mod sink;
pub(crate) mod drainer;
