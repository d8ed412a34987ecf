//! The servers in the comparison: which are installed, and how to start them.

use std::{
    fs,
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::{protocol::Choice, server::free_address};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerKind {
    Madang,
    MadangJson,
    /// Madang with durable history.
    MadangData,
    Baseline,
    Nats,
    Redis,
    Ncat,
    Bun,
    /// The server of `--peer-command`.
    Peer,
}

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) kind: PeerKind,
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) protocol: Choice,
    /// The maximum number of members it takes.
    pub(crate) most_members: usize,
    pub(crate) address: SocketAddr,
    /// The port for WebSocket, if it has one.
    pub(crate) web: Option<SocketAddr>,
    /// Program and arguments, with its port.
    pub(crate) command: Vec<String>,
    /// The same for the reader of the results, without the port.
    pub(crate) template: String,
    /// Where it keeps history, if it does.
    pub(crate) data: Option<PathBuf>,
}

/// Where to find the servers that are not in `PATH`.
pub(crate) struct Whereabouts<'a> {
    pub(crate) madang: &'a Path,
    pub(crate) peer_command: Option<&'a str>,
    pub(crate) peer_port: Option<u16>,
}

/// The maximum number of sockets in one `select`, which `ncat` uses, minus its other
/// descriptors.
const MOST_SELECTED: usize = 1_010;

impl PeerKind {
    /// The servers that are compared by default.
    pub(crate) fn all_by_default() -> Vec<PeerKind> {
        let all = PeerKind::value_variants().iter().copied();
        let others = [PeerKind::MadangJson, PeerKind::MadangData];
        all.filter(|kind| !others.contains(kind)).collect()
    }

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PeerKind::Madang => "madang",
            PeerKind::MadangJson => "madang (JSON)",
            PeerKind::MadangData => "madang --data",
            PeerKind::Baseline => "baseline",
            PeerKind::Nats => "nats-server",
            PeerKind::Redis => "Redis",
            PeerKind::Ncat => "ncat --chat",
            PeerKind::Bun => "Bun",
            PeerKind::Peer => "peer",
        }
    }

    fn protocol(self) -> Choice {
        match self {
            PeerKind::Madang | PeerKind::MadangData => Choice::Madang,
            PeerKind::MadangJson => Choice::MadangJson,
            PeerKind::Baseline => Choice::Plain,
            PeerKind::Nats => Choice::Nats,
            PeerKind::Redis => Choice::Redis,
            PeerKind::Ncat => Choice::Ncat,
            PeerKind::Bun => Choice::WsPlain,
            PeerKind::Peer => Choice::Seed,
        }
    }

    /// Program and arguments; `{address}` and `{port}` stand for its address.
    fn command(self, whereabouts: &Whereabouts<'_>) -> Result<Vec<String>> {
        let words = |program: String, arguments: &str| {
            let arguments = arguments.split(' ').map(|word| word.trim_matches('"').to_owned());
            [program].into_iter().chain(arguments).collect()
        };
        Ok(match self {
            PeerKind::Madang | PeerKind::MadangJson => words(
                whereabouts.madang.to_string_lossy().into_owned(),
                "--listen {address} --web {web} --rate-limit off --max-per-address off",
            ),
            PeerKind::MadangData => words(
                whereabouts.madang.to_string_lossy().into_owned(),
                "--listen {address} --web {web} --rate-limit off --max-per-address off --data {data}",
            ),
            PeerKind::Baseline => {
                let own = std::env::current_exe().context("failed to find this program")?;
                words(own.to_string_lossy().into_owned(), "baseline --listen {address}")
            }
            PeerKind::Nats => words("nats-server".into(), "-a 127.0.0.1 -p {port}"),
            PeerKind::Redis => words(
                "redis-server".into(),
                "--bind 127.0.0.1 --port {port} --save \"\" --appendonly no",
            ),
            PeerKind::Ncat => words("ncat".into(), "--chat -m 1010 -l 127.0.0.1 {port}"),
            PeerKind::Bun => {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bun.js");
                vec!["bun".into(), script.into(), "{port}".into()]
            }
            PeerKind::Peer => match whereabouts.peer_command {
                Some(command) => command.split_whitespace().map(str::to_owned).collect(),
                None => Vec::new(),
            },
        })
    }
}

