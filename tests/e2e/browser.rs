//! The page in a real browser, used as people use it. The programs that drive it are in
//! `tests/browser`.

use std::{path::Path, process::Command, time::Duration};

use madang_tests::{Program, TestFolder, TestServer, documented_commands};

use crate::deploy::{Nginx, free_address};

/// How long a program may take, including the start of the browser on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script));
    command
}

/// Runs a program that drives the page of a new server, whose address it is given.
#[track_caller]
fn drive(script: &str) {
    let server = TestServer::start(|_| {});
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
fn a_name_is_gone_on_with_on_the_same_computer_only() {
    drive("same_computer.mjs");
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
fn what_needs_https_is_there_with_it_and_hidden_without() {
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
fn what_people_write_is_text() {
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
    let (server, folder) =
        (TestServer::start(|config| config.rate_limit = None), TestFolder::new());
    let mut command = node("screenshots.mjs");
    command.arg(format!("http://{}/", server.web_address())).arg(folder.path());
    Program::start(&mut command).expect_success(PATIENCE);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/web/screenshots");
    for picture in std::fs::read_dir(kept).expect("there are pictures") {
        let name = picture.expect("it can be read").file_name();
        assert!(folder.path().join(&name).is_file(), "{name:?} is not taken any more");
    }
}
