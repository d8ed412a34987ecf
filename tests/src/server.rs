//! A server inside the test's process, on a free port. Its console output is kept. On request
//! it is two servers ([`Second`]).

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use madang_server::{
    config::{Binary, Config, Listen, TlsConfig},
    operator::console::{Console, ConsoleThread, Streams},
    server::Server,
};

use crate::{
    DEADLINE, NEVER,
    authority::Authority,
    client::TestClient,
    outside::{self, Addresses, Outside},
    program::TestFolder,
    screen::Screen,
    second::Second,
    websocket::WebSocketClient,
};

/// The server's log line for a connection whose thread has panicked.
const INTERNAL_ERRORS: [&str; 2] = ["서버 오류", "server error"];

/// The TLS listener and its certificate authority.
struct TestTls {
    address: Option<SocketAddr>,
    authority: Authority,
    folder: TestFolder,
}

/// A running server. Dropping it stops it, and fails the test if one of its connections has not
/// ended by then, or has panicked before.
pub struct TestServer {
    address: SocketAddr,
    web_address: Option<SocketAddr>,
    tls: Option<TestTls>,
    screen: Screen,
    running: Option<Running>,
    /// The other server of its cluster, if there are to be two.
    second: Option<Second>,
}

/// Where the server runs.
enum Running {
    /// In the test's process.
    Inside(Box<Server>, ConsoleThread),
    /// In its own.
    Outside(Outside),
}

impl TestServer {
    /// Starts a server with the default configuration, on free ports of 127.0.0.1 and without a
    /// rate limit, after applying `change`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[track_caller]
    pub fn start(change: impl FnOnce(&mut Config)) -> TestServer {
        TestServer::start_with(None, change)
    }

    /// Starts a server that also takes lines over TLS, and only https and wss on its web port.
    /// It checks for a new certificate all the time.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[track_caller]
    pub fn start_with_tls(change: impl FnOnce(&mut Config)) -> TestServer {
        TestServer::start_with(Some((Authority::new(), TestFolder::new())), change)
    }

    #[track_caller]
    fn start_with(
        tls: Option<(Authority, TestFolder)>,
        change: impl FnOnce(&mut Config),
    ) -> TestServer {
        let tls_config = tls.as_ref().map(|(authority, folder)| TlsConfig {
            listen: vec![Listen::At((Ipv4Addr::LOCALHOST, 0).into())],
            pair: authority.issue().write(folder),
            look_interval: Duration::from_millis(10),
        });
        let mut config = Config {
            tls: tls_config,
            listen: vec![Listen::At((Ipv4Addr::LOCALHOST, 0).into())],
            web: vec![Listen::At((Ipv4Addr::LOCALHOST, 0).into())],
            rate_limit: None,
            join_timeout: DEADLINE,
            ..Config::default()
        };
        change(&mut config);
        let screen = Screen::default();
        if Outside::is_wanted() {
            return TestServer::start_outside(&config, tls, screen);
        }
        let second = Second::start(&mut config, &screen);
        let mut server = TestServer::start_inside(config, tls, screen);
        server.second = second;
        server
    }

    #[track_caller]
    pub(crate) fn start_inside(
        config: Config,
        tls: Option<(Authority, TestFolder)>,
        screen: Screen,
    ) -> TestServer {
        let streams = Streams { out: Box::new(screen.clone()), err: Box::new(screen.clone()) };
        let (console, console_thread) =
            Console::start(config.lang, streams).expect("there is a thread for the console");
        let server = Server::start(config, console).expect("the server starts");
        let address = server.addresses()[0];
        let web_address = server.doors().web.first().copied();
        let tls = tls.map(|(authority, folder)| TestTls {
            address: server.doors().tls.first().copied(),
            authority,
            folder,
        });
        let running = Some(Running::Inside(Box::new(server), console_thread));
        TestServer { address, web_address, tls, screen, running, second: None }
    }

    #[track_caller]
    fn start_outside(
        config: &Config,
        tls: Option<(Authority, TestFolder)>,
        screen: Screen,
    ) -> TestServer {
        let outside = Outside::start(config, screen.clone(), |addresses| {
            screen.wait_until("a banner with every address", addresses)
        });
        let Addresses { lines, web, tls: address } = outside.listens;
        let tls = tls.map(|(authority, folder)| TestTls { address, authority, folder });
        let running = Some(Running::Outside(outside));
        TestServer { address: lines, web_address: web, tls, screen, running, second: None }
    }

