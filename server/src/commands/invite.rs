//! How to invite others to a room: the link, and commands for people without a browser. Only this
//! file gives out a room's key.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use madang_protocol::{
    event::ServerMessage,
    limits::{LINES_PORT, TLS_PORT},
    room::LOBBY,
    words::RoomWords,
};
use qrcode::{QrCode, render::unicode::Dense1x2};

use crate::{
    doors::{Doors, own_addresses},
    room::Room,
};

/// The parts of the answer to `/invite`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invite {
    key: Option<String>,
    link: Option<String>,
    madang: String,
    nc: Option<String>,
    join: Option<String>,
    encrypted: bool,
    qr: Option<String>,
    /// The words that open the room, and for how many more seconds they do.
    words: Option<(String, u64)>,
}

/// How to invite others to `room`, for a member who connected to the address `came_by`.
pub(crate) fn invitation(
    room: &Room,
    came_by: Option<SocketAddr>,
    doors: &Doors,
    qr: bool,
) -> Invite {
    let key = room.key.map(|key| key.show());
    let fragment = key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
    let first = |of: &[SocketAddr]| of.first().and_then(|door| reached(*door, came_by));
    let (lines, tls) = (first(&doors.lines), first(&doors.tls));
    let link = web_link(came_by, doors).map(|base| base + &fragment);
    let has_encrypted = match &link {
        Some(link) => link.starts_with("https:"),
        None => tls.is_some(),
    };
    // If there is an encrypted way, no other is listed. Without TLS for lines, the plain port is
    // listed only for rooms without a key.
    let (lines, tls) = match has_encrypted {
        true => (lines.filter(|_| tls.is_none() && key.is_none()), tls),
        false => (lines, tls.filter(|_| lines.is_none())),
    };
    let nc = match (tls, lines) {
        (Some(tls), _) => Some(format!("openssl s_client -quiet -connect {tls}")),
        (None, lines) => lines.map(|lines| format!("nc {} {}", lines.ip(), lines.port())),
    };
    let join = match &key {
        Some(key) => Some(format!("/join #{key}")),
        None => (&*room.name != LOBBY).then(|| format!("/join {}", room.name)),
    };
    let at = tls.or(lines).unwrap_or_else(|| SocketAddr::new(host(came_by), LINES_PORT));
    let madang = match &link {
        Some(link) if has_encrypted || key.is_some() => by_link(link, room),
        _ => by_lines(at, tls.is_some(), &fragment, room),
    };
    let coded = link.clone().unwrap_or_else(|| format!("madang://{at}/{fragment}"));
    Invite {
        encrypted: has_encrypted && lines.is_none(),
        key,
        link,
        madang,
        join: join.filter(|_| nc.is_some()),
        nc,
        qr: qr.then(|| draw(&coded)).flatten(),
        words: None,
    }
}

/// The link to the page, for somebody who connected to the address `came_by`.
pub(super) fn web_link(came_by: Option<SocketAddr>, doors: &Doors) -> Option<String> {
    let own = || {
        let scheme = if doors.web_is_encrypted { "https" } else { "http" };
        Some(format!("{scheme}://{}/", reached(*doors.web.first()?, came_by)?))
    };
    doors.public_url.clone().or_else(own)
}

/// The command with a link.
fn by_link(link: &str, room: &Room) -> String {
    match room.key {
        None if &*room.name != LOBBY => format!("madang {link} --room {}", room.name),
        _ => format!("madang {link}"),
    }
}

/// The command for a line port; `fragment` is the room's key, if it has one.
fn by_lines(at: SocketAddr, tls: bool, fragment: &str, room: &Room) -> String {
    let (program, port) = match tls {
        true => ("madang --tls", TLS_PORT),
        false => ("madang", LINES_PORT),
    };
    match room.key {
        Some(_) => format!("{program} madang://{at}/{fragment}"),
        None if &*room.name != LOBBY => format!("{program} madang://{at}/{}", room.name),
        None if at.port() == port => format!("{program} {}", at.ip()),
        None => format!("{program} {at}"),
    }
}

impl Invite {
    /// With words that open the room for a limited time.
    pub(crate) fn with_words(self, words: RoomWords, left: Duration) -> Invite {
        Invite { words: Some((words.to_string(), left.as_secs())), ..self }
    }

    /// Splits off the QR code.
    pub(crate) fn without_qr(self) -> (Invite, Option<String>) {
        (Invite { qr: None, ..self }, self.qr)
    }

    /// The answer as a message.
    pub(crate) fn message<'a>(
        &'a self,
        room: &'a str,
        nonce: Option<&'a str>,
    ) -> ServerMessage<'a> {
        ServerMessage::Invite {
            room: room.into(),
            key: self.key.as_deref().map(Into::into),
            link: self.link.as_deref().map(Into::into),
            madang: self.madang.as_str().into(),
            nc: self.nc.iter().chain(&self.join).map(Into::into).collect(),
            encrypted: self.encrypted,
            qr: self.qr.as_deref().map(Into::into),
            words: self.words.as_ref().map(|(words, _)| words.as_str().into()),
            words_seconds: self.words.as_ref().map(|(_, seconds)| *seconds),
            nonce: nonce.map(Into::into),
        }
    }
}

