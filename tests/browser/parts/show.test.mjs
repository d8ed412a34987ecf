// How things are shown: words, people, tables, code, and the counter of a limit.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import * as bundled from "../../../server/web/sugar-high.js";
import { answerText } from "../../../server/web/answers.js";
import { highlight, languageOf } from "../../../server/web/highlight.js";
import { encodedBytes } from "../../../server/web/connection.js";
import { found, inOrder } from "../../../server/web/people.js";
import { apart, plain } from "../../../server/web/phrase.js";
import { places } from "../../../server/web/rooms.js";
import { lettersLeft, measure } from "../../../server/web/size.js";
import { lettersLeftOf, sizeOf, speech } from "../../../server/web/speech.js";
import { State } from "../../../server/web/state.js";
import { rowsOf } from "../../../server/web/table.js";
import { shortened } from "../../../server/web/text.js";
import { KEYS, chooseLang, word } from "../../../server/web/words.js";
import * as published from "../sugar_high.mjs";

const LIMITS = { line_bytes: 4_096, message_bytes: 16_384, carrier_bytes: 65_536 };

test("people stand in their order: oneself, teachers, the owner, then by name", () => {
  chooseLang("ko", []);
  const names = ["zoe", "하늘", "학생10", "학생2", "가람", "owner", "teacher", "me", "Bob"];
  const state = { user: "me", owner: "owner", teachers: new Set(["teacher"]) };
  assert.deepEqual(inOrder(names, state), ["me", "teacher", "owner", "가람", "하늘", "학생2", "학생10", "Bob", "zoe"]);
});

test("answers mark who joined without an announcement", () => {
  const state = new State();
  state.receive({ type: "welcome", user: "me", room: "lobby", session: "s", id: 1, members: 2, resumed: false });
  const text = (message) => plain(answerText(state, message));
  const who = { type: "who", room: "lobby", count: 2, members: ["me", "bot"], more: false };
  assert.ok(text({ ...who, quiet: ["bot"] }).endsWith(`me, bot (${word("quietMark")})`));
  assert.ok(text(who).endsWith("me, bot"));
  const whois = { type: "whois", user: "bot", room: "lobby", since: "2026-11-28T10:00:00.000Z" };
  assert.ok(text({ ...whois, quiet: true }).endsWith(word("quietMark")));
  assert.ok(!text(whois).includes(word("quietMark")));
  // Of somebody whose server is gone, nobody knows since when they have been here.
  const gone = { type: "whois", user: "bot", room: "lobby", away: true };
  assert.equal(text(gone), `bot · 로비 · ${word("awayMark")}`);
});

test("a name is found by any part of it, composed or not", () => {
  const names = ["김하늘", "이하늘", "Bob"];
  assert.deepEqual(found(names, " 하늘"), ["김하늘", "이하늘"]);
  assert.deepEqual(found(names, "하늘".normalize("NFD")), ["김하늘", "이하늘"]);
  assert.deepEqual(found(names, "BO"), ["Bob"]);
  assert.deepEqual(found(names, "  "), names);
});

test("a teacher is known by what they do, until they leave", () => {
  const state = new State();
  state.receive({ type: "welcome", user: "me", session: "s", room: "lobby", id: 10, members: 2, resumed: false });
  state.receive({ type: "said", id: 11, time: "2026-11-28T00:00:00.000Z", room: "lobby", user: "김선생", text: "자", teacher: true });
  assert.ok(state.teachers.has("김선생"));
  state.receive({ type: "renamed", id: 12, time: "2026-11-28T00:00:01.000Z", room: "lobby", user: "김선생", to: "이선생" });
  assert.deepEqual([...state.teachers], ["이선생"]);
  state.receive({ type: "left", id: 13, time: "2026-11-28T00:00:02.000Z", room: "lobby", user: "이선생" });
  assert.equal(state.teachers.size, 0);
});

test("the list of rooms has the lobby, one's own, and those whose keys are known", () => {
  const keys = new Map([["private-aaaa", { key: "k-1", title: "비밀" }]]);
  const state = (it) => Object.assign(new State(), it);
  assert.deepEqual(places(state({ room: "수학", keys })).map(({ place }) => place), ["lobby", "#k-1", "수학"]);
  const lobby = { room: "lobby", place: "lobby", there: 2, isUnread: false };
  assert.deepEqual(places(state({ rooms: [{ room: "lobby", members: 2 }] })), [lobby]);
});

