//! A lesson as a person at a terminal sees it: the row above the prompt, temporary refusals, and
//! servers and clients that know more or less about lessons than the other side.

use std::process::Stdio;

use crate::spawn_program;
use madang_protocol::{
    event::{LessonNow, Time},
    notice::{LessonNotice, Notice},
    text::Lang,
};

use crate::{
    client,
    fake_server::{FakeServer, Peer},
    terminal::{BACKSPACE, CTRL_C, CTRL_R, TAB, Terminal},
};

const POLL: &str = r#""question":"Lunch?","choices":["rice","soup"]"#;
const PINNED: &str = "poll: Lunch?  /1 rice  /2 soup";

/// A client of this size that joins during `lesson`.
#[track_caller]
fn start(columns: u16, rows: u16, lesson: &str) -> (FakeServer, Terminal, Peer) {
    let server = FakeServer::start();
    let args = ["--name", "me", "--time", "never", "--color", "never"];
    let terminal = Terminal::start_sized(&server.address, &args, columns, rows, &[]);
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"me\"");
    welcome(&mut peer, lesson, false);
    (server, terminal, peer)
}

#[track_caller]
fn welcome(peer: &mut Peer, lesson: &str, resumed: bool) {
    peer.send(&format!(
        "{{\"type\":\"welcome\",\"user\":\"me\",\"room\":\"lobby\",\"session\":\"t\",\"id\":{},\
         \"members\":3,\"resumed\":{resumed},\"lesson\":{{{lesson}}}}}\n",
        peer.last_id
    ));
}

/// Expects a command, and confirms it.
#[track_caller]
fn expect_command(peer: &mut Peer, line: &str) {
    let nonce = command(peer, line);
    peer.ack(&nonce);
}

/// Expects a command without answering it. Returns its nonce.
#[track_caller]
fn command(peer: &mut Peer, line: &str) -> String {
    let request = peer.line();
    assert!(request.contains(&format!("\"line\":\"{line}\"")), "{request}");
    let (_, nonce) = request.split_once("\"nonce\":\"").expect("it has one");
    nonce.trim_end_matches("\"}").to_owned()
}

/// A notice as text.
fn words(notice: LessonNotice<'_>) -> String {
    Notice::Lesson(notice).text(Lang::En)
}

#[track_caller]
fn refuse(peer: &mut Peer, nonce: &str, code: &str, text: &str) {
    peer.send(&format!(
        "{{\"type\":\"error\",\"code\":\"{code}\",\"text\":\"{text}\",\"wait_seconds\":8,\
         \"nonce\":\"{nonce}\"}}\n"
    ));
}

