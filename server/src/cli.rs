//! The command line of `madang-server`. Nothing else reads flags.

// The comments of flags are their help, where a URL in angle brackets would keep them.
#![allow(rustdoc::bare_urls)]

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::Read,
    net::{IpAddr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::Context;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum, builder::Resettable};
use madang_protocol::{
    address_range::AddressRange,
    limits::{LINES_PORT, TLS_PORT, WEB_PORT},
    sanitize::sanitize_line,
    text::Lang,
};

use crate::{
    admission::rate_limit::RateLimit,
    cluster::ClusterConfig,
    config::{Config, Listen, METRICS_PORT, TeacherCode, TlsConfig},
    journal::{JournalConfig, retention::Retention},
    transport::http::origin::{Host, Origin, PublicUrl},
    transport::tls::certificates::PairFiles,
};

/// Maximum size of the message of the day, in bytes.
const MOTD_BYTES: usize = 16 * 1_024;

/// Maximum size of the class list, in bytes.
const ROSTER_BYTES: usize = 256 * 1_024;

/// How much of a teacher's code file is read, in bytes.
const CODE_FILE_BYTES: u64 = 4 * 1_024;

/// The variable with the password of the cluster's Redis.
const PASSWORD_VARIABLE: &str = "MADANG_CLUSTER_PASSWORD";

