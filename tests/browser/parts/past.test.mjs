// Messages that are saved on the server: missing ones are a hole until they are loaded, search
// results are marked, and one's own messages are safe or not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setCommands } from "../../../server/web/commands.js";
import { Past } from "../../../server/web/past.js";
import { excerpt } from "../../../server/web/query.js";
import { Saving } from "../../../server/web/saving.js";
import { State } from "../../../server/web/state.js";
import { MOST_ENTRIES } from "../../../server/web/timeline.js";

const time = "2026-11-28T10:00:00.000Z";
const said = (id, user = "bob") => ({ type: "said", id, time, room: "lobby", user, text: String(id) });
const saids = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => said(from + index));
const shown = (state) => state.entries.filter(({ kind }) => kind !== "recorded")
  .map(({ kind, text, from, to, event }) => (kind === "hole" ? `${from}–${to}` : text ?? event?.type ?? kind));

/** A member of a saved room who joined with the id 100. */
function arrived() {
  const state = new State();
  state.receive({ type: "welcome", user: "me", room: "lobby", session: "s", id: 100, members: 2, durable: true, resumed: false });
  state.receive({ type: "joined", id: 100, time, room: "lobby", user: "me" });
  return state;
}

const before = (state, id, events, isAll = false) => state.loaded({ before: id }, { room: "lobby", events, gaps: [], isAll });
const after = (state, id, events) => state.loaded({ after: id }, { room: "lobby", events, gaps: [], isAll: false });

test("whoever comes into a saved room is told once, where they came", () => {
  const state = arrived();
  before(state, 100, saids(98, 99));
  state.receive(said(101));
  before(state, 98, [{ ...said(97), type: "joined", user: "me" }]);
  assert.deepEqual(state.entries.map(({ kind, text }) => text ?? kind), ["98", "99", "recorded", "101"]);
});

test("a room that another server saves is marked as saved, and earlier messages can't be read back", () => {
  for (const [saved, isSaved, isRecorded] of [
    [{}, false, false], [{ durable: true }, true, true], [{ archived: true }, true, true], [{ archived_elsewhere: true }, false, true],
  ]) {
    const state = new State();
    state.receive({ type: "welcome", user: "me", room: "lobby", session: "s", id: 100, members: 2, resumed: false, ...saved });
    state.receive({ type: "joined", id: 100, time, room: "lobby", user: "me" });
    assert.deepEqual([state.isSaved, state.isRecorded], [isSaved, isRecorded]);
    assert.equal(state.entries.some(({ kind }) => kind === "recorded"), isRecorded);
  }
});

test("what is loaded from before goes on until there is nothing older", () => {
  const state = arrived();
  before(state, 100, saids(97, 99));
  assert.deepEqual([shown(state), state.timeline.begin, state.exhausted], [["97", "98", "99"], 97, false]);
  before(state, 97, saids(95, 96), true);
  assert.deepEqual([shown(state), state.exhausted], [["95", "96", "97", "98", "99"], true]);
});

test("what could not be saved is told in its place, once", () => {
  const state = arrived();
  const answer = { room: "lobby", events: [...saids(91, 93), ...saids(97, 99)], gaps: [{ from: 94, to: 96 }], isAll: false };
  state.loaded({ before: 100 }, answer);
  state.loaded({ before: 100 }, answer);
  const rows = state.entries.map(({ kind, text, count }) => text ?? `${kind} ${count}`);
  assert.deepEqual(rows.slice(0, 7), ["91", "92", "93", "unsaved 3", "97", "98", "99"]);
});