test("a room is unread once something is said there after one left it, or came", () => {
  const state = new State();
  state.receive({ type: "welcome", user: "me", room: "lobby", id: 10, members: 1, resumed: false });
  const list = (...rooms) => {
    state.receive({ type: "rooms", rooms, more: false });
    return places(state).filter(({ isUnread }) => isUnread).map(({ room }) => room);
  };
  assert.deepEqual(list({ room: "lobby", last: 9 }, { room: "a", last: 100 }, { room: "b" }), []);
  assert.deepEqual(list({ room: "lobby", last: 11 }, { room: "a", last: 100 }, { room: "b" }), []);
  assert.deepEqual(list({ room: "lobby", last: 11 }, { room: "a", last: 101 }, { room: "b", last: 200 }), ["a", "b"]);
  // A room that opens later, in which something was said.
  assert.deepEqual(list({ room: "a", last: 101 }, { room: "c", last: 300 }), ["a", "c"]);
  state.receive({ type: "entered", room: "a", id: 102, members: 1 });
  assert.deepEqual(list({ room: "lobby", last: 11 }, { room: "a", last: 101 }), ["lobby"]);
  state.receive({ type: "entered", room: "lobby", id: 12, members: 1 });
  assert.deepEqual(list({ room: "lobby", last: 12 }, { room: "a", last: 101 }), []);
  assert.deepEqual(list({ room: "lobby", last: 12 }, { room: "a", last: 103 }), ["a"]);
});

test("what is left is counted in letters like those written, only near the limit", () => {
  const left = (words) => lettersLeft(words, measure(words, 0, LIMITS));
  assert.equal(left("가".repeat(1_000)), null);
  assert.equal(left("가".repeat(1_365)), 0);
  assert.equal(left("가".repeat(1_366)), -1);
  assert.equal(left("a".repeat(4_000)), 96);
  // Several lines: each has a limit, and the message as a whole.
  assert.equal(left(Array.from({ length: 4 }, () => "a".repeat(4_000)).join("\n")), 96);
  assert.equal(left(Array.from({ length: 5 }, () => "a".repeat(3_276)).join("\n")), 0);
  assert.equal(lettersLeftOf("가".repeat(1_366), null, LIMITS), -1);
  assert.equal(lettersLeftOf("가".repeat(100), null, LIMITS), null);
});

test("what is typed is a request, and is measured as it is sent", () => {
  assert.deepEqual(speech("hi", null, "lobby").request, { type: "say", text: "hi", room: "lobby" });
  assert.deepEqual(speech("/me waves", null, "lobby").request, { type: "command", line: "/me waves", room: "lobby" });
  assert.deepEqual(speech("hi", "bob", "lobby").request, { type: "command", line: "/msg bob hi" });
  assert.equal(speech(" ", null, "lobby").words, "");
  const controls = "\u0007".repeat(12_000);
  assert.ok(sizeOf(controls, speech(controls, null, "lobby"), LIMITS).size > LIMITS.carrier_bytes);
});

test("a request of 64 KiB as encoded has a place, and one byte more has none", () => {
  // A control character takes one byte, and six in JSON; its line end takes two.
  const typed = (bytes) => {
    const rest = bytes - encodedBytes({ type: "say", text: "" });
    const line = `${"\u0007".repeat(1_000)}\n`;
    return line.repeat(Math.floor(rest / 6_002)) + "a".repeat(rest % 6_002 - 3_000) + "\u0007".repeat(500);
  };
  for (const [bytes, fits] of [[65_535, true], [65_536, true], [65_537, false]]) {
    const text = typed(bytes);
    const { size, most } = sizeOf(text, speech(text, null, null), LIMITS);
    assert.deepEqual([size, most, size <= most], [bytes, LIMITS.carrier_bytes, fits]);
  }
});

test("help is a table, and talk is none", () => {
  assert.deepEqual(rowsOf("명령:\n  /msg 이름 말, /귓    귓속말\n  /quit   나가기"), [["명령:"], ["/msg 이름 말, /귓", "귓속말"], ["/quit", "나가기"]]);
  assert.equal(rowsOf("한 줄"), null);
  assert.equal(rowsOf("a  b\nc d"), null);
});

