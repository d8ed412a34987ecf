//! May this peer come in? Capacity, limits per address, bans, the flood limit, and the table
//! of live connections. Knows addresses and numbers, not people or rooms.

pub(crate) mod bans;
pub mod rate_limit;
pub mod capacity;
pub(crate) mod connection_table;
pub(crate) mod allowance;
pub(crate) mod bucket_pool;