test("a message that is far from all others stands between holes, which fill from both sides", () => {
  const state = arrived();
  before(state, 51, saids(49, 50));
  assert.deepEqual([shown(state), state.timeline.begin], [["49", "50", "51–99"], 49]);
  after(state, 50, saids(51, 52));
  before(state, 100, saids(97, 99));
  assert.deepEqual(shown(state), ["49", "50", "51", "52", "53–96", "97", "98", "99"]);
  // In the middle of the hole.
  before(state, 71, [said(70)]);
  assert.deepEqual(shown(state).slice(3, 7), ["52", "53–69", "70", "71–96"]);
  // An answer may reach beyond it.
  after(state, 52, saids(53, 75));
  before(state, 97, saids(60, 96));
  assert.deepEqual(shown(state), saids(49, 99).map(({ text }) => text));
});

test("where nothing is left of what is missing, the hole goes", () => {
  const state = arrived();
  before(state, 51, [said(50)]);
  before(state, 100, [], true);
  assert.deepEqual([shown(state), state.exhausted], [["50"], true]);
  const other = arrived();
  before(other, 51, [said(50)]);
  after(other, 50, []);
  assert.deepEqual([shown(other), other.exhausted], [["50"], false]);
});

test("events that only a newer server knows are passed over, and scrolling goes on behind them", () => {
  const state = arrived();
  const firework = (id) => ({ type: "firework", id, time, room: "lobby", user: "bob" });
  before(state, 100, [firework(97), said(98), firework(99)]);
  assert.deepEqual([shown(state), state.timeline.begin], [["98"], 97]);
  before(state, 97, [firework(95), firework(96)]);
  assert.deepEqual([shown(state), state.timeline.begin], [["98"], 95]);
});

test("who is ignored takes no place among what is shown", () => {
  const state = arrived();
  state.receive({ type: "ignored", users: ["bob"] });
  before(state, 100, [said(97, "carol"), ...saids(98, 99)]);
  assert.deepEqual(state.visible.filter(({ kind }) => kind === "said").map(({ text }) => text), ["97"]);
});

test("of another room, nothing is loaded", () => {
  const state = arrived();
  state.loaded({ before: 100 }, { room: "math", events: saids(98, 99), gaps: [], isAll: true });
  assert.deepEqual([shown(state), state.exhausted], [[], false]);
});

test("what a saved room has skipped is loaded when it is wanted", () => {
  const state = arrived();
  assert.equal(state.receive({ type: "gap", room: "lobby", from: 101, to: 900 }), null);
  state.receive(said(901));
  assert.deepEqual(shown(state), ["101–900", "901"]);
});

test("another session in the same room has a hole where it was away", () => {
  const state = arrived();
  state.receive(said(101));
  state.receive({ type: "welcome", user: "me", room: "lobby", session: "t", id: 200, members: 2, durable: true, resumed: false });
  state.receive({ type: "history", room: "lobby", events: saids(198, 199), more: false });
  assert.deepEqual(shown(state), ["101", "102–197", "198", "199"]);
});

test("a server that was started again says so once, after a kill too", () => {
  const restarted = (id) => ({ type: "restarted", id, time, room: "lobby" });
  const state = arrived();
  state.receive(restarted(101));
  assert.deepEqual(shown(state), ["restarted"]);
  const killed = arrived();
  assert.equal(killed.receive({ type: "gap", room: "lobby", from: 101, to: 999, reason: "restart" }), null);
  killed.receive(restarted(1_000));
  killed.receive(said(1_001));
  assert.deepEqual(shown(killed), ["restarted", "1001"]);
});

test("what was missed before a kill is shown, and before what the kill has taken", () => {
  const state = arrived();
  for (const id of [101, 102, 103]) state.receive(said(id));
  state.receive({ type: "gap", room: "lobby", from: 104, to: 999, reason: "restart" });
  state.receive({ type: "restarted", id: 1_000, time, room: "lobby" });
  state.receive(said(1_001));
  assert.deepEqual(shown(state), ["101", "102", "103", "restarted", "1001"]);
});

