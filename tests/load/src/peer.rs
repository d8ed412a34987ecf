//! The servers that are compared: which are here, and how they are started.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::{protocol::Choice, server::free_address};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Madang,
    MadangJson,
    Baseline,
    Nats,
    Redis,
    Ncat,
    Bun,
    /// The one of `--peer-command`.
    Peer,
}

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) protocol: Choice,
    /// More members than this it does not take.
    pub(crate) most_members: usize,
    pub(crate) address: SocketAddr,
    /// Where it takes WebSocket, if it does.
    pub(crate) web: Option<SocketAddr>,
    /// Program and arguments, with its port.
    pub(crate) command: Vec<String>,
    /// The same for a reader, without.
    pub(crate) template: String,
}

/// Where to find the servers that are not in `PATH`.
pub(crate) struct Whereabouts<'a> {
    pub(crate) madang: &'a Path,
    pub(crate) peer_command: Option<&'a str>,
    pub(crate) peer_port: Option<u16>,
}

/// The most sockets in one `select`, as `ncat` uses it, less what else it has open.
const MOST_SELECTED: usize = 1_010;

impl Kind {
    /// Those that are compared if nobody says which.
    pub(crate) fn all_by_default() -> Vec<Kind> {
        let all = Kind::value_variants().iter().copied();
        all.filter(|kind| *kind != Kind::MadangJson).collect()
    }

    /// What a table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Madang => "madang",
            Kind::MadangJson => "madang (JSON)",
            Kind::Baseline => "baseline",
            Kind::Nats => "nats-server",
            Kind::Redis => "Redis",
            Kind::Ncat => "ncat --chat",
            Kind::Bun => "Bun",
            Kind::Peer => "peer",
        }
    }

    fn protocol(self) -> Choice {
        match self {
            Kind::Madang => Choice::Madang,
            Kind::MadangJson => Choice::MadangJson,
            Kind::Baseline => Choice::Plain,
            Kind::Nats => Choice::Nats,
            Kind::Redis => Choice::Redis,
            Kind::Ncat => Choice::Ncat,
            Kind::Bun => Choice::WsPlain,
            Kind::Peer => Choice::Seed,
        }
    }

    /// Program and arguments; `{address}` and `{port}` stand for where it is to listen.
    fn command(self, whereabouts: &Whereabouts<'_>) -> Result<Vec<String>> {
        let words = |program: String, arguments: &str| {
            let arguments = arguments.split(' ').map(|word| word.trim_matches('"').to_owned());
            [program].into_iter().chain(arguments).collect()
        };
        Ok(match self {
            Kind::Madang | Kind::MadangJson => words(
                whereabouts.madang.to_string_lossy().into_owned(),
                "--listen {address} --web {web} --rate-limit off --max-per-address off",
            ),
            Kind::Baseline => {
                let own = std::env::current_exe().context("failed to find this program")?;
                words(own.to_string_lossy().into_owned(), "baseline --listen {address}")
            }
            Kind::Nats => words("nats-server".into(), "-a 127.0.0.1 -p {port}"),
            Kind::Redis => words(
                "redis-server".into(),
                "--bind 127.0.0.1 --port {port} --save \"\" --appendonly no",
            ),
            Kind::Ncat => words("ncat".into(), "--chat -m 1010 -l 127.0.0.1 {port}"),
            Kind::Bun => {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bun.js");
                vec!["bun".into(), script.into(), "{port}".into()]
            }
            Kind::Peer => match whereabouts.peer_command {
                Some(command) => command.split_whitespace().map(str::to_owned).collect(),
                None => Vec::new(),
            },
        })
    }
}

