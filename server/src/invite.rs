//! How others come into a room: the link, and the lines for who has no browser. The
//! only place from which a room's key goes out.

use std::net::{IpAddr, SocketAddr};

use madang_protocol::{event::ServerMessage, limits::LINES_PORT, notice::Invitation, room::LOBBY};
use qrcode::{QrCode, render::unicode::Dense1x2};

use crate::{doors, room::Room};

/// Where this server is reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doors {
    /// Where lines are taken.
    pub(crate) lines: Option<SocketAddr>,
    /// Where browsers are.
    pub(crate) web: Option<SocketAddr>,
    /// Whether that is encrypted.
    pub(crate) web_is_encrypted: bool,
    /// What browsers are told instead, where something stands before this server.
    pub(crate) public_url: Option<String>,
}

/// All that `/invite` tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invite {
    key: Option<String>,
    link: Option<String>,
    madang: String,
    nc: Option<String>,
    join: Option<String>,
    encrypted: bool,
    qr: Option<String>,
}

/// How others come into `room`, told to a member who came by the address `came_by`.
pub(crate) fn invitation(
    room: &Room,
    came_by: Option<SocketAddr>,
    doors: &Doors,
    qr: bool,
) -> Invite {
    let key = room.key.map(|key| key.show());
    let fragment = key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
    let lines = doors.lines.and_then(|door| reached(door, came_by));
    let web = doors.web.and_then(|door| reached(door, came_by));
    let base = match (&doors.public_url, web) {
        (Some(url), _) => Some(format!("{}/", url.trim_end_matches('/'))),
        (None, Some(web)) => {
            let scheme = if doors.web_is_encrypted { "https" } else { "http" };
            Some(format!("{scheme}://{web}/"))
        }
        (None, None) => None,
    };
    let link = base.map(|base| base + &fragment);
    let is_lobby = &*room.name == LOBBY;
    let at = lines.unwrap_or_else(|| SocketAddr::new(host(came_by), LINES_PORT));
    let madang = match (&link, &key) {
        (Some(link), Some(_)) => format!("madang {link}"),
        (None, Some(_)) => format!("madang madang://{at}/{fragment}"),
        (_, None) if is_lobby && at.port() == LINES_PORT => format!("madang {}", at.ip()),
        (_, None) if is_lobby => format!("madang {at}"),
        (_, None) => format!("madang madang://{at}/{}", room.name),
    };
    let join = match &key {
        Some(key) => Some(format!("/join #{key}")),
        None => (!is_lobby).then(|| format!("/join {}", room.name)),
    };
    let coded = link.clone().unwrap_or_else(|| format!("madang://{at}/{fragment}"));
    Invite {
        encrypted: link.as_ref().is_some_and(|link| link.starts_with("https:")),
        key,
        link,
        madang,
        nc: lines.map(|lines| format!("nc {} {}", lines.ip(), lines.port())),
        join,
        qr: qr.then(|| draw(&coded)).flatten(),
    }
}

impl Invite {
    /// The same for people.
    pub(crate) fn for_people(&self) -> Invitation<'_> {
        Invitation {
            link: self.link.as_deref(),
            madang: &self.madang,
            nc: self.nc.as_deref(),
            join: self.join.as_deref(),
            encrypted: self.encrypted,
            qr: self.qr.as_deref(),
        }
    }

    /// The same for programs.
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
            nc: self
                .nc
                .iter()
                .flat_map(|nc| std::iter::once(nc).chain(&self.join))
                .map(Into::into)
                .collect(),
            encrypted: self.encrypted,
            qr: self.qr.as_deref().map(Into::into),
            nonce: nonce.map(Into::into),
        }
    }
}

/// Where others reach a door of this server, if they do: a door that is open to this
/// machine alone is none for a member who is elsewhere.
fn reached(door: SocketAddr, came_by: Option<SocketAddr>) -> Option<SocketAddr> {
    let is_here = came_by.is_none_or(|address| address.ip().to_canonical().is_loopback());
    match door.ip().to_canonical() {
        ip if ip.is_unspecified() => Some(SocketAddr::new(host(came_by), door.port())),
        ip if ip.is_loopback() && !is_here => None,
        ip => Some(SocketAddr::new(ip, door.port())),
    }
}

/// The address by which others reach this machine: that by which the member came, or
/// one of this machine's that others reach if the member is on it.
fn host(came_by: Option<SocketAddr>) -> IpAddr {
    let ip = came_by.map(|address| address.ip().to_canonical());
    match ip {
        Some(ip) if !ip.is_loopback() => ip,
        _ => doors::own_addresses()[0],
    }
}

/// A QR code in half blocks, light on dark as terminals are, in lines.
fn draw(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, qrcode::EcLevel::L).ok()?;
    let (dark, light) = (Dense1x2::Light, Dense1x2::Dark);
    Some(code.render::<Dense1x2>().dark_color(dark).light_color(light).build())
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use madang_protocol::room::RoomKey;

    use super::*;

    const KEY: &str = "00000-00000-00000-00000-000001";

    fn room(name: &str, is_private: bool) -> Room {
        let private = is_private.then(|| (RoomKey::from_bits(1), 1));
        Room::new(1, name, private, None, SystemTime::now(), Arc::default())
    }

    fn address(text: &str) -> Option<SocketAddr> {
        Some(text.parse().expect("an address"))
    }

    fn doors() -> Doors {
        Doors {
            lines: address("[::]:9009"),
            web: address("[::]:9998"),
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
    fn what_stands_before_the_server_decides() {
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
    fn without_a_door_for_browsers_there_is_no_link() {
        let doors = Doors { web: None, lines: address("[::]:7000"), ..doors() };
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
        let own = doors::own_addresses()[0];
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
        let doors = Doors { lines: address("127.0.0.1:9009"), ..doors() };
        let invite = invitation(&room("lobby", false), address("192.0.2.5:9998"), &doors, false);
        assert_eq!(invite.nc, None);
        assert!(!format!("{invite:?}").contains("127.0.0.1"), "{invite:?}");
    }
}
