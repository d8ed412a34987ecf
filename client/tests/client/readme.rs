//! The client commands in the project's documents: each delivers its input, or reads messages, on
//! the real server.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use madang_server::transport::tls::certificates::PairFiles;
use madang_tests::{
    Program, TestClient, TestFolder, TestServer, as_installed, documented_commands,
};

use serde_json::json;

use crate::{
    DEADLINE,
    client::{Client, MADANG, isolated},
    terminal::Terminal,
};

/// Servers and files in place of those in the documents.
struct Places {
    plain: TestServer,
    encrypted: TestServer,
    /// A private room on each.
    keys: [String; 2],
    _owners: [TestClient; 2],
    folder: TestFolder,
}

impl Places {
    fn new() -> Places {
        let (plain, encrypted) = (TestServer::start(|_| {}), TestServer::start_with_tls(|_| {}));
        let mut owners = [plain.login("owner"), encrypted.login("owner")];
        let keys = owners.each_mut().map(TestClient::make_room);
        let folder = TestFolder::new();
        for (program, script) in [
            ("madang", format!("exec '{MADANG}' \"$@\"")),
            ("make", "echo compiling; echo linked >&2".to_owned()),
            ("git", "echo ' main.rs | 2 +-'; echo ' 1 file changed'".to_owned()),
        ] {
            let path = folder.write(program, &format!("#!/bin/sh\n{script}\n"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let ca = encrypted.tls_folder().path().join("ca.pem");
        fs::copy(ca, folder.path().join("cert.pem")).expect("the authority has a file");
        Places { plain, encrypted, keys, _owners: owners, folder }
    }

    /// The command with this machine's address in it.
    fn here(&self, installed: &str) -> String {
        let is_encrypted = ["--tls", "https:"].iter().any(|mark| installed.contains(mark));
        let server = if is_encrypted { &self.encrypted } else { &self.plain };
        let lines = if is_encrypted { server.tls_address() } else { server.address() };
        let at = |port: u16| {
            if is_encrypted { format!("localhost:{port}") } else { format!("127.0.0.1:{port}") }
        };
        let (lines, web) = (at(lines.port()), at(server.web_address().port()));
        let addresses = [
            ("chat.example.org:9998", &web),
            ("HOST:9998", &web),
            ("HOST:PORT", &lines),
            ("[::1]:9009", &lines),
            ("192.168.0.12", &lines),
            ("chat.example.org", &lines),
            ("localhost", &lines),
            ("HOST", &lines),
        ];
        let mut here = installed.replace("madang.exe", "madang");
        if let Some((there, address)) = addresses.iter().find(|(there, _)| here.contains(there)) {
            here = here.replacen(there, address, 1);
        }
        here.replace("#KEY", &format!("#{}", self.keys[usize::from(is_encrypted)]))
    }

    fn start(&self, line: &str) -> Client {
        let mut command = isolated("sh");
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(["-c", line]).current_dir(self.folder.path());
        command.env("PATH", format!("{}:{path}", self.folder.path().display()));
        command.env("MADANG_HOST", self.plain.address().to_string()).env("TOPIC", "rehearsal");
        if line.contains("localhost:") && !line.contains("--ca ") {
            command.env("MADANG_CA", "cert.pem");
        }
        Client::start_command(command)
    }

    /// Runs a command, which must succeed and show `part`.
    #[track_caller]
    fn shows(&self, line: &str, input: &str, part: &str) -> String {
        let mut client = self.start(line);
        client.write(input);
        client.end_input();
        let ended = client.ended();
        assert!(ended.code == Some(0) && ended.stdout.contains(part), "{line}: {ended:?}");
        ended.stdout
    }
}

#[test]
fn every_command_of_the_pages_delivers_reads_or_prints() {
    let places = Places::new();
    let runs_it = |command: &String| {
        let mut parts = command.split(" | ");
        parts.any(|part| ["madang", "madang.exe"].contains(&part.split(' ').next().unwrap_or("")))
    };
    let commands: Vec<String> = documented_commands()
        .iter()
        .map(|command| as_installed(command))
        .filter(runs_it)
        // These need `man`, which not every machine has.
        .filter(|command| !command.ends_with(" | man -l -"))
        .collect();
    assert!(commands.len() >= 15, "{commands:?}");
    for command in commands {
        let line = places.here(&command);
        if command.contains(" completions ") {
            let (before, shells) = line.rsplit_once(' ').expect("shells come last");
            for shell in shells.split('|').filter(|shell| *shell != "…") {
                places.shows(&format!("{before} {shell}"), "", "no-reconnect");
            }
        } else if command == "madang man" {
            places.shows(&line, "", ".TH madang 1");
        } else if command.contains(" --count 10") {
            let mut speaker = places.plain.login("speaker");
            for number in 0..10 {
                speaker.send(format!("{number}\n")).expect(format!("[speaker] {number}\n"));
            }
            let said = "{\"type\":\"said\",";
            assert_eq!(places.shows(&line, "", said).matches(said).count(), 10);
        } else if command.contains(" --read") {
            // In place of the shell, so that it gets the signal.
            let mut client = places.start(&format!("exec {line}"));
            client.expect("[log]");
            let mut speaker = places.plain.login("sora");
            speaker.send("heard\n");
            client.expect("[sora] heard");
            client.interrupt();
            assert_eq!(client.ended().code, Some(130), "{command}");
        } else {
            let part = match command.split(' ').next() {
                Some("make") => "linked",
                Some("git") => "main.rs | 2 +-",
                Some("printf") => "rehearsal",
                _ => "from stdin",
            };
            places.shows(&line, "from stdin\n", part);
        }
    }
}

#[test]
#[ignore = "needs openssl"]
fn the_certificate_of_the_pages_is_trusted() {
    let folder = TestFolder::new();
    let commands = documented_commands();
    let openssl = commands.iter().find(|command| command.starts_with("openssl req ")).expect("one");
    let mut command = Command::new("sh");
    let openssl = openssl.replace("192.168.0.12", "127.0.0.1");
    command.args(["-c", &openssl]).current_dir(folder.path());
    Program::start(&mut command).expect_success(DEADLINE);
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let server = TestServer::start_with_tls(|config| {
        config.tls.as_mut().expect("it is with TLS").pair = PairFiles { certificate, key };
    });
    let mut command = isolated(MADANG);
    command.args(["--tls", &server.tls_address().to_string(), "--ca", "cert.pem"]);
    command.current_dir(folder.path());
    let mut client = Client::start_command(command);
    client.write("encrypted\n");
    client.end_input();
    let ended = client.ended();
    assert!(ended.code == Some(0) && ended.stdout.contains("encrypted"), "{ended:?}");
}

/// With `00:00` in the place of a time.
fn without_time(row: &str) -> String {
    match row.as_bytes() {
        [b'0'..=b'9', _, b':', ..] => format!("00:00{}", &row[5..]),
        _ => row.to_owned(),
    }
}

#[test]
fn the_conversation_of_the_manual_looks_as_it_is_shown() {
    const MANUAL: &str = include_str!("../../README.md");
    let (_, block) = MANUAL.split_once("\n$ madang chat.example.org ").expect("it is there");
    let (arguments, block) = block.split_once('\n').expect("the conversation follows");
    let (block, _) = block.split_once("\n```").expect("it ends");
    let wanted: Vec<String> = block.lines().map(without_time).collect();
    let server = TestServer::start(|_| {});
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let address = server.address().to_string();
    let mut alice = Terminal::start_sized(&address, &arguments, 80, 24, &[]);
    // Waits for `more` further rows.
    let mut shown = 0;
    let mut shows = |alice: &mut Terminal, more: usize| {
        shown += more;
        alice.expect_screen(&format!("{:#?}", &wanted[..shown]), |rows| {
            rows.len() > shown
                && rows[..shown]
                    .iter()
                    .map(|row| without_time(row))
                    .eq(wanted[..shown].iter().cloned())
        });
    };
    shows(&mut alice, 2);
    let mut chulsu = server.login("철수");
    shows(&mut alice, 1);
    alice.enter("anyone here for the rehearsal?");
    shows(&mut alice, 1);
    for (line, rows) in [("저요! alice 안녕", 1), ("/me 손을 흔듭니다", 1)] {
        chulsu.send(format!("{line}\n"));
        shows(&mut alice, rows);
    }
    alice.enter("/topic rehearsal at 7");
    shows(&mut alice, 1);
    chulsu.send("/msg alice 무대 열쇠 있어?\n");
    shows(&mut alice, 1);
    alice.enter("/reply yes, at the door");
    shows(&mut alice, 1);
    let mut ci = server.login_json("ci");
    shows(&mut alice, 1);
    ci.send_json(json!({"type": "say", "text": "running 75 tests\ntest result: ok"}));
    shows(&mut alice, 2);
    ci.send_json(json!({"type": "command", "line": "/quit"}));
    shows(&mut alice, 1);
    alice.enter("@철수 see you there");
    shows(&mut alice, 1);
    alice.type_text("/msg ");
    alice.expect_last(&[&wanted[shown]]);
    assert_eq!(shown + 1, wanted.len(), "the manual shows no more");
}