/// A chat server for browsers, terminals and plain nc
///
/// Without flags, it listens on port 9009 (lines) and port 9998 (page and WebSocket) of
/// every address of this machine, and shows how to join. Press Ctrl-C to stop it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 stopped by a signal or /stop, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C.\nDiagnostics go to stderr; RUST_LOG sets their level (default: info).\nmadang-server completions SHELL prints completions for a shell, madang-server man the manual page.\nmadang-server transcript writes what --data has saved of a room, madang-server recover saves what can be read from a damaged database; see --help of each."
)]
pub struct Cli {
    /// Where to listen for lines over TCP: ADDRESS:PORT, or only a port for every address of
    /// this machine (repeatable)
    #[arg(long, env = "MADANG_LISTEN", value_name = "ADDR", value_delimiter = ',',
          default_value = "[::]:9009", value_parser = |text: &str| parse_listen(text, LINES_PORT))]
    listen: Vec<Listen>,

    /// Where to listen for the page, HTTP and WebSocket (repeatable)
    #[arg(long, env = "MADANG_WEB", value_name = "ADDR", value_delimiter = ',',
          default_value = "[::]:9998", value_parser = |text: &str| parse_listen(text, WEB_PORT))]
    web: Vec<Listen>,

    /// Where to listen for lines over TLS, on port 9010 by default (repeatable)
    #[arg(long, env = "MADANG_LISTEN_TLS", value_name = "ADDR", value_delimiter = ',',
          requires_all = ["tls_cert", "tls_key"],
          value_parser = |text: &str| parse_listen(text, TLS_PORT))]
    listen_tls: Vec<Listen>,

    /// File with the server's certificate and its chain, in PEM. The port for HTTP and
    /// WebSocket then accepts only https and wss. A changed file is loaded within 10 s
    #[arg(long, env = "MADANG_TLS_CERT", value_name = "PEM", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// File with the certificate's private key, in PEM
    #[arg(long, env = "MADANG_TLS_KEY", value_name = "PEM", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Where to serve metrics for Prometheus (http://ADDR/metrics), on port 9011 by default;
    /// they contain no name, room or key
    #[arg(long, env = "MADANG_METRICS", value_name = "ADDR",
          value_parser = |text: &str| parse_listen(text, METRICS_PORT))]
    metrics: Option<Listen>,

    /// Folder to save messages of public rooms in, across restarts; created if missing. Private
    /// rooms and whispers are never saved. Without this flag, nothing is
    #[arg(long, env = "MADANG_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// How long saved messages are kept: 30d, or forever
    #[arg(long, env = "MADANG_KEEP", value_name = "DAYS|forever", default_value = "30d",
          requires = "data", value_parser = parse_keep)]
    keep: Keep,

    /// Maximum size of saved messages, such as 500MiB or 1GiB; the oldest are deleted first
    #[arg(long, env = "MADANG_DATA_LIMIT", value_name = "SIZE", default_value = "1GiB",
          requires = "data", value_parser = parse_size)]
    data_limit: u64,

    /// How far back members can read, such as 24h or 7d; teachers, the operator and
    /// madang-server transcript read everything
    #[arg(long, env = "MADANG_REACH", value_name = "TIME", default_value = "24h",
          requires = "data", value_parser = parse_reach)]
    reach: Duration,

    /// Form one chat with all servers that use the same Redis or Valkey: redis://HOST, or
    /// rediss://HOST over TLS, which trusts the system's authorities, or those in the file that
    /// SSL_CERT_FILE names. A password is better kept in MADANG_CLUSTER_PASSWORD.
    /// With --data, this server archives the public rooms of all. See server/CLUSTER.md
    #[arg(long, env = "MADANG_CLUSTER", hide_env_values = true, value_name = "URL")]
    cluster: Option<String>,

    /// What this server is called among the others [default: the name of this machine]
    #[arg(long, env = "MADANG_NODE", value_name = "NAME", requires = "cluster")]
    node: Option<String>,

    /// Accept a Redis that keeps nothing on disk: when it restarts, all servers end
    #[arg(long, requires = "cluster")]
    cluster_volatile: bool,

    /// How long a server that is silent counts as alive, and a quarter of how long sessions wait
    /// for their clients; for tests
    #[arg(long, requires = "cluster", hide = true, default_value = "15000",
          value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(300..))]
    cluster_lease: u64,

    /// After how many entries a room's state is saved, and entries before it are dropped; for
    /// tests
    #[arg(long, requires = "cluster", hide = true, value_name = "ENTRIES")]
    cluster_entries: Option<u64>,

    /// Turn off the page, HTTP and WebSocket
    #[arg(long)]
    no_web: bool,

    /// The page's public address behind a proxy, such as https://example.org/chat/; pages
    /// from there may chat
    #[arg(long, env = "MADANG_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,

    /// Allow pages of another origin to chat, such as https://example.org, or null for pages
    /// opened from a file (repeatable). The server's own page needs no flag if its host is an
    /// IP address, localhost, this machine's name or *.local
    #[arg(long, env = "MADANG_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<Origin>,

    /// Let rooms be reached over HTTP (curl, EventSource) under another name of this server, such
    /// as chat.example.org (repeatable). IP addresses, localhost, this machine's name, *.local and
    /// the host of --public-url need no flag
    #[arg(long, env = "MADANG_ALLOW_HOST", value_name = "HOST", value_delimiter = ',')]
    allow_host: Vec<Host>,

    /// Trust X-Forwarded-For from these proxies: addresses or ranges, such as 127.0.0.1 or
    /// 10.0.0.0/8 (repeatable)
    #[arg(long, env = "MADANG_TRUST_PROXY", value_name = "CIDR", value_delimiter = ',')]
    trust_proxy: Vec<AddressRange>,

    /// Language of the console, and of members until they choose another
    #[arg(long, env = "MADANG_LANG", value_name = "ko|en", default_value = "ko",
          value_parser = Lang::from_str)]
    lang: Lang,

    /// Maximum number of connections [default: as many as the system allows]
    #[arg(long, env = "MADANG_MAX_CONNECTIONS", value_name = "N", value_parser = parse_count)]
    max_connections: Option<NonZeroUsize>,

    /// Maximum number of connections from one address, not counting requests for the page;
    /// loopback and private addresses have no limit
    #[arg(long, env = "MADANG_MAX_PER_ADDRESS", value_name = "N|off", default_value = "64",
          value_parser = parse_or_off::<NonZeroUsize>)]
    max_per_address: OrOff<NonZeroUsize>,

    /// Lines per second that one connection may send on average, with 1,638 bytes for each.
    /// Bursts of twice as many lines and 64 KiB pass at once; what exceeds them waits
    #[arg(long, env = "MADANG_RATE_LIMIT", value_name = "LINES_PER_SECOND|off",
          default_value = "10", value_parser = parse_or_off::<NonZeroU32>)]
    rate_limit: OrOff<NonZeroU32>,

    /// File with the message of the day, shown before the prompt: UTF-8, at most 16 KiB
    #[arg(long, env = "MADANG_MOTD", value_name = "FILE")]
    motd: Option<PathBuf>,

    /// File with the teacher's code: 8 to 64 letters and digits in its first line. Without it,
    /// the server chooses a new one at each start; the console's /code shows it
    #[arg(long, env = "MADANG_TEACHER_CODE", value_name = "FILE")]
    teacher_code: Option<PathBuf>,

    /// File with the names of a class, one per line: /attendance then lists who is missing
    #[arg(long, env = "MADANG_ROSTER", value_name = "FILE")]
    roster: Option<PathBuf>,

    /// Format of the diagnostics on stderr
    #[arg(long, env = "MADANG_LOG_FORMAT", value_name = "text|json", default_value = "text")]
    log_format: LogFormat,
}

