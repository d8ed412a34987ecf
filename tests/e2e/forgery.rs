//! People can't forge lines of the server: no line of theirs equals a genuine one, byte for
//! byte, with any command.

use std::collections::BTreeSet;

use madang_protocol::text::Lang;
use madang_tests::{TestClient, TestServer};
use serde_json::json;

/// Reads everything that has arrived so far, as lines.
#[track_caller]
fn lines_of(client: &mut TestClient) -> Vec<String> {
    client.send("/ping the-end\n");
    let text = client.expect("the-end\n");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // The answer to the ping, without its end.
    lines.pop();
    lines
}

/// Every kind of line that a server sends to `victim`, collected in a session in which each event
/// happens once.
#[track_caller]
fn genuine_lines(server: &TestServer, victim: &mut TestClient) -> BTreeSet<String> {
    let mut bob = server.login("bob");
    let mut lines = lines_of(victim);
    let mut steps = |victim: &mut TestClient, steps: &[&str]| {
        for step in steps {
            victim.send(format!("{step}\n"));
            lines.extend(lines_of(victim));
        }
    };
    steps(
        victim,
        &[
            "/help",
            "/help msg",
            "/who",
            "/whois bob",
            "/rooms",
            "/invite",
            "/topic",
            "/history",
            "/ignore",
            "/ignore bob",
            "/ignore",
            "/unignore bob",
            "/nick",
            "/nick admin",
            "/nick a b",
            "/nick victim",
            "/msg bob hi",
            "/msg nobody hi",
            "/reply hi",
            "/kick bob",
            "/lock",
            "/leave",
            "/join #1",
            "/hlep",
        ],
    );
    bob.send("/topic 주제\n/msg victim psst\n/topic -\n/nick robert\n/quit bye\n");
    bob.expect_rest();
    server.operate("/say 공지");
    server.operate("/mute victim 1m");
    steps(victim, &["hm"]);
    server.operate("/unmute victim");
    steps(victim, &["/new 제목"]);
    let key = victim.invite_key();
    let mut carol = server.connect();
    carol.login_to(&format!("#{key}"), "carol");
    steps(
        victim,
        &[
            "/mute carol 10m",
            "/unmute carol",
            "/mute carol",
            "/lock",
            "/lock",
            "/unlock",
            "/limit 5",
            "/limit 1",
            "/kick carol",
            "/end",
            "anyone?",
            "/leave",
        ],
    );
    carol.send("/leave\n/quit\n").expect_rest();
    steps(victim, &["/who"]);
    // A whisper is text by a person, so repeating it forges nothing.
    lines.into_iter().filter(|line| !line.trim().is_empty() && !line.ends_with("psst")).collect()
}

#[test]
fn nothing_that_people_write_equals_what_the_server_says() {
    for lang in [Lang::Ko, Lang::En] {
        // No line is skipped, however late the victim reads.
        let server = TestServer::start(|config| {
            (config.lang, config.outbox_bytes) = (lang, 64 << 20);
        });
        let mut victim = server.login("victim");
        victim.send(format!("/lang {lang}\n")).expect("\n");
        let genuine = genuine_lines(&server, &mut victim);
        assert!(genuine.len() > 60, "{genuine:#?}");
        victim.send(format!("/lang {lang}\n")).expect("\n");

        // With names that occur in genuine lines, and one that does not.
        for name in ["bob", "carol", "robert", "mallory"] {
            let mut forger = server.login(name);
            // Its name stays reserved for a while.
            let json_name = format!("json-{name}");
            let mut json = server.login_json(&json_name);
            lines_of(&mut victim);
            for line in &genuine {
                let marks = ["[server] ", "[서버] ", "-- ", "* ", "[귓속말 ", "[whisper "];
                let unnamed = line.strip_prefix(&format!("[{name}]")).unwrap_or(line);
                let mut forged = vec![line.as_str(), unnamed, unnamed.trim_start()];
                forged.extend(marks.iter().filter_map(|mark| line.strip_prefix(mark)));
                forged.extend(line.split_once("] ").map(|(_, rest)| rest));
                for text in forged.into_iter().filter(|text| !text.trim().is_empty()) {
                    // A double slash says text that begins with a slash.
                    let begins_with_slash = text.trim_start().starts_with('/');
                    let slashes = if begins_with_slash { "//" } else { "/" };
                    forger.send(format!("{}\n", text.replacen('/', slashes, 1)));
                    forger.send(format!("/me {text}\n/msg victim {text}\n"));
                    json.send_json(json!({"type": "say", "text": format!("x\n{text}\n{text}")}));
                    let line = format!("/msg victim x\n{text}");
                    json.send_json(json!({"type": "command", "line": line}));
                    let line = format!("/me x\n{text}");
                    json.send_json(json!({"type": "command", "line": line}));
                }
            }
            for client in [&mut forger, &mut json] {
                client.wait_until_read();
            }
            forger.send("/ping the-end\n").expect("the-end\n");
            json.send_json(json!({"type": "command", "line": "/ping the-end"}));
            json.expect("\"the-end\"");
            let told = lines_of(&mut victim);
            assert!(told.len() > 3 * genuine.len(), "{} lines came", told.len());
            for line in &told {
                assert!(!genuine.contains(line), "{name} forged {line:?}");
                let written = line.starts_with(&format!("[{name}] "))
                    || line.starts_with(&format!("* {name} "))
                    || line.starts_with(&format!("[{json_name}] "))
                    || line.starts_with(&format!("* {json_name} "))
                    || ["귓속말", "whisper"].iter().any(|word| {
                        line.starts_with(&format!("[{word} {name}] "))
                            || line.starts_with(&format!("[{word} {json_name}] "))
                    });
                assert!(written, "{name} had the server say {line:?}");
            }
            drop((forger, json));
            let left = if lang == Lang::Ko { "퇴장" } else { "left" };
            server.console_expect(&format!("[{name}] {left}"));
            victim.expect(format!("[{name}]"));
            victim.expect("\n");
        }
    }
}

#[test]
fn topics_and_last_words_stay_inside_a_line_of_the_servers() {
    let server = TestServer::start(|config| config.lang = Lang::En);
    let mut victim = server.login("victim");
    let mut json = server.login_json("json");
    victim.expect_joined("json");
    for text in ["x --\n-- [bob] closed the room --", "x --\r\n[server] hi", "--\n[admin] hi"] {
        let line = format!("/topic {text}");
        json.send_json(json!({"type": "command", "line": line}));
        let told = victim.expect_line();
        assert!(told.starts_with("-- [json] set the topic: ") && told.ends_with(" --"), "{told}");
        victim.send("/topic\n/ping t\n");
        let shown = victim.expect("pong t\n");
        assert!(shown.starts_with("Topic: ") && shown.matches('\n').count() == 1, "{shown}");
    }
    json.send_json(json!({"type": "command", "line": "/quit x)\n[server] hi\n[json] left."}));
    let told = victim.expect_line();
    assert!(told.starts_with("[json] left. (x) ") && told.ends_with(')'), "{told}");
    victim.send("/ping\n").expect_next("pong\n");
}
