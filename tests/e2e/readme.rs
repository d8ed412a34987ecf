//! Checks the READMEs: the table of commands, the map of the server's folders, and which test
//! runs each command that they tell people to type.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use madang_protocol::{
    command::{COMMANDS, CommandSpec, Role},
    text::Lang,
};
use madang_server::config::Listen;
use madang_tests::{DEADLINE, Program, TestServer, as_installed, documented_commands};

const README: &str = include_str!("../../README.md");
const WIRE: &str = include_str!("../../protocol/README.md");
const ARCHITECTURE: &str = include_str!("../../server/README.md");

fn row(spec: &CommandSpec) -> String {
    let who: Vec<&str> = spec
        .roles
        .iter()
        .map(|role| match role {
            Role::Member => "everyone",
            Role::Pupil => "everyone, in a lesson",
            Role::Owner => "owner",
            Role::Teacher => "teacher",
            Role::Operator => "operator",
        })
        .collect();
    let usage = spec.usage(Lang::En).replace('|', "\\|");
    let (alias, help) = (spec.alias, spec.help(Lang::En));
    format!("| `{usage}` | `{alias}` | {} | {help} |\n", who.join(", "))
}

#[test]
fn the_wire_lists_every_command_as_the_table_does() {
    let (_, section) = WIRE.split_once("\n## Commands\n").expect("there is a section");
    let (section, _) = section.split_once("\n## ").expect("another follows");
    let head = "| command | 한국어 | who | what it does |\n|---|---|---|---|\n";
    let table: String = COMMANDS.iter().map(row).collect();
    assert!(
        section.contains(&format!("{head}{table}")),
        "expected in protocol/README.md:\n{head}{table}"
    );
}

#[test]
fn the_readme_shows_the_commands_that_help_begins_with() {
    let (_, section) = README.split_once("\n## Commands that matter\n").expect("it is there");
    let (section, _) = section.split_once("\n## ").expect("another follows");
    let server = TestServer::start(|config| config.lang = Lang::En);
    let mut alice = server.connect();
    alice.expect("Login ID:");
    alice.send("alice\n/help\n/ping shown\n");
    let help = alice.expect("shown\n");
    let specs = help.lines().filter_map(|line| {
        let name = line.trim_start().split(' ').next()?;
        CommandSpec::find(name).filter(|_| line.trim_start().starts_with('/'))
    });
    let in_both = |spec: &CommandSpec| {
        let [english, korean] = [Lang::En, Lang::Ko].map(|lang| {
            format!("| `{}` | {} ", spec.usage(lang).replace('|', "\\|"), spec.help(lang))
        });
        format!("{english}{korean}|\n")
    };
    let rows: Vec<String> = specs.map(in_both).collect();
    assert_eq!(rows.len(), 8, "{help}");
    let head = "| command | what it does | 한국어 | 하는 일 |\n|---|---|---|---|\n";
    let table = format!("{head}{}", rows.concat());
    assert!(section.contains(&table), "expected in README.md:\n{table}");
}

#[test]
fn the_architecture_page_maps_every_folder_and_file_and_no_other() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src");
    let (_, map) = ARCHITECTURE.split_once("\n## Folder map\n").expect("there is a map");
    let (map, _) = map.split_once("\n## ").expect("another section follows");
    let first_cells = map.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut mapped: Vec<String> = first_cells
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    let mut expected = Vec::new();
    for entry in fs::read_dir(&sources).expect("the sources are there") {
        let entry = entry.expect("it can be read");
        let name = entry.file_name().into_string().expect("names are UTF-8");
        let is_folder = entry.file_type().expect("it has a type").is_dir();
        // A folder's own file belongs to the folder's row, with a few exceptions.
        let has_folder = sources.join(name.trim_end_matches(".rs")).is_dir();
        if is_folder {
            expected.push(format!("{name}/"));
        } else if !has_folder || mapped.contains(&name) {
            expected.push(name);
        }
    }
    mapped.sort();
    expected.sort();
    assert_eq!(mapped, expected);
}