#[test]
fn an_open_poll_stands_above_the_prompt_with_ones_own_vote_until_it_ends() {
    let (_server, mut terminal, mut peer) = start(80, 24, r#""running":true"#);
    let lesson = &LessonNow { running: true, ..LessonNow::default() };
    let arrival = words(LessonNotice::Now { lesson, now: Time::from_millis(0) });
    terminal.expect_last(&[&arrival, "[lobby 3]"]);
    terminal.type_text("a draft");
    peer.event("poll", POLL);
    let opened = " -- poll: Lunch?  /1 rice  /2 soup --";
    terminal.expect_last(&[opened, PINNED, "[lobby 3] a draft"]);
    // Messages scroll by above it, and the draft stays.
    peer.said("bob", "hm");
    terminal.expect_last(&[opened, " [bob] hm", PINNED, "[lobby 3] a draft"]);
    terminal.type_text(CTRL_C);
    terminal.expect_last(&[PINNED, "[lobby 3]"]);
    // While a vote is being typed, the client shows what it would choose.
    terminal.type_text("/2");
    terminal.expect_last(&[PINNED, "[lobby 3] /2  soup"]);
    terminal.enter("");
    expect_command(&mut peer, "/2");
    terminal.expect_last(&[" [bob] hm", "poll: Lunch?  /1 rice  ✓/2 soup", "[lobby 3]"]);
    terminal.enter("/1");
    // A refused vote changes nothing.
    let nonce = command(&mut peer, "/1");
    refuse(&mut peer, &nonce, "poll_over", "The poll takes no more votes.");
    let over = "The poll takes no more votes.";
    terminal.expect_last(&[over, "poll: Lunch?  /1 rice  ✓/2 soup", "[lobby 3]"]);
    terminal.type_text("still typing");
    peer.event("poll_ended", &format!(r#"{POLL},"answered":2,"members":3,"counts":[1,1]"#));
    let result = " -- poll result, 2 of 3: rice 1 · soup 1 --";
    terminal.expect_last(&[over, result, "[lobby 3] still typing"]);
}

#[test]
fn a_newcomer_sees_the_lesson_in_one_line_and_the_open_poll_in_another() {
    let lesson = concat!(
        r#""running":true,"title":"Pointers","hands":["bob","eve"],"slow":10,"listen":true,"#,
        r#""timer":"2026-01-01T00:00:00.000Z","#,
        r#""poll":{"question":"Clear?","choices":["네(O)","아니요(X)"],"yes_no":true,"vote":1}"#,
    );
    let (_server, mut terminal, mut peer) = start(100, 24, lesson);
    // The clock has run out by now.
    terminal.expect_screen("what goes on", |rows| {
        rows.iter().any(|row| row.starts_with("-- a lesson is running: Pointers · time to listen"))
    });
    let pinned = "poll: Clear?  ✓/o yes  /x no";
    terminal.expect_last(&["-- poll: Clear?  ✓/o yes  /x no --", pinned, "[lobby 3]"]);
    // A room without a lesson shows neither.
    terminal.enter("/new");
    let nonce = command(&mut peer, "/new");
    peer.send("{\"type\":\"entered\",\"room\":\"private-k3f9\",\"id\":1,\"members\":1,");
    peer.send(&format!("\"owner\":\"me\",\"nonce\":\"{nonce}\"}}\n"));
    peer.ack(&nonce);
    terminal.expect_screen("the room, and no poll", |rows| {
        rows.last().is_some_and(|row| row == "[private-k3f9 1]")
            && !rows.iter().any(|row| row == pinned)
    });
}

#[test]
fn the_row_above_the_prompt_fits_every_terminal() {
    for (columns, pinned) in
        [(60, PINNED), (31, PINNED), (24, "poll:…  /1 rice  /2 soup"), (20, "poll: Lunch?  /1  /2")]
    {
        let (_server, mut terminal, mut peer) = start(columns, 12, r#""running":true"#);
        peer.event("poll", POLL);
        let fits = |row: &String| row == pinned || columns < 25 && row.starts_with("poll:");
        terminal.expect_screen("the poll above the prompt", |rows| {
            let [.., above, prompt] = rows else { return false };
            prompt == "[lobby 3]" && fits(above) && rows.iter().filter(|row| fits(row)).count() == 1
        });
        // A line that fills its row, and one taller than the screen.
        let fill = "x".repeat(usize::from(columns) - "[lobby 3] ".len());
        terminal.enter(&fill);
        assert_eq!(peer.expect_say(), fill);
        peer.said("bob", "above");
        terminal.expect_screen("one poll", |rows| {
            let [.., said, above, prompt] = rows else { return false };
            said == " [bob] above" && fits(above) && prompt == "[lobby 3]"
        });
        let tall: Vec<String> = (1..=30).map(|number| format!("line {number}")).collect();
        terminal.paste(&tall.join("\n"));
        terminal.expect_screen("the end of a tall paste", |rows| {
            rows.len() == 12
                && fits(&rows[0])
                && rows[1].starts_with("[lobby 3] … +")
                && rows[11] == "line 30"
        });
        terminal.type_text(CTRL_C);
        terminal.expect_screen("an empty line", |rows| {
            rows.iter().filter(|row| fits(row)).count() == 1
                && rows.last().is_some_and(|row| row == "[lobby 3]")
        });
    }
}

#[test]
fn a_small_terminal_keeps_its_rows_for_what_is_said() {
    let (_server, mut terminal, mut peer) = start(60, 5, r#""running":true"#);
    peer.event("poll", POLL);
    peer.said("bob", "hm");
    terminal.expect_last(&[" -- poll: Lunch?  /1 rice  /2 soup --", " [bob] hm", "[lobby 3]"]);
    // With more rows, there is space for it.
    terminal.resize(60, 12);
    peer.said("bob", "more");
    terminal.expect_last(&[" [bob] hm", " [bob] more", PINNED, "[lobby 3]"]);
    terminal.resize(30, 12);
    terminal.expect_screen("the poll in fewer columns", |rows| {
        let [.., above, prompt] = rows else { return false };
        above.starts_with("poll: ") && above.chars().count() < 30 && prompt == "[lobby 3]"
    });
    terminal.enter("mine");
    assert_eq!(peer.expect_say(), "mine");
    // A search of earlier lines takes over the row, and gives it back.
    terminal.type_text(CTRL_R);
    terminal
        .expect_screen("the search", |rows| rows.last().is_some_and(|row| row.contains("search")));
    terminal.type_text(CTRL_C);
    terminal.expect_screen("the poll again", |rows| {
        let [.., above, prompt] = rows else { return false };
        above.starts_with("poll: ") && prompt == "[lobby 3]"
    });
}

#[test]
fn a_line_refused_for_a_while_is_kept_to_be_sent_again() {
    let (_server, mut terminal, mut peer) = start(80, 24, r#""running":true,"slow":10"#);
    let slow = &*words(LessonNotice::Slow { seconds: 8 });
    terminal.enter("see you");
    let (text, nonce) = peer.say();
    assert_eq!(text, "see you");
    refuse(&mut peer, &nonce, "slow", slow);
    terminal.expect_last(&[slow, "[lobby 3] see you"]);
    terminal.type_text(BACKSPACE);
    terminal.enter("r later");
    assert_eq!(peer.expect_say(), "see yor later");
    // The text being typed is not lost: the arrow key recalls the refused line.
    terminal.expect_last(&[slow, "[lobby 3]"]);
    terminal.enter("/me waves");
    let nonce = command(&mut peer, "/me waves");
    refuse(&mut peer, &nonce, "listening", "It is time to listen.");
    terminal.expect_last(&["It is time to listen.", "[lobby 3] /me waves"]);
    terminal.type_text(CTRL_C);
    // A line that would be refused again is not put back.
    terminal.enter("other");
    let (_, nonce) = peer.say();
    refuse(&mut peer, &nonce, "muted", "You are muted.");
    terminal.expect_last(&["You are muted.", "[lobby 3]"]);
}

#[test]
fn a_teacher_sees_the_count_and_completes_what_a_teacher_does() {
    let lesson = r#""running":true,"teacher":true,"hands":["철수","bob"]"#;
    let (_server, mut terminal, mut peer) = start(100, 24, lesson);
    terminal.expect_last(&["-- a lesson is running · hands: 2 --", "[lobby 3]"]);
    peer.event("poll", POLL);
    for answered in 1..=2 {
        let tally = format!(r#"{{"type":"tally","answered":{answered},"members":3}}"#);
        peer.send(&format!("{tally}\n"));
    }
    let opened = " -- poll: Lunch?  /1 rice  /2 soup --";
    // Votes are counted above the prompt, without a line for each.
    let counted = "poll, 2 of 3: Lunch?  /1 rice  /2 soup";
    terminal.expect_last(&[opened, counted, "[lobby 3]"]);
    terminal.type_text("/poll e");
    terminal.type_text(TAB);
    terminal.expect_last(&[counted, "[lobby 3] /poll end"]);
    terminal.type_text(CTRL_C);
    terminal.enter("/poll");
    let nonce = command(&mut peer, "/poll");
    peer.send(&format!(
        "{{\"type\":\"tally\",\"answered\":2,\"members\":3,\"waiting\":[\"bob\"],\
         \"nonce\":\"{nonce}\"}}\n"
    ));
    peer.ack(&nonce);
    terminal.expect_last(&["2 of 3 have voted.", "Not yet: bob", counted, "[lobby 3]"]);
    // The hand that has been up longest comes first, whatever the order of the members.
    terminal.type_text("/call ");
    terminal.type_text(TAB);
    terminal.expect_screen("the names", |rows| {
        let is_list = |row: &String| {
            row.strip_prefix("철수").is_some_and(|rest| rest.trim_start().starts_with("bob"))
        };
        rows.iter().any(is_list)
            && rows.last().is_some_and(|row| row.starts_with("[lobby 3] /call"))
    });
}

#[test]
fn a_pupil_completes_what_a_lesson_has_and_no_more() {
    let (_server, mut terminal, mut peer) = start(80, 24, r#""running":true"#);
    terminal.type_text("/손");
    terminal.expect_last(&["[lobby 3] /손 [질문|내리기]"]);
    terminal.type_text(CTRL_C);
    terminal.type_text("/as");
    terminal.expect_last(&["[lobby 3] /ask TEXT"]);
    terminal.type_text(CTRL_C);
    // Only teachers call on people.
    terminal.type_text("/call");
    terminal.expect_last(&["[lobby 3] /call"]);
    terminal.type_text(CTRL_C);
    // After the lesson, nobody votes.
    peer.event("lesson", r#""state":"ended","seconds":60,"people":2,"hands":0,"polls":0"#);
    terminal.expect_screen("the end of the lesson", |rows| {
        rows.iter().any(|row| row.contains("the lesson has ended"))
    });
    terminal.type_text("/as");
    terminal.expect_last(&["[lobby 3] /as"]);
}

#[test]
fn being_called_on_rings_the_bell() {
    let (_server, mut terminal, mut peer) = start(80, 24, r#""running":true,"listen":true"#);
    peer.event("called", r#""user":"bob","by":"Kim""#);
    terminal.expect_row(" -- [Kim] called on [bob] --");
    peer.event("called", r#""user":"me","by":"Kim""#);
    terminal.expect_row("*-- [Kim] called on [me] --");
    terminal.expect_bells(1);
}

#[test]
fn a_teacher_is_marked_where_no_name_can_be() {
    let (_server, mut terminal, mut peer) = start(80, 24, r#""running":true"#);
    for text in ["hello", "me, look"] {
        peer.event("said", &format!(r#""user":"Kim","text":"{text}","teacher":true"#));
    }
    peer.event("said", r#""user":"Kim","text":"waves","me":true,"teacher":true"#);
    terminal.expect_last(&[
        " [Kim·teacher] hello",
        "*[Kim·teacher] me, look",
        " * Kim·teacher waves",
        "[lobby 3]",
    ]);
}

#[test]
fn a_lost_connection_takes_the_row_away_and_brings_it_back_with_the_vote() {
    let (server, mut terminal, mut peer) = start(80, 24, r#""running":true"#);
    peer.event("poll", POLL);
    terminal.expect_last(&[PINNED, "[lobby 3]"]);
    terminal.enter("/1");
    expect_command(&mut peer, "/1");
    let voted = "poll: Lunch?  ✓/1 rice  /2 soup";
    terminal.expect_last(&[voted, "[lobby 3]"]);
    let last = peer.last_id;
    drop(peer);
    terminal.expect_screen("no poll", |rows| {
        rows.last().is_some_and(|row| row.starts_with("[lobby ")) && !rows.contains(&voted.into())
    });
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.last_id = last;
    let poll = format!(r#""running":true,"poll":{{{POLL},"vote":1}}"#);
    welcome(&mut peer, &poll, true);
    terminal.expect_last(&[voted, "[lobby 3]"]);
}

#[test]
fn unknown_lesson_events_of_a_newer_server_are_ignored() {
    let lesson = r#""running":true,"homework":{"due":"tomorrow"}"#;
    let (_server, mut terminal, mut peer) = start(80, 24, lesson);
    peer.event("homework", r#""user":"Kim","pages":[1,2]"#);
    peer.event("quiz", r#""state":{"of":"many"},"on":true"#);
    peer.send("{\"type\":\"grades\",\"of\":[{\"user\":\"bob\"}]}\n");
    peer.event("poll", r#""question":"Q","choices":["a","b"],"weights":[1,2]"#);
    peer.said("bob", "hi");
    terminal.expect_last(&[
        " -- poll: Q  /1 a  /2 b --",
        " [bob] hi",
        "poll: Q  /1 a  /2 b",
        "[lobby 3]",
    ]);
}

#[test]
fn a_server_without_lessons_refuses_and_nothing_else_changes() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "me"]);
    let mut peer = server.accept_member("me");
    terminal.expect_last(&["[lobby 1]"]);
    terminal.enter("/hand");
    let nonce = command(&mut peer, "/hand");
    refuse(&mut peer, &nonce, "unknown_command", "No.");
    terminal.expect_last(&["No.", "[lobby 1]"]);
    terminal.enter("hello");
    assert_eq!(peer.expect_say(), "hello");
}

#[test]
fn a_pipe_has_no_row_above_anything() {
    let server = FakeServer::start();
    let args = ["--name", "ci", "--lang", "en", "--read", "--count", "1"];
    let mut command = client::command(&server.address, &args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let reader = spawn_program(&mut command).expect("the client starts");
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"ci\"");
    welcome(&mut peer, &format!(r#""running":true,"poll":{{{POLL}}}"#), false);
    peer.event("poll", POLL);
    peer.said("bob", "hi");
    let output = reader.wait_with_output().expect("it ends");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "-- poll: Lunch?  /1 rice  /2 soup --\n[bob] hi\n"
    );
}
