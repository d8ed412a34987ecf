//! Recognises peers that took the chat port for that of another protocol, by their first
//! bytes. The answers to them are in [`notice`](crate::notice).

use crate::{text::is_number, wide::Wide};

/// Another protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// HTTP of any version: a browser, a scanner, a health check.
    Http,
    /// A TLS or SSL hello.
    Tls,
    /// SSH (RFC 4253 section 4.2).
    Ssh,
    /// RTSP (RFC 7826).
    Rtsp,
    /// SIP (RFC 3261).
    Sip,
    /// The PROXY protocol, version 1 or 2: a proxy that announces its client.
    Proxy,
    /// SMTP (RFC 5321).
    Smtp,
    /// FTP (RFC 959), or POP3 (RFC 1939), which begins alike.
    Ftp,
    /// IRC (RFC 2812).
    Irc,
    /// XMPP (RFC 6120), or other XML.
    Xmpp,
    /// STOMP, of any version.
    Stomp,
    /// NATS.
    Nats,
    /// MQTT.
    Mqtt,
    /// AMQP.
    Amqp,
    /// Redis (RESP).
    Redis,
    /// memcached, in text or in binary.
    Memcached,
    /// ZooKeeper's four-letter commands.
    ZooKeeper,
    /// MySQL or MariaDB.
    MySql,
    /// PostgreSQL.
    Postgres,
    /// SQL Server (TDS).
    SqlServer,
    /// MongoDB.
    MongoDb,
    /// LDAP (RFC 4511).
    Ldap,
    /// SOCKS, version 4 or 5 (RFC 1928).
    Socks,
    /// Remote Desktop (RFC 1006 carries it).
    Rdp,
    /// VNC (RFC 6143).
    Vnc,
    /// An X11 client.
    X11,
    /// Windows file sharing.
    Smb,
    /// Git's own protocol.
    Git,
    /// rsync.
    Rsync,
    /// BitTorrent.
    BitTorrent,
    /// A Java debugger.
    Jdwp,
    /// Java RMI.
    JavaRmi,
    /// Java objects, as `ObjectOutputStream` writes them.
    JavaObjects,
    /// Python objects, as `pickle` writes them.
    Pickle,
    /// Strings with their length before them, as `DataOutputStream.writeUTF` writes
    /// them.
    LengthPrefix,
    /// Other binary data.
    Binary,
}

/// How protocols without lines begin.
const OPENINGS: [(&[u8], Foreign); 26] = [
    (b"\x16", Foreign::Tls),
    (b"\r\n\r\n\0", Foreign::Proxy),
    (b"SSH-1.", Foreign::Ssh),
    (b"SSH-2.", Foreign::Ssh),
    (b"PRI * HTTP/", Foreign::Http),
    (b"AMQP\0", Foreign::Amqp),
    (b"AMQP\x01", Foreign::Amqp),
    (b"AMQP\x02", Foreign::Amqp),
    (b"AMQP\x03", Foreign::Amqp),
    (b"JDWP-Handshake", Foreign::Jdwp),
    (b"JRMI\0\x02", Foreign::JavaRmi),
    // Either byte order, version 11.
    (b"l\0\x0b\0", Foreign::X11),
    (b"B\0\0\x0b", Foreign::X11),
    (b"\x13BitTorrent protocol", Foreign::BitTorrent),
    (b"\x04\x01", Foreign::Socks),
    (b"\x04\x02", Foreign::Socks),
    (b"\x03\0\0", Foreign::Rdp),
    (b"\x12\x01\0", Foreign::SqlServer),
    (b"\0\0\0\x08\x04\xd2\x16", Foreign::Postgres),
    (b"\0\0\0\x10\x04\xd2\x16", Foreign::Postgres),
    (b"\xac\xed\0\x05", Foreign::JavaObjects),
    (b"\x80\x02]", Foreign::Pickle),
    (b"\x80\x02X", Foreign::Pickle),
    (b"\x80\x03", Foreign::Pickle),
    (b"\x80\x04\x95", Foreign::Pickle),
    (b"\x80\x05\x95", Foreign::Pickle),
];

