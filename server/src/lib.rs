//! The server of Madang: rooms, names, delivery. The architecture page below is this crate's
//! README.
//!
#![doc = include_str!("../README.md")]

pub mod cli;
pub mod manual;
pub mod task;
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
pub mod journal;
pub mod cluster;
mod web;
pub mod operator;

mod shared;
pub mod system;
pub mod doors;
mod timekeeper;
mod expiry;
mod clock;
mod metrics;
mod close_reason;
mod sync;

#[doc(hidden)]
pub mod fuzzing;

#[cfg(all(test, feature = "shuttle"))]
mod model;
#[cfg(test)]
mod patience;
#[cfg(all(test, not(feature = "shuttle")))]
mod test_server;
