//! The operator at the server's terminal; and servers without an operator, which keep running.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::{CommandError, CommandSpec},
    notice::{Done, Goodbye, Notice},
    text::Lang,
};
use madang_tests::TestFolder;
use rustix::process::Pid;

use crate::{
    descriptors::expect_idle,
    incoming::PATIENCE,
    peer::Peer,
    server_process::{BINARY, ServerProcess, command, command_after},
    terminal::{CTRL_C, CTRL_D, CTRL_L, CTRL_S, CTRL_U, CTRL_Z, ENTER, TAB, Terminal, UP},
};

const FLAGS: [&str; 5] = ["--listen", "127.0.0.1:0", "--no-web", "--lang", "en"];

/// A notice as a line; its words are asserted in the end-to-end tests.
fn words(notice: Notice<'_>) -> String {
    notice.text(Lang::En) + "\n"
}

/// A line that tells the operator what was done.
fn done(done: Done<'_>) -> String {
    words(Notice::Done(done))
}

/// The server in the foreground of a terminal, and the address where it listens.
#[track_caller]
fn start() -> (Terminal, SocketAddr) {
    start_sized(160, 50)
}

#[track_caller]
fn start_sized(columns: u16, rows: u16) -> (Terminal, SocketAddr) {
    start_with(&[], columns, rows)
}

#[track_caller]
fn start_with(flags: &[&str], columns: u16, rows: u16) -> (Terminal, SocketAddr) {
    let mut command = command();
    // Its standard input is the terminal's.
    command.stdin(Stdio::inherit()).env_remove("MADANG_WEB").args(FLAGS).args(flags);
    let mut terminal = Terminal::start_sized(command, columns, rows);
    let address = listening_at(&mut terminal);
    (terminal, address)
}

#[track_caller]
fn listening_at(terminal: &mut Terminal) -> SocketAddr {
    terminal.expect("nc 127.0.0.1 ");
    let port = terminal.expect("\n");
    format!("127.0.0.1:{}", port.trim()).parse().expect("nc is told a port")
}

/// Logs somebody in on an English server.
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