/// How many bytes are enough to recognise a protocol; anything else is text.
pub const OPENING_BYTES: usize = 64;

impl Foreign {
    /// The protocol that a connection's first read shows, telnet commands included.
    pub fn of_first_read(bytes: &[u8]) -> Option<Foreign> {
        let foreign = Foreign::of_opening(bytes);
        foreign
            .or_else(|| has_length_prefix(bytes).then_some(Foreign::LengthPrefix))
            .or_else(|| is_binary(bytes).then_some(Foreign::Binary))
    }

    /// The protocol that a connection's first bytes show, however many reads they took.
    pub fn of_opening(bytes: &[u8]) -> Option<Foreign> {
        let opening = OPENINGS.iter().find(|(opening, _)| bytes.starts_with(opening));
        if let Some((_, foreign)) = opening {
            return Some(*foreign);
        }
        // Servers skip empty lines before a request (RFC 9112 section 2.2).
        let text = bytes.trim_ascii_start();
        if text.len() < bytes.len() && bytes.starts_with(b"\r") | bytes.starts_with(b"\n") {
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return Foreign::of_line(line);
        }
        match bytes {
            // An SSL 2 hello that offers SSL 3 or TLS (RFC 5246 appendix E.2).
            [0x80..=0xFF, _, 1, 3, 0..=3, ..] => Some(Foreign::Tls),
            // A request without extras or with those of an opcode, of no special type.
            [0x80, 0..=0x25, _, _, 0..=20, 0, ..] => Some(Foreign::Memcached),
            [0x10, _, rest @ ..] if is_mqtt(rest) => Some(Foreign::Mqtt),
            [5, methods @ 1..=9, offered @ ..]
                if offered.len() <= usize::from(*methods)
                    && offered.iter().all(|method| matches!(method, 0..=9 | 0x80..)) =>
            {
                Some(Foreign::Socks)
            }
            [0, 0, _, _, 0, 3, 0, 0..=2 | b'a'..=b'z', ..] => Some(Foreign::Postgres),
            [0, _, _, _, 0xFE | 0xFF, b'S', b'M', b'B', ..] => Some(Foreign::Smb),
            [_, _, _, 1, _, second, rest @ ..] if is_mysql(*second, rest) => Some(Foreign::MySql),
            // OP_QUERY (2004) or OP_MSG (2013), little-endian, that answers nothing.
            [_, _, _, 0, _, _, _, _, 0, 0, 0, 0, 0xD4 | 0xDD, 7, 0, 0, ..] => {
                Some(Foreign::MongoDb)
            }
            // A sequence of a message's number, one byte long, and a bind or a search.
            [b'0', 5..=255, 2, 1, _, 0x60 | 0x63, ..] => Some(Foreign::Ldap),
            _ => None,
        }
    }

