//! End-to-end tests: what can be seen of Madang over real sockets and from real
//! processes. One binary, a module per topic.

mod conversation;
mod commands;
mod requests;
mod moderation;
mod private;
mod first_room;
mod json;
mod quiet;
mod coming_back;
mod cut_off;
mod upheaval;
mod framing;
mod text;
mod terminal;
mod forgery;
mod names;
mod order;
mod stall;
mod limits;
mod carriers;
mod cost;
mod stop;
mod dead;
mod readme;
mod doors;
mod tls;
mod transcripts;
mod search;
mod web;
mod metrics;
mod hostile;
mod rfc6455;
mod peers;
mod deploy;
mod browser;