/// What one says, the other reads.
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
        ["/who", "/rooms", "/say", "/kick", "/mute", "/ban", "/unban", "/stop", "/help all"]
    {
        terminal.enter("/help", command);
    }
    for command in ["/help", "/unkick", "/unmute", "/bans"] {
        terminal.enter("/help all", command);
    }
    terminal.enter("/help ban", "/ban ");
    terminal
        .enter("/who", "2 people\n  name   room   address    idle\n  alice  lobby  127.0.0.1  ");
    terminal.enter("/who nowhere", &words(Notice::NoPublicRoom));
    alice.say("/join math");
    alice.expect("[alice] joined.\n");
    terminal.enter("/rooms", "  lobby (1)\n  math (1)\n");
    terminal
        .enter("/who math", "1 person\n  name   room  address    idle\n  alice  math  127.0.0.1  ");

    terminal.enter("/say closing at six", &done(Done::Announced { people: 2 }));
    for peer in [&mut alice, &mut bob] {
        peer.expect("[server] closing at six\n");
    }
    alice.say("/leave");
    alice.expect("[alice] joined.\n");
    bob.expect("[alice] joined.\n");

    terminal.enter("/mute bob", &done(Done::Muted { user: "bob", seconds: None }));
    alice.expect("-- the operator muted [bob] --\n");
    bob.say("can you hear me?");
    bob.expect(&words(Notice::Muted { seconds: None }));
    terminal.enter("/who", "muted\n");
    terminal.enter("/unmute bob", &done(Done::Unmuted { user: "bob" }));
    alice.expect("-- [bob] is no longer muted --\n");
    terminal.enter("/unmute bob", &words(Notice::Already));
    terminal.enter("/mute bob 1s", &done(Done::Muted { user: "bob", seconds: Some(1) }));
    alice.expect("-- the operator muted [bob] for 1 second --\n-- [bob] is no longer muted --\n");
    expect_chat(&mut bob, &mut alice);

    bob.say("/join math");
    bob.expect("[bob] joined.\n");
    alice.expect("[bob] left.\n");
    terminal.enter("/kick bob", &done(Done::Kicked { user: "bob", seconds: 600 }));
    bob.expect(&words(Notice::NoRoom));
    terminal.enter("/kick bob", &words(Notice::InNoRoom { user: "bob" }));
    terminal.enter("/say all of you", &done(Done::Announced { people: 2 }));
    for peer in [&mut alice, &mut bob] {
        peer.expect("[server] all of you\n");
    }
    bob.say("/join math");
    bob.expect(&words(Notice::Kicked { seconds: 600 }));
    terminal.enter("/unkick bob", &done(Done::Unkicked { user: "bob" }));
    terminal.enter("/unkick bob", &words(Notice::Already));
    bob.say("/join lobby");
    bob.expect("[bob] joined.\n");
    alice.expect("[bob] joined.\n");
    terminal.enter("/kick bob", &done(Done::Kicked { user: "bob", seconds: 600 }));
    alice.expect("-- the operator removed [bob] --\n");
    let goodbye = words(Notice::Goodbye(Goodbye::Kicked { seconds: 600 }));
    assert!(bob.expect_end().ends_with(&goodbye));
    terminal.enter("/unkick bob", &done(Done::Unkicked { user: "bob" }));
    alice.expect("-- the operator allowed [bob] back in --\n");
    let mut bob = join(address, "bob");
    alice.expect("[bob] joined.\n");
    let unknown = words(Notice::CommandRefused(&CommandError::Unknown { nearest: None }));
    let nick = CommandSpec::find("/nick").expect("a command");
    for (wrong, words) in [
        ("/kick nobody", &*words(Notice::Nobody)),
        ("/kick", "Usage: /kick "),
        ("/ban 10.0.0.1 soon", "Usage: /ban "),
        ("/ban 64:ff9b::/64", "Usage: /ban "),
        ("/ban 64:ff9b::/96", "0.0.0.0/0 is all IPv4 addresses."),
        ("/ban 0.0.0.0/0 1h", "0.0.0.0/0 is all IPv4 addresses."),
        ("/ban ::/0", "::/0 is all IPv6 addresses."),
        ("/ban 192.0.2.1/2", "192.0.0.0/2 is 1/4 of all IPv4 addresses."),
        ("/nick boss", &words(Notice::CommandRefused(&CommandError::ForMembers(nick)))),
        ("/nonsense", &unknown),
        ("hello, all", "To talk to everyone: /say hello, all\n"),
    ] {
        terminal.enter(wrong, words);
    }
    expect_chat(&mut alice, &mut bob);

    terminal.enter("/stop", "--- Chat server stopping.\n");
    for peer in [&mut alice, &mut bob] {
        assert!(peer.expect_end().ends_with(&words(Notice::Goodbye(Goodbye::Shutdown))));
    }
    assert_eq!(terminal.expect_exit(), 0);
}

#[test]
fn the_operator_looks_at_a_room_without_being_a_member() {
    let (mut terminal, address) = start();
    let mut alice = join(address, "alice");
    terminal.enter("/topic", &words(Notice::NoTopic));
    let topic = Done::TopicSet { room: "lobby", topic: "sockets" };
    terminal.enter("/topic sockets", &done(topic));
    alice.expect("-- the operator set the topic: sockets --\n");
    terminal.enter("/topic", &words(Notice::TopicIs("sockets")));

    alice.say("/join math");
    alice.expect("[alice] joined.\n");
    alice.say("one and one");
    alice.expect("[alice] one and one\n");
    let looking = Done::Looking { room: "math", members: 1, topic: None };
    terminal.enter("/join math", &done(looking));
    terminal.screen.expect_last(&["[math]"]);
    terminal.enter("/history", "[alice] one and one\n");
    terminal.enter("/lock", &done(Done::Locked { room: "math" }));
    alice.expect("-- the operator locked the room --\n");
    let mut bob = join(address, "bob");
    bob.say("/join math");
    bob.expect(&words(Notice::RoomLocked));
    terminal.enter("/unlock", &done(Done::Unlocked { room: "math" }));
    alice.expect("-- the operator unlocked the room --\n");

    terminal.enter("/whois alice", "  alice  math  127.0.0.1  ");
    terminal.enter("/msg alice see me", "[whisper → alice] see me\n");
    alice.expect("[whisper server] see me\n");
    alice.say("/reply yes");
    alice.expect(&words(Notice::NoWhisper));
    // Nothing is on disk here.
    terminal.enter("/search one", &words(Notice::NotKept));
    terminal.enter("/leave", "Commands are now about the lobby");
    terminal.enter("/join nowhere", &words(Notice::NoPublicRoom));

    // The QR code too, in blanks with a background colour.
    terminal.enter("/invite", "  nc: nc 127.0.0.1 ");
    terminal.screen.expect_raw("\x1b[48;5;231m");
    assert!(!terminal.shown().contains('▀'));
    terminal.enter("/lang ko", &(Notice::LangSet.text(Lang::Ko) + "\n"));
    terminal.enter("/누구", "대화 참여자 2명\n");
    // Rooms have the same names as on the page.
    terminal.screen.expect_last(&["[로비]"]);
    terminal.enter("/잠금", "로비를 잠갔습니다.");
}