    /// The protocol that a connection's first line shows.
    pub fn of_line(line: &[u8]) -> Option<Foreign> {
        let line = line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(line).trim_ascii();
        let mut words = line.split(|byte| *byte == b' ');
        let first = words.next().unwrap_or_default();
        let rest: Vec<&[u8]> = words.by_ref().take(5).collect();
        let version = match rest[..] {
            // A request line, METHOD TARGET VERSION (RFC 9112 section 3).
            [target, version] if is_method(first) && !target.is_empty() => version,
            // A status line.
            [status, ..] if is_number(status) && status.len() == 3 => first,
            _ => b"",
        };
        let is_version = |name: &[u8]| {
            version.len() > name.len() && version[..name.len()].eq_ignore_ascii_case(name)
        };
        match first {
            _ if is_version(b"HTTP/") => Some(Foreign::Http),
            _ if is_version(b"RTSP/") => Some(Foreign::Rtsp),
            _ if is_version(b"SIP/") => Some(Foreign::Sip),
            b"PROXY" if matches!(rest[..], [b"TCP4" | b"TCP6" | b"UNKNOWN", ..]) => {
                Some(Foreign::Proxy)
            }
            b"EHLO" | b"HELO" if !rest.is_empty() => Some(Foreign::Smtp),
            b"USER" if rest.len() == 1 => Some(Foreign::Ftp),
            b"CAP" | b"NICK" | b"USER" | b"PASS" if !rest.is_empty() => Some(Foreign::Irc),
            // Its headers follow, which are lines too.
            b"CONNECT" | b"STOMP" if rest.is_empty() => Some(Foreign::Stomp),
            b"CONNECT" if rest.first().is_some_and(|options| options.starts_with(b"{")) => {
                Some(Foreign::Nats)
            }
            b"@RSYNCD:" => Some(Foreign::Rsync),
            b"RFB" if matches!(rest[..], [version] if version.starts_with(b"00")) => {
                Some(Foreign::Vnc)
            }
            [b'*', count @ ..] if is_number(count) => Some(Foreign::Redis),
            [b'S', b'S', b'H', b'-', b'0'..=b'9', b'.', b'0'..=b'9', ..] => Some(Foreign::Ssh),
            [b'<', b'?', b'x', b'm', b'l', ..] | b"<stream:stream" => Some(Foreign::Xmpp),
            [_, _, _, _, command @ ..] if command.starts_with(b"git-") => Some(Foreign::Git),
            b"ruok" | b"srvr" | b"mntr" | b"stat" | b"conf" | b"cons" | b"dump" | b"dirs"
            | b"wchs" | b"wchc" | b"wchp" | b"crst" | b"srst"
                if rest.is_empty() =>
            {
                Some(Foreign::ZooKeeper)
            }
            _ => is_memcached(first, &rest).then_some(Foreign::Memcached),
        }
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Foreign::Http => "HTTP",
            Foreign::Tls => "TLS",
            Foreign::Ssh => "SSH",
            Foreign::Rtsp => "RTSP",
            Foreign::Sip => "SIP",
            Foreign::Proxy => "PROXY",
            Foreign::Smtp => "SMTP",
            Foreign::Ftp => "FTP",
            Foreign::Irc => "IRC",
            Foreign::Xmpp => "XMPP",
            Foreign::Stomp => "STOMP",
            Foreign::Nats => "NATS",
            Foreign::Mqtt => "MQTT",
            Foreign::Amqp => "AMQP",
            Foreign::Redis => "Redis",
            Foreign::Memcached => "memcached",
            Foreign::ZooKeeper => "ZooKeeper",
            Foreign::MySql => "MySQL",
            Foreign::Postgres => "PostgreSQL",
            Foreign::SqlServer => "SQL Server",
            Foreign::MongoDb => "MongoDB",
            Foreign::Ldap => "LDAP",
            Foreign::Socks => "SOCKS",
            Foreign::Rdp => "RDP",
            Foreign::Vnc => "VNC",
            Foreign::X11 => "X11",
            Foreign::Smb => "SMB",
            Foreign::Git => "Git",
            Foreign::Rsync => "rsync",
            Foreign::BitTorrent => "BitTorrent",
            Foreign::Jdwp => "JDWP",
            Foreign::JavaRmi => "Java RMI",
            Foreign::JavaObjects => "Java ObjectOutputStream",
            Foreign::Pickle => "Python pickle",
            Foreign::LengthPrefix => "Java writeUTF",
            Foreign::Binary => "binary data",
        }
    }

    /// Its name as one word, for metrics and programs.
    pub fn code(self) -> &'static str {
        match self {
            Foreign::Http => "http",
            Foreign::Tls => "tls",
            Foreign::Ssh => "ssh",
            Foreign::Rtsp => "rtsp",
            Foreign::Sip => "sip",
            Foreign::Proxy => "proxy",
            Foreign::Smtp => "smtp",
            Foreign::Ftp => "ftp",
            Foreign::Irc => "irc",
            Foreign::Xmpp => "xmpp",
            Foreign::Stomp => "stomp",
            Foreign::Nats => "nats",
            Foreign::Mqtt => "mqtt",
            Foreign::Amqp => "amqp",
            Foreign::Redis => "redis",
            Foreign::Memcached => "memcached",
            Foreign::ZooKeeper => "zookeeper",
            Foreign::MySql => "mysql",
            Foreign::Postgres => "postgres",
            Foreign::SqlServer => "sql_server",
            Foreign::MongoDb => "mongodb",
            Foreign::Ldap => "ldap",
            Foreign::Socks => "socks",
            Foreign::Rdp => "rdp",
            Foreign::Vnc => "vnc",
            Foreign::X11 => "x11",
            Foreign::Smb => "smb",
            Foreign::Git => "git",
            Foreign::Rsync => "rsync",
            Foreign::BitTorrent => "bittorrent",
            Foreign::Jdwp => "jdwp",
            Foreign::JavaRmi => "java_rmi",
            Foreign::JavaObjects => "java_objects",
            Foreign::Pickle => "pickle",
            Foreign::LengthPrefix => "length_prefix",
            Foreign::Binary => "binary",
        }
    }
}