test("the language of code is guessed, and all of its letters are kept", async () => {
  const samples = {
    rust: "fn main() -> u8 {\n    // a\n    0\n}", c: "#include <stdio.h>\nint main(void) {\n    return 0;\n}",
    python: "def f(x):\n    return x  # y", java: "public class A {\n    int x = 1;\n}", go: "package main\nfunc main() {\n}",
    javascript: "const a = () => {\n  return `b`;\n};", sql: "SELECT a\nFROM b\nWHERE c;", shell: "for f in *; do\n  echo $f\ndone",
  };
  for (const [language, text] of Object.entries(samples)) {
    assert.equal(languageOf(text), language);
    const pieces = await highlight(text);
    assert.equal(pieces.map(([, value]) => value).join(""), text);
    assert.ok(pieces.some(([kind]) => kind === "keyword"), text);
  }
});

test("the lexer is the published one", () => {
  const text = readFileSync(new URL("../../../server/web/highlight.js", import.meta.url), "utf8");
  for (const language of Object.keys(published).filter((name) => name !== "tokenize")) {
    assert.deepEqual(bundled.tokenize(text, bundled[language]), published.tokenize(text, published[language]), language);
  }
  const size = readFileSync(new URL("../../../server/web/sugar-high.js", import.meta.url)).length;
  assert.ok(size <= 15 * 1_024, `${size} bytes`);
});

test("what is long is shortened between characters", () => {
  assert.equal(shortened("가나다", 3), "가나다");
  assert.equal(shortened("가나다라", 3), "가나…");
  assert.equal(shortened("🦀🦀🦀🦀", 3), "🦀🦀…");
  assert.equal(shortened("a b c d", 5), "a b…");
});

/** Values for the placeholders in the page's texts. */
const DETAILS = ["철수", 3, 5];

test("Korean words hold no English", () => {
  chooseLang("ko", []);
  const allowed = /--public-url|--allow-origin|Ctrl\+C|QR|Sec-WebSocket-\w+|SHA-1|base64|UTF-8|FIN|MASK|macOS|Linux/gu;
  for (const key of KEYS.filter((it) => it !== "language")) {
    const text = word(key, ...DETAILS).replace(allowed, "");
    assert.doesNotMatch(text, /[A-Za-z]/u, key);
  }
});

test("nobody is called 님 twice, and an operator is no 님", () => {
  chooseLang("ko", []);
  for (const key of KEYS) {
    for (const name of ["선생님", apart("선생님")]) assert.doesNotMatch(plain(word(key, name, name, 1)), /님{2}/u, key);
  }
  assert.equal(word("kicked", "철수", "선생님"), "철수님이 선생님을 내보냈습니다");
  assert.equal(word("kicked", null, "bob"), "운영자가 bob님을 내보냈습니다");
  chooseLang("en", []);
  assert.equal(word("kicked", null, "bob"), "The operator removed bob");
});

test("messages that are missing are counted, unless ids may be left out among them", () => {
  const shown = () => ["gap", "unsaved"].flatMap((key) => [1, 1_234, 2 ** 20].map((n) => word(key, n)));
  chooseLang("en", []);
  assert.deepEqual(shown(), [
    "1 message is no longer available", "1,234 messages are no longer available", "Some messages are no longer available",
    "1 message was not saved here", "1,234 messages were not saved here", "Some messages were not saved here",
  ]);
  chooseLang("ko", []);
  assert.deepEqual(shown(), [
    "대화 1건은 남아 있지 않습니다", "대화 1,234건은 남아 있지 않습니다", "남아 있지 않은 대화가 있습니다",
    "여기서 대화 1건이 저장되지 않았습니다", "여기서 대화 1,234건이 저장되지 않았습니다", "여기서 저장되지 않은 대화가 있습니다",
  ]);
});

test("the page has no words that it doesn't use", () => {
  const folder = new URL("../../../server/web/", import.meta.url);
  const texts = readdirSync(folder).filter((name) => /\.(js|html)$/u.test(name) && name !== "words.js").map((name) => readFileSync(new URL(name, folder), "utf8"));
  const unused = KEYS.filter((key) => !texts.some((text) => text.includes(`"${key}"`)));
  assert.deepEqual(unused, []);
});
