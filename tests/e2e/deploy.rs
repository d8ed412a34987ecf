//! Deployment: behind a real nginx, with the configuration that the project ships (over TLS) and
//! with one that many people have copied from an article; and as a service.

use std::{
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use madang_protocol::{
    limits::CARRIER_BYTES,
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_server::config::{Config, Listen};
use madang_tests::{DEADLINE, Program, TestClient, TestFolder, TestServer, WebSocketClient};

use crate::peers::python;

const SHIPPED: &str = include_str!("../../server/deploy/nginx.conf");

/// The article's configuration: the trailing slash strips a prefix, and no Host header is set.
const ARTICLE: &str = r#"
upstream pythonchattingserver {
        server chattingserver:7777;
}

server {
    location /websocket/ {
        proxy_pass http://pythonchattingserver/;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_read_timeout 86400;
    }
}
"#;

/// A running nginx.
pub(crate) struct Nginx {
    address: SocketAddr,
    /// The file with the test's certificate.
    certificate: PathBuf,
    _program: Program,
    _folder: TestFolder,
}

/// A free address of the loopback interface.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}

impl Nginx {
    /// The configuration that the project ships, in front of `web`.
    #[track_caller]
    fn shipped(web: SocketAddr) -> Nginx {
        Nginx::shipped_at(free_address(), web)
    }

    /// The same, at a given address.
    #[track_caller]
    pub(crate) fn shipped_at(address: SocketAddr, web: SocketAddr) -> Nginx {
        Nginx::start(address, |folder| {
            let replaced = [
                ("listen 443 ssl;", format!("listen {address} ssl;")),
                ("listen [::]:443 ssl;", String::new()),
                ("http://127.0.0.1:9998/", format!("http://{web}/")),
                ("/etc/letsencrypt/live/chat.example.org", folder.path().display().to_string()),
            ];
            replaced.into_iter().fold(SHIPPED.to_owned(), |conf, (from, to)| {
                assert!(conf.contains(from), "{from} is not in it");
                conf.replace(from, &to)
            })
        })
    }

    /// The article's configuration, in front of `web`.
    #[track_caller]
    fn article(web: SocketAddr) -> Nginx {
        let address = free_address();
        Nginx::start(address, |_| {
            ARTICLE
                .replace("chattingserver:7777", &web.to_string())
                .replace("location", &format!("listen {address};\n    location"))
        })
    }

    #[track_caller]
    fn start(address: SocketAddr, site: impl FnOnce(&TestFolder) -> String) -> Nginx {
        let folder = TestFolder::new();
        let path = folder.path().display();
        let certificate = folder.path().join("fullchain.pem");
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
        openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
        openssl.arg("-keyout").arg(folder.path().join("privkey.pem"));
        openssl.arg("-out").arg(&certificate);
        Program::start(&mut openssl).expect_success(DEADLINE);
        let site = site(&folder);
        let conf = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr;\n\
             events {{}}\n\
             http {{\n\
             access_log off; client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;\n\
             fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi;\n\
             scgi_temp_path {path}/scgi;\n\
             {site}\n}}\n"
        );
        let conf = folder.write("nginx.conf", &conf);
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(folder.path()).arg("-c").arg(conf);
        let program = Program::start(&mut nginx);
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            std::thread::yield_now();
        }
        Nginx { address, certificate, _program: program, _folder: folder }
    }
}

fn behind_proxy(config: &mut Config) {
    config.trust_proxy = vec!["127.0.0.1".parse().expect("a range")];
    config.public_url = "https://chat.example.org/madang/".parse().ok();
}

/// Runs a program that chats through TLS and the proxy, after `silent_seconds` of silence.
#[track_caller]
fn chat_through(nginx: &Nginx, server: &TestServer, form: &str, silent_seconds: u64) {
    let mut host = server.login("host");
    let url = format!("wss://localhost:{}/madang/", nginx.address.port());
    let mut command = python("chat_websockets.py");
    command.args([&url, "proxied", form, &silent_seconds.to_string()]).arg(&nginx.certificate);
    let program = Program::start(&mut command);
    let deadline = Instant::now() + Duration::from_secs(silent_seconds) + DEADLINE;
    while !host.has_more_within(Duration::from_secs(1)) {
        assert!(Instant::now() < deadline, "it never begins");
    }
    host.expect("[proxied] 안녕하세요\n");
    host.send("어서 오세요\n").expect_next("[host] 어서 오세요\n");
    program.expect_success(DEADLINE);
    host.expect_next("[proxied]님이 퇴장했습니다.\n");
    host.send("/quit\n").expect_closed();
}

