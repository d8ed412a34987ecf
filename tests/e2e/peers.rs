//! WebSocket clients that others have written, against the chat and `/echo`.
//! `.ci/run` installs them; where they come from stands in `tests/peers` and
//! `tests/browser`.

use std::{path::Path, process::Command, time::Duration};

use madang_tests::{Program, TestFolder, TestServer};

/// How long a program may take, with its start.
const PATIENCE: Duration = Duration::from_secs(60);

/// This package's folder, where the programs are.
const TESTS: &str = env!("CARGO_MANIFEST_DIR");

/// The Python of the virtual environment with the libraries.
pub(crate) fn python(script: &str) -> Command {
    let peers = Path::new(TESTS).join("peers");
    let mut command = Command::new(peers.join(".venv/bin/python"));
    command.arg(peers.join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new(TESTS).join(script));
    command
}

/// Has a program play its conversation twice, in lines and in JSON, with a host who
/// came by the other door.
#[track_caller]
fn chat_with(mut command: impl FnMut() -> Command) {
    let server = TestServer::start(|_| {});
    let url = format!("ws://{}/any/prefix/", server.web_address());
    let mut host = server.login("host");
    for (name, form) in [("줄", "lines"), ("제이슨", "json")] {
        let program = Program::start(command().args([&url, name, form]));
        host.expect(format!("[{name}] 안녕하세요\n"));
        host.send("어서 오세요\n").expect_next("[host] 어서 오세요\n");
        program.expect_success(PATIENCE);
        host.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn python_websockets_chats() {
    chat_with(|| python("chat_websockets.py"));
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn python_aiohttp_chats() {
    chat_with(|| python("chat_aiohttp.py"));
}

#[test]
#[ignore = "needs node and tests/peers/node_modules"]
fn node_ws_chats() {
    chat_with(|| node("peers/chat_ws.mjs"));
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn the_practice_client_hears_its_echoes() {
    let server = TestServer::start(|_| {});
    let url = format!("ws://{}/echo", server.web_address());
    let program = Program::start(python("seed_ws_client.py").arg(url));
    let heard = program.expect_success(PATIENCE);
    assert_eq!(heard, "echo : hello socket!!\n".repeat(9));
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_practice_page_hears_its_echo_in_a_browser() {
    let server = TestServer::start(|_| {});
    let page = include_str!("../browser/seed_page.html");
    let url = format!("ws://{}/echo", server.web_address());
    let folder = TestFolder::new();
    let page = folder.write("seed_page.html", &page.replace("ws://localhost:9998/echo", &url));
    let program = Program::start(node("browser/seed_page.mjs").arg("/usr/bin/chromium").arg(page));
    let shown = program.expect_success(PATIENCE);
    assert_eq!(
        shown.trim_end(),
        "Server connect...\nSend to Server => 안녕\n\
         Recieve From Server => echo : 안녕\nServer Disconnect..."
    );
}