fn is_method(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-')
}

/// Whether a CONNECT packet of MQTT goes on so, behind the first byte of its length.
fn is_mqtt(rest: &[u8]) -> bool {
    let name = rest.windows(4).take(4).position(|name| matches!(name, b"MQTT" | b"MQIs"));
    name.is_some_and(|at| at >= 2)
}

/// Whether an answer to MySQL's greeting goes on so, from the second byte of its
/// flags: they name the protocol of 4.1, and 23 bytes are reserved.
fn is_mysql(flags: u8, rest: &[u8]) -> bool {
    const PROTOCOL_41: u8 = 2;
    flags & PROTOCOL_41 != 0 && rest.get(7..30).is_some_and(|reserved| reserved == [0; 23])
}

/// Whether a line is a command of memcached. All are in small letters, and none that
/// could be a name is taken for one.
fn is_memcached(command: &[u8], arguments: &[&[u8]]) -> bool {
    match (command, arguments) {
        (b"stats" | b"version" | b"flush_all", []) => true,
        (b"get" | b"gets" | b"delete" | b"mg" | b"stats", [key]) => !key.is_empty(),
        (b"incr" | b"decr" | b"touch", [_, number]) => is_number(number),
        (
            b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas",
            [_, flags, expires, bytes, ..],
        ) => [flags, expires, bytes].into_iter().all(|number| is_number(number)),
        _ => false,
    }
}

/// Whether bytes that begin with a control, which no key sends, hold others as well.
fn is_binary(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| matches!(byte, 0..=7 | 0x0E..=0x1A | 0x1C..=0x1F);
    let head = &bytes[..bytes.len().min(OPENING_BYTES)];
    head.len() >= 4
        && is_control(&head[0])
        && head.iter().filter(|byte| **byte != 0 && is_control(byte)).count() >= 2
        && Wide::of_bytes(bytes).is_none()
}

/// Whether `bytes` are strings, each with its length before it in one, two or four
/// bytes of either order; or such a length alone, with the string to follow.
fn has_length_prefix(bytes: &[u8]) -> bool {
    match *bytes {
        [0, 1..=0xFF] | [0, 0, 0, 1..=0xFF] | [0, 0, 1..=0xFF, _] => true,
        [1..=9 | 14..=31, 0, 0, 0] => true,
        [0, _, ..] => are_strings(bytes, 2, false) || are_strings(bytes, 4, false),
        // An LF or CR is a line end before it is a length.
        [b'\n' | b'\r', ..] => false,
        [1..=0x1F, ..] => [1, 2, 4].iter().any(|&width| are_strings(bytes, width, true)),
        _ => false,
    }
}

