//! The banner: how to join, short enough to read out, the easiest way first.

use std::{iter, net::SocketAddr};

use madang_protocol::{
    limits::{LINES_PORT, TLS_PORT},
    notice::grouped,
    text::Lang,
};
use unicode_width::UnicodeWidthStr;

use crate::{
    doors::{Doors, reachable},
    system::firewall_rule,
};

/// How to join, and the firewall command if one is needed.
pub fn banner(doors: &Doors, lang: Lang) -> String {
    let mut told = ways_in(doors, lang);
    let doors = [&doors.lines, &doors.tls, &doors.web];
    let ports: Vec<u16> = doors.into_iter().filter_map(|door| Some(door.first()?.port())).collect();
    if let Some(rule) = firewall_rule(&ports) {
        told.push_str(match lang {
            Lang::Ko => {
                "\n다른 컴퓨터에서 들어올 수 없으면, Windows가 물을 때 허용하거나 관리자로 실행하세요:"
            }
            Lang::En => {
                "\nIf others can't connect, allow it when Windows asks, or run as administrator:"
            }
        });
        told.push_str(&format!("\n  {rule}"));
    }
    told
}

/// How to join with each program at one address; the machine's other addresses are below.
fn ways_in(doors: &Doors, lang: Lang) -> String {
    let (title, browser, others) = match lang {
        Lang::Ko => ("들어오는 방법:", "브라우저", "다른 주소"),
        Lang::En => ("Join with:", "browser", "also at"),
    };
    let at = |door: &[SocketAddr]| without_doubles(reachable(door));
    let (lines, tls, web) = (at(&doors.lines), at(&doors.tls), at(&doors.web));
    let mut ways: Vec<(&str, String)> = Vec::new();
    ways.extend(link(doors).map(|url| (browser, url)));
    ways.extend(madang(doors, lines.first(), tls.first()).map(|command| ("madang", command)));
    for at in each_port(&lines) {
        ways.push(("nc", format!("nc {} {}", at.ip(), at.port())));
    }
    // For macOS and Linux without nc. On Windows, curl shows nothing until Enter is pressed.
    ways.extend(lines.first().map(|at| ("curl", format!("curl -NT. telnet://{at}"))));
    for at in each_port(&tls) {
        ways.push(("openssl", format!("openssl s_client -quiet -connect {at}")));
    }
    // Behind a proxy, only its address matters.
    let told = [&web, &lines, &tls].into_iter().find(|at| !at.is_empty());
    let told = told.filter(|_| doors.public_url.is_none()).map_or(&[][..], |at| at);
    let is_other = |at: &&SocketAddr| at.ip() != told[0].ip();
    let rest: Vec<String> = told.iter().filter(is_other).map(|at| at.ip().to_string()).collect();
    ways.extend((!rest.is_empty()).then(|| (others, rest.join(", "))));

    let width = ways.iter().map(|(program, _)| program.width()).max().unwrap_or(0);
    let way = |(program, what): &(&str, String)| {
        format!("  {program}{:1$}  {what}", "", width - program.width())
    };
    let told: Vec<String> = iter::once(title.to_owned()).chain(ways.iter().map(way)).collect();
    told.join("\n")
}

/// The link for browsers, if there is one.
pub(crate) fn link(doors: &Doors) -> Option<String> {
    let scheme = if doors.web_is_encrypted { "https" } else { "http" };
    let own = || Some(format!("{scheme}://{}/", without_doubles(reachable(&doors.web)).first()?));
    doors.public_url.clone().or_else(own)
}

/// The command for the terminal client: encrypted if it can be.
fn madang(doors: &Doors, lines: Option<&SocketAddr>, tls: Option<&SocketAddr>) -> Option<String> {
    let command = |program: &str, at: &SocketAddr, default: u16| match at.port() == default {
        true => format!("{program} {}", at.ip()),
        false => format!("{program} {at}"),
    };
    if let Some(tls) = tls {
        return Some(command("madang --tls", tls, TLS_PORT));
    }
    let by_link = || link(doors).map(|url| format!("madang {url}"));
    match lines {
        Some(lines) if !doors.web_is_encrypted => Some(command("madang", lines, LINES_PORT)),
        _ => by_link().or_else(|| lines.map(|lines| command("madang", lines, LINES_PORT))),
    }
}

/// Leaves IPv6 addresses out if there are others, because they lead to the same door.
fn without_doubles(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if addresses.iter().any(SocketAddr::is_ipv4) {
        addresses.retain(SocketAddr::is_ipv4);
    }
    addresses
}

/// The first address for each port.
fn each_port(addresses: &[SocketAddr]) -> impl Iterator<Item = &SocketAddr> {
    let is_first = move |(at, address): &(usize, &SocketAddr)| {
        addresses[..*at].iter().all(|before| before.port() != address.port())
    };
    addresses.iter().enumerate().filter(is_first).map(|(_, address)| address)
}

