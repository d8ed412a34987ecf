//! Where people come in: the lines that an operator reads out to them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use madang_protocol::{
    limits::{LINES_PORT, TLS_PORT},
    text::Lang,
};

use crate::transport::http::origin::PublicUrl;

/// The addresses at which others reach a server that listens at `listening`:
/// those of this machine if it listens everywhere, IPv4 first.
pub fn reachable(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    expand(listening, &own_addresses())
}

/// The addresses where others reach this machine, IPv4 first; localhost alone if
/// there is no network.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let mut own: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|address| !address.is_loopback() && !is_link_local(address))
        .collect();
    if own.is_empty() {
        own.push(Ipv4Addr::LOCALHOST.into());
    }
    own.sort_by_key(|address| (address.is_ipv6(), *address));
    own.dedup();
    own
}

/// A link-local address means nothing without the name of an interface.
fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn expand(listening: &[SocketAddr], own: &[IpAddr]) -> Vec<SocketAddr> {
    let mut reachable = Vec::new();
    for address in listening {
        if address.ip().is_unspecified() {
            let fits = |ip: &&IpAddr| address.is_ipv6() || ip.is_ipv4();
            let own = own.iter().filter(fits);
            reachable.extend(own.map(|ip| SocketAddr::new(*ip, address.port())));
        } else {
            reachable.push(*address);
        }
    }
    reachable
}

/// The doors of a server.
#[derive(Debug, Clone, Default)]
pub struct Doors<'a> {
    /// Where it takes lines.
    pub lines: Vec<SocketAddr>,
    /// Where it takes lines over TLS.
    pub tls: Vec<SocketAddr>,
    /// Where it takes WebSocket.
    pub web: Vec<SocketAddr>,
    /// Whether that goes over TLS.
    pub web_is_encrypted: bool,
    /// What a proxy makes of `web`.
    pub public_url: Option<&'a PublicUrl>,
}

/// How to come in by each of `doors`, for each program that people have.
pub fn invitation(doors: &Doors<'_>, lang: Lang) -> String {
    let mut lines = vec![match lang {
        Lang::Ko => "들어오는 길:".to_owned(),
        Lang::En => "Join with:".to_owned(),
    }];
    for address in &doors.lines {
        let (ip, port) = (address.ip(), address.port());
        let madang = match (ip, port) {
            (ip, LINES_PORT) => format!("madang {ip}"),
            _ => format!("madang {address}"),
        };
        let without_nc = match lang {
            Lang::Ko => "nc가 없는 macOS, Linux에서",
            Lang::En => "on macOS and Linux without nc",
        };
        lines.push(format!("  nc {ip} {port}"));
        // Without -T., curl waits for its own input before it shows what has come; on
        // Windows, only the newest curl can do it.
        lines.push(format!("  curl -NT. telnet://{address}   ({without_nc})"));
        lines.push(format!("  {madang}"));
    }
    for address in &doors.tls {
        let madang = match (address.ip(), address.port()) {
            (ip, TLS_PORT) => format!("madang --tls {ip}"),
            _ => format!("madang --tls {address}"),
        };
        lines.push(format!("  openssl s_client -quiet -connect {address}   (TLS)"));
        lines.push(format!("  {madang}   (TLS)"));
    }
    let scheme = if doors.web_is_encrypted { "https" } else { "http" };
    let web = doors.web.iter().map(|address| format!("{scheme}://{address}/"));
    let in_browser = match lang {
        Lang::Ko => "브라우저에서, Windows에서는 이것부터",
        Lang::En => "in a browser; on Windows, try this first",
    };
    for url in web.chain(doors.public_url.map(PublicUrl::to_string)) {
        lines.push(format!("  {url}   ({in_browser})"));
        lines.push(format!("  madang {url}   (WebSocket)"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_everywhere_is_each_address_of_the_machine() {
        #[track_caller]
        fn check(listening: &str, expected: &[&str]) {
            let own = ["192.168.0.5", "2001:db8::5"].map(|ip| ip.parse().expect("an address"));
            let listening = [listening.parse().expect("an address")];
            let reachable: Vec<String> =
                expand(&listening, &own).iter().map(SocketAddr::to_string).collect();
            assert_eq!(reachable, expected);
        }
        check("[::]:9009", &["192.168.0.5:9009", "[2001:db8::5]:9009"]);
        check("0.0.0.0:7", &["192.168.0.5:7"]);
        check("127.0.0.1:7", &["127.0.0.1:7"]);
    }

    #[test]
    fn every_program_has_its_line() {
        let at = |addresses: &[&str]| {
            addresses.iter().map(|address| address.parse().expect("an address")).collect()
        };
        let public_url: Option<PublicUrl> = "https://example.org/chat".parse().ok();
        let doors = Doors {
            lines: at(&["192.168.0.5:9009", "[2001:db8::5]:80"]),
            tls: at(&["192.168.0.5:9010", "[2001:db8::5]:7"]),
            web: at(&["192.168.0.5:9998"]),
            web_is_encrypted: false,
            public_url: public_url.as_ref(),
        };
        let text = invitation(&doors, Lang::En);
        for line in [
            "  nc 192.168.0.5 9009\n",
            "  curl -NT. telnet://192.168.0.5:9009 ",
            "  madang 192.168.0.5\n",
            "  nc 2001:db8::5 80\n",
            "  madang [2001:db8::5]:80\n",
            "  http://192.168.0.5:9998/   (in a browser; on Windows, try this first)\n",
            "  openssl s_client -quiet -connect 192.168.0.5:9010   (TLS)\n",
            "  madang --tls 192.168.0.5   (TLS)\n",
            "  madang --tls [2001:db8::5]:7   (TLS)\n",
            "  madang http://192.168.0.5:9998/   (WebSocket)\n",
            "  https://example.org/chat/   (in a browser; on Windows, try this first)\n",
            "  madang https://example.org/chat/   (WebSocket)",
        ] {
            assert!(text.contains(line), "{line:?} is missing in {text}");
        }
        let text = invitation(&Doors { web_is_encrypted: true, ..doors }, Lang::En);
        assert!(text.contains("  madang https://192.168.0.5:9998/   (WebSocket)\n"), "{text}");
    }
}
