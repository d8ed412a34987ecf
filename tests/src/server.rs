//! A server inside the test's process, on a free port, whose console is kept.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use madang_server::{
    config::{Binary, Config, Listen, TlsConfig},
    operator::console::{Console, ConsoleThread, Streams},
    server::Server,
};

use crate::{
    DEADLINE, NEVER, authority::Authority, client::TestClient, program::TestFolder,
    websocket::WebSocketClient,
};

/// What a test's server says if a connection's thread has panicked.
const INTERNAL_ERRORS: [&str; 2] = ["서버 오류", "error of the server"];

/// The way in over TLS, and who vouches for it.
struct TestTls {
    address: Option<SocketAddr>,
    authority: Authority,
    folder: TestFolder,
}

/// A running server. It stops when it is dropped, and the test fails if one of
/// its connections has not ended then, or has panicked before.
pub struct TestServer {
    address: SocketAddr,
    web_address: Option<SocketAddr>,
    tls: Option<TestTls>,
    screen: Screen,
    running: Option<(Server, ConsoleThread)>,
}

impl TestServer {
    /// Starts a server as `change` wants it: without that, the default one, but on
    /// free ports of 127.0.0.1 and without a rate limit.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[track_caller]
    pub fn start(change: impl FnOnce(&mut Config)) -> TestServer {
        TestServer::start_with(None, change)
    }