/// The capacity in words; exact for small numbers.
pub fn room_for(people: usize, lang: Lang) -> String {
    let (about, people) = match people {
        0..100 => (false, people),
        _ => {
            let unit = 10_usize.pow(people.ilog10() - 1);
            (true, people / unit * unit)
        }
    };
    let count = grouped(people);
    match (lang, about) {
        (Lang::Ko, true) => format!("약 {count}명까지 들어올 수 있습니다."),
        (Lang::Ko, false) => format!("{count}명까지 들어올 수 있습니다."),
        (Lang::En, true) => format!("Room for about {count} people."),
        (Lang::En, false) if people == 1 => "Room for 1 person.".into(),
        (Lang::En, false) => format!("Room for {count} people."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().expect("an address")).collect()
    }

    fn doors(lines: &[&str], web: &[&str]) -> Doors {
        Doors { lines: at(lines), web: at(web), ..Doors::default() }
    }

    #[test]
    fn the_browser_comes_first_and_each_way_once() {
        #[track_caller]
        fn check(doors: &Doors, lang: Lang, expected: &str) {
            assert_eq!(ways_in(doors, lang), expected);
        }
        let both = ["192.168.0.5:9009", "[2001:db8::5]:9009"];
        let plain = doors(&both, &["192.168.0.5:9998", "[2001:db8::5]:9998"]);
        check(
            &plain,
            Lang::En,
            "Join with:\n  browser  http://192.168.0.5:9998/\n  madang   madang 192.168.0.5\n  \
             nc       nc 192.168.0.5 9009\n  \
             curl     curl -NT. telnet://192.168.0.5:9009",
        );
        check(
            &plain,
            Lang::Ko,
            "들어오는 방법:\n  브라우저  http://192.168.0.5:9998/\n  \
             madang    madang 192.168.0.5\n  nc        nc 192.168.0.5 9009\n  \
             curl      curl -NT. telnet://192.168.0.5:9009",
        );
        // IPv6 if there is nothing else, and a port that is not the default.
        check(
            &doors(&["[2001:db8::5]:80"], &[]),
            Lang::En,
            "Join with:\n  madang  madang [2001:db8::5]:80\n  nc      nc 2001:db8::5 80\n  \
             curl    curl -NT. telnet://[2001:db8::5]:80",
        );
        check(
            &doors(&["192.168.0.5:9009", "10.0.0.5:9009"], &["192.168.0.5:9998", "10.0.0.5:9998"]),
            Lang::En,
            "Join with:\n  browser  http://192.168.0.5:9998/\n  madang   madang 192.168.0.5\n  \
             nc       nc 192.168.0.5 9009\n  curl     curl -NT. telnet://192.168.0.5:9009\n  \
             also at  10.0.0.5",
        );
    }

    #[test]
    fn encrypted_ways_come_first() {
        let tls = at(&["192.168.0.5:9010"]);
        let secure = Doors {
            tls: tls.clone(),
            web_is_encrypted: true,
            ..doors(&["192.168.0.5:9009"], &["192.168.0.5:9998"])
        };
        assert_eq!(
            ways_in(&secure, Lang::En),
            "Join with:\n  browser  https://192.168.0.5:9998/\n  \
             madang   madang --tls 192.168.0.5\n  nc       nc 192.168.0.5 9009\n  \
             curl     curl -NT. telnet://192.168.0.5:9009\n  openssl  openssl s_client -quiet -connect 192.168.0.5:9010"
        );
        let proxied = Doors {
            public_url: Some("https://example.org/chat/".to_owned()),
            web_is_encrypted: true,
            ..doors(&["127.0.0.1:9009"], &["127.0.0.1:9998", "10.0.0.5:9998"])
        };
        assert_eq!(
            ways_in(&proxied, Lang::En),
            "Join with:\n  browser  https://example.org/chat/\n  \
             madang   madang https://example.org/chat/\n  nc       nc 127.0.0.1 9009\n  \
             curl     curl -NT. telnet://127.0.0.1:9009"
        );
    }

    #[test]
    fn capacity_is_a_round_number_of_people() {
        #[track_caller]
        fn check(people: usize, korean: &str, english: &str) {
            assert_eq!(room_for(people, Lang::Ko), korean);
            assert_eq!(room_for(people, Lang::En), english);
        }
        check(1, "1명까지 들어올 수 있습니다.", "Room for 1 person.");
        check(30, "30명까지 들어올 수 있습니다.", "Room for 30 people.");
        check(2_545, "약 2,500명까지 들어올 수 있습니다.", "Room for about 2,500 people.");
        check(10_214, "약 10,000명까지 들어올 수 있습니다.", "Room for about 10,000 people.");
        check(
            1_234_567,
            "약 1,200,000명까지 들어올 수 있습니다.",
            "Room for about 1,200,000 people.",
        );
    }
}