    /// The server, if it runs in this process.
    #[track_caller]
    fn inside(&self) -> &Server {
        match &self.running {
            Some(Running::Inside(server, _)) => server,
            Some(Running::Outside(_)) => outside::refuse("it looks into the server"),
            None => panic!("it has been stopped"),
        }
    }

    /// Starts a server whose `/echo` returns every message unchanged, text and binary, up to 16
    /// MiB in any number of fragments.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[track_caller]
    pub fn start_verbatim_echo() -> TestServer {
        TestServer::start(|config| {
            config.echo.prefix = String::new();
            config.echo.websocket.message_bytes = 16 << 20;
            config.echo.websocket.fragments = usize::MAX;
            config.echo.websocket.binary = Binary::Taken;
            // The largest messages in the smallest fragments take a while.
            config.echo.websocket.assembly_timeout = NEVER;
            config.echo.websocket.ping_interval = NEVER;
        })
    }

    /// The address for lines.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for HTTP and WebSocket.
    ///
    /// # Panics
    ///
    /// If it has no web port.
    #[track_caller]
    pub fn web_address(&self) -> SocketAddr {
        self.web_address.expect("it has a web port")
    }

    /// The address of the metrics.
    ///
    /// # Panics
    ///
    /// If it serves no metrics, or has stopped.
    #[track_caller]
    pub fn metrics_address(&self) -> SocketAddr {
        self.inside().metrics_address().expect("it tells its numbers")
    }

    fn tls(&self) -> &TestTls {
        self.tls.as_ref().expect("it was started with TLS")
    }

    /// The address for lines over TLS.
    ///
    /// # Panics
    ///
    /// If it was not started with TLS. So do the methods below.
    pub fn tls_address(&self) -> SocketAddr {
        self.tls().address.expect("it takes lines over TLS")
    }

    /// Its certificate authority.
    pub fn authority(&self) -> &Authority {
        &self.tls().authority
    }

    /// The folder with its certificate (`cert.pem`), its key (`key.pem`), and its authority's
    /// certificate (`ca.pem`).
    pub fn tls_folder(&self) -> &TestFolder {
        let TestTls { authority, folder, .. } = self.tls();
        folder.write("ca.pem", &authority.pem());
        folder
    }

    /// A new client over TLS, in lines, before it has read anything.
    #[track_caller]
    pub fn connect_tls(&self) -> TestClient {
        let address = self.tls_address();
        TestClient::connect(address).over_tls(self.authority().client(address))
    }

    /// A new client over TLS, in lines, logged in.
    #[track_caller]
    pub fn login_tls(&self, name: &str) -> TestClient {
        let mut client = self.connect_tls();
        client.login(name);
        client
    }

    /// A new client over wss at `path`, with additional headers.
    #[track_caller]
    pub fn connect_wss(&self, path: &str, headers: &[(&str, &str)]) -> WebSocketClient {
        let address = self.web_address();
        let session = self.authority().client(address);
        let client = TestClient::connect(address).over_tls(session);
        WebSocketClient::upgrade(client, address, path, headers)
    }

    /// The server that the next client connects to: if there are two, one after the other.
    fn in_turn(&self) -> &TestServer {
        self.second.as_ref().and_then(Second::in_turn).unwrap_or(self)
    }

    /// A new client, before it has read anything.
    #[track_caller]
    pub fn connect(&self) -> TestClient {
        TestClient::connect(self.in_turn().address)
    }

    /// A new client in lines, logged in.
    #[track_caller]
    pub fn login(&self, name: &str) -> TestClient {
        let mut client = self.connect();
        client.login(name);
        client
    }

    /// A new client in JSON, logged in.
    #[track_caller]
    pub fn login_json(&self, name: &str) -> TestClient {
        let mut client = self.connect();
        client.login_json(name);
        client
    }

    /// A new client over WebSocket, in lines, before it has read anything.
    #[track_caller]
    pub fn connect_websocket(&self) -> WebSocketClient {
        WebSocketClient::open(self.in_turn().web_address(), "/", &[])
    }

    /// A new client over WebSocket, in lines, logged in.
    #[track_caller]
    pub fn login_websocket(&self, name: &str) -> WebSocketClient {
        let mut client = self.connect_websocket();
        client.login(name);
        client
    }

    /// A new client over WebSocket, in JSON, logged in.
    #[track_caller]
    pub fn login_websocket_json(&self, name: &str) -> WebSocketClient {
        let mut client = WebSocketClient::open_json(self.in_turn().web_address());
        client.login_json(name);
        client
    }

    /// Two new clients in the lobby, in lines. Both have read the notices about both logins.
    #[track_caller]
    pub fn login_two(&self, first: &str, second: &str) -> (TestClient, TestClient) {
        let mut one = self.login(first);
        let other = self.login(second);
        one.expect_joined(second);
        (one, other)
    }

