//! The page in a real browser, used as people use it. The programs that drive it are in
//! `tests/browser`.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use madang_server::{config::TeacherCode, journal::JournalConfig};
use madang_tests::{Program, TestFolder, TestServer, documented_commands};
use rusqlite::Connection;
use serde_json::json;
use socket2::SockRef;

use crate::deploy::{Nginx, free_address};

/// How long a program may take, including the start of the browser on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script));
    command
}

/// A new server that saves messages in a folder.
fn saving_server(folder: &TestFolder) -> TestServer {
    let data = folder.path().join("data");
    TestServer::start(|config| config.journal = Some(JournalConfig::of(&data)))
}

/// Runs a program that drives the page of a new server, whose address it is given.
#[track_caller]
fn drive(script: &str) {
    drive_at(&TestServer::start(|_| {}), script);
}

#[track_caller]
fn drive_at(server: &TestServer, script: &str) {
    let (web, lines) = (server.web_address(), server.address());
    let mut command = node(script);
    command.arg(format!("http://{web}/"));
    command.args([lines.ip().to_string(), lines.port().to_string()]);
    Program::start(&mut command).expect_success(PATIENCE);
}

#[test]
#[ignore = "needs node, tests/browser/node_modules, chromium and nc"]
fn two_browsers_and_nc_meet_in_a_room_by_its_link() {
    drive("room_by_link.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_practice_page_shows_each_byte_and_breaks_frames_on_purpose() {
    drive("practice.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_page_reads_a_room_and_other_sites_neither_read_nor_speak() {
    drive("streams.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn an_event_source_that_is_cut_off_comes_back_by_itself_and_has_everything_once() {
    drive_at(&TestServer::start(|config| config.rate_limit = None), "event_source.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_page_explains_its_own_connection_on_request() {
    drive("wire.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn words_that_were_heard_open_the_room_on_the_first_screen() {
    drive("spoken.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_first_minutes_on_the_page_are_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/first_minutes");
    for (lang, other, transcript) in [("en", "bob", "english.txt"), ("ko", "철수", "korean.txt")]
    {
        let server = TestServer::start(|_| {});
        let _other = server.login(other);
        let url = format!("http://{}/", server.web_address());
        let mut command = node("first_minutes.mjs");
        command.args([&url, lang]).arg(folder.join(transcript));
        Program::start(&mut command).expect_success(PATIENCE);
    }
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_tab_that_slept_has_everything_once() {
    let (server, other) = (TestServer::start(|_| {}), TestServer::start(|_| {}));
    let urls = [server.web_address(), other.web_address()].map(|web| format!("http://{web}/"));
    Program::start(node("sleep_and_wake.mjs").args(urls)).expect_success(PATIENCE);
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn words_for_one_room_are_said_in_no_other() {
    let (server, other) = (TestServer::start(|_| {}), TestServer::start(|_| {}));
    let urls = [server.web_address(), other.web_address()].map(|web| format!("http://{web}/"));
    Program::start(node("unsent.mjs").args(urls)).expect_success(PATIENCE);
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_closed_tabs_name_can_be_used_again_in_the_same_browser_only() {
    drive("same_computer.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_lesson_is_taught_voted_in_and_attended() {
    drive_lesson("lesson.mjs");
}

/// Runs a program that drives a lesson on a new server, whose address and code it is given. Some
/// of them check many screens, one after the other.
#[track_caller]
fn drive_lesson(script: &str) {
    let code = "7F3K-9Q2M";
    let server = TestServer::start(|config| config.teacher_code = TeacherCode::parse(code).ok());
    let mut command = node(script);
    command.args([&format!("http://{}/", server.web_address()), code]);
    Program::start(&mut command).expect_success(3 * PATIENCE);
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_lesson_fits_every_screen_and_everyone() {
    drive_lesson("lesson_looks.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn older_and_newer_pages_and_servers_understand_each_other() {
    drive_lesson("lesson_ages.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_page_works_where_storage_is_blocked() {
    drive("blocked_storage.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_owners_buttons_do_what_they_say() {
    drive("owner.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn an_owner_downloads_what_was_said_by_a_button() {
    drive("transcript.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn page_features_that_need_https_are_hidden_without_it() {
    let (secure, plain) = (TestServer::start_with_tls(|_| {}), TestServer::start(|_| {}));
    let mut command = node("secure.mjs");
    command.arg(format!("https://{}/", secure.web_address()));
    command.arg(format!("http://{}/", plain.web_address()));
    Program::start(&mut command).expect_success(PATIENCE);
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_syllable_is_sent_when_it_is_whole() {
    drive("hangul.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_page_shows_messages_as_plain_text() {
    drive("hostile_text.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn everyone_can_use_the_page() {
    drive("everyone.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn no_screen_of_the_page_leaves_anybody_stuck() {
    drive("screens.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_page_shows_talk_people_and_the_wall() {
    drive("talk.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn ten_thousand_messages_are_no_burden() {
    drive("long_talk.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn saved_messages_are_read_back_and_no_row_moves() {
    drive_at(&saving_server(&TestFolder::new()), "saved_talk.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_page_marks_unsaved_messages_in_their_place() {
    let folder = TestFolder::new();
    let server = saving_server(&folder);
    let mut alice = server.login_json("alice");
    let say = |number: u32| json!({"type": "say", "text": format!("line {number}"), "nonce": number.to_string()});
    alice.send((0..400).map(|number| format!("{}\n", say(number))).collect::<String>());
    let mut owed = 400;
    while owed > 0 {
        owed -= u32::from(alice.expect_json()["type"] == "ack");
    }
    // As a disk that fails for five lines leaves it; these are in no memory any more.
    let database = Connection::open(folder.path().join("data/madang.db")).expect("a database");
    let lost = "FROM event WHERE text BETWEEN 'line 100' AND 'line 104'";
    let hole = format!("INSERT INTO hole SELECT room, min(id), max(id) {lost}");
    assert_eq!(database.execute(&hole, []), Ok(1));
    assert_eq!(database.execute(&format!("DELETE {lost}"), []), Ok(5));
    drive_at(&server, "unsaved.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_search_leads_to_the_place_of_what_it_finds() {
    drive_at(&saving_server(&TestFolder::new()), "search.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn a_search_says_what_it_does_and_why_it_fails() {
    drive_at(&saving_server(&TestFolder::new()), "search_states.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn own_words_are_marked_until_they_are_saved() {
    drive_at(&saving_server(&TestFolder::new()), "saving.mjs");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn after_a_restart_everyone_is_back_with_what_was_said() {
    let folder = TestFolder::new();
    let mut server = saving_server(&folder);
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let asked_at = control.local_addr().expect("it is bound");
    let mut command = node("restart.mjs");
    command.arg(format!("http://{}/", server.web_address()));
    command.args([asked_at.ip().to_string(), asked_at.port().to_string()]);
    let program = Program::start(&mut command);
    let mut asked = accept(&control);
    BufReader::new(&asked).read_line(&mut String::new()).expect("the program asks in a line");
    server.stop();
    server = saving_server(&folder);
    let answer = format!("http://{}/", server.web_address());
    asked.write_all(answer.as_bytes()).expect("the program waits for it");
    program.expect_success(PATIENCE);
}

/// Waits until a program connects.
#[track_caller]
fn accept(listener: &TcpListener) -> TcpStream {
    // Linux applies it to accepting, too.
    SockRef::from(listener).set_read_timeout(Some(PATIENCE)).expect("it can be set");
    let (stream, _) = listener.accept().expect("the program connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    stream
}

#[test]
#[ignore = "needs node, tests/browser/node_modules, chromium, nginx and openssl"]
fn the_page_works_below_a_prefix() {
    let address = free_address();
    let url = format!("https://localhost:{}/madang/", address.port());
    let server = TestServer::start(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("a range")];
        config.public_url = url.parse().ok();
    });
    let _nginx = Nginx::shipped_at(address, server.web_address());
    Program::start(node("behind_proxy.mjs").arg(url)).expect_success(PATIENCE);
}

#[test]
#[ignore = "needs node and tests/browser/node_modules"]
fn the_pages_parts_do_their_part() {
    let mut command = Command::new("node");
    command.arg("--test").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/parts"));
    Program::start(&mut command).expect_success(PATIENCE);
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_javascript_of_the_pages_runs_when_pasted() {
    let server = TestServer::start(|_| {});
    let mut host = server.login("host");
    let commands = documented_commands();
    let block = commands.iter().find(|command| command.contains("new WebSocket(")).expect("one");
    let web = server.web_address().to_string();
    let block = block.replace("localhost:9998", &web);
    let mut command = node("pasted.mjs");
    command.args([&format!("http://{web}/"), &block]);
    Program::start(&mut command).expect_success(PATIENCE);
    host.expect("[alice] hello\n");
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_pictures_of_the_page_can_be_taken_again() {
    let folder = TestFolder::new();
    let code = "7F3K-9Q2M";
    for (script, code) in [("screenshots.mjs", None), ("lesson_pictures.mjs", Some(code))] {
        let server = TestServer::start(|config| {
            config.rate_limit = None;
            config.teacher_code = code.and_then(|code| TeacherCode::parse(code).ok());
        });
        let mut command = node(script);
        command.arg(format!("http://{}/", server.web_address())).args(code).arg(folder.path());
        Program::start(&mut command).expect_success(PATIENCE);
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/web/screenshots");
    for picture in std::fs::read_dir(kept).expect("there are pictures") {
        let name = picture.expect("it can be read").file_name();
        assert!(folder.path().join(&name).is_file(), "{name:?} is not taken any more");
    }
}
