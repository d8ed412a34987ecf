//! `--data` on a misbehaving disk: one that hangs, fails, is full, or is on another machine; and
//! the order of syncs and acks as the kernel saw it. The disk harms nobody's chat, and an ack
//! never promises too much.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::{TestClient, TestFolder};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    incoming::PATIENCE,
    journal::{saved, start, text, wait_for},
    program::Program,
    reach::CODE,
    server_process::{ServerProcess, command, command_under},
};

/// After this time, a speaker is told that a line may not be safe (DESIGN, section 8).
const OWED: Duration = Duration::from_secs(5);

/// A disk that does what the test tells it: `failing_disk.c`, compiled for this test.
pub(crate) struct FailingDisk {
    folder: TestFolder,
    library: PathBuf,
    orders: PathBuf,
}

impl FailingDisk {
    #[track_caller]
    pub(crate) fn new() -> FailingDisk {
        let folder = TestFolder::new();
        let library = folder.path().join("failing_disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/failing_disk.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", source, "-ldl", "-o"]).arg(&library);
        let status = compiler.status().expect("there is a compiler");
        assert!(status.success(), "{source} does not compile");
        let orders = folder.write("orders", "");
        FailingDisk { folder, library, orders }
    }

    pub(crate) fn order(&self, order: &str) {
        // Atomically: the server looks at it all the time.
        let new = self.folder.write("new", order);
        fs::rename(new, &self.orders).expect("the folder is there");
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn start_server(&self) -> ServerProcess {
        self.start_server_with(&[])
    }

    pub(crate) fn start_server_with(&self, flags: &[&str]) -> ServerProcess {
        let data = self.data();
        let mut command = command();
        command.env("LD_PRELOAD", &self.library).env("TEST_DISK", &self.orders);
        let code = self.folder.write("code", CODE);
        command.args(["--rate-limit", "off", "--lang", "en", "--data", text(&data)]);
        command.args(["--teacher-code", text(&code)]).args(flags);
        ServerProcess::start_as(&mut command)
    }
}

/// A speaker over JSON and a listener in lines.
pub(crate) struct Two {
    pub(crate) alice: TestClient,
    bob: TestClient,
    said: usize,
}

impl Two {
    pub(crate) fn log_in(server: &ServerProcess) -> Two {
        let mut alice = TestClient::connect(server.address);
        assert_eq!(alice.login_json("alice")["durable"], true);
        let mut bob = TestClient::connect(server.address);
        bob.login("bob");
        Two { alice, bob, said: 0 }
    }

    /// Says a line; returns how long it took to reach the other.
    #[track_caller]
    pub(crate) fn say(&mut self) -> Duration {
        let (number, began) = (self.said, Instant::now());
        self.said += 1;
        self.alice.send_json(json!({
            "type": "say", "text": format!("line {number} of alice"), "nonce": format!("n{number}"),
        }));
        self.bob.expect(format!("[alice] line {number} of alice\n"));
        began.elapsed()
    }

    /// Waits until the listener has got this text.
    #[track_caller]
    pub(crate) fn heard(&mut self, text: &str) {
        self.bob.expect(text);
    }

    /// The next ack: the number of its line, and whether it promises that the line is safe.
    #[track_caller]
    pub(crate) fn ack(&mut self) -> (usize, bool) {
        let ack = wait_for(&mut self.alice, "ack");
        let number = ack["nonce"].as_str().expect("a nonce")[1..].parse();
        (number.expect("the test's nonce"), ack["durable"] != false)
    }

    /// Says lines until the server reports that they are saved again.
    #[track_caller]
    pub(crate) fn say_when_saved_again(&mut self, server: &mut ServerProcess) {
        server.out().expect("--- Messages are saved again.");
        self.say();
        assert_eq!(self.ack(), (self.said - 1, true));
    }
}

/// Stops the server cleanly; returns how often its console reported the trouble and its end.
#[track_caller]
fn stop(mut server: ServerProcess) -> (usize, usize) {
    server.signal(Signal::TERM);
    server.out().expect_end();
    assert_eq!(server.expect_exit(), 0);
    let shown = String::from_utf8_lossy(server.out().bytes()).into_owned();
    let count = |words| shown.matches(words).count();
    (
        count("--- Messages can't be saved; the chat goes on: "),
        count("--- Messages are saved again."),
    )
}