/// The format of the diagnostics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OrOff<T> {
    On(T),
    Off,
}

impl Cli {
    /// Parses the command line and the environment; an empty variable counts as unset. Help and
    /// version are texts to print, and are returned as errors too.
    ///
    /// # Errors
    ///
    /// The error as clap words it; [`in_one_line`] shortens it.
    pub fn read() -> Result<Cli, clap::Error> {
        let is_empty =
            |variable: &OsStr| env::var_os(variable).is_some_and(|value| value.is_empty());
        let mut command = Cli::command().mut_args(|flag| match flag.get_env() {
            Some(variable) if is_empty(variable) => flag.env(Resettable::Reset),
            _ => flag,
        });
        let matches = command.try_get_matches_from_mut(env::args_os())?;
        Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// The server's language.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// The configuration described by the flags.
    ///
    /// # Errors
    ///
    /// If a file can't be read; the message names the flag.
    pub fn config(&self) -> anyhow::Result<Config> {
        Ok(Config {
            listen: self.listen.clone(),
            tls: self.tls(),
            web: if self.no_web { Vec::new() } else { self.web.clone() },
            metrics: self.metrics,
            public_url: self.public_url.clone(),
            allow_origin: self.allow_origin.clone(),
            allow_host: self.allow_host.clone(),
            trust_proxy: self.trust_proxy.clone(),
            lang: self.lang,
            journal: self.data.as_deref().map(|data| JournalConfig {
                retention: Retention { keep_days: self.keep.0, limit_bytes: self.data_limit },
                reach: self.reach,
                ..JournalConfig::of(data)
            }),
            cluster: self.cluster(),
            max_connections: self.max_connections.map(NonZeroUsize::get),
            max_per_address: self.max_per_address.on().map(NonZeroUsize::get),
            rate_limit: self.rate_limit.on().map(|lines| RateLimit::per_second(lines.get())),
            motd: self.motd.as_deref().map(read_motd).transpose()?,
            roster: self.roster.as_deref().map(read_roster).transpose()?.unwrap_or_default(),
            teacher_code: self.teacher_code.as_deref().map(read_teacher_code).transpose()?,
            resume_window: self.resume_window(),
            ..Config::default()
        })
    }

    fn resume_window(&self) -> Duration {
        match &self.cluster {
            Some(_) => 4 * Duration::from_millis(self.cluster_lease),
            None => Config::default().resume_window,
        }
    }

    fn cluster(&self) -> Option<ClusterConfig> {
        let url = self.cluster.as_deref()?;
        let default = ClusterConfig::at(url);
        let lease = Duration::from_millis(self.cluster_lease);
        Some(ClusterConfig {
            password: env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty()),
            volatile: self.cluster_volatile,
            node: self.node.clone().unwrap_or(default.node),
            lease,
            settling: lease * 4 / 3,
            entries_kept_after: self.cluster_entries.unwrap_or(default.entries_kept_after),
            entries_kept_for: match self.cluster_entries {
                Some(_) => Duration::ZERO,
                None => default.entries_kept_for,
            },
            ..default
        })
    }

    fn tls(&self) -> Option<TlsConfig> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return None };
        Some(TlsConfig {
            listen: self.listen_tls.clone(),
            pair: PairFiles { certificate: certificate.clone(), key: key.clone() },
            look_interval: TlsConfig::LOOK_INTERVAL,
        })
    }

    /// The format of the diagnostics.
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }
}

/// The error in the command line, on one line that names the flag.
pub fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let cause: Vec<&str> =
        text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let cause = cause.join(" ");
    format!("{} (try --help)", cause.trim_start_matches("error: "))
}

impl<T: Copy> OrOff<T> {
    fn on(self) -> Option<T> {
        match self {
            OrOff::On(value) => Some(value),
            OrOff::Off => None,
        }
    }
}

