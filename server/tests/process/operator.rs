//! The operator at the server's terminal; and servers that have none, which run on.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
};

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use rustix::process::Pid;

use crate::{
    descriptors::expect_idle,
    peer::Peer,
    server_process::{BINARY, ServerProcess, command, command_after},
    terminal::{CTRL_D, CTRL_Z, Terminal},
};

const FLAGS: [&str; 5] = ["--listen", "127.0.0.1:0", "--no-web", "--lang", "en"];

/// A line of a notice: its words are asserted in the end-to-end tests.
fn words(notice: Notice<'_>) -> String {
    notice.text(Lang::En) + "\n"
}

/// The server in the foreground of a terminal, and where it listens.
#[track_caller]
fn start() -> (Terminal, SocketAddr) {
    let mut command = command();
    // Its standard input is the terminal's.
    command.stdin(Stdio::inherit()).env_remove("MADANG_WEB").args(FLAGS);
    let mut terminal = Terminal::start(command);
    let address = listening_at(&mut terminal);
    (terminal, address)
}

#[track_caller]
fn listening_at(terminal: &mut Terminal) -> SocketAddr {
    terminal.expect("  nc 127.0.0.1 ");
    let port = terminal.expect("\n");
    terminal.expect("  madang ");
    terminal.expect("\n");
    format!("127.0.0.1:{}", port.trim()).parse().expect("nc is told a port")
}

/// Somebody logs in who is answered in English.
#[track_caller]
fn join(address: SocketAddr, name: &str) -> Peer {
    let mut peer = Peer::connect(address);
    enter(&mut peer, name);
    peer
}

#[track_caller]
fn enter(peer: &mut Peer, name: &str) {
    peer.expect("Login ID:");
    peer.say(name);
    peer.expect(&format!("[{name}] joined.\n"));
}

/// What one says, the other hears.
#[track_caller]
fn expect_chat(one: &mut Peer, other: &mut Peer) {
    one.say("hello there");
    other.expect("] hello there\n");
}

#[test]
fn every_command_of_the_operator_does_what_its_table_says() {
    let (mut terminal, address) = start();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| join(address, name));

    for command in
        ["/kick", "/unkick", "/mute", "/ban", "/unban", "/bans", "/say", "/stop", "/who", "/rooms"]
    {
        terminal.enter("/help", command);
    }
    terminal.enter("/help ban", "/ban ");
    terminal.enter("/who", "2 here\n  lobby: alice\n  lobby: bob\n");
    terminal.enter("/who nowhere", &words(Notice::NoSuchRoom));
    alice.say("/join math");
    alice.expect("[alice] joined.\n");
    terminal.enter("/rooms", "  lobby (1)\n  math (1)\n");
    terminal.enter("/who math", "1 here\n  math: alice\n");

    terminal.enter("/say closing at six", "ok\n");
    for peer in [&mut alice, &mut bob] {
        peer.expect("[server] closing at six\n");
    }
    alice.say("/leave");
    alice.expect("[alice] joined.\n");
    bob.expect("[alice] joined.\n");

    terminal.enter("/mute bob", "ok\n");
    alice.expect("-- the operator muted [bob] --\n");
    bob.say("can you hear me?");
    bob.expect(&words(Notice::Muted { seconds: None }));
    terminal.enter("/unmute bob", "ok\n");
    alice.expect("-- [bob] may speak again --\n");
    terminal.enter("/unmute bob", &words(Notice::Already));
    terminal.enter("/mute bob 1s", "ok\n");
    alice.expect("-- the operator muted [bob] for 1 s --\n-- [bob] may speak again --\n");
    expect_chat(&mut bob, &mut alice);

    bob.say("/join math");
    bob.expect("[bob] joined.\n");
    alice.expect("[bob] left.\n");
    terminal.enter("/kick bob", "ok\n");
    bob.expect(&words(Notice::NoRoom));
    terminal.enter("/kick bob", &words(Notice::InNoRoom { user: "bob" }));
    terminal.enter("/say all of you", "ok\n");
    for peer in [&mut alice, &mut bob] {
        peer.expect("[server] all of you\n");
    }
    bob.say("/join math");
    bob.expect("You were removed from there;");
    terminal.enter("/unkick bob", "ok\n");
    terminal.enter("/unkick bob", &words(Notice::Already));
    bob.say("/join lobby");
    bob.expect("[bob] joined.\n");
    alice.expect("[bob] joined.\n");
    terminal.enter("/kick bob", "ok\n");
    alice.expect("-- the operator removed [bob] --\n");
    assert!(
        bob.expect_end().ends_with("The operator removed you; you may come in again in 10 min.\n")
    );
    terminal.enter("/unkick bob", "ok\n");
    alice.expect("-- the operator lets [bob] in again --\n");
    let mut bob = join(address, "bob");
    alice.expect("[bob] joined.\n");
    for (wrong, words) in [
        ("/kick nobody", "Nobody has that name."),
        ("/kick", "Usage: /kick "),
        ("/ban 10.0.0.1 soon", "Usage: /ban "),
        ("/nick boss", "There is no such command."),
        ("/nonsense", "There is no such command."),
        ("hello", "There is no such command."),
    ] {
        terminal.enter(wrong, words);
    }
    expect_chat(&mut alice, &mut bob);

    terminal.enter("/stop", "--- The chat server stops.\n");
    for peer in [&mut alice, &mut bob] {
        assert!(peer.expect_end().ends_with(&words(Notice::Goodbye(Goodbye::Shutdown))));
    }
    assert_eq!(terminal.expect_exit(), 0);
}

