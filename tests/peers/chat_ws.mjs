// Chats through the library `ws` of Node: URL NAME lines|json.
import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket from "ws";

const [url, name, form] = process.argv.slice(2);
const socket = new WebSocket(url, form === "json" ? ["madang.json.v1"] : []);

// Messages wait here until they are read; null is the end.
const messages = [];
let wake = () => {};
const put = (message) => { messages.push(message); wake(); };
socket.on("message", (data, isBinary) => { assert(!isBinary); put(data.toString()); });
socket.on("close", (code) => { assert.equal(code, 1000); put(null); });

async function receive() {
  while (messages.length === 0) await new Promise((resolve) => { wake = resolve; });
  return messages.shift();
}

async function hear(matches) {
  for (;;) {
    const message = await receive();
    assert.notEqual(message, null, `closed before ${matches}`);
    const read = form === "json" ? JSON.parse(message) : message;
    if (matches(read)) return read;
  }
}

await once(socket, "open");
if (form === "json") {
  const ask = (request) => socket.send(JSON.stringify(request));
  const said = (user, text) => (m) => m.type === "said" && m.user === user && m.text === text;
  await hear((message) => message.type === "hello");
  ask({ type: "login", name });
  await hear((message) => message.type === "welcome" && message.user === name);
  ask({ type: "say", text: "안녕하세요", nonce: "n1" });
  const ack = await hear((message) => message.type === "ack" && message.nonce === "n1");
  assert.equal((await hear(said(name, "안녕하세요"))).id, ack.id);
  await hear(said("host", "어서 오세요"));
  ask({ type: "command", line: "/quit" });
  await hear((message) => message.type === "bye" && message.reason === "quit");
} else {
  const is = (expected) => (message) => message === expected;
  await hear(is("로그인ID:"));
  socket.send(name);
  await hear(is(`[${name}]님이 입장했습니다.`));
  socket.send("안녕하세요");
  await hear(is(`[${name}] 안녕하세요`));
  await hear(is("[host] 어서 오세요"));
  socket.send("/quit");
}
while ((await receive()) !== null);
