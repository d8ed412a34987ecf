// What the page knows about a lesson.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lesson } from "../../../server/web/lesson.js";
import { clockFace } from "../../../server/web/lesson_row.js";
import { ticketIn } from "../../../server/web/keys.js";

const at = (seconds) => new Date(Date.UTC(2026, 10, 28, 5, 0, seconds)).toISOString();

function running(more = {}) {
  const lesson = new Lesson();
  lesson.take({ running: true, ...more }, true);
  return lesson;
}

test("hands keep their order, and go with their owners", () => {
  const lesson = running({ hands: ["a", "b"] });
  lesson.event({ type: "hand", user: "c", up: true, text: "why?" }, "me");
  lesson.event({ type: "hand", user: "b", up: true, text: "how?" }, "me");
  lesson.event({ type: "renamed", user: "c", to: "d" }, "me");
  assert.deepEqual(lesson.hands, [{ user: "a", text: "" }, { user: "b", text: "how?" }, { user: "d", text: "why?" }]);
  assert.deepEqual(["a", "b", "c", "d"].map((user) => lesson.placeOf(user)), [1, 2, 0, 3]);
  lesson.event({ type: "called", user: "a" }, "me");
  lesson.event({ type: "left", user: "d" }, "me");
  assert.deepEqual(lesson.hands.map(({ user }) => user), ["b"]);
  lesson.event({ type: "hand", up: false }, "me");
  assert.deepEqual(lesson.hands, []);
});

test("a poll that comes again after a lost connection keeps one's vote", () => {
  const poll = { question: "?", choices: ["x", "y"] };
  const lesson = running({ poll: { ...poll, vote: 2 } });
  lesson.event({ type: "poll", ...poll }, "me");
  assert.equal(lesson.poll.vote, 2);
  lesson.event({ type: "poll", question: "another", choices: ["x", "y"] }, "me");
  assert.equal(lesson.poll.vote, null);
  lesson.event({ type: "poll_ended", ...poll, counts: [1, 0], answered: 1, members: 2 }, "me");
  assert.deepEqual([lesson.poll, lesson.result.counts], [null, [1, 0]]);
});

test("who may not speak, and for how long", () => {
  const lesson = running({ slow: 10 });
  lesson.event({ type: "said", user: "me", time: at(0) }, "me");
  lesson.event({ type: "said", user: "bob", time: at(5) }, "me");
  assert.equal(lesson.keepsQuiet("me", Date.parse(at(4))), 6);
  assert.equal(lesson.keepsQuiet("me", Date.parse(at(10))), null);
  lesson.event({ type: "listen", on: true }, "me");
  assert.equal(lesson.keepsQuiet("me", Date.parse(at(20))), "listening");
  lesson.event({ type: "called", user: "me" }, "me");
  assert.equal(lesson.keepsQuiet("me", Date.parse(at(20))), null);
  lesson.isTeacher = true;
  assert.equal(lesson.keepsQuiet("other", Date.parse(at(20))), null);
});

test("a private room knows nothing of a lesson", () => {
  const lesson = running();
  assert.equal(lesson.isOn, true);
  lesson.take(undefined, false);
  assert.equal(lesson.isOn, false);
});

test("a ticket is known from a key, and a clock reads as one", () => {
  assert.equal(ticketIn("#teach-0a1b-2c"), "teach-0a1b-2c");
  for (const other of ["", "#teach-", "#7h2k9", "#x-teach-ab"]) assert.equal(ticketIn(other), null);
  assert.deepEqual([0, 59.2, 300, 3_600, -5].map(clockFace), ["0:00", "1:00", "5:00", "1:00:00", "0:00"]);
});