test("of too much, what is far from what is read goes, and can be loaded again", () => {
  const state = arrived();
  const all = saids(100 - (MOST_ENTRIES - 200), 99);
  for (let at = all.length; at > 0; at -= 200) before(state, all[at - 200].id + 200, all.slice(at - 200, at));
  const oldest = state.entries[0];
  state.timeline.reading = oldest.key;
  for (let id = 101; id < 1_000; id += 1) state.receive(said(id));
  assert.ok(state.entries.length <= MOST_ENTRIES);
  assert.equal(state.entries[0], oldest);
  assert.equal(state.entries.at(-1).text, "999");
  const at = state.entries.findIndex(({ kind }) => kind === "hole");
  const [last, hole, next] = state.entries.slice(at - 1, at + 2);
  assert.deepEqual([hole.from, hole.to], [last.id + 1, next.id - 1]);
  after(state, last.id, [said(last.id + 1)]);
  assert.equal(state.entries[at].text, String(last.id + 1));
  // More of it goes into the same hole.
  for (let id = 1_000; id < 4_000; id += 1) state.receive(said(id));
  assert.equal(state.entries.filter(({ kind }) => kind === "hole").length, 1);
  assert.ok(state.entries.length <= MOST_ENTRIES);
  // Somebody who reads the newest messages loses the oldest.
  state.timeline.reading = null;
  for (let id = 4_000; id < 7_000; id += 1) state.receive(said(id));
  assert.ok(state.entries.length <= MOST_ENTRIES);
  assert.notEqual(state.entries[0], oldest);
  assert.equal(state.timeline.begin, state.entries[0].id);
});

test("answers come in parts, are asked for again after a refusal, and end with the connection", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const state = arrived();
  const requests = [];
  const connection = { status: "open", ask: (request) => `n${requests.push(request)}` };
  const past = new Past(state, connection);
  const waiting = () => ({ nonce: `n${requests.length}`, request: requests.at(-1) });
  const part = (events, more = {}) => ({ type: "history", room: "lobby", events, more: false, ...more });

  const loaded = past.load({ before: 100 });
  assert.deepEqual(requests, [{ type: "history", before: 100, limit: 60 }]);
  const first = waiting();
  past.answer(first, part(saids(90, 94), { more: true }));
  past.answer(first, part(saids(95, 99)));
  assert.deepEqual(shown(state), []);
  past.answer(first, { type: "ack" });
  assert.equal(await loaded, true);
  assert.deepEqual([shown(state).length, state.timeline.begin], [10, 90]);

  const refused = past.load({ before: 90 });
  past.answer(waiting(), { type: "error", code: "busy", text: "later" });
  t.mock.timers.tick(2_000);
  assert.equal(await refused, true);
  assert.equal(state.timeline.begin, 90);

  const lost = past.load({ before: 90 });
  past.lost();
  assert.equal(await lost, false);
  connection.status = "waiting";
  assert.equal(await past.load({ before: 90 }), false);
});

test("what is missing of a gap is what the server says", () => {
  const last = 5_000_000;
  const check = (message, expected) => {
    const state = new State();
    state.receive({ type: "welcome", user: "me", room: "lobby", session: "s", id: 100, members: 2, resumed: false });
    state.receive({ type: "joined", id: 100, time, room: "lobby", user: "me" });
    const past = new Past(state, { ask: () => "n1" });
    const gap = state.receive({ type: "gap", room: "lobby", from: 101, to: last });
    past.fill(gap);
    const waiting = { nonce: "n1", request: { type: "history", before: last + 1, limit: 200 } };
    past.answer(waiting, { type: "history", room: "lobby", more: false, ...message });
    past.answer(waiting, { type: "ack" });
    assert.deepEqual(state.entries.map(({ kind, text, count }) => text ?? `${kind} ${count}`), expected);
  };
  // Ids are left out between 102 and the last.
  const events = [said(101), said(102), said(last)];
  const all = events.map(({ text }) => text);
  check({ events, gaps: [], earliest: true }, all);
  check({ events: [said(100), ...events], gaps: [] }, all);
  check({ events: events.slice(1), gaps: [] }, ["gap 1", ...all.slice(1)]);
  check({ events: events.slice(1), gaps: [], earliest: true, gone: { from: 5, to: 101 } }, ["gap 1", ...all.slice(1)]);
  check({ events: [], gaps: [], earliest: true, gone: { from: 5, to: 110 } }, ["gap 10"]);
  check({ events: [], gaps: [], earliest: true }, []);
  // An older server does not say.
  check({ events }, [`gap ${last - 100}`, ...all]);
});