#[test]
fn the_operator_reads_back_what_is_saved_and_deletes_it() {
    let folder = TestFolder::new();
    let data = folder.path().to_str().expect("a test's folder is UTF-8");
    let flags = ["--data", data, "--rate-limit", "off"];
    let (mut terminal, address) = start_with(&flags, 160, 50);
    let mut alice = join(address, "alice");
    for number in 1..=60 {
        alice.say(&format!("number {number}"));
        alice.expect(&format!("[alice] number {number}\n"));
    }
    terminal.enter("/history 2", "[alice] number 59\n");
    terminal.enter("/history", "[alice] number 9\n");
    terminal.enter("/search \"number 6\"", "-- 2 found");
    terminal.enter("/forget lobby", "Deleted 6");
    let nothing = words(Notice::Found { count: 0, is_all: true });
    terminal.enter("/search \"number 6\"", &nothing);
}

#[test]
fn muting_everyone_also_mutes_people_who_join_later() {
    let (mut terminal, address) = start();
    let mut alice = join(address, "alice");
    let mut bob = join(address, "bob");
    bob.say("/join math");
    bob.expect("[bob] joined.\n");
    terminal.enter("/mute all", &done(Done::AllMuted { seconds: None }));
    let mut carol = join(address, "carol");
    carol.say("/join math");
    carol.expect("[carol] joined.\n");
    for peer in [&mut alice, &mut bob] {
        peer.expect("-- the operator muted everyone --\n");
    }
    for peer in [&mut alice, &mut bob, &mut carol] {
        peer.say("hello");
        peer.expect(&words(Notice::Muted { seconds: None }));
        peer.say("/msg alice hello");
        peer.expect("\n");
    }
    terminal.enter("/unmute all", &done(Done::AllUnmuted));
    for peer in [&mut alice, &mut bob, &mut carol] {
        peer.expect("-- everyone can speak again --\n");
    }
    expect_chat(&mut bob, &mut carol);

    terminal.enter("/mute all 1s", &done(Done::AllMuted { seconds: Some(1) }));
    alice.expect("-- the operator muted everyone for 1 second --\n");
    alice.expect("-- everyone can speak again --\n");
    expect_chat(&mut carol, &mut bob);
    let mut dave = join(address, "dave");
    expect_chat(&mut dave, &mut alice);
}

#[test]
fn bans_hold_for_names_and_for_addresses() {
    let (mut terminal, address) = start();
    let mut alice = join(address, "alice");
    let mut bob = join(address, "bob");
    terminal.enter("/bans", "Nothing is banned.\n");

    terminal.enter("/ban bob", "Disconnected: bob (127.0.0.1)\n");
    assert!(bob.expect_end().contains(&words(Notice::Goodbye(Goodbye::Banned))));
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
    terminal.enter("/ban 127.0.0.2 1h", "Disconnected: mallory (127.0.0.2)\n");
    terminal.expect(&words(Notice::OwnMachineBanned));
    for peer in [&mut mallory, &mut nameless] {
        assert!(peer.expect_end().contains(&words(Notice::Goodbye(Goodbye::Banned))));
    }
    alice.expect("[mallory] left.\n");
    let mut refused = Peer::connect_from([127, 0, 0, 2].into(), address);
    assert!(refused.expect_end().contains(&words(Notice::Goodbye(Goodbye::Banned))));
    terminal.enter("/bans", "  bob\n  127.0.0.2 (");

    terminal.enter("/unban bob", &done(Done::Unbanned { what: "bob" }));
    terminal.enter("/unban 127.0.0.2", &done(Done::Unbanned { what: "127.0.0.2" }));
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
    // The terminal still shows who joins, and still sends signals.
    terminal.expect("[bob]");
    terminal.type_in(CTRL_C);
    assert_eq!(terminal.expect_exit(), 0);
}