fn parse_listen(text: &str, default_port: u16) -> Result<Listen, String> {
    if let Ok(port) = text.parse() {
        return Ok(Listen::Everywhere(port));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(listen_at(SocketAddr::new(ip, default_port)));
    }
    text.parse().map(listen_at).map_err(|_| {
        format!(
            "not an address with a port, such as [::]:{default_port}, \
             192.168.0.5:{default_port} or {default_port}"
        )
    })
}

fn listen_at(address: SocketAddr) -> Listen {
    match address.ip() {
        IpAddr::V6(ip) if ip.is_unspecified() => Listen::Everywhere(address.port()),
        _ => Listen::At(address),
    }
}

fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "not a number above 0".to_owned())
}

fn parse_or_off<T: FromStr>(text: &str) -> Result<OrOff<T>, String> {
    match text.parse() {
        Ok(value) => Ok(OrOff::On(value)),
        Err(_) if text == "off" => Ok(OrOff::Off),
        Err(_) => Err("neither a number above 0 nor off".to_owned()),
    }
}

/// How many days messages are kept; forever if `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Keep(Option<u32>);

fn parse_keep(text: &str) -> Result<Keep, String> {
    if text == "forever" {
        return Ok(Keep(None));
    }
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| *days > 0);
    days.map(|days| Keep(Some(days)))
        .ok_or_else(|| "not a number of days, as in 30d, nor forever".into())
}

fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let (number, shift) = UNITS
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .ok_or("not a size, as in 500MiB or 1GiB")?;
    let bytes = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes >= 1 << 20).ok_or_else(|| "not a size of 1MiB or more".into())
}

fn parse_reach(text: &str) -> Result<Duration, String> {
    let hours = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(hours), _) => hours.parse().ok(),
        (_, Some(days)) => days.parse::<u64>().ok().and_then(|days| days.checked_mul(24)),
        _ => None,
    };
    let seconds = hours.and_then(|hours: u64| hours.checked_mul(3_600));
    seconds.map(Duration::from_secs).ok_or_else(|| "not a time, as in 24h or 7d".into())
}