impl Peer {
    /// Looks for a server; says why if it is not here.
    pub(crate) fn find(kind: Kind, whereabouts: &Whereabouts<'_>) -> Result<Result<Self, String>> {
        let command = kind.command(whereabouts)?;
        let Some(program) = command.first() else {
            return Ok(Err(format!("{}: no --peer-command was given", kind.name())));
        };
        let version = match kind {
            Kind::Baseline => env!("CARGO_PKG_VERSION").to_owned(),
            Kind::Peer => String::new(),
            _ => match version_of(program)? {
                Some(version) => version,
                None => return Ok(Err(format!("{}: `{program}` is not here", kind.name()))),
            },
        };
        let template = match kind {
            // Where this program lies says nothing about the baseline.
            Kind::Baseline => format!("load {}", command[1..].join(" ")),
            Kind::Bun => "bun tests/load/bun.js {port}".into(),
            _ => command
                .iter()
                .map(|word| if word.is_empty() { "''" } else { word })
                .collect::<Vec<_>>()
                .join(" "),
        };
        let mut address = free_address()?;
        if let (Kind::Peer, Some(port)) = (kind, whereabouts.peer_port) {
            address.set_port(port);
        }
        let web = match kind {
            Kind::Madang | Kind::MadangJson => Some(free_address()?),
            Kind::Bun => Some(address),
            _ => None,
        };
        let command = command.iter().map(|word| {
            let web = web.as_ref().map_or_else(String::new, SocketAddr::to_string);
            word.replace("{address}", &address.to_string())
                .replace("{web}", &web)
                .replace("{port}", &address.port().to_string())
        });
        Ok(Ok(Self {
            kind,
            name: kind.name(),
            version,
            protocol: kind.protocol(),
            most_members: if kind == Kind::Ncat { MOST_SELECTED } else { usize::MAX },
            command: command.collect(),
            address,
            web,
            template,
        }))
    }

    #[cfg(test)]
    pub(crate) fn for_test(kind: Kind) -> Self {
        Self {
            kind,
            name: kind.name(),
            version: "1.2.3".into(),
            protocol: kind.protocol(),
            most_members: if kind == Kind::Ncat { MOST_SELECTED } else { usize::MAX },
            address: SocketAddr::from(([127, 0, 0, 1], 9009)),
            web: matches!(kind, Kind::Madang | Kind::Bun)
                .then(|| SocketAddr::from(([127, 0, 0, 1], 9998))),
            command: vec!["program".into()],
            template: "program".into(),
        }
    }
}

/// What `program --version` says; `None` if there is no such program.
fn version_of(program: &str) -> Result<Option<String>> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to run `{program} --version`"));
        }
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    match version_in(&said) {
        Some(version) => Ok(Some(version.to_owned())),
        None => bail!("`{program} --version` says no version: {}", said.trim()),
    }
}

/// The first thing like `1.2` or `1.2.3` in a text.
fn version_in(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|word| word.trim_matches('.'))
        .find(|word| word.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_servers_say() {
        for (said, version) in [
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", Some("7.0.15")),
            ("nats-server: v2.9.10", Some("2.9.10")),
            ("Ncat: Version 7.93 ( https://nmap.org/ncat )", Some("7.93")),
            ("madang-server 0.1.0\n", Some("0.1.0")),
            ("version 3.", None),
            ("", None),
        ] {
            assert_eq!(version_in(said), version, "{said}");
        }
    }

    #[test]
    fn a_peer_knows_its_address() {
        let whereabouts = Whereabouts {
            madang: Path::new("no/such/madang-server"),
            peer_command: Some("serve --port {port}"),
            peer_port: Some(9009),
        };
        let peer = Peer::find(Kind::Peer, &whereabouts).unwrap().unwrap();
        assert_eq!(peer.command, ["serve", "--port", "9009"]);
        let baseline = Peer::find(Kind::Baseline, &whereabouts).unwrap().unwrap();
        assert_eq!(baseline.command[1..], ["baseline", "--listen", &baseline.address.to_string()]);
        let absent = Peer::find(Kind::Madang, &whereabouts).unwrap().unwrap_err();
        assert_eq!(absent, "madang: `no/such/madang-server` is not here");
    }
}
