//! The language that Madang's server and clients speak: version 1.
//!
//! No sockets, no threads, no clock, no files: bytes and values only. This page
//! specifies the wire; the modules carry it out.
//!
//! # Lines
//!
//! A connection to TCP port 9009 carries lines of UTF-8. Towards the server a line
//! ends with LF, CR LF or CR NUL; from the server with LF, or with CR LF to a peer
//! that has sent a telnet IAC or types by the character. Where the first line end is
//! a CR on its own, a CR ends every line; an LF or NUL after it belongs to it, and an
//! empty line within 300 ms of it counts for nothing. For everyone else a CR within a
//! line is a control ([`line`](mod@line)). NULs and byte order marks around a line are padding,
//! and a packet without a line end is over at its first NUL (a buffer of fixed size still
//! holds older words behind it).
//! Every telnet option but binary transmission is refused, and no telnet command is
//! ever text ([`telnet`]).
//!
//! A line that is not UTF-8 is refused to its sender, and UTF-16 is called by its name
//! ([`wide`]). Whoever begins in another language (HTTP, TLS, SSH and the like, strings
//! with their length before them: [`foreign`]) is told so in one line and closed.
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
//! `/help`, `/lang ko|en`, `/join`, `/json`, `/quit`. A name that is in use or that is
//! none is answered with the reason and the prompt again; the fifth that is none ends
//! the connection. `/join ROOM|LINK|#KEY` says where one will be once one has a name;
//! without it, that is the lobby.
//!
//! ```text
//! grammar of what a member sends, after the login:
//!   line    = text | command | escape
//!   text    = anything else                               said in the room
//!   escape  = "//" *any                                   says "/" *any
//!   command = "/" word [ blank arguments ]                see `command`
//! ```
//!
//! A line is sanitized, and what nobody sees before its first character is passed over,
//! before a slash is looked for: NULs, U+FEFF, blanks, zero-width characters make no
//! command something said aloud. What is said keeps its blanks. A word begins with a
//! letter or a digit, is compared in NFC and in any case; a slash before anything else is
//! text, and so are `//` alone or before a blank. Further lines of a command belong to its
//! argument. A name in an argument may be written `@name`, `name:`, `name,` or `[name]`.
//! The cases stand in `tests/cases/commands.json`.
//!
//! A line with nothing visible in it says nothing. What is said comes to every member of
//! the room, its speaker too, as `[이름] 말`; comings and goings as `[이름]님이 입장했습니다.` and
//! `[이름]님이 퇴장했습니다.`, or in English `[name] joined.` and `[name] left.` Other
//! lines are told apart by how they begin, and none that a person wrote begins like one
//! of the server's ([`text`]):
//!
//! | line | is |
//! |---|---|
//! | `[name] …`, `* name …` | what somebody says; what they do (`/me`) |
//! | `[귓속말 name] …`, `[whisper name] …` | what somebody says to one alone |
//! | `[귓속말 → name] …`, `[whisper → name] …` | what one has whispered |
//! | `[서버] …`, `[server] …` | what the operator says to everyone |
//! | `-- … --` | what else happens in the room, and the heads of what is shown |
//! | anything else | an answer to what one has sent |
//!
//! A peer whose first packet holds two or more characters and no line end, and
//! who sends nothing more for 250 ms, ends its lines with packets: each of its
//! reads is a line, and each line is sent to it alone. It ends lines like everybody
//! else from the first read on that ends in a line end. What that read says within 2 s
//! of the login may be the rest of a name: it is not said, but answered with the name
//! and how to change it. A last line without a line end counts when the peer closes
//! its side.
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
//! # Requests
//!
//! Fields that may be missing stand in brackets. With a `nonce`, what has been done is
//! told by an `ack`, behind what answers it and, of what is said, with the id that it
//! got; what has not been done, by an `error` alone. `/ping` is answered after all that
//! was sent before it.
//!
//! | type | fields | asks for |
//! |---|---|---|
//! | `login` | \[`name`\] \[`room`\] \[`history`\] \[`previous`\] | a name, in a room as `/join` takes it, with so many events of history |
//! | `login` | \[`name`\] `new_room` \[`topic`\] | a name, in a new private room of one's own; without `room` |
//! | `login` | `session` \[`room`\] \[`last`\] \[`last_private`\] | a session, as below |
//! | `say` | `text` \[`room`\] | saying it, in one line or several; a slash means nothing |
//! | `command` | `line` \[`room`\] | a command, in the words of a line ([`command`]) |
//! | `history` | \[`before`\] \[`limit`\] | what happened before an id, the newest last |
//!
//! ```text
//! → {"type":"login","name":"bob","room":"#78e4c-v9s0a-c0m7h-8129r-zech6s","history":20,"nonce":"1"}
//! → {"type":"login","name":"alice","new_room":true,"topic":"작전","nonce":"1"}
//! → {"type":"login","session":"5457fe9c94a686fb3820abb2563df2d7","room":"lobby","last":1795380874462193,"last_private":3}
//! → {"type":"say","text":"hi","room":"lobby","nonce":"2"}
//! → {"type":"command","line":"/msg bob psst","nonce":"3"}
//! → {"type":"history","before":1795380874462193,"limit":50,"nonce":"4"}
//! ```
//!
//! `room` in a `say` or `command` is the room it was written for, by the name that
//! events give it. It is refused with `other_room` if the member has another room by the
//! time it is read: words that wait for a connection, or that cross a move on the way,
//! are never said where their writer did not mean them.
//!
//! # Events
//!
//! What happens in a room comes to every member, oneself too. Where `by` is missing, the
//! operator did it, or time. `room` is the name of a public room, or the mark of a
//! private one (`private-kzby`), which opens nothing.
//!
//! ```text
//! ← {"type":"joined","id":101,"time":"2026-11-25T05:01:27.105Z","room":"private-kzby","user":"bob"}
//! ← {"type":"said","id":102,"time":"2026-11-25T05:01:27.216Z","room":"private-kzby","user":"bob","text":"웃는다","me":true}
//! ← {"type":"renamed","id":103,"time":"2026-11-25T05:01:27.326Z","room":"private-kzby","user":"bob","to":"robert"}
//! ← {"type":"topic","id":104,"time":"2026-11-25T05:01:27.435Z","room":"private-kzby","user":"alice","topic":"작전"}
//! ← {"type":"muted","id":105,"time":"2026-11-25T05:01:27.549Z","room":"private-kzby","user":"robert","seconds":600,"by":"alice"}
//! ← {"type":"unmuted","id":106,"time":"2026-11-25T05:01:27.653Z","room":"private-kzby","user":"robert","by":"alice"}
//! ← {"type":"locked","id":107,"time":"2026-11-25T05:01:27.844Z","room":"private-kzby","user":"alice"}
//! ← {"type":"unlocked","id":108,"time":"2026-11-25T05:01:27.885Z","room":"private-kzby","user":"alice"}
//! ← {"type":"limited","id":109,"time":"2026-11-25T05:01:28.046Z","room":"private-kzby","user":"alice","limit":9}
//! ← {"type":"owner","id":110,"time":"2026-11-25T05:01:28.455Z","room":"private-kzby","user":"robert"}
//! ← {"type":"announced","id":111,"time":"2026-11-25T05:01:28.500Z","room":"private-kzby","text":"곧 끝납니다"}
//! ← {"type":"kicked","id":112,"time":"2026-11-25T05:01:28.568Z","room":"private-kzby","user":"alice","seconds":600,"by":"robert"}
//! ← {"type":"unkicked","id":113,"time":"2026-11-25T05:01:28.580Z","room":"private-kzby","user":"alice","by":"robert"}
//! ← {"type":"left","id":114,"time":"2026-11-25T05:01:28.600Z","room":"private-kzby","user":"carol","text":"bye"}
//! ← {"type":"ended","id":115,"time":"2026-11-25T05:01:28.662Z","room":"private-kzby","user":"robert"}
//! ```
//!
//! Whom `kicked` names is in no room, and is kept out of that one for `seconds`, by
//! session and by name; `unkicked` lets them in again. After `ended`, nobody is in the
//! room: its owner, named by `user`, is taken to the lobby (`entered`). Whoever is in no
//! room is refused what they say with `no_room` until they `/join` one: `/join lobby`
//! leads on. Whoever is kicked from the lobby gets `kicked`, then
//! `{"type":"bye","reason":"kicked","seconds":600}`, and is closed; for as long, a login
//! with that name, or with the session's token, is refused with `kicked`.
//!
//! # Answers
//!
//! What comes to one member alone. `more` says that another message of the kind follows.
//!
//! ```text
//! ← {"type":"welcome","user":"bob","room":"private-kzby","session":"5457fe9c94a686fb3820abb2563df2d7","id":101,"members":2,"topic":"작전","owner":"alice","limit":9,"resumed":false}
//! ← {"type":"entered","room":"수학","id":200,"members":1,"nonce":"c1"}
//! ← {"type":"history","room":"lobby","events":[{"type":"said","id":7,"time":"2026-11-25T05:01:25.088Z","room":"lobby","user":"alice","text":"hi"}],"more":false,"nonce":"c2"}
//! ← {"type":"whisper","private":4,"time":"2026-11-25T05:01:25.838Z","user":"bob","text":"psst"}
//! ← {"type":"who","room":"lobby","count":9876,"members":["bob","carol"],"more":false,"after":"carol"}
//! ← {"type":"rooms","rooms":[{"room":"lobby","members":2},{"room":"수학","members":1,"topic":"덧셈"}],"more":false,"nonce":"c3"}
//! ← {"type":"whois","user":"bob","room":"lobby","since":"2026-11-25T05:01:25.540Z","away":false,"nonce":"c4"}
//! ← {"type":"invite","room":"private-kzby","key":"78e4c-v9s0a-c0m7h-8129r-zech6s","link":"http://192.0.2.2:9998/#78e4c-v9s0a-c0m7h-8129r-zech6s","madang":"madang http://192.0.2.2:9998/#78e4c-v9s0a-c0m7h-8129r-zech6s","nc":["nc 192.0.2.2 9009","/join #78e4c-v9s0a-c0m7h-8129r-zech6s"],"encrypted":false,"nonce":"c5"}
//! ← {"type":"ignored","users":["bob"],"nonce":"c6"}
//! ← {"type":"pong","token":"t","nonce":"c7"}
//! ← {"type":"notice","text":"이제 한국어로 안내합니다.","nonce":"c8"}
//! ← {"type":"gap","room":"lobby","from":50,"to":86}
//! ← {"type":"private_gap","from":1,"to":3}
//! ```
//!
//! `/who [ROOM]` lists the first 200 members in the order in which they came, and `count`
//! says how many there are; `/who [ROOM] after NAME` lists the next after the one whom
//! `after` names (to people, a line says so), who must still be there (`not_here`).
//!
//! `welcome` without a `room` means that one is in none; `removed` then holds the `kicked` or
//! `ended` that took one out of the last room. It and `entered` have `topic`,
//! `owner`, `locked` (`true`) and `limit` where there are some. Whoever `/ignore` hides is hidden
//! from people by the server, and in rooms from JSON clients by themselves, with the
//! names that `ignored` gives.
//!
//! The `code` of an `error` is for programs, its `text` for people, in the language of
//! the session:
//!
//! | codes | when |
//! |---|---|
//! | `bad_json`, `unknown_type`, `bad_request` | it is no request |
//! | `not_utf8`, `line_too_long`, `message_too_long`, `text_too_long`, `nothing_said` | the text can't be taken |
//! | `name_taken`, `name_invalid`, `name_reserved`, `name_banned` | the name can't be had |
//! | `busy` | the server has too much to send to answer questions; ask again later |
//! | `login_first`, `logged_in_already`, `session_unknown` | it is not the time for that |
//! | `room_first` | the last `/join` before the login was refused: a login needs a `room`, or another `/join` |
//! | `unknown_command`, `usage`, `already` | the command does nothing |
//! | `nobody`, `not_here`, `oneself` | nobody has the name; nobody here; it is one's own |
//! | `broken_link` | what follows the `#` is no key; one stays where one was |
//! | `no_such_room`, `room_locked`, `room_full`, `in_room_already` | one can't go there; a wrong key, an expired and an ended one are one answer |
//! | `too_many_rooms`, `rooms_too_fast` | no room is made |
//! | `no_room`, `other_room`, `muted`, `owner_only` | one may not say or do that here |
//! | `kicked` | one was removed from there, or somebody of that name was: not for some minutes |
//! | `silenced` | the owner's mute is lifted, but the operator's is not |
//! | `ignored`, `whisper_refused`, `no_whisper`, `too_many_hidden` | the whisper was not delivered; nobody to answer; nobody more can be hidden |
//!
//! # Coming back
//!
//! The token that `welcome` gives is good as long as its session: while a connection
//! holds it, and for 60 s after that was lost. Who presents it has name, room, ownership
//! and ignores again without anybody being told, and with `last` (of the room named in
//! `room`) and `last_private` exactly what was missed, a `gap` for what is not kept any
//! more: of a room 200 events and 96 KiB, of whispers the last 64.
//!
//! ```text
//! → {"type":"login","session":"5457fe9c94a686fb3820abb2563df2d7","room":"lobby","last":86,"last_private":3,"nonce":"r1"}
//! ← {"type":"welcome","user":"alice","room":"lobby","session":"5457fe9c94a686fb3820abb2563df2d7","id":86,"members":12,"resumed":true}
//! ← {"type":"whisper","private":4,"time":"2026-11-25T05:01:25.838Z","user":"bob","text":"psst"}
//! ← {"type":"said","id":87,"time":"2026-11-25T05:01:26.000Z","room":"lobby","user":"bob","text":"아직 거기?"}
//! ← {"type":"ack","nonce":"r1"}
//! ```
//!
//! The connection that held it gets `{"type":"bye","reason":"replaced"}`, and its client
//! does not come back by itself. What was sent and not acknowledged is sent again with its
//! `nonce`: of the last 256 that were carried out the server knows, and only repeats the
//! `ack`. A session ends at once with `/quit` and with WebSocket's Close 1000.
//!
//! Whoever has lost all but the token, like a browser whose tab was closed, and wants no
//! more than the name, logs in by it with the token in `previous`. If the name is still
//! kept for that session and no connection has it, the session ends as it would after
//! its 60 s, and the new one has the name: without the whispers, the private room or the
//! rooms owned before. A session that has a connection is never ended this way. Whoever
//! is told `name_taken` is told a free name with it, in `proposal`.
//!
//! ```text
//! → {"type":"login","name":"alice","previous":"5457fe9c94a686fb3820abb2563df2d7","nonce":"1"}
//! ← {"type":"error","code":"name_taken","text":"이미 등록된 사용자입니다.\n쓸 수 있는 이름: alice-2","proposal":"alice-2","nonce":"1"}
//! ```
//!
//! # Rooms
//!
//! Everyone starts in the lobby, or where `/join` said at the prompt or the `login` says:
//! in a `room` that there is, or with `new_room` in a private one that is made for it, as
//! `/new` makes it later, and refused like that (`rooms_too_fast`, `too_many_rooms`,
//! `text_too_long`) with the login still to come. Whose `/join` was refused there goes
//! nowhere, never to the lobby: a name is taken after another `/join` (`/join lobby` too), in
//! JSON also with a `room`. One is in one room at a time. `/join NAME` opens a public room or enters it; `/new` makes a private one,
//! reached by its key alone: 128 bits in 26 digits of Crockford's base 32, hyphens and
//! case ignored, O read as 0, I and L as 1 ([`room`]). A link is any text with
//! `#KEY` in it; what is stuck to the key, or follows it, is no part of it, unless it is a
//! letter of ASCII or a digit. A `#` without a key is a broken link, and never the lobby
//! (`tests/cases/keys.json`). The key goes out in the answer to `/invite` and nowhere else. A room is gone
//! 60 s after its last member, with all that it remembers. Whoever comes is shown the
//! last 20 events that were said.
//!
//! # TLS
//!
//! Both lines and WebSocket may go over TLS 1.2 or 1.3, from the first byte: lines on a
//! port of their own (9010 where nothing else is said), WebSocket as wss on the port of
//! the page, which is https then. All else is as without. The handshake has 10 s and
//! 8 KiB. The server ends its side with a close_notify; a peer that ends its own without
//! one has ended it all the same. Who begins without TLS is told so in the clear, in a
//! line or with a redirect to https, and closed; who finds no place gets
//! the alert `internal_error` instead of words.
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
//! is said at once: one line, or several, which stay one message; only the first
//! can begin a command.
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
//! They stand in [`limits`]: a name has at most 24 columns and 96 bytes, a line of what
//! is said 4,096 bytes, a message (the `text` of one `say`) 16 KiB and 500 lines, a JSON
//! line 64 KiB with its line end, in both directions. Longer ones are refused with a
//! reason; 64 KiB without a line end close the connection. What is said is sanitized
//! ([`sanitize`]) before anyone sees it.
//!
//! What costs a member is what it is sent, so a message is measured as it is rendered:
//! each of its lines counts the name, the text and what stands around them, at least 64
//! bytes ([`text::rendered_bytes`]). A message that would take more than 2 KiB and 20
//! times its bytes, or more than 63 KiB, is refused with its rendered size. An answer
//! has at most 64 KiB, and so has the history that a login is shown.

