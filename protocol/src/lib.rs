//! The language that Madang's server and clients speak: version 1.
//!
//! No sockets, no threads, no clock, no files: bytes and values only. This page
//! specifies the wire; the modules carry it out.
//!
//! # Lines
//!
//! A connection to TCP port 9009 carries lines of UTF-8. Towards the server a line
//! ends with LF, CR LF or CR NUL; from the server with LF, or with CR LF to a peer
//! that has sent a telnet IAC or types by the character. Every telnet option but
//! binary transmission is refused, and no telnet command is ever text ([`telnet`]).
//!
//! The server begins, in one write:
//!
//! ```text
//! Madang/1 0.1.0 (마당) · 도움말: /help · English: /lang en⏎
//! the operator's message of the day, if there is one⏎
//! 로그인ID:
//! ```
//!
//! A client knows a Madang server by the first seven bytes, `Madang/`; what
//! follows the version number is for people. The prompt has no line end. Its
//! answer is a name ([`name`]), an empty line for a guest name, or one of
//! `/help`, `/lang ko|en`, `/json`, `/quit`. A name that is in use or that is none
//! is answered with the reason and the prompt again; the fifth that is none ends
//! the connection.
//!
//! ```text
//! grammar of what a member sends, after the login:
//!   line    = text | command | escape
//!   text    = anything that does not begin with "/"      said in the room
//!   escape  = "//" *any                                   says "/" *any
//!   command = "/" word [ " " arguments ]                  see `command`
//! ```
//!
//! An empty line says nothing. What is said comes to every member of the room, its
//! speaker too, as `[이름] 말`; comings and goings as `[이름]님이 입장했습니다.` and
//! `[이름]님이 퇴장했습니다.`, or in English `[name] joined.` and `[name] left.`
//!
//! A peer whose first packet holds two or more characters and no line end, and
//! who sends nothing more for 250 ms, ends its lines with packets: each of its
//! reads is a line, and each line is sent to it alone. A last line without a line
//! end counts when the peer closes its side.
//!
//! # JSON lines
//!
//! `/json` at the prompt turns the connection to JSON. The answer begins with an
//! LF, which ends the prompt; then each line is one object, both ways: a
//! [`Request`](request::Request) up, a [`ServerMessage`](event::ServerMessage)
//! down. Unknown fields are ignored on both sides; an unknown type or broken JSON
//! is answered with an `error` and ends nothing. A request may carry a `nonce`
//! (a string of at most 64 bytes), which its `ack` or `error` returns.
//!
//! A whole conversation (→ to the server):
//!
//! ```text
//! ← Madang/1 0.1.0 (마당) · 도움말: /help · English: /lang en
//! ← 로그인ID:
//! → /json
//! ←
//! ← {"type":"hello","server":"madang","version":"0.1.0","protocol":1,"limits":{"line_bytes":4096,"message_bytes":16384,"carrier_bytes":65536,"name_columns":24}}
//! → {"type":"login","name":"alice"}
//! ← {"type":"welcome","user":"alice","room":"lobby","session":"5457fe9c94a686fb3820abb2563df2d7","id":1795380874462192,"members":1,"resumed":false}
//! ← {"type":"joined","id":1795380874462192,"time":"2026-11-22T20:54:37.272Z","room":"lobby","user":"alice"}
//! → {"type":"say","text":"hi\nthere","nonce":"c1"}
//! ← {"type":"ack","nonce":"c1","id":1795380874462193}
//! ← {"type":"said","id":1795380874462193,"time":"2026-11-22T20:54:37.273Z","room":"lobby","user":"alice","text":"hi\nthere"}
//! → {"type":"command","line":"/who","nonce":"c2"}
//! ← {"type":"who","room":"lobby","count":1,"members":["alice"],"more":false,"nonce":"c2"}
//! ← {"type":"ack","nonce":"c2"}
//! → {"type":"command","line":"/hlep","nonce":"c3"}
//! ← {"type":"error","code":"unknown_command","text":"없는 명령입니다. 혹시 /help 인가요? (명령 목록: /help)","nonce":"c3"}
//! → {"type":"command","line":"/quit"}
//! ← {"type":"bye","reason":"quit"}
//! ```
//!
//! # WebSocket
//!
//! Port 9998 takes HTTP/1.1, one request a connection. The last segment of the path
//! decides what becomes of it, so that a proxy may put any prefix before it:
//!
//! | segment | is |
//! |---|---|
//! | empty | the page; with an upgrade the chat |
//! | `ws` | the chat |
//! | `echo` | each text message comes back after `echo : `; no login, from any page |
//! | `healthz` | `ok` |
//!
//! An upgrade (RFC 6455, version 13) that offers the subprotocol `madang.json.v1` is
//! agreed to speak JSON: `hello` comes at once, then the message of the day as a
//! `notice` if there is one, and each object is one text message, both ways, as above
//! but without the line end. Without it, each line of the server
//! is one text message, the prompt too, and each text message to the server is what
//! is said at once: one line, or several, which stay one message and of which none
//! but the first can begin a command.
//!
//! A message has at most 64 KiB in at most 256 fragments, which come within 10 s.
//! There is no compression. The server pings every 25 s and takes anything that
//! comes for life; nothing within 10 s after a ping has left ends the connection.
//! Pings of the peer are answered, and count like lines for the rate limit.
//!
//! The server's last frame is a Close frame, in JSON after `bye`. Its reason is the
//! word of `bye`:
//!
//! | code | when |
//! |---|---|
//! | 1000 | the member quit |
//! | 1001 | the server stops |
//! | 1002 | a frame breaks the rules: no mask, reserved bits, a long control frame, … |
//! | 1003 | a binary message |
//! | 1007 | a text message is not UTF-8 |
//! | 1008 | no login in time or in five tries; a message did not end in time |
//! | 1009 | a message is too long, or in too many fragments |
//! | 1011 | an error of the server |
//! | the peer's own | it has closed first |
//!
//! What is wrong before the upgrade is answered in HTTP: 400 for what is no request,
//! 403 for a page that may not chat here, 404, 405, 408 after 10 s, 414 and 431 for
//! more than 8 KiB or 64 headers, 426 for a handshake of another version, 429 and 503
//! where there is no place.
//!
//! # Ids
//!
//! The events of a room are numbered. Its first id is the microsecond of the
//! room's making, and they rise by one. Answers to one member have no id. Events
//! that a slow reader was not sent are told as a `gap` of ids, or to people as
//! `-- 37줄 건너뜀 --` or `-- 37 lines skipped --`.
//!
//! # Limits
//!
//! They stand in [`limits`]: a line of what is said has at most 4,096 bytes, a
//! message (the `text` of one `say`) 16 KiB, a JSON line 64 KiB with its line end.
//! Longer lines are refused with a word; 64 KiB without a line end close the
//! connection. What is said is sanitized ([`sanitize`]) before anyone sees it.

pub mod limits;
pub mod line;
pub mod telnet;
pub mod name;
pub mod room;
pub mod command;
pub mod request;
pub mod event;
pub mod text;
pub mod notice;
pub mod sanitize;