/// Whether `bytes` are nothing but strings, each after its length of `width` bytes.
fn are_strings(mut bytes: &[u8], width: usize, little_endian: bool) -> bool {
    while !bytes.is_empty() {
        let Some((prefix, rest)) = bytes.split_at_checked(width) else { return false };
        let digit = |length: usize, byte: &u8| length << 8 | usize::from(*byte);
        let length = match little_endian {
            true => prefix.iter().rev().fold(0, digit),
            false => prefix.iter().fold(0, digit),
        };
        match rest.split_at_checked(length) {
            Some((_, rest)) if length > 0 => bytes = rest,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_told_from_names() {
        #[track_caller]
        fn check(line: &str, expected: Option<Foreign>) {
            assert_eq!(Foreign::of_line(line.as_bytes()), expected, "of {line:?}");
        }
        for line in [
            "GET / HTTP/1.1",
            "POST /a?b=c HTTP/1.0",
            "GET http://example.com/ HTTP/1.1",
            "CONNECT example.com:443 HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "PROPFIND /dav HTTP/1.1",
            "M-SEARCH * HTTP/1.1",
            "get / http/1.1",
            "\u{FEFF}GET / HTTP/1.1",
            "PRI * HTTP/2.0",
            "HTTP/1.1 400 Bad Request",
            "HTTP/1.0 200 OK\r",
        ] {
            check(line, Some(Foreign::Http));
        }
        check("OPTIONS rtsp://h/media RTSP/1.0", Some(Foreign::Rtsp));
        check("DESCRIBE rtsp://h/ RTSP/2.0", Some(Foreign::Rtsp));
        check("INVITE sip:bob@h SIP/2.0", Some(Foreign::Sip));
        check("SIP/2.0 200 OK", Some(Foreign::Sip));
        check("PROXY TCP4 192.0.2.1 192.0.2.2 40000 9009", Some(Foreign::Proxy));
        check("PROXY TCP6 2001:db8::1 2001:db8::2 1 2", Some(Foreign::Proxy));
        check("PROXY UNKNOWN", Some(Foreign::Proxy));
        check("SSH-2.0-OpenSSH_9.6", Some(Foreign::Ssh));
        check("SSH-1.99-x y", Some(Foreign::Ssh));
        check("EHLO mail.example.com", Some(Foreign::Smtp));
        check("CAP LS 302", Some(Foreign::Irc));
        check("NICK alice", Some(Foreign::Irc));
        check("USER anonymous", Some(Foreign::Ftp));
        check("*2", Some(Foreign::Redis));
        for line in ["CONNECT", "STOMP\r"] {
            check(line, Some(Foreign::Stomp));
        }
        check("CONNECT {\"verbose\":false}", Some(Foreign::Nats));
        check("@RSYNCD: 31.0", Some(Foreign::Rsync));
        check("RFB 003.008", Some(Foreign::Vnc));
        check("<?xml version='1.0'?><stream:stream to='h'>", Some(Foreign::Xmpp));
        check("0032git-upload-pack /project.git\0host=h\0", Some(Foreign::Git));
        for line in [
            "get x",
            "gets key",
            "stats",
            "stats items",
            "version",
            "flush_all",
            "delete x",
            "incr hits 1",
            "set x 0 0 5",
            "cas x 0 0 5 17 noreply",
        ] {
            check(line, Some(Foreign::Memcached));
        }
        for line in ["ruok", "srvr", "mntr", "stat", "wchs"] {
            check(line, Some(Foreign::ZooKeeper));
        }
        for name in [
            "",
            "GET",
            "GET /",
            "GET / HTTP/1.1 x",
            "alice",
            "홍 길 동",
            "SSH",
            "SSH-lover",
            "PROXY",
            "HTTP",
            "NICK",
            "EHLO",
            "*",
            "404 200",
            "a 200 b",
            "Nick Cave",
            "ssh-2.0",
            "Stats",
            "get",
            "Get Well",
            "set me free 0 0",
            "add",
            "version 2",
            "connect",
            "Stomp",
            "CONNECT me",
            "envi",
            "isro",
            "Ruok",
            "ruok yes",
            "user",
            "JDWP",
            "RFB",
            "git-fan",
            "cons2",
            "3d",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn first_bytes_are_told_from_text() {
        #[track_caller]
        fn check(bytes: &[u8], expected: Option<Foreign>) {
            assert_eq!(Foreign::of_first_read(bytes), expected, "of {:?}", bytes.escape_ascii());
        }
        check(b"\x16\x03\x01\x02\0\x01", Some(Foreign::Tls));
        check(b"\x80\x2e\x01\x03\x01\0\x15", Some(Foreign::Tls));
        check(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Some(Foreign::Proxy));
        check(b"SSH-2.0-x", Some(Foreign::Ssh));
        check(b"\x05\x01\0", Some(Foreign::Socks));
        check(b"\x04\x01\0\x50\x7f\0\0\x01\0", Some(Foreign::Socks));
        check(b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", Some(Foreign::Mqtt));
        check(b"\x10\xac\x01\0\x06MQIsdp\x03", Some(Foreign::Mqtt));
        check(b"\0\0\0\x14\0\x03\0\0user\0a\0\0", Some(Foreign::Postgres));
        check(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Foreign::Http));
        check(b"\n\r\nPROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", Some(Foreign::Proxy));
        check(b"AMQP\0\0\x09\x01", Some(Foreign::Amqp));
        check(b"AMQP\x03\x01\0\0", Some(Foreign::Amqp));
        check(b"\x05\x04\0\x01\x02\x80", Some(Foreign::Socks));
        check(b"\x04\x02\0\x50\x7f\0\0\x01\0", Some(Foreign::Socks));
        check(b"JDWP-Handshake", Some(Foreign::Jdwp));
        check(b"JRMI\0\x02K", Some(Foreign::JavaRmi));
        check(b"l\0\x0b\0\0\0\0\0\0\0\0\0", Some(Foreign::X11));
        check(b"B\0\0\x0b\0\0\0\0\0\0\0\0", Some(Foreign::X11));
        check(b"\x13BitTorrent protocol\0\0", Some(Foreign::BitTorrent));
        check(b"\x80\0\0\x01\0\0\0\0\0\0\0\x01", Some(Foreign::Memcached));
        check(b"\x12\x01\0\x2f\0\0\x01\0", Some(Foreign::SqlServer));
        check(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03", Some(Foreign::Ldap));
        let mongo = b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0";
        check(mongo, Some(Foreign::MongoDb));
        let mysql = [b"\x20\0\0\x01\x85\xae\xff\x19\0\0\0\x01\x2d".as_slice(), &[0; 23]];
        check(&mysql.concat(), Some(Foreign::MySql));
        check(b"\0\0\0\x08\x04\xd2\x16\x30", Some(Foreign::Postgres));
        check(b"\0\0\0\x25\0\x12\0\x03\0\0\0\x01\0\x07example", Some(Foreign::Binary));
        check(b"\x15\x03\x01\0\x02\x02\x28", Some(Foreign::Binary));
        check(b"\x03\0\0\x13\x0e\xe0\0\0", Some(Foreign::Rdp));
        check(b"\0\0\0\x54\xffSMB", Some(Foreign::Smb));
        check(b"\0\0\0\x08\x04\xd2\x16\x2f", Some(Foreign::Postgres));
        check(b"\xac\xed\0\x05w\x05alice", Some(Foreign::JavaObjects));
        check(b"\x80\x04\x95\x09\0\0\0\0\0\0\0\x8c\x05alice\x94.", Some(Foreign::Pickle));
        for strings in [
            b"\0\x05alice".as_slice(),
            b"\0\x05alice\0\x05hello",
            b"\0\x06\xec\x95\x88\xeb\x85\x95",
            b"\0\x0aalicealice",
            b"\0\x05",
            b"\0\0\0\x05alice",
            b"\0\0\0\x05",
            b"\x05\0alice",
            b"\x05\0\0\0alice",
            b"\x05\0\0\0",
            b"\x06alicia",
        ] {
            check(strings, Some(Foreign::LengthPrefix));
        }
        for text in [
            b"".as_slice(),
            b"alice",
            b"alice\n\0",
            b"carol\0\0\0",
            b"\0",
            b"\0\0\0\0",
            b"\0/msg bob secret\n",
            b"\n",
            b"\r\n",
            b"\r\n\r\n",
            b"\nalicealice",
            b"\nalice\nGET / HTTP/1.1\n",
            b"\r\x05alic",
            b"\x1b[A",
            b"\xff\xfb\x1f",
            "안녕\n".as_bytes(),
            b"\xb0\xa1\n",
            b"\x05alice\n",
            b"l\0",
            b"B\0garbage\0\0",
            b"\x03",
            b"\x03\x03",
            b"\0\0\0alice\x01\n",
            // 박정, in UTF-16.
            b"\x15\xbc\x15\xc8\r\0\n\0",
        ] {
            check(text, None);
        }
    }
}
