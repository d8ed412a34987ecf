//! End-to-end tests: what can be seen of Madang over real sockets and from real
//! processes. One binary, a module per topic.

mod conversation;
mod commands;
mod requests;
mod moderation;
mod practice;
mod private;
mod exercises;
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
mod spoken;
mod stall;
mod limits;
mod carriers;
mod cost;
mod stop;
mod owed;
mod dead;
mod downloads;
mod readme;
mod doors;
#[cfg(unix)]
mod cluster;
mod lesson;
mod lesson_story;
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
