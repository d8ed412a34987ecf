//! Why a connection ends: the word for programs and WebSocket's close code. The sentences are
//! with the other notices.

use crate::foreign::Foreign;

/// Why the server closes a connection, as its peer learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The member quit.
    Quit,
    /// The peer has closed its side.
    Closed,
    /// The server stops.
    Shutdown,
    /// No login in time.
    LoginTimeout {
        /// The time allowed, in seconds.
        seconds: u64,
    },
    /// Too many unusable names.
    LoginTries,
    /// Too many wrong teacher's codes.
    CodeTries,
    /// A line without an end.
    EndlessLine,
    /// A WebSocket frame that breaks RFC 6455.
    BrokenFrame,
    /// A WebSocket message that is not text.
    NotText,
    /// A WebSocket text message that is not UTF-8.
    NotUtf8,
    /// A WebSocket message that is too long, or in too many fragments.
    MessageTooBig,
    /// A WebSocket message that did not end in time.
    UnfinishedMessage,
    /// A peer that took the port for that of another protocol.
    Foreign {
        /// Which.
        foreign: Foreign,
        /// The port for browsers, if there is one.
        web_port: Option<u16>,
    },
    /// A peer without TLS, on a port that takes nothing else.
    NoTls,
    /// The server has as many connections as it can hold.
    ServerFull,
    /// The address has as many connections as one may.
    AddressFull,
    /// The name or the address is banned.
    Banned,
    /// The operator has removed the member from the lobby.
    Kicked {
        /// For how many seconds the name and the session are kept out.
        seconds: u64,
    },
    /// The room of a stream over HTTP was closed.
    RoomEnded,
    /// Another connection has taken the session over.
    Replaced,
    /// Somebody on another server has the name, too: the servers had lost who has it.
    NameTaken,
    /// An internal error.
    Internal,
}

impl Goodbye {
    /// The `reason` of the JSON `bye`.
    pub fn code(self) -> &'static str {
        match self {
            Goodbye::Quit => "quit",
            Goodbye::Closed => "closed",
            Goodbye::Shutdown => "shutdown",
            Goodbye::LoginTimeout { .. } => "login_timeout",
            Goodbye::LoginTries => "login_tries",
            Goodbye::CodeTries => "code_tries",
            Goodbye::EndlessLine => "endless_line",
            Goodbye::BrokenFrame => "protocol_error",
            Goodbye::NotText => "not_text",
            Goodbye::NotUtf8 => "not_utf8",
            Goodbye::MessageTooBig => "message_too_big",
            Goodbye::UnfinishedMessage => "unfinished_message",
            Goodbye::Foreign { foreign, .. } => foreign.code(),
            Goodbye::NoTls => "no_tls",
            Goodbye::ServerFull => "server_full",
            Goodbye::AddressFull => "address_full",
            Goodbye::Banned => "banned",
            Goodbye::Kicked { .. } => "kicked",
            Goodbye::RoomEnded => "room_ended",
            Goodbye::Replaced => "replaced",
            Goodbye::NameTaken => "name_taken",
            Goodbye::Internal => "internal_error",
        }
    }

    /// The `seconds` of the JSON `bye`: for how long the client is kept out, if it is.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Goodbye::Kicked { seconds } => Some(seconds),
            _ => None,
        }
    }

    /// The code of the WebSocket Close frame (RFC 6455 section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Goodbye::Quit | Goodbye::Closed | Goodbye::RoomEnded => 1000,
            Goodbye::Shutdown => 1001,
            Goodbye::BrokenFrame
            | Goodbye::EndlessLine
            | Goodbye::Foreign { .. }
            | Goodbye::NoTls => 1002,
            Goodbye::NotText => 1003,
            Goodbye::NotUtf8 => 1007,
            Goodbye::LoginTimeout { .. }
            | Goodbye::LoginTries
            | Goodbye::CodeTries
            | Goodbye::UnfinishedMessage
            | Goodbye::Banned
            | Goodbye::NameTaken
            | Goodbye::Kicked { .. } => 1008,
            Goodbye::MessageTooBig => 1009,
            Goodbye::Internal => 1011,
            Goodbye::ServerFull | Goodbye::AddressFull => 1013,
            Goodbye::Replaced => 4001,
        }
    }
}