/// How a command is known to work.
enum Proof {
    /// This file has this test, which runs the command.
    Test(&'static str, &'static str),
    /// A step of `.ci/run`, or of the workflow that runs it.
    Ci,
    /// It is not tested, for this reason.
    NotRun(&'static str),
}

use Proof::{Ci, NotRun, Test};

const SERVER: Proof =
    Test("server/tests/process/readme.rs", "every_command_of_the_pages_serves_or_prints");
const CLIENT: Proof =
    Test("client/tests/client/readme.rs", "every_command_of_the_pages_delivers_reads_or_prints");
const PROGRAMS: &str = "server/tests/process/foreign_programs.rs";
const NC: Proof = Test(PROGRAMS, "the_line_for_nc_works_as_it_stands");
const PAGE: &str = "tests/e2e/browser.rs";
const STREAM: Proof = Test("tests/e2e/streams.rs", "the_commands_for_curl_stream_a_room");
const POST: Proof = Test("tests/e2e/posts.rs", "the_commands_for_curl_say_something");
const PART: Proof = NotRun("it is a part of cargo test --workspace");
const NAME: Proof = NotRun("it is the name of a program, with what makes it that one");
const BUILD: Proof = NotRun("it only builds what .ci/package deb builds in the same profile");
const INSTALL: Proof = NotRun(".ci/try-packages does it with dpkg, on a copy of the system");
const SYSTEMD: Proof = NotRun(
    "it takes a machine that systemd has started; .ci/try-packages starts the service's command",
);
const FIREWALL: Proof = NotRun("it changes the firewall of the machine");
const MUTANTS: Proof = NotRun("it builds the server anew for each mutant");
const FUZZ: Proof = NotRun("it takes hours; CI runs each target for 5 s");
const SOAK: Proof = NotRun("it takes minutes; .ci/run has a shorter run");
const CONTAINER: Proof =
    NotRun("it fetches images; tests/structure/packages.rs reads the Containerfile");

/// All commands except those that start one of the two programs.
const OTHERS: &[(&str, Proof)] = &[
    (".ci/fuzz -runs=1000000", FUZZ),
    (".ci/fuzz 5", Ci),
    (".ci/package archive", Ci),
    (
        ".ci/package archive x86_64-unknown-linux-musl",
        NotRun("it takes a target that not every machine has"),
    ),
    (".ci/package deb", Ci),
    (".ci/run", NotRun("it runs these tests")),
    (".ci/windows --run", NotRun("it takes Wine; .ci/run runs it, and shows what came of it")),
    ("FUZZ_JOBS=8 .ci/fuzz -runs=100000000", FUZZ),
    ("PROPTEST_CASES=2000 cargo test -p madang-protocol", Ci),
    ("apt purge madang-server", INSTALL),
    ("cargo build --release -p madang-server", BUILD),
    ("cargo build --release -p madang-server -p madang-load", BUILD),
    ("cargo build --release -p madang-server -p madang-soak", BUILD),
    ("cargo clippy --workspace --all-targets", Ci),
    (
        "cargo doc --workspace --no-deps --document-private-items --open",
        NotRun("it opens a browser; .ci/run builds the same pages"),
    ),
    ("cargo fmt", Ci),
    ("cargo fuzz", NAME),
    ("cargo install cargo-fuzz", NotRun("CI installs a fixed version of it")),
    ("cargo install cargo-mutants", MUTANTS),
    ("cargo install --path client", INSTALL),
    ("cargo install --path server", INSTALL),
    ("cargo mutants -p madang-server --file server/src/room/mailbox.rs -- --lib", MUTANTS),
    (
        "cargo run --release -p madang-load -- --help",
        Test("tests/load/src/cli.rs", "the_command_line_is_consistent"),
    ),
    (
        "cargo run --release -p madang-load -- compare",
        NotRun("it takes an hour, and a machine without other work"),
    ),
    ("cargo test --workspace", Ci),
    ("cargo test --workspace -- --ignored", Ci),
    ("cargo test -p madang-fuzz", PART),
    ("cargo test -p madang-server --features shuttle --lib model", Ci),
    ("cargo test -p madang-server --lib", PART),
    ("cargo test -p madang-server --lib room", PART),
    ("cargo test -p madang-tests --test e2e commands", PART),
    ("chcp 65001", NotRun("it is for Windows")),
    (
        "curl -H 'Name: ci' -H \"Token: $MADANG_TOKEN\" -H \"X-Room-Key: $MADANG_KEY\" \
         -d \"$GITHUB_ACTOR pushed to $GITHUB_REPOSITORY\" http://localhost:9998/rooms/private",
        POST,
    ),
    ("curl -H 'Name: bot' -d 'hello' http://localhost:9998/rooms/lobby", POST),
    ("date | curl -H 'Name: clock' --data-binary @- http://localhost:9998/rooms/lobby", POST),
    ("curl -N -H 'Accept: text/event-stream' http://localhost:9998/rooms/lobby", STREAM),
    ("curl -N -H 'Name: logger' 'http://localhost:9998/rooms/lobby?history=0'", STREAM),
    (
        "curl -N -H 'X-Room-Key: 78e4c-v9s0a-c0m7h-8129r-zech6s' \
         http://localhost:9998/rooms/private",
        STREAM,
    ),
    ("curl -N http://localhost:9998/rooms/lobby", STREAM),
    ("curl -NT. telnet://HOST:9009", Test(PROGRAMS, "the_line_for_curl_works_as_it_stands")),
    (
        "curl http://127.0.0.1:9011/metrics",
        Test("tests/e2e/readme.rs", "the_command_for_metrics_gets_them"),
    ),
    ("journalctl --unit madang", SYSTEMD),
    ("madang man | man -l -", NotRun("not every machine has man; what it is given is tested")),
    ("madang-server man | man -l -", NotRun("not every machine has man; see madang-server man")),
    ("nc HOST 9009", NC),
    ("nc localhost 9009", NC),
    ("ncat --chat", NAME),
    ("ncat --ssl chat.example.org 9010", Test("tests/e2e/peers.rs", "openssl_and_ncat_chat")),
    ("node --test tests/browser/parts", Test(PAGE, "the_pages_parts_do_their_part")),
    (
        "node tests/browser/lesson_pictures.mjs URL CODE FOLDER",
        Test(PAGE, "the_pictures_of_the_page_can_be_taken_again"),
    ),
    (
        "node tests/browser/screenshots.mjs URL FOLDER",
        Test(PAGE, "the_pictures_of_the_page_can_be_taken_again"),
    ),
    ("openssl s_client", NAME),
    (
        "openssl s_client -quiet -connect chat.example.org:9010",
        Test("tests/e2e/peers.rs", "openssl_and_ncat_chat"),
    ),
    ("podman build -t madang -f server/deploy/Containerfile .", CONTAINER),
    ("podman run --rm --network host madang --lang en", CONTAINER),
    (
        r"printf 'robot\nhello\n/quit\n' | nc localhost 9009",
        Test("tests/e2e/exercises.rs", "the_first_exercise_is_a_conversation_without_a_client"),
    ),
    ("rustup target add x86_64-unknown-linux-musl", NotRun("it changes the machine's Rust")),
    ("sudo apt install ./madang*.deb", INSTALL),
    (
        "sudo apt install ./target/package/madang-server_*.deb ./target/package/madang_*.deb",
        INSTALL,
    ),
    ("sudo firewall-cmd --add-port=9009/tcp --add-port=9998/tcp", FIREWALL),
    ("sudo systemctl enable --now madang", SYSTEMD),
    ("sudo ufw allow 9009,9998/tcp", FIREWALL),
    (
        "target/release/load --members 100 --speakers 10 --window 200 --cores 0,1 \
         -- target/release/madang-server --rate-limit off",
        NotRun("it measures; .ci/run has the same with checks only"),
    ),
    ("target/release/soak chaos --minutes 30 --into tests/soak/results", SOAK),
    ("target/release/soak cluster --into tests/soak/results", SOAK),
    ("target/release/soak journal --into tests/soak/results", SOAK),
    (
        "sqlite3 /var/lib/madang/madang.db \"VACUUM INTO 'backup.db'\"",
        Test("server/tests/process/journal.rs", "the_backup_of_the_pages_is_whole"),
    ),
    ("telnet HOST 9009", Test(PROGRAMS, "telnet_talks_and_its_interrupt_does_not_mute_it")),
];

/// The beginnings of the command that makes a certificate and of the block of JavaScript.
const LONG: &[(&str, Proof)] = &[
    (
        "openssl req -x509 ",
        Test("client/tests/client/readme.rs", "the_certificate_of_the_pages_is_trusted"),
    ),
    ("ws = new WebSocket(", Test(PAGE, "the_javascript_of_the_pages_runs_when_pasted")),
];

fn proof(command: &str) -> Option<&'static Proof> {
    let by_name = OTHERS.iter().find(|(other, _)| *other == command);
    let by_start = || LONG.iter().find(|(start, _)| command.starts_with(start));
    if let Some((_, proof)) = by_name.or_else(by_start) {
        return Some(proof);
    }
    let installed = as_installed(command);
    let programs: BTreeSet<&str> =
        installed.split(" | ").filter_map(|part| part.split(' ').next()).collect();
    match programs {
        programs if programs.contains("madang-server") => Some(&SERVER),
        programs if ["madang", "madang.exe"].iter().any(|it| programs.contains(it)) => {
            Some(&CLIENT)
        }
        _ => None,
    }
}

