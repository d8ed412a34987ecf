// The page's state: everything the server sends is shown once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { State } from "../../../server/web/state.js";
import { MOST_ENTRIES } from "../../../server/web/timeline.js";

const at = (id, minute = 0) => ({ id, time: new Date(Date.UTC(2026, 10, 22, 12, minute)).toISOString(), room: "lobby" });
const said = (id, user, text, minute) => ({ type: "said", ...at(id, minute), user, text });
const welcome = (id, more = {}) => ({ type: "welcome", user: "me", room: "lobby", session: "s", id, members: 2, resumed: false, ...more });
const shown = (state) => state.entries.map(({ kind, text, changes }) => text ?? changes?.map(({ user, type }) => `${type} ${user}`).join() ?? kind);

function arrived(id = 100) {
  const state = new State();
  state.receive(welcome(id));
  state.receive({ type: "joined", ...at(id), user: "me" });
  return state;
}

test("a resumed session shows what it missed, once and in order", () => {
  const state = arrived();
  state.receive(said(101, "bob", "a"));
  state.receive(welcome(101, { resumed: true }));
  for (const event of [said(101, "bob", "a"), said(102, "bob", "b"), said(102, "bob", "b")]) state.receive(event);
  assert.deepEqual(shown(state), ["a", "b"]);
});

test("a lock and a limit are known from the welcome on", () => {
  const state = arrived();
  state.receive({ type: "entered", room: "private-abcd", id: 7, members: 3, owner: "bob", locked: true, limit: 9 });
  assert.deepEqual([state.locked, state.limit], [true, 9]);
  state.receive({ type: "unlocked", ...at(8), room: "private-abcd", user: "bob" });
  state.receive({ type: "limited", ...at(9), room: "private-abcd", user: "bob", limit: 5 });
  assert.deepEqual([state.locked, state.limit], [false, 5]);
  state.receive({ type: "entered", room: "lobby", id: 200, members: 3 });
  assert.deepEqual([state.locked, state.limit], [false, null]);
});

test("after a reload, whispers stand among what was said when they were", () => {
  const state = new State();
  const minute = (it) => Date.parse(at(0, it).time);
  state.whispered("bob", "own", minute(2), "me");
  state.receive(welcome(105, { resumed: true }));
  state.receive({ type: "whisper", private: 1, time: at(0, 1).time, user: "bob", text: "theirs" });
  state.receive({ type: "history", room: "lobby", events: [said(101, "bob", "a", 0), said(102, "bob", "b", 2), said(103, "bob", "c", 3)], more: false });
  assert.deepEqual(shown(state), ["a", "theirs", "own", "b", "c"]);
  assert.deepEqual(state.ownWhispers, [["bob", "own", minute(2), "me"]]);
});

test("a new session in the same room adds only what is new", () => {
  const state = arrived();
  state.receive(said(101, "bob", "a"));
  state.receive(welcome(104));
  state.receive({ type: "history", room: "lobby", events: [said(101, "bob", "a"), said(102, "bob", "b")], more: false });
  state.receive({ type: "joined", ...at(104), user: "me" });
  state.receive(said(105, "bob", "c"));
  assert.deepEqual(shown(state), ["a", "b", "c"]);
});

test("older events go before, and a whisper keeps its place", () => {
  const state = arrived();
  state.receive(said(101, "bob", "c"));
  state.receive({ type: "whisper", private: 1, time: at(0).time, user: "bob", text: "psst" });
  state.receive({ type: "whisper", private: 1, time: at(0).time, user: "bob", text: "psst" });
  state.receive({ type: "history", room: "lobby", events: [said(98, "x", "a"), said(99, "x", "b")], more: false });
  assert.deepEqual(shown(state), ["a", "b", "c", "psst"]);
});

test("a gap is filled where it is, and what is gone is counted", () => {
  const state = arrived();
  state.receive(said(101, "bob", "a"));
  const gap = state.receive({ type: "gap", room: "lobby", from: 102, to: 105 });
  state.receive(said(106, "bob", "f"));
  state.receive({ type: "history", room: "lobby", events: [said(104, "bob", "d"), said(105, "bob", "e")], more: false });
  state.timeline.closeGap(gap);
  assert.equal(gap.count, 2);
  assert.deepEqual(shown(state), ["a", "gap", "d", "e", "f"]);
  state.receive({ type: "history", room: "lobby", events: [said(102, "bob", "b"), said(103, "bob", "c")], more: false });
  state.timeline.closeGap(gap);
  assert.ok(!state.entries.includes(gap));
});