#[test]
fn a_server_in_the_background_of_a_terminal_neither_stops_nor_spins() {
    let mut shell = Command::new("sh");
    shell.arg("-i").env("PS1", "$ ").env_remove("ENV");
    let mut terminal = Terminal::start(shell);
    terminal.expect("$");
    terminal.screen.enter(&format!("{BINARY} {}", FLAGS.join(" ")));
    let address = listening_at(&mut terminal);
    let shell = terminal.pid().as_raw_pid();
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let children = children.expect("the shell is there");
    let server = Pid::from_raw(children.trim().parse().expect("one child, the server"));
    let server = server.expect("it is not zero");
    let mut alice = join(address, "alice");

    terminal.type_in("half a li");
    terminal.screen.expect_row("[lobby] half a li");
    terminal.type_in(CTRL_Z);
    terminal.expect("Stopped");
    terminal.expect("$\n");
    terminal.screen.enter("bg");
    terminal.expect(BINARY);
    terminal.expect("$");
    let mut bob = join(address, "bob");
    expect_chat(&mut alice, &mut bob);
    // What is typed now goes to the shell.
    terminal.screen.enter("echo $((40 + 2))");
    terminal.expect("42\n");
    // Half a line waits in the terminal for the shell; the server does not read it.
    terminal.type_in("echo half");
    expect_idle(server);
    terminal.screen.enter(" and whole");
    terminal.expect("half and whole\n");
    expect_chat(&mut bob, &mut alice);

    terminal.screen.enter("fg");
    terminal.expect(BINARY);
    // What had been typed is back.
    terminal.screen.expect_row("[lobby] half a li");
    terminal.type_in(CTRL_U);
    // The server checks now and then whether it is in the foreground.
    terminal.screen.enter("/who");
    terminal.expect("2 people\n");
    terminal.enter("/stop", "--- Chat server stopping.\n");
    terminal.expect("$\n");
    // The shell finds its terminal as it was.
    terminal.screen.enter("stty -a");
    let modes = terminal.expect("echoke");
    assert!(modes.contains(" icanon") && modes.contains(" icrnl"), "{modes}");
    terminal.expect("$\n");
    terminal.screen.enter("exit");
    terminal.expect_exit();
}

#[test]
fn lines_of_the_console_never_break_the_line_that_is_typed() {
    for (columns, rows) in [(80, 24), (40, 10)] {
        let (mut terminal, address) = start_sized(columns, rows);
        terminal.type_in("/say 반쯤 쓴");
        let names: Vec<String> = (0..30).map(|number| format!("member-{number}")).collect();
        let mut members: Vec<Peer> = names.iter().map(|name| join(address, name)).collect();
        terminal.expect("member-29] joined");
        terminal.screen.expect_last(&["[lobby] /say 반쯤 쓴"]);
        terminal.type_in(" 줄");
        terminal.type_in(ENTER);
        members[0].expect("[server] 반쯤 쓴 줄\n");
        // The typed line stays where it was, with its answer below.
        let shown = terminal.shown();
        assert_eq!(shown.matches("반쯤").count(), 1, "{shown}");
        for name in &names {
            assert_eq!(shown.matches(&format!("[{name}] joined")).count(), 1, "{shown}");
        }
    }
}

#[test]
fn tab_completes_and_the_arrow_calls_back() {
    let (mut terminal, address) = start();
    let mut alice = join(address, "alice-in-wonderland");
    alice.say("/join mathematics");
    alice.expect("joined.\n");
    terminal.type_in("/ki");
    terminal.screen.expect_row("[lobby] /kick NAME");
    terminal.type_in(TAB);
    terminal.type_in("ali");
    terminal.type_in(TAB);
    terminal.screen.expect_row("[lobby] /kick alice-in-wonderland");
    terminal.type_in(CTRL_U);
    terminal.type_in("/who math");
    terminal.type_in(TAB);
    terminal.type_in(ENTER);
    terminal.expect("1 person\n");
    terminal.type_in(UP);
    terminal.screen.expect_last(&["[lobby] /who mathematics"]);
}

