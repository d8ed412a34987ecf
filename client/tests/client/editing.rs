//! On a terminal: a line is being typed while others arrive.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use madang_protocol::{notice::Notice, text::Lang};

use crate::{
    client::MADANG,
    fake_server::{FakeServer, Peer},
    terminal::{BACKSPACE, CTRL_C, CTRL_L, CTRL_R, CTRL_Z, END, ENTER, LEFT, TAB, Terminal, UP},
};

/// A member in the lobby, at the prompt.
#[track_caller]
fn start(args: &[&str], columns: u16, rows: u16) -> (FakeServer, Terminal, Peer) {
    start_with(args, columns, rows, &[])
}

#[track_caller]
fn start_with(
    args: &[&str],
    columns: u16,
    rows: u16,
    variables: &[(&str, &str)],
) -> (FakeServer, Terminal, Peer) {
    let server = FakeServer::start();
    let args = [&["--name", "me"], args].concat();
    let mut terminal = Terminal::start_sized(&server.address, &args, columns, rows, variables);
    let peer = server.accept_member("me");
    terminal.expect_screen("the prompt", |rows| rows.last().is_some_and(|row| row == "[lobby 1]"));
    (server, terminal, peer)
}

const PLAIN: [&str; 4] = ["--time", "never", "--color", "never"];

#[test]
fn messages_scroll_above_a_half_typed_hangul_line() {
    for (columns, rows) in [(80, 24), (40, 10)] {
        let (_server, mut terminal, mut peer) = start(&PLAIN, columns, rows);
        terminal.type_text("반쯤 쓴 줄");
        terminal.expect_last(&["[lobby 1] 반쯤 쓴 줄"]);
        for number in 1..=30 {
            peer.said("bob", &format!("{number}번째"));
        }
        terminal.expect_last(&[" [bob] 29번째", " [bob] 30번째", "[lobby 1] 반쯤 쓴 줄"]);
        terminal.expect_cursor(20);
        terminal.type_text(" 더");
        terminal.type_text(BACKSPACE);
        terminal.type_text(BACKSPACE);
        terminal.type_text(BACKSPACE);
        terminal.expect_last(&["[lobby 1] 반쯤 쓴"]);
        terminal.type_text(ENTER);
        assert_eq!(peer.expect_say(), "반쯤 쓴 ");
        peer.said("me", "반쯤 쓴");
        terminal.expect_last(&[" [bob] 30번째", ">[me] 반쯤 쓴", "[lobby 1]"]);
    }
}

#[test]
fn a_syllable_is_one_key_and_decomposed_ones_are_too() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.type_text("\u{1112}\u{1161}\u{11ab}글👨‍👩‍👧x");
    for _ in 0..3 {
        terminal.type_text(BACKSPACE);
    }
    terminal.type_text(ENTER);
    // It is sent in NFC.
    assert_eq!(peer.expect_say(), "한");
}

#[test]
fn emoji_are_as_wide_as_terminals_have_them() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.type_text("가👍나🎉");
    terminal.expect_last(&["[lobby 1] 가👍나🎉"]);
    terminal.expect_cursor(10 + 4 * 2);
    terminal.type_text(&format!("{LEFT}{LEFT}!"));
    peer.said("bob", "😀 hi");
    terminal.expect_last(&[" [bob] 😀 hi", "[lobby 1] 가👍!나🎉"]);
    terminal.expect_cursor(10 + 2 * 2 + 1);
    terminal.type_text(&format!("{BACKSPACE}{BACKSPACE}"));
    terminal.expect_last(&["[lobby 1] 가나🎉"]);
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "가나🎉");
}

#[test]
fn wide_characters_wrap_whole_at_the_edge() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 40, 10);
    // 30 columns are left in the first row: one, and fourteen and a half syllables.
    terminal.type_text("x가나다라마바사아자차카타파하갸냐");
    terminal.expect_last(&["[lobby 1] x가나다라마바사아자차카타파하", "갸냐"]);
    terminal.expect_cursor(4);
    peer.said("bob", "끼어듭니다");
    terminal.expect_last(&[" [bob] 끼어듭니다", "[lobby 1] x가나다라마바사아자차카타파하", "갸냐"]);
    for _ in 0..3 {
        terminal.type_text(LEFT);
    }
    terminal.type_text("!");
    terminal.expect_last(&["[lobby 1] x가나다라마바사아자차카타파!하", "갸냐"]);
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "x가나다라마바사아자차카타파!하갸냐");
    peer.said("me", "끝");
    terminal.expect_last(&[" [bob] 끼어듭니다", ">[me] 끝", "[lobby 1]"]);
}

