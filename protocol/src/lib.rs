//! The language that Madang's server and clients speak, as bytes and values: no sockets, no
//! threads, no clock, no files. The specification below is this crate's README; the modules
//! implement it.
//!
#![doc = include_str!("../README.md")]

pub mod limits;
pub mod read_buffer;
pub mod line;
pub mod telnet;
pub mod wide;
pub mod foreign;
pub mod name;
pub mod room;
pub mod words;
pub mod command;
pub mod message;
pub mod request;
pub mod time;
pub mod event;
pub mod text;
pub mod search;
pub mod josa;
pub mod duration;
pub mod notice;
pub mod secret;
pub mod sanitize;
pub mod invisible;
pub mod address_range;