/// Where others reach a door of this server, if they can: a door that only this machine can reach
/// does not exist for members elsewhere.
fn reached(door: SocketAddr, came_by: Option<SocketAddr>) -> Option<SocketAddr> {
    let is_here = came_by.is_none_or(|address| address.ip().to_canonical().is_loopback());
    match door.ip().to_canonical() {
        ip if ip.is_unspecified() => Some(SocketAddr::new(host(came_by), door.port())),
        ip if ip.is_loopback() && !is_here => None,
        ip => Some(SocketAddr::new(ip, door.port())),
    }
}

/// The address where others reach this machine: the address the member connected to, or, for a
/// member on this machine, one that others can reach.
fn host(came_by: Option<SocketAddr>) -> IpAddr {
    let ip = came_by.map(|address| address.ip().to_canonical());
    match ip {
        Some(ip) if !ip.is_loopback() => ip,
        _ => own_addresses()[0],
    }
}

/// A QR code in half blocks, light on dark, line by line.
pub(crate) fn draw(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(shortest(text).as_ref(), qrcode::EcLevel::L);
    let code = code.ok()?;
    let (dark, light) = (Dense1x2::Light, Dense1x2::Dark);
    Some(code.render::<Dense1x2>().dark_color(dark).light_color(light).build())
}