#[test]
fn a_line_that_fills_its_row_is_taken_off_whole() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 40, 10);
    peer.said("bob", "above");
    terminal.expect_last(&[" [bob] above", "[lobby 1]"]);
    let line = "x".repeat(30);
    terminal.enter(&line);
    assert_eq!(peer.expect_say(), line);
    terminal.expect_last(&[" [bob] above", "[lobby 1]"]);
}

#[test]
fn on_a_small_screen_the_welcome_stands_below_the_history() {
    for (rows, is_below) in [(10, true), (24, false)] {
        let server = FakeServer::start();
        let args = [&["--name", "me"], &PLAIN[..]].concat();
        let mut terminal = Terminal::start_sized(&server.address, &args, 60, rows, &[]);
        let mut peer = server.accept_json();
        peer.expect_login("\"name\":\"me\"");
        peer.welcome("me");
        peer.said("bob", "before");
        peer.event("joined", "\"user\":\"me\"");
        let at = |rows: &[String], wanted: &str| rows.iter().position(|row| row.contains(wanted));
        terminal.expect_screen("the welcome at its place", |rows| {
            let places = at(rows, "-- me in the lobby").zip(at(rows, "before"));
            places.is_some_and(|(welcome, before)| (welcome > before) == is_below)
        });
    }
}

#[test]
fn ctrl_l_clears_the_screen_and_keeps_the_line() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    peer.said("bob", "before");
    terminal.expect_row(" [bob] before");
    terminal.type_text("half a li");
    terminal.expect_row("[lobby 1] half a li");
    terminal.type_text(CTRL_L);
    terminal.expect_screen("only the line", |rows| rows == ["[lobby 1] half a li"]);
}

#[test]
fn history_has_a_heading() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.enter("/history");
    assert!(peer.line().contains("/history"));
    peer.send("{\"type\":\"history\",\"room\":\"lobby\",\"events\":[{\"type\":\"said\",\"id\":1,");
    peer.send(
        "\"time\":\"2026-11-22T18:59:00Z\",\"room\":\"lobby\",\"user\":\"bob\",\"text\":\"hi\"}],",
    );
    peer.send("\"more\":false,\"nonce\":\"1\"}\n{\"type\":\"ack\",\"nonce\":\"1\"}\n");
    let heading = Notice::Earlier { lines: 1 }.text(Lang::En);
    terminal.expect_last(&[&heading, " [bob] hi", "[lobby 1]"]);
}

#[test]
fn a_resized_window_keeps_the_line() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.type_text("한글로 쓰던 긴 줄이 창을 좁혀도 그대로 있습니다");
    terminal.expect_row("[lobby 1] 한글로 쓰던 긴 줄이 창을 좁혀도 그대로 있습니다");
    terminal.resize(40, 10);
    terminal.type_text("!");
    peer.said("bob", "hi");
    terminal.expect_screen("the line in two rows", |rows| {
        rows.ends_with(&[
            " [bob] hi".into(),
            "[lobby 1] 한글로 쓰던 긴 줄이 창을 좁혀".into(),
            "도 그대로 있습니다!".into(),
        ])
    });
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "한글로 쓰던 긴 줄이 창을 좁혀도 그대로 있습니다!");
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_the_line() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start_shell();
    terminal.expect_last(&["$"]);
    let madang = format!("{MADANG} {} --name me {}", server.address, PLAIN.join(" "));
    terminal.type_text(&format!("clear; {madang}\n"));
    let mut peer = server.accept_member("me");
    terminal.expect_last(&["[lobby 1]"]);
    for round in 0..5 {
        terminal.type_text(&format!("쓰던 말{LEFT}"));
        terminal.expect_last(&["[lobby 1] 쓰던 말"]);
        terminal.type_text(CTRL_Z);
        terminal.expect_last(&["$"]);
        // Keys typed now go to the shell; these terminals have no echo.
        terminal.type_text(&format!("echo $((40 + {round}))\n"));
        terminal.expect_last(&[&format!("$ {}", 40 + round), "$"]);
        peer.said("bob", &format!("meanwhile {round}"));
        terminal.type_text("fg\n");
        terminal.expect_last(&[&format!(" [bob] meanwhile {round}"), "[lobby 1] 쓰던 말"]);
        terminal.type_text(&format!("{BACKSPACE}!{ENTER}"));
        assert_eq!(peer.expect_say(), "쓰던!말");
        terminal.expect_last(&[&format!(" [bob] meanwhile {round}"), "[lobby 1]"]);
    }
    terminal.enter("/quit");
    peer.expect("{\"type\":\"command\",\"line\":\"/quit\"}\n");
    peer.close();
    terminal.expect_last(&["$"]);
    terminal.type_text("echo $((40 + 7))\n");
    terminal.expect_last(&["$ 47", "$"]);
}