/// The numbers of Alice's lines on the disk.
pub(crate) fn numbers(events: &[Value]) -> Vec<usize> {
    let said = events.iter().filter_map(|event| {
        event["text"].as_str()?.strip_prefix("line ")?.strip_suffix(" of alice")?.parse().ok()
    });
    said.collect()
}

#[test]
fn a_folder_that_is_gone_promises_nothing_until_it_is_back() {
    let folder = TestFolder::new();
    let (data, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
    let mut server =
        ServerProcess::start(&["--rate-limit", "off", "--lang", "en", "--data", text(&data)]);
    let mut two = Two::log_in(&server);
    two.say();
    assert_eq!(two.ack(), (0, true));
    fs::rename(&data, &elsewhere).expect("its own folder");
    two.say();
    assert_eq!(two.ack(), (1, false));
    fs::rename(&elsewhere, &data).expect("its own folder");
    two.say_when_saved_again(&mut server);
    let said = two.said;
    assert_eq!(stop(server), (1, 1));
    assert_eq!(numbers(&saved(&data, "lobby")), (0..said).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs cc, and half a minute"]
fn a_disk_that_hangs_for_half_a_minute_delays_nobody() {
    let disk = FailingDisk::new();
    let mut server = disk.start_server();
    let mut two = Two::log_in(&server);
    two.say();
    assert_eq!(two.ack(), (0, true));

    disk.order("hang");
    let began = Instant::now();
    let mut latencies = vec![two.say()];
    // An overdue ack is reported when it is overdue, not before.
    assert_eq!(two.ack(), (1, false));
    let owed_for = began.elapsed();
    assert!(owed_for >= OWED - Duration::from_millis(20), "{owed_for:?}");
    while began.elapsed() < Duration::from_secs(30) {
        latencies.push(two.say());
        // From now on nothing is promised, and nobody waits.
        assert_eq!(two.ack(), (two.said - 1, false));
        // At the speed of people: the queue for the disk has room.
        std::thread::sleep(Duration::from_millis(20));
    }
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    let (median, late, last) = (at(50), at(99), at(100));
    eprintln!(
        "told after {owed_for:?}; {} lines meanwhile: {median:?}, p99 {late:?}, {last:?}",
        latencies.len()
    );
    assert!(last < OWED, "somebody has waited for the disk: {last:?}");

    disk.order("");
    two.say_when_saved_again(&mut server);
    let said = two.said;
    assert_eq!(stop(server), (1, 1), "told once that it began, and once that it is over");
    assert_eq!(numbers(&saved(&disk.data(), "lobby")), (0..said).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs cc"]
fn a_repeated_message_is_acknowledged_once_saved_wherever_its_speaker_is() {
    let disk = FailingDisk::new();
    let server = disk.start_server();
    let mut two = Two::log_in(&server);
    two.say();
    assert_eq!(two.ack(), (0, true));
    disk.order("hang");
    for request in [
        json!({"type": "say", "text": "hi", "room": "lobby", "nonce": "n1"}),
        json!({"type": "command", "line": "/me waves", "room": "lobby", "nonce": "n2"}),
    ] {
        two.alice.send_json(request.clone());
        wait_for(&mut two.alice, "said");
        two.alice.send_json(json!({"type": "command", "line": "/join math"}));
        wait_for(&mut two.alice, "joined");
        two.alice.send_json(request);
        two.alice.send_json(json!({"type": "command", "line": "/ping"}));
        let answered = two.alice.expect_json();
        assert_eq!(answered["type"], "pong", "neither refused nor promised: {answered}");
        two.alice.send_json(json!({"type": "command", "line": "/join lobby"}));
        wait_for(&mut two.alice, "joined");
    }
    disk.order("");
    let acks: Vec<_> = (0..4).map(|_| two.ack()).collect();
    assert_eq!(acks, [(1, true), (1, true), (2, true), (2, true)]);
}

#[test]
#[ignore = "needs cc"]
fn a_gap_is_reported_to_members_who_saw_what_a_crash_lost() {
    let disk = FailingDisk::new();
    let server = disk.start_server();
    let mut two = Two::log_in(&server);
    two.say();
    assert_eq!(two.ack(), (0, true));
    let mut carol = TestClient::connect(server.address);
    let token = carol.login_json("carol")["session"].as_str().expect("a token").to_owned();
    // Her session is on the disk, too.
    carol.send_json(json!({"type": "say", "text": "safe", "nonce": "c"}));
    wait_for(&mut carol, "ack");
    disk.order("hang");
    two.say();
    let heard = wait_for(&mut carol, "said");
    assert_eq!(heard["text"], "line 1 of alice");
    server.signal(Signal::KILL);
    drop(server);
    disk.order("");

    let server = disk.start_server();
    let mut carol = TestClient::connect(server.address);
    carol.become_json();
    carol.send_json(json!({
        "type": "login", "session": token, "room": "lobby", "last": heard["id"], "last_private": 0,
    }));
    assert_eq!(carol.expect_message("welcome")["resumed"], true);
    let gap = carol.expect_message("gap");
    assert_eq!(gap["reason"], "restart");
    assert_eq!(gap["from"].as_u64(), heard["id"].as_u64().map(|id| id + 1));
    carol.expect_message("restarted");
    assert_eq!(numbers(&saved(&disk.data(), "lobby")), [0], "nobody was promised the other");
}

#[test]
#[ignore = "needs cc"]
fn a_crash_of_the_first_start_leaves_nothing_that_the_next_one_refuses() {
    let disk = FailingDisk::new();
    disk.order("hang");
    let data = disk.data();
    let mut first = command();
    first.env("LD_PRELOAD", &disk.library).env("TEST_DISK", &disk.orders);
    first.args(["--listen", "127.0.0.1:0", "--data", text(&data)]);
    let first = Program::start(&mut first);
    let deadline = Instant::now() + PATIENCE;
    let is_begun = || {
        let mut files = fs::read_dir(&data).into_iter().flatten().flatten();
        files.any(|file| file.file_name().to_string_lossy().starts_with("madang.db"))
    };
    while !is_begun() {
        assert!(Instant::now() < deadline, "it does not begin a database");
        std::thread::sleep(Duration::from_millis(1));
    }
    first.signal(Signal::KILL);
    drop(first);
    disk.order("");
    let server = disk.start_server();
    let mut two = Two::log_in(&server);
    two.say();
    assert_eq!(two.ack(), (0, true));
}

#[test]
#[ignore = "needs cc"]
fn a_disk_whose_writes_or_syncs_fail_is_tried_again() {
    for order in ["write", "sync"] {
        let disk = FailingDisk::new();
        let mut server = disk.start_server();
        let mut two = Two::log_in(&server);
        let mut kim = TestClient::connect(server.address);
        kim.login("kim").send(format!("/teach {CODE}\n/ping\n")).expect("pong\n");
        two.say();
        assert_eq!(two.ack(), (0, true), "{order}");
        disk.order(order);
        for number in 1..20 {
            two.say();
            assert_eq!(two.ack(), (number, false), "{order}");
        }
        disk.order("");
        two.say_when_saved_again(&mut server);
        // Teachers own the rooms that are saved, so each is told once; pupils are not.
        let told = |heard: &str, notice: Notice<'_>| heard.matches(&notice.text(Lang::En)).count();
        for (member, times) in [(&mut kim, 1), (&mut two.bob, 0)] {
            let heard = member.send("/ping\n").expect("pong\n");
            for notice in [Notice::SavingFails, Notice::SavedAgain] {
                assert_eq!(told(&heard, notice), times, "{order}: {heard}");
            }
        }
        let said = two.said;
        assert_eq!(stop(server), (1, 1), "{order}: told once each");
        assert_eq!(
            numbers(&saved(&disk.data(), "lobby")),
            (0..said).collect::<Vec<_>>(),
            "{order}"
        );
    }
}

#[test]
#[ignore = "needs cc"]
fn messages_a_failing_disk_could_not_take_are_shown_as_a_gap() {
    let disk = FailingDisk::new();
    let mut server = disk.start_server();
    let mut two = Two::log_in(&server);
    two.say();
    assert_eq!(two.ack(), (0, true));
    disk.order("sync");
    // More than the queue for the disk holds.
    let long = "x".repeat(4_000);
    for number in 0..1_500 {
        two.alice.send_json(json!({"type": "say", "text": long, "nonce": format!("m{number}")}));
        two.bob.expect("x\n");
        assert_eq!(wait_for(&mut two.alice, "ack")["durable"], false);
    }
    disk.order("");
    two.say_when_saved_again(&mut server);
    let said = two.said;
    assert_eq!(stop(server), (1, 1));

    let events = saved(&disk.data(), "lobby");
    // A batch being written is not given up for the queue: there may be two holes.
    let holes: Vec<_> = events.iter().filter(|event| event["type"] == "gap").collect();
    assert!(!holes.is_empty());
    let id = |value: &Value| value.as_u64().expect("an id");
    let lines = |hole: &Value| id(&hole["to"]) - id(&hole["from"]) + 1;
    let lost: u64 = holes.iter().map(|hole| lines(hole)).sum();
    let long = events.iter().filter(|event| event["text"] == *long).count() as u64;
    assert_eq!(lost + long, 1_500, "each is there, or in the hole");
    assert_eq!(numbers(&events), [vec![0], (1..said).collect()].concat());
    let server = start(&disk.data());
    let mut page = Program::start(command().args([
        "transcript",
        "--lang",
        "en",
        "--data",
        text(&disk.data()),
    ]));
    let shown = page.out().expect_end();
    let told = |hole: &Value| Notice::NotSaved { lines: lines(hole) }.text(Lang::En) + "\n";
    assert!(holes.iter().all(|hole| shown.contains(&told(hole))));

    // Reading back shows the hole once, in its place, to programs and to people.
    let mut carol = TestClient::connect(server.address);
    carol.login_json("carol");
    let (mut before, mut gaps) = (u64::MAX, Vec::new());
    loop {
        carol.send_json(json!({"type": "history", "before": before}));
        let (mut first, mut is_last) = (None, false);
        while !is_last {
            let part = wait_for(&mut carol, "history");
            let gap = part["gaps"].as_array().cloned().unwrap_or_default();
            let events = part["events"].as_array().expect("a list");
            let ids = || events.iter().map(|event| id(&event["id"]));
            for gap in gap {
                let is_beside = ids().any(|event| event == id(&gap["to"]) + 1)
                    || ids().any(|event| event + 1 == id(&gap["from"]));
                assert!(is_beside, "{gap} is not beside its events");
                gaps.push(gap);
            }
            first = first.or_else(|| ids().next());
            is_last = part["more"] == false;
            if part["earliest"] == true && is_last {
                before = 0;
            }
        }
        match first {
            Some(first) if before > 0 => before = first,
            _ => break,
        }
    }
    // Read from the end.
    gaps.reverse();
    let range = |hole: &&Value| json!({"from": hole["from"], "to": hole["to"]});
    assert_eq!(gaps, holes.iter().map(range).collect::<Vec<_>>());
    let mut dave = TestClient::connect(server.address);
    dave.login("dave").send("/lang en\n").expect("English.\n");
    let mut shown = String::new();
    while !shown.contains(&Notice::HistoryBegins.text(Lang::En)) {
        shown = dave.send("/history\n/ping\n").expect("pong\n") + &shown;
    }
    assert_eq!(shown.matches("not saved here").count(), holes.len());
    for hole in holes {
        let (earlier, later) = shown.split_once(&told(hole)).expect("it is there");
        assert!(earlier.contains("line 0 of alice") && later.contains("line 1 of alice"));
    }
}

/// The server, started by a shell that may mount file systems for itself and what it starts. It gets
/// the program as $0, then the arguments that are added. `None` where that is not allowed.
fn command_in_namespace(more: &[&str], setup: &str) -> Option<Command> {
    let unshare = [&["--user", "--map-root-user"], more].concat();
    let may = Command::new("unshare").args(&unshare).arg("true").output();
    if !may.expect("unshare is installed").status.success() {
        eprintln!("SKIPPED: no namespaces may be made here");
        return None;
    }
    Some(command_under("unshare", &[&unshare[..], &["sh", "-c", setup]].concat()))
}

#[test]
#[ignore = "needs unshare, and leave to make namespaces"]
fn a_disk_that_is_full_is_used_again_once_there_is_space() {
    let folder = TestFolder::new();
    let place = folder.path().join("small");
    fs::create_dir(&place).expect("the folder is there");
    let setup = "mount -t tmpfs -o size=16m tmpfs \"$1\" && \
                 head -c 15m /dev/zero > \"$1/filler\" && shift && exec \"$0\" \"$@\"";
    let Some(mut shell) = command_in_namespace(&["--mount"], setup) else { return };
    let data = place.join("data");
    shell.args([text(&place), "--rate-limit", "off", "--lang", "en", "--data", text(&data)]);
    let mut server = ServerProcess::start_as(&mut shell);
    // The folder as the server sees it.
    let seen = |path: &Path| {
        let pid = server.pid().as_raw_nonzero();
        PathBuf::from(format!("/proc/{pid}/root{}", path.display()))
    };
    let (filler, seen_data) = (seen(&place.join("filler")), seen(&data));
    let mut two = Two::log_in(&server);
    let long = "x".repeat(4_000);
    let mut saved_lines = 0;
    // Far more than the disk holds, and less than the queue holds.
    for number in 0..600 {
        two.alice.send_json(json!({"type": "say", "text": long, "nonce": format!("m{number}")}));
        two.bob.expect("x\n");
        saved_lines += usize::from(wait_for(&mut two.alice, "ack")["durable"] != false);
    }
    assert!((1..500).contains(&saved_lines), "{saved_lines} of 600 had space");
    fs::remove_file(filler).expect("the server's folder is seen from here");
    two.say_when_saved_again(&mut server);
    let said = two.said;
    // When the server ends, its disk is gone.
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).expect("the folder is there");
    for name in ["madang.db", "madang.db-wal"] {
        fs::copy(seen_data.join(name), copy.join(name)).expect("nothing is being written");
    }
    let events = saved(&copy, "lobby");
    assert_eq!(events.iter().filter(|event| event["text"] == *long).count(), 600);
    assert_eq!(numbers(&events), (0..said).collect::<Vec<_>>());
    assert_eq!(stop(server), (1, 1), "told once each");
}

#[test]
#[ignore = "needs strace"]
fn no_ack_leaves_before_its_line_is_synced() {
    let folder = TestFolder::new();
    let (data, trace) = (folder.path().join("data"), folder.path().join("trace"));
    let calls = "trace=pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev";
    // -D: the server is a child of this test, not of the tracer.
    let strace = ["-D", "-f", "-y", "-s", "100000", "-e", calls, "-o", text(&trace)];
    let mut traced = command_under("strace", &strace);
    traced.args(["--rate-limit", "off", "--lang", "en", "--data", text(&data)]);
    let server = ServerProcess::start_as(&mut traced);
    let mut two = Two::log_in(&server);
    const LINES: usize = 30;
    for number in 0..LINES {
        two.say();
        if number % 3 == 0 {
            assert!(two.ack().1);
        }
    }
    while two.ack() != (LINES - 1, true) {}
    stop(server);
    // The rest of the trace is written when the tracer ends.
    let deadline = Instant::now() + PATIENCE;
    let trace = loop {
        let trace = fs::read_to_string(&trace).expect("a trace");
        if trace.contains("+++ exited with 0 +++") {
            break trace;
        }
        assert!(Instant::now() < deadline, "the tracer does not end");
        std::thread::sleep(Duration::from_millis(10));
    };
    let trace = Trace::parse(&trace);
    for number in 0..LINES {
        let line = format!("line {number} of alice");
        let written =
            trace.first("pwrite64", |call| call.contains(".db-wal") && call.contains(&line));
        let synced = trace.first_after(written.ended, "sync", |call| call.contains(".db-wal"));
        let nonce = format!("nonce\\\":\\\"n{number}\\\"");
        let acked = trace
            .first("", |call| call.contains("\\\"type\\\":\\\"ack\\\"") && call.contains(&nonce));
        assert!(
            synced.ended < acked.began,
            "{line} was written by line {} of the trace and synced by {}, but acked by {}",
            written.ended,
            synced.ended,
            acked.began
        );
    }
}

/// System calls in the order in which the kernel saw them.
struct Trace(Vec<Call>);

/// A call: its text, and the lines of the trace where it began and ended.
#[derive(Clone)]
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

impl Trace {
    fn parse(trace: &str) -> Trace {
        let mut calls = Vec::new();
        // Unfinished calls, by thread.
        let mut open: std::collections::HashMap<&str, Call> = Default::default();
        for (at, line) in trace.lines().enumerate() {
            let Some((thread, text)) = line.split_once(' ') else { continue };
            let text = text.trim_start();
            if let Some(text) = text.strip_suffix("<unfinished ...>") {
                open.insert(thread, Call { text: text.into(), began: at, ended: usize::MAX });
            } else if text.starts_with("<... ") {
                if let Some(call) = open.remove(thread) {
                    calls.push(Call { ended: at, text: format!("{}{text}", call.text), ..call });
                }
            } else {
                calls.push(Call { text: text.into(), began: at, ended: at });
            }
        }
        calls.sort_by_key(|call| call.began);
        Trace(calls)
    }

    #[track_caller]
    fn first(&self, name: &str, is_it: impl Fn(&str) -> bool) -> &Call {
        let mut calls = self.0.iter();
        let found = calls.find(|call| call.text.starts_with(name) && is_it(&call.text));
        found.unwrap_or_else(|| panic!("no such call of {name:?} in {} calls", self.0.len()))
    }

    /// The first call after a line of the trace whose name contains a word.
    #[track_caller]
    fn first_after(&self, line: usize, word: &str, is_it: impl Fn(&str) -> bool) -> &Call {
        let is_named =
            |call: &&Call| call.text.split('(').next().is_some_and(|name| name.contains(word));
        let found = self.0.iter().filter(is_named).find(|it| it.began > line && is_it(&it.text));
        found.unwrap_or_else(|| panic!("no {word} after line {line} of the trace"))
    }
}

#[test]
#[ignore = "needs strace"]
fn a_folder_on_a_network_file_system_is_refused() {
    // `statfs` reports the magic number of NFS, 0x6969, instead of that of ext4 or tmpfs.
    for (number, name) in [("6969000000000000", "NFS"), ("424d53fe00000000", "SMB 2")] {
        let folder = TestFolder::new();
        let data = folder.path().join("data");
        let inject = format!("inject=statfs,fstatfs:poke_exit=@arg2={number}");
        let log = folder.path().join("trace");
        let strace = ["-D", "-f", "-e", "trace=statfs,fstatfs", "-e", &inject, "-o", text(&log)];
        let mut refused = Program::start(command_under("strace", &strace).args([
            "--listen",
            "127.0.0.1:0",
            "--data",
            text(&data),
        ]));
        assert_eq!(refused.expect_exit(), 1, "{name}");
        let error = refused.err().expect_end();
        let reason = format!("is on a network file system ({name})");
        assert!(error.contains("--data: ") && error.contains(&reason), "{error}");
        assert!(!data.exists(), "it was made");
    }
}

#[test]
#[ignore = "needs sshfs, sftp-server, unshare, and leave to make namespaces"]
fn a_folder_on_a_real_sshfs_is_refused() {
    let folder = TestFolder::new();
    let [far, near] = ["far", "near"].map(|name| folder.path().join(name));
    for place in [&far, &near] {
        fs::create_dir(place).expect("the folder is there");
    }
    // Without a network: the two programs talk through pipes. Both end with the namespace.
    let setup = "mkfifo \"$1/pipe\" && \
                 { /usr/lib/openssh/sftp-server <\"$1/pipe\" | \
                   sshfs -f -o slave \"none:$1/far\" \"$1/near\" >\"$1/pipe\"; } & \
                 for _ in $(seq 200); do \
                   grep -q ' fuse.sshfs ' /proc/self/mountinfo && break; sleep 0.05; \
                 done; \
                 grep -q ' fuse.sshfs ' /proc/self/mountinfo || exit 77; \
                 shift && \"$0\" \"$@\"";
    let namespace = ["--mount", "--pid", "--fork", "--kill-child"];
    let Some(mut shell) = command_in_namespace(&namespace, setup) else { return };
    let data = near.join("data");
    shell.args([text(folder.path()), "--listen", "127.0.0.1:0", "--data", text(&data)]);
    let mut refused = Program::start(&mut shell);
    let status = refused.expect_exit();
    if status == 77 {
        eprintln!("SKIPPED: no file system of a program may be mounted here");
        return;
    }
    let error = refused.err().expect_end();
    assert_eq!(status, 1, "{error}");
    assert!(error.contains("is on a network file system (SSHFS)"), "{error}");
    assert!(!far.join("data").exists(), "it was made");
}
