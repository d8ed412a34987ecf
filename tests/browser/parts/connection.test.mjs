// The connection, on simulated sockets.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Connection, REPLACED, chatAddress, encodedBytes, pause } from "../../../server/web/connection.js";
import { fate } from "../../../server/web/unsent.js";

class FakeSocket {
  static made = [];
  readyState = 0;
  sent = [];

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    FakeSocket.made.push(this);
  }

  send(data) { this.sent.push(JSON.parse(data)); }
  close() { this.readyState = 3; }
  open() { this.readyState = 1; this.onopen(); }
  receive(message) { this.onmessage({ data: JSON.stringify(message) }); }
  lose(code = 1006) { this.readyState = 3; this.onclose({ code }); }
}

beforeEach(() => {
  FakeSocket.made = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

function start(mayGo) {
  const seen = { messages: [], stopped: null, back: [] };
  const connection = new Connection("ws://h/ws", {
    open: () => seen.back.push(...connection.ready(mayGo)),
    message: (message) => seen.messages.push(message),
    answer: () => false,
    change: () => {},
    stop: (reason) => { seen.stopped = reason; },
    unsendable: (requests) => seen.back.push(...requests),
  }, FakeSocket);
  connection.start();
  return { connection, seen, last: () => FakeSocket.made.at(-1) };
}

test("pauses double from half a second to fifteen, and scatter", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 9].map((failures) => pause(failures, 1)), [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  assert.equal(pause(3, 0), 2_000);
});

test("the chat belongs to the page's address, whatever stands before it", () => {
  assert.equal(chatAddress("http://192.168.0.2:9998/#key"), "ws://192.168.0.2:9998/ws");
  assert.equal(chatAddress("https://example.org/madang/?x=1#key"), "wss://example.org/madang/ws");
});

test("what was said while it was cut is sent once, in order, with its nonce", () => {
  const { connection, last } = start();
  last().open();
  connection.submit({ type: "say", text: "a" }, "say");
  const [first] = last().sent;
  last().lose();
  connection.submit({ type: "say", text: "b" }, "say");
  mock.timers.tick(500);
  assert.equal(FakeSocket.made.length, 2);
  last().open();
  assert.deepEqual(last().sent.map(({ text }) => text), ["a", "b"]);
  assert.equal(last().sent[0].nonce, first.nonce);
  for (const { nonce } of last().sent) last().receive({ type: "ack", nonce });
  assert.deepEqual(connection.unanswered(), []);
  last().lose();
  mock.timers.tick(500);
  last().open();
  assert.deepEqual(last().sent, []);
});

test("a page that wakes tries at once, and a dead socket is found", () => {
  const { connection, last } = start();
  last().open();
  last().lose();
  connection.probe();
  assert.equal(FakeSocket.made.length, 2);
  last().open();
  connection.probe();
  assert.equal(last().sent.at(-1).line, "/ping");
  mock.timers.tick(4_000);
  assert.equal(connection.status, "waiting");
  mock.timers.tick(500);
  assert.equal(FakeSocket.made.length, 3);
});

test("whoever was replaced, has quit or is banned stays away", () => {
  for (const [message, code, reason] of [[null, REPLACED, "replaced"], [{ type: "bye", reason: "quit" }, 1000, "quit"], [{ type: "bye", reason: "banned" }, 1008, "banned"], [{ type: "bye", reason: "kicked", seconds: 600 }, 1008, "kicked"]]) {
    const { connection, seen, last } = start();
    last().open();
    if (message) last().receive(message);
    last().lose(code);
    const made = FakeSocket.made.length;
    mock.timers.tick(60_000);
    connection.probe();
    assert.deepEqual([seen.stopped, FakeSocket.made.length], [reason, made]);
  }
});

test("a server that stops is waited for", () => {
  const { last } = start();
  last().open();
  last().receive({ type: "bye", reason: "shutdown" });
  last().lose(1001);
  mock.timers.tick(500);
  assert.equal(FakeSocket.made.length, 2);
});

test("what closed the connection for its size is given back, and never sent again", () => {
  const { connection, seen, last } = start();
  last().open();
  connection.submit({ type: "say", text: "too big" }, "say", "lobby");
  last().lose(1009);
  connection.submit({ type: "say", text: "later" }, "say", "lobby");
  for (let round = 0; round < 3; round += 1) {
    mock.timers.tick(15_000);
    last().open();
    assert.deepEqual(last().sent.map(({ text }) => text), ["later"]);
    last().lose();
  }
  assert.deepEqual(seen.back.map(({ request }) => request.text), ["too big"]);
});

test("what may not go out again is given back, and the rest is sent", () => {
  const { connection, seen, last } = start(({ place }) => place === "lobby");
  last().open();
  last().lose();
  for (const [text, place] of [["a", "lobby"], ["b", "private-abcd"], ["c", "lobby"]]) {
    connection.submit({ type: "say", text }, "say", place);
  }
  mock.timers.tick(1_000);
  last().open();
  assert.deepEqual(last().sent.map(({ text }) => text), ["a", "c"]);
  assert.deepEqual(seen.back.map(({ request }) => request.text), ["b"]);
  assert.deepEqual(connection.unanswered().map(({ request }) => request.text), ["a", "c"]);
});

test("half a character is sent as a whole one, and sizes are counted as sent", () => {
  const { connection, last } = start();
  last().open();
  connection.submit({ type: "say", text: "a\ud800b" }, "say", "lobby");
  assert.equal(last().sent[0].text, "a\ufffdb");
  assert.ok(encodedBytes({ type: "say", text: "\u0001".repeat(15_600) }) > 65_536);
  assert.ok(encodedBytes({ type: "say", text: "가".repeat(5_000) }) < 16_384);
});

test("nothing is said where, or to whom, it was not meant", () => {
  const waiting = { place: "lobby", purpose: "say", request: { text: "hi" }, sent: false };
  const landing = { room: "lobby", resumed: true, wasSaid: (text) => text === "said" };
  const whisper = { purpose: "command", request: { line: "/msg bob hi" } };
  const anew = { resumed: false };
  const secret = { place: "private-abcd" };
  for (const [more, landed, expected] of [
    [{}, {}, "send"],
    [whisper, {}, "send"],
    [{ ...whisper, sent: true }, {}, "send"],
    [secret, {}, "keep"],
    [secret, { room: "private-abcd" }, "send"],
    [{}, { room: "수학" }, "keep"],
    [{}, { room: null }, "keep"],
    [{}, anew, "send"],
    [{ sent: true }, anew, "send"],
    [{ sent: true, request: { text: "said" } }, anew, "said"],
    [{ request: { text: "said" } }, anew, "send"],
    [whisper, anew, "keep"],
    [secret, anew, "keep"],
    [secret, { ...anew, room: "private-abcd" }, "keep"],
    [{ place: null, ...whisper }, { room: null }, "send"],
  ]) {
    assert.equal(fate({ ...waiting, ...more }, { ...landing, ...landed }), expected, JSON.stringify([more, landed]));
  }
});