#[test]
fn tab_completes_commands_names_and_rooms() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.type_text("/whoi");
    terminal.expect_row("[lobby 1] /whois NAME");
    terminal.type_text(TAB);
    terminal.expect_row("[lobby 1] /whois NAME");
    terminal.type_text("\x15/누");
    terminal.type_text(TAB);
    terminal.expect_row("[lobby 1] /누구 [방]");

    peer.said("앨리스", "hi");
    peer.said("alice", "hi");
    terminal.type_text("\x15@a");
    terminal.type_text(TAB);
    peer.expect("{\"type\":\"command\",\"line\":\"/who\",\"nonce\":\"1\"}\n");
    peer.send("{\"type\":\"who\",\"room\":\"lobby\",\"count\":4,\"more\":false,\"nonce\":\"1\",");
    peer.send("\"members\":[\"me\",\"alina\",\"alice\",\"앨리스\"]}\n");
    peer.ack("1");
    // The latest speaker first; answers to the client's own questions are not shown.
    terminal.expect_row("@alice  @alina");
    terminal.expect_last(&["[lobby 4] @ali"]);
    assert!(!terminal.rows().join("\n").contains("4 here"), "{:?}", terminal.rows());
    terminal.type_text("n");
    terminal.type_text(TAB);
    terminal.expect_last(&["[lobby 4] @alina"]);

    terminal.type_text("\x15/join 수");
    terminal.type_text(TAB);
    peer.expect("{\"type\":\"command\",\"line\":\"/rooms\",\"nonce\":\"2\"}\n");
    peer.send("{\"type\":\"rooms\",\"rooms\":[{\"room\":\"수학\",\"members\":3}],");
    peer.send("\"more\":false,\"nonce\":\"2\"}\n");
    peer.ack("2");
    terminal.expect_last(&["[lobby 4] /join 수학"]);
}

#[test]
fn a_list_of_completions_fits_a_small_screen_and_lines_go_on_above() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 40, 10);
    terminal.type_text("/");
    terminal.type_text(TAB);
    terminal.expect_screen("the list and the line", |rows| {
        rows.iter().any(|row| row.contains("/who /누구"))
            && rows.last().is_some_and(|row| row == "[lobby 1] /")
    });
    for number in 0..100 {
        peer.said("bob", &format!("{number}"));
    }
    terminal.expect_last(&[" [bob] 98", " [bob] 99", "[lobby 1] /"]);
    terminal.type_text(&format!("초{TAB}"));
    terminal.expect_last(&["[lobby 1] /초대 [qr|단어]"]);
    let shown = terminal.scrolled();
    let said: Vec<&str> = shown.iter().filter_map(|row| row.strip_prefix(" [bob] ")).collect();
    assert_eq!(said, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_short_paste_is_one_message() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.paste("하나\n/quit\n셋\n");
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "하나\n/quit\n셋");
}

#[test]
fn a_long_paste_is_asked_about_and_given_back() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    let lines: Vec<String> = (1..=14).map(|number| format!("줄 {number}")).collect();
    let text = lines.join("\n");
    terminal.paste(&text);
    terminal.expect_row("줄 14");
    terminal.type_text(ENTER);
    terminal.expect_last(&["send 14 lines? [y/N]"]);
    terminal.enter("n");
    terminal.expect_screen("the paste again", |rows| rows.last().is_some_and(|row| row == "줄 14"));
    assert!(!peer.has_more(), "nothing was said");
    terminal.type_text(ENTER);
    terminal.expect_last(&["send 14 lines? [y/N]"]);
    terminal.enter("ㅛ");
    assert_eq!(peer.expect_say(), text);
}

