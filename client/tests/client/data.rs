//! The real `madang` with the real server, which saves its rooms on disk and is restarted.

use std::{fs, net::SocketAddr, path::Path};

use madang_protocol::{notice::Notice, text::Lang};
use madang_server::{
    config::{Config, Listen},
    journal::JournalConfig,
    operator::console::{Console, ConsoleThread, Streams},
    server::Server,
};
use madang_tests::TestFolder;

use crate::{DEADLINE, client::Client, terminal::Terminal};

/// A server in this process that saves to a folder. Dropping it stops it.
struct SavingServer {
    running: Option<(Server, ConsoleThread)>,
    address: SocketAddr,
}

impl SavingServer {
    #[track_caller]
    fn start(data: &Path) -> SavingServer {
        let streams = Streams { out: Box::new(std::io::sink()), err: Box::new(std::io::sink()) };
        let (console, thread) = Console::start(Lang::En, streams).expect("a thread");
        let config = Config {
            listen: vec![Listen::At(([127, 0, 0, 1], 0).into())],
            web: Vec::new(),
            lang: Lang::En,
            rate_limit: None,
            journal: Some(JournalConfig::of(data)),
            // When it has stopped, the folder is free, however busy the machine is.
            join_timeout: DEADLINE,
            ..Config::default()
        };
        let server = Server::start(config, console).expect("a free port and an empty folder");
        let address = server.addresses()[0];
        SavingServer { running: Some((server, thread)), address }
    }

    #[track_caller]
    fn client(&self, args: &[&str]) -> Client {
        Client::start_at(&self.address.to_string(), &[&["--lang", "en"], args].concat())
    }
}

impl Drop for SavingServer {
    fn drop(&mut self) {
        if let Some((server, _console)) = self.running.take() {
            server.stop();
        }
    }
}

/// Says lines from a pipe, each as a message of its own, and waits until they are saved.
#[track_caller]
fn say(server: &SavingServer, name: &str, lines: &[String]) {
    let mut client = server.client(&["--name", name]);
    for line in lines {
        client.write(format!("{line}\n"));
        client.expect(&format!("[{name}] {line}\n"));
    }
    client.end_input();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn since_reads_to_the_disk_over_a_restart_and_more_than_memory_has() {
    const LINES: usize = 500;

    let folder = TestFolder::new();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("the folder is ours");
    let lines: Vec<String> = (0..LINES).map(|line| format!("line {line}")).collect();
    say(&SavingServer::start(&data), "bob", &lines);

    let server = SavingServer::start(&data);
    say(&server, "bob", &["after the restart".into()]);
    let told = |args: &[&str]| {
        let count = (LINES + 1).to_string();
        let args = [&["--read", "--name", "watch", "--count", &count], args].concat();
        let ended = server.client(&args).ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        (ended.stdout, ended.stderr)
    };
    // A room's memory has 200 events.
    for since in ["0", "2001-01-01"] {
        let (stdout, stderr) = told(&["--since", since]);
        let said: Vec<&str> =
            stdout.lines().filter_map(|line| line.strip_prefix("[bob] line ")).collect();
        let expected: Vec<String> = (0..LINES).map(|line| line.to_string()).collect();
        assert_eq!(said, expected, "{since}");
        let restart = stdout.find("-- the server restarted --\n").expect("it is in its place");
        assert!(restart > stdout.find("[bob] line 499\n").expect("it was said"));
        assert!(restart < stdout.find("[bob] after the restart\n").expect("it was said"));
        assert!(stderr.contains("the server has nothing older than "), "{stderr}");
    }
    // A place far back, by its id.
    let (stdout, _) = told(&["--since", "0", "--json"]);
    let id = |text: &str| -> u64 {
        let line = stdout.lines().find(|line| line.contains(&format!("\"text\":\"{text}\"")));
        let message: serde_json::Value =
            serde_json::from_str(line.expect("it was said")).expect("it is JSON");
        message["id"].as_u64().expect("it has one")
    };
    let since = id("line 99").to_string();
    let args = ["--read", "--name", "watch", "--count", "401", "--since", &since];
    let ended = server.client(&args).ended();
    assert!(ended.stdout.starts_with("[bob] line 100\n"), "{ended:?}");
    assert!(!ended.stdout.contains("skipped") && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_search_marks_its_words_and_goes_further_back() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("the folder is ours");
    let server = SavingServer::start(&data);
    let lines: Vec<String> = (0..12).map(|line| format!("{line}번째 회의")).collect();
    say(&server, "bob", &lines);
    let args = ["--name", "me", "--lang", "en", "--time", "never", "--color", "never"];
    let mut terminal = Terminal::start_sized(&server.address.to_string(), &args, 80, 24, &[]);
    terminal.expect_screen("the room", |rows| rows.last().is_some_and(|row| row == "[lobby 1]"));
    let mut search = |typed: &str, expected: &[usize], end: &str| {
        terminal.enter(typed);
        terminal
            .expect_screen(end, |rows| rows[..rows.len() - 1].last().is_some_and(|row| row == end));
        let rows = terminal.rows();
        let heading = rows.iter().rposition(|row| row == "-- search: ㅎㅇ --");
        let found = &rows[heading.expect("it has a heading") + 1..rows.len() - 2];
        let shown: Vec<&str> = found
            .iter()
            .filter_map(|row| row.split_once(" [bob] ").map(|(_, text)| text))
            .collect();
        let expected: Vec<&str> = expected.iter().map(|line| &*lines[*line]).collect();
        assert_eq!(shown, expected);
    };
    let newest: Vec<usize> = (2..12).collect();
    let found = |count, is_all| Notice::Found { count, is_all }.text(Lang::En);
    search("/search ㅎㅇ", &newest, &found(10, false));
    search("/search", &[0, 1], &found(2, true));
}