impl Peer {
    /// Looks for a server, and says why if there is none.
    pub(crate) fn find(
        kind: PeerKind,
        whereabouts: &Whereabouts<'_>,
    ) -> Result<Result<Self, String>> {
        let command = kind.command(whereabouts)?;
        let Some(program) = command.first() else {
            return Ok(Err(format!("{}: no --peer-command was given", kind.name())));
        };
        let version = match kind {
            PeerKind::Baseline => env!("CARGO_PKG_VERSION").to_owned(),
            PeerKind::Peer => String::new(),
            _ => match version_of(program)? {
                Some(version) => version,
                None => return Ok(Err(format!("{}: `{program}` is not here", kind.name()))),
            },
        };
        let template = match kind {
            // The path of this program is of no interest.
            PeerKind::Baseline => format!("load {}", command[1..].join(" ")),
            PeerKind::Bun => "bun tests/load/bun.js {port}".into(),
            _ => command
                .iter()
                .map(|word| if word.is_empty() { "''" } else { word })
                .collect::<Vec<_>>()
                .join(" "),
        };
        let mut address = free_address()?;
        if let (PeerKind::Peer, Some(port)) = (kind, whereabouts.peer_port) {
            address.set_port(port);
        }
        let web = match kind {
            PeerKind::Madang | PeerKind::MadangJson | PeerKind::MadangData => Some(free_address()?),
            PeerKind::Bun => Some(address),
            _ => None,
        };
        let data = (kind == PeerKind::MadangData)
            .then(|| std::env::temp_dir().join(format!("madang-load-{}", std::process::id())));
        let command = command.iter().map(|word| {
            let data = data.as_deref().map_or_else(Default::default, Path::to_string_lossy);
            let web = web.as_ref().map_or_else(String::new, SocketAddr::to_string);
            word.replace("{address}", &address.to_string())
                .replace("{web}", &web)
                .replace("{data}", &data)
                .replace("{port}", &address.port().to_string())
        });
        Ok(Ok(Self {
            kind,
            name: kind.name(),
            version,
            protocol: kind.protocol(),
            most_members: if kind == PeerKind::Ncat { MOST_SELECTED } else { usize::MAX },
            command: command.collect(),
            address,
            web,
            template,
            data,
        }))
    }

    /// Deletes what it has kept.
    pub(crate) fn clear(&self) {
        if let Some(data) = &self.data {
            // If there is none, nothing is to be deleted.
            let _ = fs::remove_dir_all(data);
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(kind: PeerKind) -> Self {
        Self {
            kind,
            name: kind.name(),
            version: "1.2.3".into(),
            protocol: kind.protocol(),
            most_members: if kind == PeerKind::Ncat { MOST_SELECTED } else { usize::MAX },
            address: SocketAddr::from(([127, 0, 0, 1], 9009)),
            web: matches!(kind, PeerKind::Madang | PeerKind::MadangData | PeerKind::Bun)
                .then(|| SocketAddr::from(([127, 0, 0, 1], 9998))),
            command: vec!["program".into()],
            template: "program".into(),
            data: None,
        }
    }
}

/// The output of `program --version`; `None` if there is no such program.
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
        let peer = Peer::find(PeerKind::Peer, &whereabouts).unwrap().unwrap();
        assert_eq!(peer.command, ["serve", "--port", "9009"]);
        let baseline = Peer::find(PeerKind::Baseline, &whereabouts).unwrap().unwrap();
        assert_eq!(baseline.command[1..], ["baseline", "--listen", &baseline.address.to_string()]);
        let absent = Peer::find(PeerKind::Madang, &whereabouts).unwrap().unwrap_err();
        assert_eq!(absent, "madang: `no/such/madang-server` is not here");
    }
}