#[test]
fn a_line_taller_than_the_screen_shows_its_end_and_leaves_no_copies() {
    #[track_caller]
    fn check(columns: u16, rows: u16, text: &str, last_row: &str) {
        let (_server, mut terminal, mut peer) = start(&PLAIN, columns, rows);
        terminal.paste(text);
        terminal.expect_screen("the end of the line", |shown| {
            shown.last().is_some_and(|row| row == last_row)
                && shown.len() == usize::from(rows)
                && shown[0].starts_with("[lobby 1] … +")
        });
        for number in 0..300 {
            peer.said("bob", &format!("{number}"));
            terminal.look();
        }
        // The cursor is at its end.
        terminal.type_text(&format!("{BACKSPACE}!"));
        let changed = format!("{}!", &last_row[..last_row.len() - 1]);
        terminal
            .expect_screen("the change", |shown| shown.last().is_some_and(|row| *row == changed));
        peer.said("bob", "the end");
        terminal.expect_raw(" [bob] the end");
        terminal.expect_screen("the line", |shown| shown.last().is_some_and(|row| *row == changed));
        terminal.type_text(ENTER);
        let is_asked = text.contains('\n');
        if is_asked {
            terminal.expect_screen("the question", |shown| {
                shown.last().is_some_and(|row| row.starts_with("send "))
            });
            terminal.enter("y");
        }
        assert_eq!(peer.expect_say(), format!("{}!", &text[..text.len() - 1]));
        terminal.expect_last(&["[lobby 1]"]);
        let shown = terminal.scrolled();
        let said: Vec<&str> = shown.iter().filter_map(|row| row.strip_prefix(" [bob] ")).collect();
        let expected: Vec<String> =
            (0..300).map(|number| number.to_string()).chain(["the end".into()]).collect();
        assert_eq!(said, expected);
        // Only the first row of the line has scrolled off, when Enter ended the last one.
        let others: Vec<&String> = shown
            .iter()
            .filter(|row| !row.starts_with(" [bob] ") && !row.starts_with("send "))
            .filter(|row| *row != "[lobby 1]" && !row.starts_with("[lobby 1] … +"))
            .filter(|row| !row.starts_with("-- ") && !row.is_empty())
            .collect();
        assert!(others.iter().all(|row| is_welcome(row)), "{others:?}");
        assert!(shown.iter().filter(|row| row.starts_with("[lobby 1] …")).count() <= 1);
    }
    fn is_welcome(row: &str) -> bool {
        row.contains("leave: Ctrl-D") || row.contains("help: /help") || row.contains("1 here")
    }
    let lines: Vec<String> = (1..=30).map(|number| format!("줄 {number}")).collect();
    check(80, 24, &lines.join("\n"), "줄 30");
    check(40, 10, &lines.join("\n"), "줄 30");
    // 30 columns are left in the first row; 19 syllables and a column remain.
    let long = format!("x{}x", "가".repeat(14 + 20 * 14 + 19));
    check(40, 10, &long, &format!("{}x", "가".repeat(19)));
}

#[test]
fn a_line_taller_than_the_screen_is_whole_in_a_larger_one() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 40, 10);
    let lines: Vec<String> = (1..=12).map(|number| format!("줄 {number}")).collect();
    terminal.paste(&lines.join("\n"));
    terminal.expect_screen("its end", |rows| {
        rows.first().is_some_and(|row| row == "[lobby 1] … +3")
            && rows.last().is_some_and(|row| row == "줄 12")
    });
    let first = format!("[lobby 1] {}", lines[0]);
    let whole =
        [&[" [bob] hi", &first], &lines.iter().skip(1).map(|line| &**line).collect::<Vec<_>>()[..]]
            .concat();
    terminal.resize(40, 24);
    peer.said("bob", "hi");
    terminal.expect_last(&whole);
    terminal.resize(40, 10);
    peer.said("bob", "again");
    terminal.expect_screen("its end", |rows| {
        rows.first().is_some_and(|row| row == "[lobby 1] … +3")
            && rows.last().is_some_and(|row| row == "줄 12")
    });
    terminal.type_text(CTRL_C);
    terminal.expect_last(&["[lobby 1]"]);
}