fn read_motd(path: &Path) -> anyhow::Result<String> {
    let read = || -> anyhow::Result<String> {
        // A pipe has no length to check, and /dev/zero has no end.
        let mut bytes = Vec::new();
        File::open(path)?.take(MOTD_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        anyhow::ensure!(
            bytes.len() <= MOTD_BYTES,
            "it has more than {MOTD_BYTES} bytes, the most that is allowed"
        );
        let text = String::from_utf8(bytes).context("it is not UTF-8")?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines: Vec<_> = text.lines().map(sanitize_line).collect();
        Ok(lines.join("\n"))
    };
    read().with_context(|| format!("--motd: failed to read {}", path.display()))
}

fn read_roster(path: &Path) -> anyhow::Result<Vec<String>> {
    let read = || -> anyhow::Result<Vec<String>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(ROSTER_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        anyhow::ensure!(
            bytes.len() <= ROSTER_BYTES,
            "it has more than {ROSTER_BYTES} bytes, the most that is allowed"
        );
        let text = String::from_utf8(bytes).context("it is not UTF-8")?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let names = text.lines().map(|line| sanitize_line(line).trim().to_owned());
        Ok(names.filter(|name| !name.is_empty()).collect())
    };
    read().with_context(|| format!("--roster: failed to read {}", path.display()))
}

fn read_teacher_code(path: &Path) -> anyhow::Result<TeacherCode> {
    let read = || -> anyhow::Result<TeacherCode> {
        let mut bytes = Vec::new();
        File::open(path)?.take(CODE_FILE_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes).context("it is not UTF-8")?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        Ok(TeacherCode::parse(text.lines().next().unwrap_or_default())?)
    };
    read().with_context(|| format!("--teacher-code: failed to read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::http::{Head, origin};

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_flags_the_configuration_is_the_default() {
        let config = Cli::parse_from(["madang-server"]).config().expect("no file to read");
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn addresses_are_parsed_in_every_form() {
        #[track_caller]
        fn check(text: &str, expected: Option<Listen>) {
            assert_eq!(parse_listen(text, LINES_PORT).ok(), expected);
        }
        let at = |text: &str| Some(Listen::At(text.parse().expect("an address")));
        check("9009", Some(Listen::Everywhere(9009)));
        check("[::]:7", Some(Listen::Everywhere(7)));
        check("::", Some(Listen::Everywhere(LINES_PORT)));
        check("0.0.0.0:7", at("0.0.0.0:7"));
        check("127.0.0.1", at("127.0.0.1:9009"));
        check("[::1]:7", at("[::1]:7"));
        check("localhost:7", None);
        check("70000", None);
        check("", None);
    }

    #[test]
    fn certificate_and_key_come_together() {
        #[track_caller]
        fn check(args: &[&str], expected: Result<Option<usize>, &str>) {
            let parsed = Cli::try_parse_from([&["madang-server"], args].concat());
            match (parsed, expected) {
                (Ok(cli), Ok(expected)) => {
                    assert_eq!(cli.tls().map(|tls| tls.listen.len()), expected);
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (parsed, _) => panic!("{parsed:?}"),
            }
        }
        check(&[], Ok(None));
        check(&["--tls-cert=c", "--tls-key=k"], Ok(Some(0)));
        check(
            &["--tls-cert=c", "--tls-key=k", "--listen-tls=9010", "--listen-tls=::1"],
            Ok(Some(2)),
        );
        check(&["--tls-cert=c"], Err("--tls-key"));
        check(&["--tls-key=k"], Err("--tls-cert"));
        check(&["--listen-tls=9010"], Err("--tls-cert"));
    }

    #[test]
    fn off_and_numbers_are_told_apart() {
        #[track_caller]
        fn check(text: &str, expected: Option<Option<u32>>) {
            let parsed = parse_or_off::<NonZeroU32>(text).ok();
            assert_eq!(parsed.map(|value| value.on().map(NonZeroU32::get)), expected);
        }
        check("off", Some(None));
        check("5", Some(Some(5)));
        check("0", None);
        check("-1", None);
        check("OFF", None);
    }

    /// The refusal of a request with one Origin header for each of `origins`.
    fn refusal(origins: &[Vec<u8>], allowed: &[Origin]) -> Option<String> {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: localhost:9998\r\n".to_vec();
        for origin in origins {
            bytes.extend([&b"Origin: "[..], origin, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        let (head, _) = Head::parse(&bytes).expect("headers hold any text").expect("it is whole");
        origin::check(&head, allowed, "").err().map(|refusal| refusal.reason)
    }

    #[track_caller]
    fn check_flags_of_refusal(origins: &[Vec<u8>]) {
        let Some(reason) = refusal(origins, &[]) else { return };
        let (_, flags) = reason.split_once(": --").expect("the flags stand at the end");
        let flags = format!("--{flags}");
        // A shell only needs to split it.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -._:/@%+[]".contains(&byte);
        assert!(flags.bytes().all(is_plain), "{flags}");
        let cli = Cli::try_parse_from(["madang-server"].into_iter().chain(flags.split(' ')));
        let allowed = cli.unwrap_or_else(|error| panic!("{flags}: {error}")).allow_origin;
        assert_eq!(refusal(origins, &allowed), None, "{flags}");
    }

    #[test]
    fn a_refused_page_may_chat_with_the_suggested_flag() {
        for origin in [
            "null",
            "NULL",
            "file://",
            "file:///C:/index.html",
            "ws://HOST",
            "ws://host:9998",
            "capacitor://localhost",
            "ionic://localhost",
            "chrome-extension://abcdefghijklmnop",
            "moz-extension://0b1f-22",
            "http://[::1]:9999",
            "http://[fe80::1%25eth0]:9998",
            "https://example.org/chat/",
            "https://user:secret@example.org",
            "http://a.example http://b.example",
            "http://a.example,http://b.example",
            "http://example.org:99999",
            "http://예제.한국",
            "example.org",
            "localhost:9998",
            "://",
            "--motd",
            "a b\tc",
            "'\"$(reboot)`\\;&|<>*?~!#{}",
        ] {
            check_flags_of_refusal(&[origin.into()]);
        }
        check_flags_of_refusal(&["http://a".into(), "null".into(), "".into(), "b c".into()]);
        assert_eq!(refusal(&["".into()], &[]), None, "an empty one is none");
    }

    proptest! {
        #[test]
        fn every_origin_a_client_sends_can_be_allowed(
            origins in proptest::collection::vec(
                // The bytes that a header may contain (RFC 9110 section 5.5).
                proptest::collection::vec(
                    prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xffu8, Just(b':'), Just(b'/')],
                    0..40), 1..4),
        ) {
            check_flags_of_refusal(&origins);
        }
    }
}
