//! The banner: how people join, in lines that an operator reads out to them.

use madang_protocol::{
    limits::{LINES_PORT, TLS_PORT},
    text::Lang,
};

use crate::{
    doors::{Doors, reachable},
    system::firewall_rule,
};

/// How to join by each of `doors`, for each program that people have.
pub fn banner(doors: &Doors, lang: Lang) -> String {
    let mut lines = vec![match lang {
        Lang::Ko => "들어오는 길:".to_owned(),
        Lang::En => "Join with:".to_owned(),
    }];
    for address in reachable(&doors.lines) {
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
    for address in reachable(&doors.tls) {
        let madang = match (address.ip(), address.port()) {
            (ip, TLS_PORT) => format!("madang --tls {ip}"),
            _ => format!("madang --tls {address}"),
        };
        lines.push(format!("  openssl s_client -quiet -connect {address}   (TLS)"));
        lines.push(format!("  {madang}   (TLS)"));
    }
    let scheme = if doors.web_is_encrypted { "https" } else { "http" };
    let web = reachable(&doors.web).into_iter().map(|address| format!("{scheme}://{address}/"));
    let in_browser = match lang {
        Lang::Ko => "브라우저에서, Windows에서는 이것부터",
        Lang::En => "in a browser; on Windows, try this first",
    };
    for url in web.chain(doors.public_url.clone()) {
        lines.push(format!("  {url}   ({in_browser})"));
        lines.push(format!("  madang {url}   (WebSocket)"));
    }
    let doors = [&doors.lines, &doors.tls, &doors.web];
    let ports: Vec<u16> = doors.into_iter().filter_map(|door| Some(door.first()?.port())).collect();
    if let Some(rule) = firewall_rule(&ports) {
        lines.push(match lang {
            Lang::Ko => "다른 컴퓨터에서 들어올 수 없으면, Windows가 물을 때 허용하거나 관리자로 실행하세요:",
            Lang::En => "If others can't connect, allow it when Windows asks, or run as administrator:",
        }.to_owned());
        lines.push(format!("  {rule}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_line() {
        let at = |addresses: &[&str]| {
            addresses.iter().map(|address| address.parse().expect("an address")).collect()
        };
        let doors = Doors {
            lines: at(&["192.168.0.5:9009", "[2001:db8::5]:80"]),
            tls: at(&["192.168.0.5:9010", "[2001:db8::5]:7"]),
            web: at(&["192.168.0.5:9998"]),
            web_is_encrypted: false,
            public_url: Some("https://example.org/chat/".to_owned()),
        };
        let text = banner(&doors, Lang::En);
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
        let text = banner(&Doors { web_is_encrypted: true, ..doors }, Lang::En);
        assert!(text.contains("  madang https://192.168.0.5:9998/   (WebSocket)\n"), "{text}");
    }
}