#[test]
#[ignore = "needs nginx, openssl and tests/peers/.venv"]
fn the_shipped_configuration_carries_chat_over_tls() {
    let server = TestServer::start(behind_proxy);
    let nginx = Nginx::shipped(server.web_address());
    for form in ["lines", "json"] {
        chat_through(&nginx, &server, form, 0);
    }
}

/// curl's request for this path below the proxy's prefix.
fn curl(nginx: &Nginx, path: &str, arguments: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--no-progress-meter", "--no-buffer", "--cacert"]).arg(&nginx.certificate);
    curl.args(arguments).arg(format!("https://localhost:{}/madang/{path}", nginx.address.port()));
    curl
}

#[test]
#[ignore = "needs nginx, openssl and curl"]
fn the_shipped_configuration_streams_rooms_and_takes_messages() {
    let server = TestServer::start(|config| {
        behind_proxy(config);
        config.rate_limit = None;
    });
    let nginx = Nginx::shipped(server.web_address());
    let mut alice = server.login("alice");
    let key = alice.make_room();
    let private = format!("X-Room-Key: {key}");
    let plain = ["-H", "Accept: text/plain"];
    let events = ["-H", "Accept: text/event-stream"];
    let by_public_url = ["-H", "Host: chat.example.org"];
    for (number, arguments) in [plain, events, by_public_url].iter().enumerate() {
        let reader = ["-H", &private, "-H", "Name: 철수"];
        let mut stream =
            curl(&nginx, "rooms/private?history=0", &[&reader, &arguments[..]].concat());
        let mut stream = stream.stdout(Stdio::piped()).spawn().expect("curl is installed");
        alice.expect("[철수]님이 입장했습니다.\n");
        // Each line arrives at once: the next is said when it has.
        let mut lines = BufReader::new(stream.stdout.take().expect("it is piped")).lines();
        for at in 0..3 {
            let text = format!("line {at} of {number}");
            alice.send(format!("{text}\n")).expect_next(format!("[alice] {text}\n"));
            let heard = |line: io::Result<String>| line.expect("curl writes").contains(&text);
            assert!(lines.any(heard), "the stream has ended");
        }
        let name = format!("Name: bot-{number}");
        let speaker = ["-H", &private, "-H", &name, "-d", "hello"];
        let said = curl(&nginx, "rooms/private", &[&speaker, &arguments[..]].concat()).output();
        let token = String::from_utf8(said.expect("it has run").stdout).expect("it is ASCII");
        assert_eq!(token.trim_end().len(), 32, "{token}");
        alice.expect(format!("[bot-{number}] hello\n"));
        let heard = |line: io::Result<String>| line.expect("curl writes").contains("hello");
        assert!(lines.any(heard), "the stream has ended");
        // Whoever goes away from the proxy leaves the room.
        stream.kill().expect("it runs");
        stream.wait().expect("it has ended");
        alice.expect("[철수]님이 퇴장했습니다.\n");
    }
    // A body in chunks has a length behind nginx, which collects it.
    let chunked = ["-H", &private, "-H", "Name: pieces", "-H", "Transfer-Encoding: chunked"];
    let mut chunked = curl(&nginx, "rooms/private", &[&chunked[..], &["-d", "한 조각"]].concat());
    Program::start(&mut chunked).expect_success(DEADLINE);
    alice.expect("[pieces] 한 조각\n");
    for (arguments, status) in [
        (["-H", "Host: evil.example"], "403"),
        (["-H", "Origin: https://evil.example"], "403"),
        (["-X", "PUT"], "405"),
        (["-H", "X-Room-Key: x"], "404"),
    ] {
        let status_of = ["-o", "/dev/null", "-w", "%{http_code}"];
        let mut refused = curl(&nginx, "rooms/private", &[&arguments[..], &status_of].concat());
        assert_eq!(Program::start(&mut refused).expect_success(DEADLINE), status, "{arguments:?}");
    }
}