#[test]
fn a_line_that_is_too_long_is_given_back() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.paste(&"x".repeat(4_100));
    // It is told before it is sent, too.
    terminal.expect_raw("4 letters too long");
    terminal.type_text(ENTER);
    let refused = Notice::LineTooLong { bytes: 4_100 }.text(Lang::En);
    // It takes more than one row.
    terminal.expect_raw(&refused[..60]);
    terminal.expect_raw("[lobby 1] … +29");
    for _ in 0..10 {
        terminal.type_text(BACKSPACE);
    }
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "x".repeat(4_090));
}

#[test]
fn the_longest_message_is_sent_though_it_doubles_in_json_and_one_byte_more_is_not() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    let lines = |last: usize| {
        let line = |quotes: usize| "\"".repeat(quotes);
        [line(4_095), line(4_095), line(4_095), line(last)].join("\n")
    };
    terminal.paste(&lines(4_096));
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), lines(4_096));
    // With one more line, the message is too long, although none of its lines is.
    let too_long = lines(4_095) + "\n\"";
    assert_eq!(too_long.len(), 16_385);
    terminal.paste(&too_long);
    terminal.type_text(ENTER);
    let refused = Notice::MessageTooLong { bytes: 16_385 }.text(Lang::En);
    // It takes more than one row, and the message, given back below it, moves it off the screen.
    terminal.expect_scrolled("the refusal", |rows| {
        rows.concat().replace(' ', "").contains(&refused.replace(' ', ""))
    });
    assert!(!peer.has_more());
}

#[test]
fn a_search_in_a_flood_loses_nothing_and_neither_does_the_line() {
    #[track_caller]
    fn check(columns: u16, rows: u16) {
        const LINES: u64 = 2_000;

        let (_server, mut terminal, mut peer) = start(&PLAIN, columns, rows);
        for line in ["안녕하세요", "나중에"] {
            terminal.enter(line);
            peer.expect_say();
        }
        terminal.type_text("쓰던");
        terminal.expect_last(&["[lobby 1] 쓰던"]);
        let began = Instant::now();
        for number in 0..LINES {
            peer.said("bob", &format!("{number}"));
            match number {
                500 => terminal.type_text(CTRL_R),
                600 => terminal.type_text("안녕"),
                // The found line is taken over, and the flood continues.
                1_300 => terminal.type_text(END),
                1_400 => terminal.type_text("!"),
                _ => {}
            }
            terminal.look();
            // A thousand a second.
            while began.elapsed() < Duration::from_millis(number) {
                std::thread::yield_now();
            }
        }
        let last = format!(" [bob] {}", LINES - 1);
        terminal.expect_last(&[&last, "[lobby 1] 안녕하세요!"]);
        let said: Vec<String> =
            terminal.scrolled().into_iter().filter(|row| row.starts_with(" [bob] ")).collect();
        let expected: Vec<String> = (0..LINES).map(|number| format!(" [bob] {number}")).collect();
        assert_eq!(said, expected);
        terminal.type_text(ENTER);
        assert_eq!(peer.expect_say(), "안녕하세요!");
    }
    check(80, 24);
    check(40, 10);
}

#[test]
fn the_prompt_tells_room_and_count_and_keeps_the_line() {
    let (_server, mut terminal, mut peer) = start(&PLAIN, 80, 24);
    terminal.type_text("쓰던 말");
    terminal.type_text(LEFT);
    terminal.type_text(LEFT);
    terminal.expect_row("[lobby 1] 쓰던 말");
    for number in 2..=12 {
        peer.event("joined", &format!("\"user\":\"u{number}\""));
    }
    terminal.expect_last(&["[lobby 12] 쓰던 말"]);
    terminal.type_text("긴 ");
    terminal.expect_last(&["[lobby 12] 쓰던긴  말"]);
    peer.event("left", "\"user\":\"u2\"");
    terminal.expect_last(&["[lobby 11] 쓰던긴  말"]);
    terminal.type_text(CTRL_C);
    terminal.expect_last(&["[lobby 11]"]);
    terminal.enter("/join 수학");
    peer.expect("{\"type\":\"command\",\"line\":\"/join 수학\",\"nonce\":\"1\"}\n");
    peer.send("{\"type\":\"entered\",\"room\":\"수학\",\"id\":1,\"members\":3,");
    peer.send("\"topic\":\"극한\",\"nonce\":\"1\"}\n{\"type\":\"ack\",\"nonce\":\"1\"}\n");
    let entered = Notice::Entered { room: "수학", members: 3, topic: Some("극한") };
    terminal.expect_last(&[&entered.text(Lang::En), "[수학 3]"]);
}

