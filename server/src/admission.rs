//! Whether a peer is admitted: capacity, limits per address, bans, rate limits, the words that
//! open private rooms, and the table of live connections. Works with addresses and numbers; knows
//! no people or rooms.

pub(crate) mod bans;
pub mod rate_limit;
pub mod capacity;
pub(crate) mod connection_table;
pub(crate) mod allowance;
pub(crate) mod bucket_pool;
pub(crate) mod spoken;