#[test]
fn ctrl_l_clears_the_screen_and_keeps_the_line() {
    let (mut terminal, _) = start();
    terminal.type_in("/say half");
    terminal.screen.expect_row("[lobby] /say half");
    terminal.type_in(CTRL_L);
    terminal.screen.expect_screen("only the line", |rows| rows == ["[lobby] /say half"]);
}

#[test]
fn ctrl_c_stops_the_server_whatever_is_typed() {
    let (mut terminal, address) = start();
    let mut alice = join(address, "alice");
    terminal.type_in("/say half");
    terminal.screen.expect_row("[lobby] /say half");
    terminal.type_in(CTRL_C);
    assert!(alice.expect_end().ends_with(&words(Notice::Goodbye(Goodbye::Shutdown))));
    assert_eq!(terminal.expect_exit(), 0);
}

#[test]
fn a_terminal_that_takes_nothing_stops_nobody() {
    for stalls in [true, false] {
        let (mut terminal, address) = start();
        if !stalls {
            // The key is the editor's now; it must not stop anybody either.
            terminal.type_in(CTRL_S);
        }
        // From here on nobody reads: the terminal takes a few KiB more, and then nothing.
        for _ in 0..1_000 {
            Peer::connect(address).expect("Login ID:");
        }
        let [mut alice, mut bob] = ["alice", "bob"].map(|name| join(address, name));
        expect_chat(&mut alice, &mut bob);
        let server = terminal.pid();
        rustix::process::kill_process(server, rustix::process::Signal::TERM).expect("it runs");
        assert!(alice.expect_end().ends_with(&words(Notice::Goodbye(Goodbye::Shutdown))));
        let stat = format!("/proc/{}/stat", server.as_raw_pid());
        let has_ended = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let deadline = Instant::now() + PATIENCE;
        while !has_ended() {
            assert!(Instant::now() < deadline, "it waits for its terminal");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The server in a window of this size, with a page, whose link has a QR code.
#[track_caller]
fn start_with_page(columns: u16, rows: u16, more: impl FnOnce(&mut Command)) -> Terminal {
    start_at_page(columns, rows, more).0
}

/// The same, with the address for nc.
#[track_caller]
fn start_at_page(
    columns: u16,
    rows: u16,
    more: impl FnOnce(&mut Command),
) -> (Terminal, SocketAddr) {
    let mut command = command();
    command.stdin(Stdio::inherit()).args(["--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"]);
    command.args(["--lang", "en"]);
    more(&mut command);
    let mut terminal = Terminal::start_sized(command, columns, rows);
    let address = listening_at(&mut terminal);
    (terminal, address)
}

#[test]
fn a_qr_code_fits_the_window_or_its_size_is_told() {
    let painted = "\x1b[48;5;231m";
    let mut wide = start_with_page(160, 50, |_| {});
    wide.enter("/invite", "nc 127.0.0.1 ");
    wide.screen.expect_raw(painted);

    // The code and one row for the typed line fit, but not with the banner below.
    let mut usual = start_with_page(80, 24, |_| {});
    usual.expect(&Notice::QrOnRequest.text(Lang::En));
    assert!(!usual.screen.raw().contains(painted));
    usual.enter("/invite", "nc 127.0.0.1 ");
    usual.screen.expect_raw(painted);

    let mut small = start_with_page(80, 23, |_| {});
    small.enter("/invite", "nc 127.0.0.1 ");
    small.expect(&Notice::QrTooLarge { columns: 46, rows: 24 }.text(Lang::En));
    assert!(!small.screen.raw().contains(painted));
    small.screen.enter("/invite qr");
    small.screen.expect_screen("a whole code", |rows| {
        rows.iter().filter(|row| row.contains('█')).count() >= 12
    });
}

#[test]
fn without_colours_the_console_sends_none() {
    let mut terminal = start_with_page(160, 50, |command| {
        command.env("NO_COLOR", "1");
    });
    terminal.enter("/invite", "nc 127.0.0.1 ");
    terminal.enter("/who", "0 people\n");
    // Half blocks need no colour.
    terminal.enter("/invite qr", "█");
    terminal.enter("/hlep", "/help");
    terminal.enter("/stop", "--- Chat server stopping.\n");
    assert_eq!(terminal.expect_exit(), 0);
    let raw = terminal.screen.raw();
    let coloured = raw.split("\x1b[").skip(1).find(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
    });
    assert_eq!(coloured, None, "{raw:?}");
    assert!(!raw.contains("QR"), "nothing is said of a size that does not matter");
}

#[test]
fn a_terminal_where_no_line_can_be_edited_is_read_as_it_is() {
    let mut command = command();
    command.stdin(Stdio::inherit()).env_remove("MADANG_WEB").env("TERM", "dumb").args(FLAGS);
    let mut terminal = Terminal::start(command);
    let mut alice = join(listening_at(&mut terminal), "alice");
    terminal.screen.enter("/say hello");
    terminal.expect(&done(Done::Announced { people: 1 }));
    alice.expect("[server] hello\n");
    assert!(!terminal.screen.raw().contains('\x1b'), "{}", terminal.screen.raw());
    terminal.screen.enter("/stop");
    terminal.expect("--- Chat server stopping.\n");
    assert_eq!(terminal.expect_exit(), 0);
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
            // A pipe has no operator.
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

#[test]
fn the_teachers_code_is_shown_for_half_a_minute_and_stays_nowhere() {
    let (mut terminal, address) = start();
    let mut alice = join(address, "alice");
    // The typed command stays on the screen; what it shows is part of the prompt.
    terminal.screen.enter("/code");
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        let row = terminal.shown();
        if let Some((_, code)) = row.split_once("teacher's code ")
            && let Some(code) = code.split(' ').next().filter(|code| code.len() == 9)
        {
            break code.to_owned();
        }
        assert!(Instant::now() < deadline, "{row}");
        thread::sleep(Duration::from_millis(20));
    };
    alice.say(&format!("/teach {code}"));
    alice.expect("You are a teacher now.");
    terminal.expect("=== [alice] became a teacher\n");
    terminal.screen.expect_last(&[&format!("teacher's code {code} [lobby]")]);
    // Commands typed meanwhile are carried out, and leave no code behind.
    terminal.screen.enter("/who");
    terminal.expect("1 person\n");
    let deadline = Instant::now() + Duration::from_secs(60);
    while terminal.shown().contains(&code) {
        assert!(Instant::now() < deadline, "{}", terminal.shown());
        thread::sleep(Duration::from_millis(100));
    }
    terminal.screen.expect_last(&["[lobby]"]);
}

#[test]
fn the_teachers_code_is_drawn_where_nothing_of_it_stays() {
    let (mut terminal, address) = start_at_page(160, 50, |_| {});
    let mut alice = join(address, "alice");
    terminal.screen.enter("/code qr");
    let is_drawn = |rows: &[String]| {
        rows.iter().any(|row| row.starts_with("teacher's code ")) && rows.len() > 20
    };
    terminal.screen.expect_screen("a QR code", is_drawn);
    let shown = terminal.screen.rows();
    let code = shown.iter().find_map(|row| row.strip_prefix("teacher's code "));
    let code = code.and_then(|rest| rest.split(' ').next()).expect("it is shown").to_owned();
    // What happens meanwhile waits.
    alice.say(&format!("/teach {code}"));
    alice.expect("You are a teacher now.");
    terminal.screen.expect_screen("a QR code still", is_drawn);
    // Enter hides it; a command would be carried out.
    terminal.screen.enter("");
    terminal.expect("=== [alice] became a teacher\n");
    terminal.screen.expect_last(&["[lobby]"]);
    assert!(!terminal.shown().contains(&code), "{}", terminal.shown());
    terminal.screen.enter("/code qr");
    terminal.screen.expect_screen("a QR code again", is_drawn);
    terminal.screen.enter("/who");
    terminal.expect("1 person\n");
    terminal.screen.expect_last(&["[lobby]"]);
    assert!(!terminal.shown().contains(&code), "{}", terminal.shown());
    // The end of the server restores the screen, too.
    terminal.screen.enter("/code qr");
    terminal.screen.expect_screen("a QR code at last", is_drawn);
    terminal.type_in(CTRL_C);
    assert_eq!(terminal.expect_exit(), 0);
    assert!(!terminal.shown().contains(&code), "{}", terminal.shown());
}

#[test]
fn a_window_too_small_for_the_teachers_qr_code_is_told_what_it_needs() {
    let mut terminal = start_with_page(60, 12, |_| {});
    terminal.screen.enter("/code qr");
    terminal.expect("The QR code needs ");
    terminal.screen.expect_screen("the code without", |rows| {
        rows.iter().any(|row| row.starts_with("teacher's code "))
    });
}