    /// Starts a server that takes lines over TLS too, and on its web port https and wss
    /// alone. It looks for a new certificate all the time.
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
        TestServer { address, web_address, tls, screen, running: Some((server, console_thread)) }
    }

    /// Starts a server whose `/echo` gives back every message as it came, text and
    /// binary, up to 16 MiB in any number of fragments.
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
            // The largest messages in the smallest pieces take their time.
            config.echo.websocket.assembly_timeout = NEVER;
            config.echo.websocket.ping_interval = NEVER;
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it takes HTTP and WebSocket.
    ///
    /// # Panics
    ///
    /// If it was told to take neither.
    #[track_caller]
    pub fn web_address(&self) -> SocketAddr {
        self.web_address.expect("it has a web port")
    }

    /// Where it tells its numbers.
    ///
    /// # Panics
    ///
    /// If it was told not to, or has stopped.
    #[track_caller]
    pub fn metrics_address(&self) -> SocketAddr {
        let (server, _) = self.running.as_ref().expect("it has not stopped");
        server.metrics_address().expect("it tells its numbers")
    }

    fn tls(&self) -> &TestTls {
        self.tls.as_ref().expect("it was started with TLS")
    }

    /// Where it takes lines over TLS.
    ///
    /// # Panics
    ///
    /// If it was not started with TLS; the same below.
    pub fn tls_address(&self) -> SocketAddr {
        self.tls().address.expect("it takes lines over TLS")
    }

    /// Who vouches for it.
    pub fn authority(&self) -> &Authority {
        &self.tls().authority
    }

    /// Where its certificate is, as `cert.pem`, and its key, as `key.pem`; and for those
    /// who want it, its authority's, as `ca.pem`.
    pub fn tls_folder(&self) -> &TestFolder {
        let TestTls { authority, folder, .. } = self.tls();
        folder.write("ca.pem", &authority.pem());
        folder
    }

    /// A new client with lines over TLS, to whom nothing was said yet.
    #[track_caller]
    pub fn connect_tls(&self) -> TestClient {
        let address = self.tls_address();
        TestClient::connect(address).over_tls(self.authority().client(address))
    }

    /// A new client over TLS, logged in and told so, in lines.
    #[track_caller]
    pub fn login_tls(&self, name: &str) -> TestClient {
        let mut client = self.connect_tls();
        client.login(name);
        client
    }

    /// A new client over wss at `path`, with more headers than it needs.
    #[track_caller]
    pub fn connect_wss(&self, path: &str, headers: &[(&str, &str)]) -> WebSocketClient {
        let address = self.web_address();
        let session = self.authority().client(address);
        let client = TestClient::connect(address).over_tls(session);
        WebSocketClient::upgrade(client, address, path, headers)
    }

    /// A new client, to whom nothing was said yet.
    #[track_caller]
    pub fn connect(&self) -> TestClient {
        TestClient::connect(self.address)
    }

    /// A new client, logged in and told so, in lines.
    #[track_caller]
    pub fn login(&self, name: &str) -> TestClient {
        let mut client = self.connect();
        client.login(name);
        client
    }

    /// A new client, logged in and told so, in JSON.
    #[track_caller]
    pub fn login_json(&self, name: &str) -> TestClient {
        let mut client = self.connect();
        client.login_json(name);
        client
    }

    /// A new client over WebSocket, to whom nothing was said yet, in lines.
    #[track_caller]
    pub fn connect_websocket(&self) -> WebSocketClient {
        WebSocketClient::open(self.web_address(), "/", &[])
    }

    /// A new client over WebSocket, logged in and told so, in lines.
    #[track_caller]
    pub fn login_websocket(&self, name: &str) -> WebSocketClient {
        let mut client = self.connect_websocket();
        client.login(name);
        client
    }

    /// A new client over WebSocket, logged in and told so, in JSON.
    #[track_caller]
    pub fn login_websocket_json(&self, name: &str) -> WebSocketClient {
        let mut client = WebSocketClient::open_json(self.web_address());
        client.login_json(name);
        client
    }

    /// Two new clients in the lobby, told of themselves and of each other, in lines.
    #[track_caller]
    pub fn login_two(&self, first: &str, second: &str) -> (TestClient, TestClient) {
        let mut one = self.login(first);
        let other = self.login(second);
        one.expect_joined(second);
        (one, other)
    }

    /// So many new clients, logged in as `m000`, `m001` and so on, each told of
    /// itself and of all who came after it.
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

    /// Logs in under a name that was just given up: the others are told of a
    /// leaving before the name is free, so this asks until it is.
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

    /// Gives the server a line as its operator would.
    ///
    /// # Panics
    ///
    /// If it was stopped.
    #[track_caller]
    pub fn operate(&self, line: &str) {
        let (server, _) = self.running.as_ref().expect("it runs");
        server.operator().take_line(line);
    }

    /// Waits until the console has shown `text`.
    ///
    /// # Panics
    ///
    /// If it has not after [`DEADLINE`].
    #[track_caller]
    pub fn console_expect(&self, text: &str) {
        self.console_expect_count(text, 1);
    }

    /// Waits until the console has shown `text` so many times.
    ///
    /// # Panics
    ///
    /// If it has not after [`DEADLINE`].
    #[track_caller]
    pub fn console_expect_count(&self, text: &str, count: usize) {
        let deadline = Instant::now() + DEADLINE;
        let mut shown = self.screen.lock();
        while shown.matches(text).count() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the console did not show {text:?}, but:\n{shown}");
            shown = self
                .screen
                .changed
                .wait_timeout(shown, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// All that the console has shown, standard output and error together.
    pub fn console(&self) -> String {
        self.screen.lock().clone()
    }

    /// Stops the server; blocks until that is done.
    ///
    /// # Panics
    ///
    /// If it has not stopped after [`DEADLINE`], or a connection has panicked.
    #[track_caller]
    pub fn stop(&mut self) {
        let Some((server, console_thread)) = self.running.take() else { return };
        let (stopped, is_stopped) = mpsc::channel();
        thread::spawn(move || {
            let all_ended = server.stop();
            console_thread.stop();
            // The test has given up if nobody waits any more.
            let _ = stopped.send(all_ended);
        });
        let all_ended = is_stopped.recv_timeout(DEADLINE).unwrap_or_else(|_| {
            panic!("the server does not stop; the console:\n{}", self.console());
        });
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
        if let Some((server, console_thread)) = self.running.take() {
            server.stop();
            console_thread.stop();
        }
        eprintln!("-- console --\n{}", self.console());
    }
}

/// Stands for the operator's terminal.
#[derive(Clone, Default)]
struct Screen {
    text: Arc<Mutex<String>>,
    changed: Arc<Condvar>,
}

impl Screen {
    fn lock(&self) -> std::sync::MutexGuard<'_, String> {
        // A test that has failed while it looked at the screen still prints it.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().push_str(&String::from_utf8_lossy(bytes));
        self.changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