#[test]
fn names_have_colours_own_lines_a_mark_and_mentions_a_bell() {
    let (_server, mut terminal, mut peer) = start(&["--time", "never"], 80, 24);
    peer.said("me", "mine");
    peer.said("bob", "hello");
    terminal.expect_row(" [bob] hello");
    terminal.expect_bells(0);
    peer.said("bob", "hello me");
    terminal.expect_row("*[bob] hello me");
    terminal.expect_bells(1);
    let at = |terminal: &Terminal, row: &str| {
        let rows = terminal.rows();
        u16::try_from(rows.iter().position(|shown| shown == row).expect("it is shown"))
            .expect("a screen is small")
    };
    let own = terminal.cell(at(&terminal, ">[me] mine"), 2);
    assert!(own.bold());
    let bob = terminal.cell(at(&terminal, " [bob] hello"), 2);
    assert_ne!(bob.fgcolor(), vt100::Color::Default);
    let again = terminal.cell(at(&terminal, "*[bob] hello me"), 2);
    assert_eq!(again.fgcolor(), bob.fgcolor());
    assert!(terminal.cell(at(&terminal, "*[bob] hello me"), 8).bold());
    peer.event("joined", "\"user\":\"carol\"");
    terminal.expect_row(" [carol] joined.");
    let dim = terminal.cell(at(&terminal, " [carol] joined."), 2);
    assert_ne!(dim.fgcolor(), vt100::Color::Default);
}

#[test]
fn colours_and_bells_are_off_where_they_are_not_wanted() {
    #[track_caller]
    fn check(args: &[&str], variables: &[(&str, &str)]) {
        let args = [args, &["--bell", "never"]].concat();
        let (_server, mut terminal, mut peer) = start_with(&args, 80, 24, variables);
        peer.said("bob", "hello me");
        terminal.expect_screen("the line", |rows| {
            rows.iter().any(|row| row.ends_with("*[bob] hello me"))
        });
        terminal.type_text("/to");
        terminal.expect_screen("the hint", |rows| {
            rows.last().is_some_and(|row| row == "[lobby 1] /topic [TEXT]")
        });
        assert!(!terminal.raw().contains("\x1b[0m"), "{:?}", terminal.raw());
        assert!(!terminal.raw().contains("\x1b[1m"), "{:?}", terminal.raw());
        assert!(!terminal.raw().contains("\x1b[38;5"), "{:?}", terminal.raw());
        terminal.expect_bells(0);
    }
    check(&["--color", "never"], &[]);
    check(&[], &[("NO_COLOR", "1")]);
}

#[test]
fn the_bell_rings_as_its_flag_says() {
    #[track_caller]
    fn check(bell: &str, [of_own, of_others, of_calls, of_whispers]: [usize; 4]) {
        let args = [&PLAIN[..], &["--bell", bell]].concat();
        let (_server, mut terminal, mut peer) = start(&args, 80, 24);
        peer.event("joined", "\"user\":\"bob\"");
        peer.said("me", "me, myself");
        terminal.expect_row(">[me] me, myself");
        terminal.expect_bells(of_own);
        peer.said("bob", "hello");
        terminal.expect_row(" [bob] hello");
        terminal.expect_bells(of_others);
        peer.said("bob", "hello me");
        terminal.expect_row("*[bob] hello me");
        terminal.expect_bells(of_calls);
        peer.send("{\"type\":\"whisper\",\"private\":1,\"time\":\"2026-11-22T18:59:00.123Z\",");
        peer.send("\"user\":\"bob\",\"text\":\"psst\"}\n");
        terminal.expect_row("*[whisper bob] psst");
        terminal.expect_bells(of_whispers);
    }
    check("never", [0, 0, 0, 0]);
    check("mention", [0, 0, 1, 2]);
    check("all", [0, 1, 2, 3]);
}

