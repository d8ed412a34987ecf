//! Where a connection's bytes become lines. Writing is the outbox's.

pub(crate) mod tcp;
