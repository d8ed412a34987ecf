//! A server in a process of its own, started by the command in `MADANG_TEST_SERVER`: the same
//! tests then run against a program of another system, as `wine madang-server.exe`.

use std::{
    env,
    io::{Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use madang_protocol::text::Lang;
use madang_server::config::{Config, Listen};

use crate::program::TestFolder;

/// The variable with the command, and arguments that come before all others.
const VARIABLE: &str = "MADANG_TEST_SERVER";

/// A server that was started, and its output.
pub(crate) struct Outside {
    child: Child,
    pub(crate) listens: Addresses,
    _folder: TestFolder,
}

/// Where it listens, as its banner says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) lines: SocketAddr,
    pub(crate) web: Option<SocketAddr>,
    pub(crate) tls: Option<SocketAddr>,
}

impl Outside {
    /// Whether servers are to be started so.
    pub(crate) fn is_wanted() -> bool {
        env::var_os(VARIABLE).is_some()
    }

    /// Starts a server with as much of `config` as flags can say; `screen` takes what it
    /// writes, and `shown` waits until that holds the end of the banner.
    #[track_caller]
    pub(crate) fn start(
        config: &Config,
        screen: impl Write + Clone + Send + 'static,
        shown: impl Fn(&str) -> String,
    ) -> Outside {
        let command = env::var(VARIABLE).expect("it is wanted");
        let mut words = command.split(' ');
        let folder = TestFolder::new();
        let mut child = Command::new(words.next().expect("a program"))
            .args(words)
            .args(flags(config, &folder))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {command}: {error}"));
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("it is piped")),
            Box::new(child.stderr.take().expect("it is piped")),
        ];
        for mut output in outputs {
            let mut screen = screen.clone();
            // They end with the pipes, which a program that is started with the first one
            // may keep: Wine has such a server.
            thread::spawn(move || std::io::copy(&mut output, &mut screen));
        }
        // The last line of the banner names the last door, and the firewall comes behind it.
        let last = if config.web.is_empty() { "  madang " } else { "(WebSocket)" };
        let listens = Addresses::read(&shown(last));
        Outside { child, listens, _folder: folder }
    }

    /// Ends it at once: what a console's Ctrl-C does can't be sent from here.
    pub(crate) fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Addresses {
    fn read(banner: &str) -> Addresses {
        let after = |prefix: &str, end: char| {
            let line = banner.lines().find_map(|line| line.trim().strip_prefix(prefix))?;
            line.split(end).next()?.parse().ok()
        };
        Addresses {
            lines: after("curl -NT. telnet://", ' ').expect("lines are taken somewhere"),
            web: after("http://", '/').or_else(|| after("https://", '/')),
            tls: after("openssl s_client -quiet -connect ", ' '),
        }
    }
}

/// What flags can say of `config`.
fn flags(config: &Config, folder: &TestFolder) -> Vec<String> {
    let lang = match config.lang {
        Lang::Ko => "ko",
        Lang::En => "en",
    };
    let mut flags = vec![format!("--lang={lang}"), "--max-per-address=off".to_owned()];
    let mut listen = |flag: &str, listens: &[Listen]| {
        flags.extend(listens.iter().map(|listen| match listen {
            Listen::At(address) => format!("--{flag}={address}"),
            Listen::Everywhere(port) => format!("--{flag}={port}"),
        }));
    };
    listen("listen", &config.listen);
    listen("web", &config.web);
    if let Some(tls) = &config.tls {
        listen("listen-tls", &tls.listen);
        flags.push(format!("--tls-cert={}", tls.pair.certificate.display()));
        flags.push(format!("--tls-key={}", tls.pair.key.display()));
    }
    if config.web.is_empty() {
        flags.push("--no-web".to_owned());
    }
    if config.rate_limit.is_none() {
        flags.push("--rate-limit=off".to_owned());
    }
    if let Some(motd) = &config.motd {
        let path: PathBuf = folder.write("motd", motd);
        flags.push(format!("--motd={}", path.display()));
    }
    flags.extend(config.max_connections.map(|most| format!("--max-connections={most}")));
    flags.extend(config.public_url.iter().map(|url| format!("--public-url={url}")));
    flags
}