#[test]
#[ignore = "needs nginx, openssl and tests/peers/.venv, and more than a minute"]
fn seventy_five_idle_seconds_end_nothing() {
    let server = TestServer::start(|config| {
        behind_proxy(config);
        config.login_timeout = Duration::from_secs(120);
    });
    let nginx = Nginx::shipped(server.web_address());
    chat_through(&nginx, &server, "json", 75);
}

#[test]
#[ignore = "needs nginx and openssl"]
fn the_articles_configuration_carries_chat_with_a_public_url() {
    const PAGE: &str = "https://chatting.lostcatbox.com";
    let server = TestServer::start(|config| {
        config.public_url = format!("{PAGE}/websocket/").parse().ok();
    });
    let nginx = Nginx::article(server.web_address());
    let path = "/websocket/";
    let mut alice = WebSocketClient::open(nginx.address, path, &[("Origin", PAGE)]);
    alice.login("alice");
    let mut bob = WebSocketClient::open(nginx.address, "/websocket/ws", &[("Origin", PAGE)]);
    bob.login("bob");
    alice.expect("[bob]님이 입장했습니다.");
    alice.send("안녕").expect_next("[alice] 안녕");
    bob.expect_next("[alice] 안녕").send_close(1000);
    assert_eq!(bob.expect_closed(), Some(1000));
    alice.expect_next("[bob]님이 퇴장했습니다.");
    // Another page is refused through the proxy too, with the flag that would allow it.
    let mut other = TestClient::connect(nginx.address);
    let origin = [("Origin", "https://evil.example")];
    other.send(WebSocketClient::request(nginx.address, path, &origin));
    let answer = other.expect("--allow-origin https://evil.example\n");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    // `/echo` works below the prefix.
    let mut probe = WebSocketClient::open(nginx.address, "/websocket/echo", &[]);
    probe.send("hi").expect_next("echo : hi");
}

#[test]
#[ignore = "needs nginx and openssl"]
fn a_restart_is_a_goodbye_and_then_a_welcome() {
    let web = free_address();
    let start = || {
        TestServer::start(|config| {
            behind_proxy(config);
            config.web = vec![Listen::At(web)];
        })
    };
    let mut server = start();
    let nginx = Nginx::article(web);
    let mut alice = WebSocketClient::open(nginx.address, "/websocket/", &[]);
    alice.login("alice");
    server.stop();
    alice.expect(&Notice::Goodbye(Goodbye::Shutdown).text(Lang::Ko));
    assert_eq!(alice.expect_close(), Some(1001));
    let _server = start();
    let mut alice = WebSocketClient::open(nginx.address, "/websocket/", &[]);
    alice.login("alice").send("back").expect_next("[alice] back");
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_service_is_one_that_systemd_takes() {
    let folder = TestFolder::new();
    let unit = include_str!("../../server/deploy/madang.service");
    // The program need not be installed on the machine that runs the test.
    let unit = unit.replace("ExecStart=madang-server", "ExecStart=true");
    let path = folder.write("madang.service", &unit);
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]).arg(path);
    assert_eq!(Program::start(&mut command).expect_success(DEADLINE), "");
}

#[test]
fn the_service_may_use_what_ten_thousand_members_and_every_bound_take() {
    const MEMBERS: usize = 10_000;
    // Three pages of stack, and a member's tables, twice over.
    const MEMBER_BYTES: usize = 2 * (12 + 8) * 1_024;
    let unit = include_str!("../../server/deploy/madang.service");
    let limit = unit.lines().find_map(|line| line.strip_prefix("MemoryMax=")?.strip_suffix('G'));
    let limit: usize = limit.expect("it has one, in GiB").parse().expect("a whole number");
    let config = Config::default();
    let bounds = config.history_bytes + config.backlog_bytes + MEMBERS * CARRIER_BYTES;
    let most = bounds + MEMBERS * MEMBER_BYTES;
    assert!(most <= limit << 30, "{} MiB may be needed", most >> 20);
}