#[test]
fn times_are_local_and_days_are_announced() {
    #[track_caller]
    fn check(args: &[&str], expected: &[&str]) {
        let args = [&["--color", "never"], args].concat();
        let variables = [("TZ", "KST-9")];
        let (_server, mut terminal, mut peer) = start_with(&args, 80, 24, &variables);
        // Said on an earlier day.
        peer.said("bob", "one");
        peer.said("bob", "two");
        terminal.expect_last(expected);
    }
    let day = "-- Monday, 23 November 2026 --";
    check(&[], &[day, "03:59 [bob] one", "03:59 [bob] two", "[lobby 1]"]);
    check(&["--time", "seconds"], &[day, "03:59:00 [bob] one", "03:59:00 [bob] two", "[lobby 1]"]);
    check(&["--time", "never"], &[" [bob] one", " [bob] two", "[lobby 1]"]);
}

#[test]
fn line_history_outlasts_the_run_but_leaves_out_private_lines() {
    let folder = std::env::temp_dir().join(format!("madang-typed-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path: PathBuf = folder.join("history");
    let variables = [("MADANG_HISTORY", path.to_str().expect("it is UTF-8"))];
    let (_server, mut terminal, mut peer) = start_with(&PLAIN, 80, 24, &variables);
    terminal.enter("공개");
    peer.expect_say();
    terminal.enter("/msg bob psst");
    assert!(peer.line().contains("/msg bob psst"));
    peer.ack("2");
    terminal.expect_last(&[">[whisper → bob] psst", "[lobby 1]"]);
    terminal.enter("madang://h/#7zzzz-0abcd-efghj-kmnpq-rstvwx");
    peer.expect_say();
    terminal.enter("#7zzzz-0abcd-efghj-kmnpq-rstvwx입니다");
    peer.expect_say();
    terminal.enter("see http://h/#TEACH-0a1b2c");
    peer.expect_say();
    // Nor votes, nor anonymous questions.
    for (line, nonce) in [
        ("/teach 7F3K-9Q2M", "6"),
        ("/교사 #teach-0a1b2c", "7"),
        ("/2", "8"),
        ("/질문 왜 틀렸나요?", "9"),
    ] {
        terminal.enter(line);
        assert!(peer.line().contains(line));
        peer.ack(nonce);
    }
    terminal.enter("/new");
    assert!(peer.line().contains("/new"));
    peer.send("{\"type\":\"entered\",\"room\":\"private-k3f9\",\"id\":1,\"members\":1,");
    peer.send("\"owner\":\"me\",\"nonce\":\"10\"}\n{\"type\":\"ack\",\"nonce\":\"10\"}\n");
    assert!(peer.line().contains("/invite"));
    peer.ack("11");
    terminal.expect_last(&["[private-k3f9 1]"]);
    terminal.enter("비밀");
    peer.expect_say();
    // In the same run, it can be recalled.
    terminal.type_text(UP);
    terminal.expect_last(&["[private-k3f9 1] 비밀"]);
    drop(terminal);
    assert_eq!(fs::read_to_string(&path).expect("it was written"), "공개\n/new\n");

    let (_server, mut terminal, _peer) = start_with(&PLAIN, 80, 24, &variables);
    terminal.type_text(UP);
    terminal.expect_last(&["[lobby 1] /new [TITLE]"]);
    terminal.type_text(UP);
    terminal.expect_last(&["[lobby 1] 공개"]);
    fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn a_long_line_cannot_show_a_name_where_names_stand() {
    for (columns, forged) in [(80, "[eve] forged"), (60, "-- forged --"), (40, "*[whisper eve] x")]
    {
        let (_server, mut terminal, mut peer) = start(&PLAIN, columns, 24);
        // Wherever a row begins, some of these would start one.
        for padding in 0..columns {
            peer.said("bob", &format!("{} {forged}", "가x".repeat(usize::from(padding) / 3)));
        }
        peer.said("bob", "the end");
        terminal.expect_row(" [bob] the end");
        for row in terminal.scrolled() {
            assert!(!row.starts_with(forged), "{row:?} at {columns} columns");
        }
    }
}