pub mod limits;
pub mod line;
pub mod telnet;
pub mod wide;
pub mod foreign;
pub mod name;
pub mod room;
pub mod command;
pub mod message;
pub mod request;
pub mod event;
pub mod text;
pub mod notice;
pub mod sanitize;
pub mod invisible;
pub mod address_range;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{
        event::{Event, ServerMessage, write_json_line},
        request::Request,
        text::{Lang, LineEnd, write_event},
    };

    /// The lines of this page that begin with `arrow` and go on with JSON.
    fn documented(arrow: &str) -> impl Iterator<Item = &'static str> {
        let before = format!("//! {arrow} ");
        include_str!("lib.rs")
            .lines()
            .filter_map(move |line| line.strip_prefix(&before).filter(|json| json.starts_with('{')))
    }

    /// The type of a message. A new one goes into `every_type_of_message_has_an_example`.
    fn kind(message: &ServerMessage<'_>) -> &'static str {
        match message {
            ServerMessage::Hello { .. } => "hello",
            ServerMessage::Welcome { .. } => "welcome",
            ServerMessage::Entered { .. } => "entered",
            ServerMessage::Whisper { .. } => "whisper",
            ServerMessage::Ack { .. } => "ack",
            ServerMessage::Error { .. } => "error",
            ServerMessage::Notice { .. } => "notice",
            ServerMessage::Who { .. } => "who",
            ServerMessage::Rooms { .. } => "rooms",
            ServerMessage::Whois { .. } => "whois",
            ServerMessage::Invite { .. } => "invite",
            ServerMessage::History { .. } => "history",
            ServerMessage::Ignored { .. } => "ignored",
            ServerMessage::Pong { .. } => "pong",
            ServerMessage::PrivateGap { .. } => "private_gap",
            ServerMessage::Gap { .. } => "gap",
            ServerMessage::Bye { .. } => "bye",
            ServerMessage::Event(event) => match event {
                Event::Said { .. } => "said",
                Event::Joined { .. } => "joined",
                Event::Left { .. } => "left",
                Event::Kicked { .. } => "kicked",
                Event::Unkicked { .. } => "unkicked",
                Event::Renamed { .. } => "renamed",
                Event::Topic { .. } => "topic",
                Event::Muted { .. } => "muted",
                Event::Unmuted { .. } => "unmuted",
                Event::Locked { .. } => "locked",
                Event::Unlocked { .. } => "unlocked",
                Event::Limited { .. } => "limited",
                Event::Owner { .. } => "owner",
                Event::Announced { .. } => "announced",
                Event::Ended { .. } => "ended",
            },
        }
    }

    #[test]
    fn no_event_takes_more_than_it_counts() {
        for line in documented("←") {
            let Some(ServerMessage::Event(event)) = ServerMessage::parse(line) else { continue };
            let counted = event.encoded_bytes();
            assert!(line.len() < counted, "{counted} bytes counted for {line}");
            for lang in [Lang::Ko, Lang::En] {
                let mut lines = Vec::new();
                write_event(&event, lang, LineEnd::CrLf, &mut lines);
                assert!(lines.len() <= counted, "{counted} bytes counted for {line}");
            }
        }
    }

    #[test]
    fn every_type_of_message_has_an_example() {
        let mut shown = BTreeSet::new();
        for line in documented("←") {
            let message =
                ServerMessage::parse(line).unwrap_or_else(|| panic!("no message: {line}"));
            let mut written = Vec::new();
            write_json_line(&message, &mut written);
            assert_eq!(String::from_utf8_lossy(&written).trim_end(), line, "as it is sent");
            shown.insert(kind(&message));
        }
        let all = [
            "hello",
            "welcome",
            "entered",
            "whisper",
            "ack",
            "error",
            "notice",
            "who",
            "rooms",
            "whois",
            "invite",
            "history",
            "ignored",
            "pong",
            "private_gap",
            "gap",
            "bye",
            "said",
            "joined",
            "left",
            "kicked",
            "unkicked",
            "renamed",
            "topic",
            "muted",
            "unmuted",
            "locked",
            "unlocked",
            "limited",
            "owner",
            "announced",
            "ended",
        ];
        assert_eq!(shown, BTreeSet::from(all));
    }

    #[test]
    fn every_example_of_a_request_is_one() {
        let kinds: BTreeSet<&str> = documented("→")
            .map(|line| {
                match Request::parse(line).unwrap_or_else(|error| panic!("{line}: {error:?}")) {
                    Request::Login { new_room: true, .. } => "login to a new room",
                    Request::Login { session: None, .. } => "login",
                    Request::Login { session: Some(_), .. } => "login with a session",
                    Request::Say { .. } => "say",
                    Request::History { .. } => "history",
                    Request::Command { .. } => "command",
                }
            })
            .collect();
        assert_eq!(kinds.len(), 6, "{kinds:?}");
    }

    #[test]
    fn every_code_of_an_error_is_listed() {
        let page: String =
            include_str!("lib.rs").lines().filter(|line| line.starts_with("//!")).collect();
        let sources =
            [include_str!("notice.rs"), include_str!("name.rs"), include_str!("request.rs")];
        let mut count = 0;
        for source in sources {
            // The last function of this name in each file is that for errors.
            let (_, rest) = source.rsplit_once("pub fn code(&self)").expect("it gives codes");
            let (body, _) = rest.split_once("\n    }\n").expect("the function ends");
            let codes = body.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
            for code in codes {
                assert!(page.contains(&format!("`{code}`")), "{code} is not on this page");
                count += 1;
            }
        }
        assert!(count >= 35, "{count} codes were found");
    }
}
