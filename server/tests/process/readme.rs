//! The server commands in the project's documents: each starts a server on which people can talk
//! and which Ctrl-C stops.

use std::process::Command;

use madang_tests::{Authority, TestFolder, as_installed, documented_commands};
use rustix::process::Signal;

use crate::{peer::Peer, program::Program, server_process};

/// The arguments, with free ports of this machine.
fn arguments(installed: &str) -> Vec<String> {
    let ports = [(":9998", ":0"), (":9011", ":0"), (" 9010", " 127.0.0.1:0")];
    let installed = &installed.replace("/var/lib/madang", "data");
    // The public address of the page is not an address to listen on.
    let (listen, seen) = installed.split_once(" --public-url").unwrap_or((installed, ""));
    let listen = ports.iter().fold(listen.to_owned(), |text, (from, to)| text.replace(from, to));
    let public_url = (!seen.is_empty()).then_some("--public-url");
    let words = listen.split(' ').skip(1).chain(public_url).chain(seen.split_whitespace());
    words.map(str::to_owned).collect()
}

/// A program in a folder with the certificates that the documents mention.
fn command_in(folder: &TestFolder) -> Command {
    let mut command = server_process::command();
    command.current_dir(folder.path());
    command
}

#[track_caller]
fn serves(folder: &TestFolder, arguments: &[String]) {
    let mut command = command_in(folder);
    command.args(arguments).args(["--listen", "127.0.0.1:0"]);
    let mut server = Program::start(&mut command);
    server.out().expect("nc 127.0.0.1 ");
    let port = server.out().expect("\n");
    let mut alice = Peer::connect(format!("127.0.0.1:{port}").parse().expect("a port"));
    alice.expect(":");
    alice.say("alice");
    alice.say("hi");
    alice.expect("[alice] hi\n");
    server.signal(Signal::INT);
    assert_eq!(server.expect_exit(), 0, "{arguments:?}");
}

#[track_caller]
fn prints(folder: &TestFolder, arguments: &[String], part: &str) {
    let mut command = command_in(folder);
    let mut program = Program::start(command.args(arguments));
    assert!(program.out().expect_end().contains(part), "{arguments:?}");
    assert_eq!(program.expect_exit(), 0);
}

/// Reads what people said on the server that [`serves`] started with `--data`.
#[track_caller]
fn transcribes(folder: &TestFolder, arguments: &[String]) {
    let arguments: Vec<_> =
        arguments.iter().map(|argument| argument.replace("math", "lobby")).collect();
    prints(folder, &arguments, "");
    let file = arguments.iter().position(|argument| argument == "--output").map(|at| at + 1);
    let file = file.and_then(|at| arguments.get(at)).expect("the pages write to a file");
    let transcript = std::fs::read_to_string(folder.path().join(file)).expect("it was written");
    assert!(transcript.contains("alice"), "{transcript}");
}

#[test]
fn every_command_of_the_pages_serves_or_prints() {
    let folder = TestFolder::new();
    let authority = Authority::new();
    let pair = authority.issue().write(&folder);
    for (certificate, key) in [("fullchain.pem", "privkey.pem"), ("cert.pem", "key.pem")] {
        for (from, to) in [(&pair.certificate, certificate), (&pair.key, key)] {
            let to = folder.path().join(to);
            if *from != to {
                std::fs::copy(from, to).expect("both are in the folder");
            }
        }
    }
    let commands: Vec<String> = documented_commands()
        .iter()
        .map(|command| as_installed(command))
        .filter(|command| command.split(' ').next() == Some("madang-server"))
        // Printed by a program that not every machine has.
        .filter(|command| !command.ends_with(" | man -l -"))
        .collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let arguments = arguments(&command);
        match arguments.first().map(String::as_str) {
            Some("transcript") => transcribes(&folder, &arguments),
            Some("recover") => prints(&folder, &arguments, "rows were saved"),
            Some("man") => prints(&folder, &arguments, ".TH madang-server 1"),
            Some("completions") => {
                for shell in arguments[1].split('|').filter(|shell| *shell != "…") {
                    let arguments = [arguments[0].clone(), shell.to_owned()];
                    prints(&folder, &arguments, "public-url");
                }
            }
            _ => serves(&folder, &arguments),
        }
    }
}