    /// `count` new clients, logged in as `m000`, `m001` and so on. Each has read the notices
    /// about its own login and all later ones.
    #[track_caller]
    pub fn gather(&self, count: usize) -> Vec<TestClient> {
        let name = |at: usize| format!("[m{at:03}]");
        let mut clients: Vec<TestClient> =
            (0..count).map(|at| self.login(&format!("m{at:03}"))).collect();
        for (at, client) in clients.iter_mut().enumerate() {
            for later in at + 1..count {
                client.expect_next(name(later));
                client.expect_line();
            }
        }
        clients
    }

    /// Logs in with a name that was just given up. Members are told that somebody left before
    /// the name is free, so this tries until it is.
    #[track_caller]
    pub fn login_when_free(&self, name: &str) -> TestClient {
        let deadline = Instant::now() + DEADLINE;
        let mut client = self.connect();
        client.expect("ID:");
        loop {
            client.send(format!("{name}\n"));
            let answer = client.expect_line();
            let joined = [format!("[{name}]님이 입장했습니다."), format!("[{name}] joined.")];
            if joined.contains(&answer) {
                return client;
            }
            if answer.starts_with("-- ") {
                client.expect_joined(name);
                return client;
            }
            assert!(Instant::now() < deadline, "{name} stays in use: {answer}");
            client.expect("ID:");
        }
    }

    /// Gives the server an operator's command.
    ///
    /// # Panics
    ///
    /// If it has been stopped.
    #[track_caller]
    pub fn operate(&self, line: &str) {
        match &self.running {
            Some(Running::Outside(outside)) => {
                let answer = outside.operate(line);
                self.console_expect(&answer);
            }
            _ => {
                self.inside().operator().take_line(line);
            }
        }
    }

    /// If there are two servers, waits until each has carried out what the other has heard so far.
    ///
    /// # Panics
    ///
    /// If it has been stopped.
    #[track_caller]
    pub fn settle(&self) {
        if let Some(second) = &self.second {
            // A question to the other is answered after everything before it.
            second.with_each(|server| server.operate("/whois nobody-at-all"), self);
        }
    }

    /// Waits until the console has shown `text`.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`DEADLINE`].
    #[track_caller]
    pub fn console_expect(&self, text: &str) {
        self.console_expect_count(text, 1);
    }

    /// Waits until the console has shown `text` `count` times.
    ///
    /// # Panics
    ///
    /// If it has not after [`DEADLINE`].
    #[track_caller]
    pub fn console_expect_count(&self, text: &str, count: usize) {
        self.screen.wait_for(text, count);
    }

    /// Everything that the console has shown, stdout and stderr together, without a banner, and
    /// without how many servers the cluster has: that comes when it is known.
    pub fn console(&self) -> String {
        let shown = self.screen.lock();
        let shown = match &self.running {
            Some(Running::Outside(_)) => outside::of_conversation(&shown),
            _ => shown.clone(),
        };
        let is_size = |line: &str| {
            line.starts_with("+++ 클러스터의 서버: ")
                || line.starts_with("+++ Servers in the cluster: ")
        };
        shown.split_inclusive('\n').filter(|line| !is_size(line)).collect()
    }

    /// Stops the server and waits until it has stopped.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`DEADLINE`], or a connection has panicked.
    #[track_caller]
    pub fn stop(&mut self) {
        if let Some(second) = &mut self.second {
            second.stop();
        }
        let all_ended = match self.running.take() {
            Some(Running::Inside(server, console_thread)) => {
                let (stopped, is_stopped) = mpsc::channel();
                thread::spawn(move || {
                    let all_ended = server.stop();
                    console_thread.stop();
                    // If the receiver is gone, the test has given up.
                    let _ = stopped.send(all_ended);
                });
                is_stopped.recv_timeout(DEADLINE).unwrap_or_else(|_| {
                    panic!("the server does not stop; the console:\n{}", self.console());
                })
            }
            Some(Running::Outside(outside)) => outside.stop(),
            None => return,
        };
        assert!(all_ended, "connections did not end; the console:\n{}", self.console());
        for error in INTERNAL_ERRORS {
            assert!(!self.console().contains(error), "the console:\n{}", self.console());
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return self.stop();
        }
        self.second = None;
        match self.running.take() {
            Some(Running::Inside(server, console_thread)) => {
                server.stop();
                console_thread.stop();
            }
            // It is killed.
            Some(Running::Outside(_)) | None => {}
        }
        eprintln!("-- console --\n{}", self.console());
    }
}