test("members follow the list and what happens after it", () => {
  const state = arrived();
  state.receive({ type: "who", room: "lobby", count: 3, members: ["me", "a"], more: true });
  state.receive({ type: "who", room: "lobby", count: 3, members: ["b"], more: false });
  state.receive({ type: "joined", ...at(101), user: "c" });
  state.receive({ type: "left", ...at(102), user: "a" });
  state.receive({ type: "renamed", ...at(103), user: "b", to: "d" });
  state.receive({ type: "renamed", ...at(104), user: "me", to: "I" });
  assert.deepEqual([...state.members], ["I", "d", "c"]);
  assert.deepEqual([state.count, state.user], [3, "I"]);
  assert.equal(state.entries[0].changes.length, 2);
});

test("who joined without an announcement is marked until it is announced or gone", () => {
  const state = arrived();
  const who = (members, quiet) => state.receive({ type: "who", room: "lobby", count: members.length, members, quiet, more: false });
  who(["me", "bot", "log"], ["bot", "log"]);
  state.receive({ type: "renamed", ...at(101), user: "bot", to: "robot" });
  assert.deepEqual([...state.quiet].sort(), ["log", "robot"]);
  state.receive({ type: "kicked", ...at(102), user: "robot", by: null });
  state.receive({ type: "joined", ...at(103), user: "log" });
  assert.deepEqual([...state.quiet], []);
  who(["me", "log"], ["log"]);
  assert.deepEqual([...state.quiet], ["log"]);
  who(["me"], undefined);
  assert.deepEqual([...state.quiet], []);
});

test("another room begins anew, and whispers come along", () => {
  const state = arrived();
  state.receive(said(101, "bob", "a"));
  state.receive({ type: "whisper", private: 1, time: at(0, 1).time, user: "bob", text: "psst" });
  state.receive({ type: "entered", room: "math", id: 5, members: 1 });
  state.receive({ ...said(4, "x", "before"), type: "said" });
  assert.deepEqual(shown(state), ["psst"]);
  state.receive({ type: "history", room: "math", events: [{ ...said(4, "x", "before"), room: "math" }], more: false });
  assert.deepEqual(shown(state), ["before", "psst"]);
});

test("who is removed, or whose room has ended, is in no room", () => {
  const state = arrived();
  state.receive({ type: "kicked", ...at(101), user: "me", by: "bob" });
  assert.equal(state.room, null);
});

test("messages go on together for five minutes on one day", () => {
  const state = arrived();
  for (const event of [said(101, "a", "1", 0), said(102, "a", "2", 4), said(103, "b", "3", 4), said(104, "b", "4", 20)]) state.receive(event);
  assert.deepEqual([0, 1, 2, 3].map((index) => state.follows(index).goesOn), [false, true, false, false]);
  assert.deepEqual([0, 1].map((index) => state.follows(index).newDay), [true, false]);
});

test("a memory has an end", () => {
  const state = arrived(1);
  for (let id = 2; id < MOST_ENTRIES + 10; id += 1) state.receive(said(id, "a", String(id)));
  assert.ok(state.entries.length <= MOST_ENTRIES && state.timeline.ids.size <= MOST_ENTRIES + 1);
  assert.equal(state.entries.at(-1).text, String(MOST_ENTRIES + 9));
});

test("who was removed while away sees by whom", () => {
  const state = new State();
  state.receive({ type: "welcome", user: "me", room: "private-k3f9", session: "s", id: 100, members: 2, resumed: false });
  const removed = { type: "kicked", id: 140, time: "2026-11-28T10:00:00.000Z", room: "private-k3f9", user: "me", by: "bob", seconds: 600 };
  state.receive({ type: "welcome", user: "me", session: "s", id: 0, members: 0, resumed: true, removed });
  assert.equal(state.room, null);
  assert.deepEqual(state.entries.map((entry) => [entry.kind, entry.event.by]), [["event", "bob"]]);
  assert.deepEqual(state.removed, { type: "kicked", by: "bob" });
});

test("whoever is in no room knows why, until there is another", () => {
  const state = arrived();
  state.unsent({ text: "secret", typed: "secret", isDoubtful: false, time: 1 });
  state.receive({ type: "kicked", ...at(101), user: "me", by: "bob" });
  assert.deepEqual([state.room, state.removed], [null, { type: "kicked", by: "bob" }]);
  state.receive({ type: "entered", room: "수학", id: 7, members: 1 });
  assert.deepEqual([state.room, state.removed], ["수학", null]);
  // Unsent text is taken along.
  assert.deepEqual(shown(state), ["secret"]);
  state.receive({ type: "ended", ...at(8), room: "수학", user: "carol" });
  assert.deepEqual(state.removed, { type: "ended", by: "carol" });
  state.receive({ type: "entered", room: "lobby", id: 200, members: 1 });
  state.receive({ type: "ended", ...at(201) });
  assert.deepEqual(state.removed, { type: "ended", by: null });
  const other = new State();
  other.receive(welcome(0, { room: undefined, resumed: true }));
  assert.deepEqual(other.removed, { type: "gone", by: null });
});