/// The link in the characters that make the smallest code. Scheme and host are case-insensitive
/// (RFC 3986 section 6.2.2.1), and capitals take half the modules.
fn shortest(link: &str) -> Cow<'_, str> {
    let host = link.split_once("://").and_then(|(_, rest)| rest.strip_suffix('/'));
    match host.is_some_and(|host| !host.contains(['/', '#', '?'])) {
        true => Cow::Owned(link.trim_end_matches('/').to_uppercase()),
        false => Cow::Borrowed(link),
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::sync::Arc;

    use madang_protocol::room::RoomKey;

    use super::*;
    use crate::room::Beginning;

    const KEY: &str = "00000-00000-00000-00000-000001";

    fn room(name: &str, is_private: bool) -> Arc<Room> {
        let key = is_private.then(|| RoomKey::from_bits(1));
        Room::new(1, name, key, Beginning::default(), crate::room::Context::default())
    }

    fn address(text: &str) -> Option<SocketAddr> {
        Some(text.parse().expect("an address"))
    }

    fn at(door: &str) -> Vec<SocketAddr> {
        address(door).into_iter().collect()
    }

    fn doors() -> Doors {
        Doors {
            lines: at("[::]:9009"),
            tls: Vec::new(),
            web: at("[::]:9998"),
            web_is_encrypted: false,
            public_url: None,
        }
    }

    #[test]
    fn a_private_room_is_reached_by_its_key_in_every_way() {
        let came_by = address("192.0.2.5:9009");
        let invite = invitation(&room("private-k3f9", true), came_by, &doors(), false);
        let link = format!("http://192.0.2.5:9998/#{KEY}");
        assert_eq!(invite.link.as_deref(), Some(&*link));
        assert_eq!(invite.madang, format!("madang {link}"));
        assert_eq!(invite.nc.as_deref(), Some("nc 192.0.2.5 9009"));
        assert_eq!(invite.join, Some(format!("/join #{KEY}")));
        assert!(!invite.encrypted && invite.qr.is_none());
    }

    #[test]
    fn a_door_with_a_certificate_is_encrypted() {
        let doors = Doors { web_is_encrypted: true, ..doors() };
        let came_by = address("192.0.2.5:9009");
        let invite = invitation(&room("private-k3f9", true), came_by, &doors, false);
        assert_eq!(invite.link, Some(format!("https://192.0.2.5:9998/#{KEY}")));
        assert!(invite.encrypted);
    }

    #[test]
    fn keys_are_shown_only_with_encrypted_ways_in_if_there_are_any() {
        #[track_caller]
        fn check(doors: &Doors, name: &str, expected: (&str, Option<&str>, bool)) {
            let room = room(name, name.starts_with("private"));
            let came_by = address("192.0.2.5:9009");
            let Invite { madang, nc, encrypted, join, .. } =
                invitation(&room, came_by, doors, false);
            assert_eq!((madang.as_str(), nc.as_deref(), encrypted), expected);
            assert_eq!(join.is_some(), nc.is_some() && name != "lobby");
        }
        const LINK: &str = "madang https://192.0.2.5:9998/";
        const NC: Option<&str> = Some("nc 192.0.2.5 9009");
        const OPENSSL: Option<&str> = Some("openssl s_client -quiet -connect 192.0.2.5:9010");
        let with_key = format!("{LINK}#{KEY}");
        let with_name = format!("{LINK} --room 수학");
        let https = Doors { web_is_encrypted: true, ..doors() };
        check(&https, "private-k3f9", (&with_key, None, true));
        check(&https, "수학", (&with_name, NC, false));
        check(&https, "lobby", (LINK, NC, false));

        let with_tls = Doors { tls: at("[::]:9010"), ..https.clone() };
        check(&with_tls, "private-k3f9", (&with_key, OPENSSL, true));
        check(&with_tls, "수학", (&with_name, OPENSSL, true));
        check(&with_tls, "lobby", (LINK, OPENSSL, true));

        let without_web = Doors { web: Vec::new(), ..with_tls.clone() };
        let by_tls = "madang --tls madang://192.0.2.5:9010/";
        check(&without_web, "private-k3f9", (&format!("{by_tls}#{KEY}"), OPENSSL, true));
        check(&without_web, "수학", (&format!("{by_tls}수학"), OPENSSL, true));
        check(&without_web, "lobby", ("madang --tls 192.0.2.5", OPENSSL, true));
        let elsewhere = Doors { tls: at("[::]:7"), ..without_web };
        let openssl = Some("openssl s_client -quiet -connect 192.0.2.5:7");
        check(&elsewhere, "lobby", ("madang --tls 192.0.2.5:7", openssl, true));

        // An unencrypted link gives its key away in any case.
        let proxy = Some("http://chat.example/".to_owned());
        let plain_link = Doors { public_url: proxy, ..with_tls };
        let link = format!("madang http://chat.example/#{KEY}");
        check(&plain_link, "private-k3f9", (&link, NC, false));
    }

    #[test]
    fn an_invitation_uses_the_public_url_if_there_is_one() {
        let url = Some("https://chat.example/madang/".to_owned());
        let doors = Doors { public_url: url, ..doors() };
        let invite = invitation(&room("private-k3f9", true), None, &doors, true);
        assert_eq!(invite.link, Some(format!("https://chat.example/madang/#{KEY}")));
        assert!(invite.encrypted);
        let qr = invite.qr.expect("it was asked for");
        assert!(
            qr.lines()
                .all(|line| line.chars().count()
                    == qr.lines().next().map_or(0, |l| l.chars().count()))
        );
        assert!(qr.lines().count() < 24, "{qr}");
    }

    #[test]
    fn a_link_without_a_path_is_coded_in_capitals() {
        assert_eq!(shortest("http://192.168.0.5:9998/"), "HTTP://192.168.0.5:9998");
        let with_more = ["https://chat.example/madang/", "http://192.0.2.5:9998/#a-key"];
        with_more.iter().for_each(|link| assert_eq!(shortest(link), *link));
        // Version 1: 21 modules, and a quiet zone of 4 on each side.
        let code = draw("http://192.168.0.5:9998/").expect("it is short");
        assert_eq!(code.lines().next().map(|line| line.chars().count()), Some(29));
    }

    #[test]
    fn without_a_door_for_browsers_there_is_no_link() {
        let doors = Doors { web: Vec::new(), lines: at("[::]:7000"), ..doors() };
        let came_by = address("[2001:db8::5]:7000");
        let invite = invitation(&room("private-k3f9", true), came_by, &doors, false);
        assert_eq!(invite.link, None);
        assert_eq!(invite.madang, format!("madang madang://[2001:db8::5]:7000/#{KEY}"));
        let public = invitation(&room("수학", false), came_by, &doors, false);
        assert_eq!(public.madang, "madang madang://[2001:db8::5]:7000/수학");
        assert_eq!(public.join.as_deref(), Some("/join 수학"));
        let lobby = invitation(&room("lobby", false), came_by, &doors, false);
        assert_eq!((lobby.madang.as_str(), lobby.join), ("madang [2001:db8::5]:7000", None));
    }

    #[test]
    fn nobody_is_sent_to_localhost_while_there_is_a_network() {
        let invite = invitation(&room("lobby", false), address("127.0.0.1:9009"), &doors(), false);
        let own = own_addresses()[0];
        assert_eq!(invite.nc, Some(format!("nc {own} 9009")));
        let mapped = address("[::ffff:192.0.2.5]:9009");
        let invite = invitation(&room("lobby", false), mapped, &doors(), false);
        assert_eq!(invite.nc.as_deref(), Some("nc 192.0.2.5 9009"));
    }

    #[test]
    fn a_door_that_is_open_at_one_address_is_reached_there() {
        #[track_caller]
        fn check(door: &str, came_by: &str, expected: Option<&str>) {
            let door = address(door).expect("an address");
            assert_eq!(reached(door, address(came_by)), expected.and_then(address));
        }
        check("192.0.2.7:7000", "192.0.2.5:9998", Some("192.0.2.7:7000"));
        check("127.0.0.1:7000", "127.0.0.1:7000", Some("127.0.0.1:7000"));
        check("127.0.0.1:7000", "192.0.2.5:9998", None);
        check("[::]:7000", "192.0.2.5:9998", Some("192.0.2.5:7000"));
        let doors = Doors { lines: at("127.0.0.1:9009"), ..doors() };
        let invite = invitation(&room("lobby", false), address("192.0.2.5:9998"), &doors, false);
        assert_eq!(invite.nc, None);
        assert!(!format!("{invite:?}").contains("127.0.0.1"), "{invite:?}");
    }
}
