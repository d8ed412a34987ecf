//! Every limit of the wire, its unit in its name. What each server can set for itself
//! (rates, timeouts, memory) is in its configuration instead.

/// The protocol's version, as the greeting and `hello` give it.
pub const PROTOCOL_VERSION: u32 = 1;

/// The port for lines over TCP.
pub const LINES_PORT: u16 = 9009;

/// The port for lines over TLS.
pub const TLS_PORT: u16 = 9010;

/// The port for WebSocket and HTTP.
pub const WEB_PORT: u16 = 9998;

/// The longest line of a message, in bytes of UTF-8 without its line end.
pub const LINE_BYTES: usize = 4_096;

/// The longest message, of one line or several, in bytes of UTF-8.
pub const MESSAGE_BYTES: usize = 16 * 1_024;

/// The most lines of a message.
pub const MESSAGE_LINES: usize = 500;

/// The longest carrier of a message (a JSON line with its line end), in bytes;
/// as many bytes without a line end close the connection.
pub const CARRIER_BYTES: usize = 64 * 1_024;

/// The most bytes that a message may take once it is rendered for one member: what a
/// carrier holds beside the fields or the sentence around the message.
pub const RENDERED_BYTES: usize = CARRIER_BYTES - 1_024;

/// The widest name, in terminal columns (a Hangul syllable takes two).
pub const NAME_COLUMNS: usize = 24;

/// The longest name, in bytes of UTF-8: four for each column.
pub const NAME_BYTES: usize = 96;

/// The most combining marks on one letter of a name.
pub const NAME_MARKS: usize = 4;

/// The most combining marks on one character of a message.
pub const TEXT_MARKS: usize = 8;

/// The longest nonce that a JSON client may give, in bytes.
pub const NONCE_BYTES: usize = 64;

/// The longest topic, and the longest parting words, in bytes.
pub const TOPIC_BYTES: usize = 400;

/// How many earlier messages new members are shown.
pub const SHOWN_EVENTS: usize = 20;