test("one's own words are marked until they are safe", () => {
  setCommands([{ name: "/me", alias: "/나" }]);
  const state = arrived();
  const waiting = (purpose, request) => ({ purpose, request, sent: true });
  const [one, two, act] = [waiting("say", { text: "a" }), waiting("say", { text: "b" }), waiting("command", { line: "/나 waves" })];
  const saving = new Saving(state, { unanswered: () => [one, two, act] });
  const comes = (id, more = {}) => {
    const entry = state.receive({ ...said(id, "me"), ...more });
    saving.said(entry);
    return entry;
  };
  const entries = [comes(101), comes(102, { me: true }), comes(103)];
  assert.deepEqual(entries.map(({ mark }) => mark), ["saving", "saving", "saving"]);
  assert.deepEqual([one.said, act.said, two.said], entries);
  assert.ok(saving.acked(one, { id: 101 }));
  saving.acked(act, { id: 102, durable: false });
  assert.deepEqual(entries.map(({ mark }) => mark), [null, "unsafe", "saving"]);
  // The server was killed before these were safe, and they were said again.
  state.receive({ type: "restarted", id: 1_000, time, room: "lobby" });
  const again = comes(1_001);
  saving.acked(two, { id: 1_001 });
  assert.deepEqual([state.entries.includes(entries[2]), state.entries.includes(again), again.mark ?? null], [false, true, null]);
  assert.ok(!saving.acked(waiting("command", { line: "/who" }), {}));
  // Nobody will answer any more.
  const last = comes(1_002);
  saving.giveUp([{ said: last }, {}]);
  assert.equal(last.mark, "unsafe");
});

test("the words of a search are marked as the server finds them", () => {
  const check = (query, text, expected) => {
    const pieces = excerpt(text, query).map((piece) => (piece.isMarked ? `[${piece.text}]` : piece.text));
    assert.equal(pieces.join(""), expected, query);
  };
  check("회의", "내일 회의는 3시", "내일 [회의]는 3시");
  check("회의 3시", "내일 회의는 3시", "내일 [회의]는 [3시]");
  check('"회의는 3시"', "내일 회의는 3시", "내일 [회의는 3시]");
  check('"회의는', "내일 회의는 3시", "내일 [회의는] 3시");
  check("ㅎㅇ", "내일 회의는 3시", "내일 [회의]는 3시");
  check("회ㅇ ㅋㅋ", "회의 ㅋㅋㅋ 쿠키", "[회의] [ㅋㅋ]ㅋ [쿠키]");
  check("회의".normalize("NFD"), "회의", "[회의]");
  check("RUST", "we use Rust", "we use [Rust]");
  check("a.b* [x] \\ ^$|(", "a.b* [x] \\ ^$|( axb", "[a.b*] [[x]] [\\] [^$|(] axb");
  check("100% it's", "it's 100% sure", "[it's] [100%] sure");
  check("😀", "fine 😀!", "fine [😀]!");
  check('"" " "', "x y", "x y");
  check("strasse", "Straße", "Straße");
  // Far into a long message, the beginning is left out.
  check("끝", `${"가".repeat(100)} 끝입니다`, `…${"가".repeat(23)} [끝]입니다`);
  check("끝", `${"가".repeat(48)}끝`, `${"가".repeat(48)}[끝]`);
  check("끝", `${"🦀".repeat(49)}끝`, `…${"🦀".repeat(24)}[끝]`);
});
