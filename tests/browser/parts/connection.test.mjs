// The connection, on sockets that do what the test wants.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Connection, REPLACED, chatAddress, pause } from "../../../server/web/connection.js";

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

function start() {
  const seen = { messages: [], stopped: null };
  const connection = new Connection("ws://h/ws", {
    open: () => connection.ready(),
    message: (message) => seen.messages.push(message),
    answer: () => false,
    change: () => {},
    stop: (reason) => { seen.stopped = reason; },
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
