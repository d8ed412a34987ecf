//! The server of Madang: rooms, names, delivery.
//!
//! # Threads
//!
//! ```text
//!   accept (1 per listener) ── spawns ──▶ connection (1 per socket; on the web port
//!                                            │ after its request)
//!                                            │ reads, parses, sanitizes
//!                                            ▼ posts
//!                                  mailbox of the room ──▶ pump: whichever
//!                                            connection posts first and finds
//!                                            nobody pumping
//!                                            │ one batch a round, rendered once
//!                                            ▼ offers                per form
//!        outbox ─ outbox ─ outbox ─ …  (1 per connection)
//!           │ sends at once, without blocking; what the socket does not take waits
//!           ▼ armed
//!        drainer (1) ── sends the rest when the socket takes it; ends who stalls
//!
//!   timekeeper (1) ── ends expired sessions, empty rooms, mutes and dismissed
//!                     connections; looks for a new certificate
//!   console (1) ◀── lines for the operator, diagnostics
//!
//!   main ── starts all this, waits for a signal, stops it
//!   operator (1) ── reads the terminal: bans, mutes, announcements; ends with the
//!                   process
//!   signals (1, once it stops) ── a second signal ends the process at once
//! ```
//!
//! Reading a line blocks one thread, its connection's. Telling a room blocks none.
//!
//! # Order of locks
//!
//! `UserManager` or `Rooms` → a room's floor → its `Mailbox` → its status → a
//! `Session` → `Outbox` → the drainer's table of who waits. Two of a kind are never
//! held together, and none is held across anything that can block. The tables of
//! connections, bans, deadlines and new rooms by address, the certificates in use, and
//! what is counted by reason, are taken alone, or last.
//!
//! # Order of shutdown
//!
//! 1. The listeners: nobody comes any more.
//! 2. The timekeeper. Then every room closes its mailbox: what was accepted before is
//!    delivered, then each member's goodbye, its outbox's last entry. Sessions in
//!    no room get theirs directly.
//! 3. What waits is sent, for at most 3 s; then every socket is shut down, whose
//!    thread wakes from its read and ends.
//! 4. The drainer, then the console.

pub mod cli;
pub mod manual;
pub mod config;
pub mod server;

pub mod transport;
pub mod admission;
pub mod dialect;
mod connection;
mod commands;
mod session;
mod room;
pub mod delivery;
mod web;
pub mod operator;

mod shared;
mod door;
mod timekeeper;
mod expiry;
mod clock;
mod metrics;
mod close_reason;
mod sync;

#[cfg(all(test, feature = "shuttle"))]
mod model;
#[cfg(test)]
mod patience;