#[test]
fn bans_hold_for_names_and_for_addresses() {
    let (mut terminal, address) = start();
    let mut alice = join(address, "alice");
    let mut bob = join(address, "bob");
    terminal.enter("/bans", "Nothing is banned.\n");

    terminal.enter("/ban bob", "removed: bob (127.0.0.1)\n");
    assert!(bob.expect_end().contains("(banned)"));
    alice.expect("[bob] left.\n");
    let mut again = Peer::connect(address);
    again.expect("Login ID:");
    for name in ["bob", "BOB", "b0b"] {
        again.say(name);
        again.expect(&(words(Notice::NameBanned) + "Login ID:"));
    }
    alice.say("/nick bob");
    alice.expect(&words(Notice::NameBanned));

    let [mut mallory, mut nameless] =
        [(); 2].map(|()| Peer::connect_from([127, 0, 0, 2].into(), address));
    enter(&mut mallory, "mallory");
    nameless.expect("Login ID:");
    terminal.enter("/ban 127.0.0.2 1h", "removed: mallory (127.0.0.2)\n");
    for peer in [&mut mallory, &mut nameless] {
        assert!(peer.expect_end().contains("(banned)"));
    }
    alice.expect("[mallory] left.\n");
    let mut refused = Peer::connect_from([127, 0, 0, 2].into(), address);
    assert!(refused.expect_end().contains("(banned)"));
    terminal.enter("/bans", "  bob\n  127.0.0.2 (");

    terminal.enter("/unban bob", "ok\n");
    terminal.enter("/unban 127.0.0.2", "ok\n");
    terminal.enter("/unban 127.0.0.2", &words(Notice::Already));
    terminal.enter("/bans", "Nothing is banned.\n");
    again.say("bob");
    again.expect("[bob] joined.\n");
    enter(&mut Peer::connect_from([127, 0, 0, 2].into(), address), "mallory");
}

#[test]
fn the_end_of_the_input_ends_the_operator_alone() {
    let (mut terminal, address) = start();
    terminal.type_in(CTRL_D);
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| join(address, name));
    expect_chat(&mut alice, &mut bob);
    expect_idle(terminal.pid());
    // The terminal still shows who comes, and still sends its signals.
    terminal.expect("[bob]");
    terminal.type_in("\x03");
    assert_eq!(terminal.expect_exit(), 0);
}

#[test]
fn a_server_in_the_background_of_a_terminal_neither_stops_nor_spins() {
    let mut shell = Command::new("sh");
    shell.arg("-i").env("PS1", "$ ").env_remove("ENV");
    let mut terminal = Terminal::start(shell);
    terminal.expect("$ ");
    terminal.type_in(&format!("{BINARY} {}\n", FLAGS.join(" ")));
    let address = listening_at(&mut terminal);
    let shell = terminal.pid().as_raw_pid();
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let children = children.expect("the shell is there");
    let server = Pid::from_raw(children.trim().parse().expect("one child, the server"));
    let server = server.expect("it is not zero");
    let mut alice = join(address, "alice");

    terminal.type_in(CTRL_Z);
    terminal.expect("$ ");
    terminal.type_in("bg\n");
    terminal.expect("$ ");
    let mut bob = join(address, "bob");
    expect_chat(&mut alice, &mut bob);
    // What is typed now is the shell's.
    terminal.enter("echo $((40 + 2))", "42\n");
    // Half a line waits in the terminal for the shell: the server leaves it alone.
    terminal.type_in("echo half");
    expect_idle(server);
    terminal.type_in(" and whole\n");
    terminal.expect("half and whole\n");
    expect_chat(&mut bob, &mut alice);

    terminal.type_in("fg\n");
    terminal.expect(BINARY);
    // It looks for the foreground now and then.
    terminal.type_in("/who\n");
    terminal.expect("2 here\n");
    terminal.enter("/stop", "--- The chat server stops.\n");
    terminal.expect("$ ");
    terminal.type_in("exit\n");
    terminal.expect_exit();
}

#[test]
fn a_server_without_a_terminal_has_no_operator_and_runs() {
    let inputs: [fn() -> Command; 3] = [
        || command_after("exec < /dev/null"),
        || command_after("exec <&-"),
        || {
            let mut command = command();
            command.stdin(Stdio::piped());
            command
        },
    ];
    for (at, input) in inputs.into_iter().enumerate() {
        let mut server = ServerProcess::start_as(&mut input());
        let [mut one, mut other] = ["하나", "둘"].map(|name| Peer::join(server.address, name));
        one.say("들려요?");
        other.expect("[하나] 들려요?\n");
        if at == 2 {
            // A pipe is nobody's terminal.
            server.type_in("/stop\n");
            other.say("네");
            one.expect("[둘] 네\n");
            server.end_input();
        }
        expect_idle(server.pid());
        one.say("/ping");
        one.expect("퐁\n");
    }
}
