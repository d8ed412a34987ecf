//! A server in a process of its own, started by the command in `MADANG_TEST_SERVER`: the same
//! tests then run against a program of another system, as `wine console.exe madang-server.exe`.
//! The program takes orders on its standard input, as `tests/wine/console.c` does.

use std::{
    env,
    io::{self, Read, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use madang_protocol::text::Lang;
use madang_server::{
    admission::rate_limit::RateLimit,
    config::{Config, Listen, TlsConfig},
    journal::JournalConfig,
};

use crate::{DEADLINE, program::TestFolder};

/// The variable with the command and its first arguments.
const VARIABLE: &str = "MADANG_TEST_SERVER";

/// The message of a test that such a server can't pass. Scripts that count failures look for it.
const NOT_OUTSIDE: &str = "not for a server outside the test";

/// The beginning of an operator's line that is not a command.
const NONSENSE: &str = "nonsense";

/// The pause between two checks whether the program has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// A server that was started, and its output. Dropping it kills it.
pub(crate) struct Outside {
    child: Child,
    typed_lines: AtomicU32,
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
    /// Whether tests start servers this way.
    pub(crate) fn is_wanted() -> bool {
        env::var_os(VARIABLE).is_some()
    }

    /// Starts a server configured by `config`; `screen` takes its output, and `wait_for` waits
    /// until that is a banner with every address.
    ///
    /// # Panics
    ///
    /// If flags can't express `config`.
    #[track_caller]
    pub(crate) fn start(
        config: &Config,
        screen: impl io::Write + Clone + Send + 'static,
        wait_for: impl FnOnce(&dyn Fn(&str) -> Option<Addresses>) -> Addresses,
    ) -> Outside {
        check_flags_say(config);
        let command = env::var(VARIABLE).expect("it is wanted");
        let mut words = command.split(' ');
        let folder = TestFolder::new();
        let child = Command::new(words.next().expect("a program"))
            .args(words)
            .args(flags(config, &folder))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {command}: {error}"));
        let nowhere = Addresses { lines: ([127, 0, 0, 1], 0).into(), web: None, tls: None };
        let mut outside =
            Outside { child, typed_lines: AtomicU32::new(0), listens: nowhere, _folder: folder };
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(outside.child.stdout.take().expect("it is piped")),
            Box::new(outside.child.stderr.take().expect("it is piped")),
        ];
        for mut output in outputs {
            let mut screen = screen.clone();
            // The threads end with the pipes, but a process that the first program starts may
            // keep these open, as Wine's server does.
            thread::spawn(move || io::copy(&mut output, &mut screen));
        }
        outside.listens = wait_for(&|shown| Addresses::read(shown, config));
        outside
    }

    /// Makes the operator type a line, and then one that is not a command. Once the console shows
    /// the returned text, part of the answer to the second line, the first was carried out.
    #[track_caller]
    pub(crate) fn operate(&self, line: &str) -> String {
        let nonsense = format!("{NONSENSE} {}", self.typed_lines.fetch_add(1, Ordering::Relaxed));
        self.order(&format!("type {line}"));
        self.order(&format!("type {nonsense}"));
        format!("{nonsense}\n")
    }

    /// Presses Ctrl-C, and waits for the end of the program; false if it does not end, or fails.
    #[track_caller]
    pub(crate) fn stop(mut self) -> bool {
        self.order("ctrl-c");
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                return status.success();
            }
            thread::sleep(PAUSE);
        }
        false
    }

    #[track_caller]
    fn order(&self, order: &str) {
        let mut stdin = self.child.stdin.as_ref().expect("it is piped");
        writeln!(stdin, "{order}").expect("the server takes orders");
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Addresses {
    /// The addresses in the banner shown so far, if it has one for each door of `config`.
    fn read(shown: &str, config: &Config) -> Option<Addresses> {
        // The rest of an unfinished line may contain the rest of an address.
        let (whole, _) = shown.rsplit_once('\n')?;
        let after = |marks: &[&str]| {
            let parts = marks.iter().find_map(|mark| Some(whole.split_once(mark)?.1))?;
            parts.split(['/', '\n', '\r']).next()?.parse().ok()
        };
        let lines = after(&["  curl -NT. telnet://"])?;
        let web = after(&["  http://", "  https://"]);
        let tls = after(&["  openssl s_client -quiet -connect "]);
        let is_whole = (config.web.is_empty() || web.is_some())
            && (config.tls.as_ref().is_none_or(|tls| tls.listen.is_empty()) || tls.is_some());
        is_whole.then_some(Addresses { lines, web, tls })
    }
}

/// Fails the test: it needs something that only an in-process server has.
#[track_caller]
pub(crate) fn refuse(what: &str) -> ! {
    panic!("{NOT_OUTSIDE}: {what}");
}

/// What `console` shows of the conversation, without the banner and answers to nonsense.
pub(crate) fn of_conversation(console: &str) -> String {
    let lasts = ["  netsh ", "  curl -NT. telnet://", "  openssl s_client -quiet -connect "];
    let last = lasts.iter().filter_map(|last| console.rfind(last)).max().unwrap_or(0);
    let after = console[last..].split_inclusive('\n').skip(1);
    after.filter(|line| !line.contains(NONSENSE)).collect()
}

/// Fails the test if flags can't express `config`, or its banner can't show it.
#[track_caller]
fn check_flags_say(config: &Config) {
    let default = Config::default();
    let unsaid = Config {
        listen: default.listen.clone(),
        web: default.web.clone(),
        tls: None,
        allow_host: Vec::new(),
        allow_origin: Vec::new(),
        trust_proxy: Vec::new(),
        lang: default.lang,
        max_connections: None,
        max_per_address: default.max_per_address,
        motd: None,
        teacher_code: None,
        roster: Vec::new(),
        journal: config.journal.clone().filter(|journal| {
            format!("{journal:?}") != format!("{:?}", JournalConfig::of(&journal.data))
        }),
        rate_limit: match config.rate_limit {
            Some(limit) if limit != RateLimit::per_second(lines_per_second(&limit)) => Some(limit),
            _ => default.rate_limit,
        },
        // No test waits longer than the default times, and a shorter packet pause only saves
        // waiting.
        stall_timeout: config.stall_timeout.min(default.stall_timeout),
        login_timeout: config.login_timeout.min(default.login_timeout),
        packet_pause: config.packet_pause.max(default.packet_pause),
        // The time that the last threads get affects no client.
        join_timeout: default.join_timeout,
        ..config.clone()
    };
    if format!("{unsaid:?}") != format!("{default:?}") {
        refuse("no flag says all of its configuration");
    }
    if config.listen.is_empty() || config.public_url.is_some() {
        refuse("its banner does not tell where it listens");
    }
}

/// The value of `--rate-limit`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is a small whole number.
fn lines_per_second(limit: &RateLimit) -> u32 {
    limit.lines_per_second as u32
}

/// The part of `config` that flags can express.
fn flags(config: &Config, folder: &TestFolder) -> Vec<String> {
    let lang = match config.lang {
        Lang::Ko => "ko",
        Lang::En => "en",
    };
    let most = config.max_per_address.map_or("off".to_owned(), |most| most.to_string());
    let mut flags = vec![format!("--lang={lang}"), format!("--max-per-address={most}")];
    let mut listen = |flag: &str, listens: &[Listen]| {
        flags.extend(listens.iter().map(|listen| match listen {
            Listen::At(address) => format!("--{flag}={address}"),
            Listen::Everywhere(port) => format!("--{flag}={port}"),
        }));
    };
    listen("listen", &config.listen);
    listen("web", &config.web);
    if let Some(TlsConfig { listen: at, pair, .. }) = &config.tls {
        listen("listen-tls", at);
        flags.push(format!("--tls-cert={}", pair.certificate.display()));
        flags.push(format!("--tls-key={}", pair.key.display()));
    }
    if config.web.is_empty() {
        flags.push("--no-web".to_owned());
    }
    flags.push(match &config.rate_limit {
        Some(limit) => format!("--rate-limit={}", lines_per_second(limit)),
        None => "--rate-limit=off".to_owned(),
    });
    if let Some(motd) = &config.motd {
        let path: PathBuf = folder.write("motd", motd);
        flags.push(format!("--motd={}", path.display()));
    }
    if let Some(code) = &config.teacher_code {
        let path = folder.write("code", code.as_str());
        flags.push(format!("--teacher-code={}", path.display()));
    }
    if !config.roster.is_empty() {
        let path = folder.write("roster", &config.roster.join("\n"));
        flags.push(format!("--roster={}", path.display()));
    }
    flags.extend(config.journal.iter().map(|it| format!("--data={}", it.data.display())));
    flags.extend(config.max_connections.map(|most| format!("--max-connections={most}")));
    flags.extend(config.allow_host.iter().map(|host| format!("--allow-host={host}")));
    flags.extend(config.allow_origin.iter().map(|origin| format!("--allow-origin={origin}")));
    flags.extend(config.trust_proxy.iter().map(|range| format!("--trust-proxy={range}")));
    flags
}