#[test]
fn every_command_of_the_pages_is_run_by_a_test_or_has_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("the file is there");
    let ci = read(".ci/run") + &read(".github/workflows/ci.yml");
    let commands = documented_commands();
    let mut sources = BTreeMap::new();
    let mut faults = Vec::new();
    for command in &commands {
        match proof(command) {
            None => faults.push(format!("no test runs: {command}")),
            Some(Test(path, name)) => {
                let source = sources.entry(path).or_insert_with(|| read(path));
                if !source.contains(&format!("fn {name}()")) {
                    faults.push(format!("{path} has no test {name}, for: {command}"));
                }
            }
            Some(Ci) if !ci.contains(command) => {
                faults.push(format!("no step of CI: {command}"));
            }
            Some(Ci) => {}
            Some(NotRun(reason)) => assert!(!reason.is_empty()),
        }
    }
    let stale = OTHERS.iter().filter(|(other, _)| !commands.contains(*other));
    faults.extend(stale.map(|(other, _)| format!("on no page: {other}")));
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
#[ignore = "needs curl"]
fn the_command_for_metrics_gets_them() {
    let server = TestServer::start(|config| {
        config.metrics = Some(Listen::At(([127, 0, 0, 1], 0).into()));
    });
    let commands = documented_commands();
    let command = commands.iter().find(|it| it.starts_with("curl http://127.0.0.1:9011"));
    let command = command.expect("there is one");
    let address = server.metrics_address().to_string();
    let line = command.replace("127.0.0.1:9011", &address);
    let metrics = Program::start(Command::new("sh").args(["-c", &line])).expect_success(DEADLINE);
    assert!(metrics.contains("\nmadang_sessions 0\n"), "{metrics}");
}
