// An EventSource whose connection is cut comes back by itself, and has everything once: URL.
import assert from "node:assert/strict";
import { start } from "./browser.mjs";
import { Proxy } from "./proxy.mjs";

const [url] = process.argv.slice(2);
const room = new URL("rooms/lobby", url).href;

/** Says something, as a program does that keeps its name. */
let token;
async function post(body) {
  const headers = { Name: "bob", ...(token ? { Token: token } : {}) };
  const response = await fetch(room, { method: "POST", headers, body });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  token = text.trim();
}

/** What a stream that is never cut is sent, as `[id, data]`, up to a message with this text. */
async function* uncut() {
  const response = await fetch(`${room}?history=0`, { headers: { Accept: "text/event-stream", Name: "uncut" } });
  let waiting = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (waiting + part).split("\n\n");
    waiting = events.pop();
    for (const event of events) {
      const [, id, data] = /^(?:id: (\d+)\n)?data: (.*)$/u.exec(event) ?? [];
      if (id !== undefined) yield [id, data];
    }
  }
}

const proxy = new Proxy(url);
const through = await proxy.start();
const browser = await start();
try {
  const all = uncut();
  // Its own `joined`: from here on, it has everything.
  await all.next();
  const page = await (await browser.newContext()).newPage();
  const example = new URL("example.html", through).href;
  await page.route(example, (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto(example);
  await page.evaluate((room) => {
    window.heard = [];
    window.opened = 0;
    window.failed = 0;
    const source = new EventSource(room);
    source.onopen = () => { window.opened += 1; };
    source.onerror = () => { window.failed += 1; };
    source.onmessage = ({ data, lastEventId }) => {
      const { type, id } = JSON.parse(data);
      if (id !== undefined && type !== "welcome") window.heard.push([lastEventId, data]);
      if (type === "gap") throw new Error(data);
    };
  }, new URL("rooms/lobby", through).href);
  page.on("pageerror", (error) => { throw error; });
  const isHeard = (text) => page.waitForFunction((text) => window.heard.at(-1)?.[1].includes(`"text":"${text}"`), text);
  await page.waitForFunction(() => window.heard.length > 0);
  await post("before the cut");
  await isHeard("before the cut");

  // It is away for as long as two attempts fail, and the room talks on.
  proxy.mode = "refusing";
  proxy.cut();
  for (let number = 1; number <= 10; number += 1) await post(`while it was away, ${number}`);
  await page.waitForFunction(() => window.failed >= 3);
  proxy.mode = "open";
  await page.waitForFunction(() => window.opened === 2);
  await post("it is back");
  await isHeard("it is back");

  // It is cut off in the middle of what it is sent.
  for (let number = 1; number <= 60; number += 1) {
    await post(`in a flood, ${number}`);
    if (number === 30) proxy.cut();
  }
  await page.waitForFunction(() => window.opened === 3);
  await post("the end");
  await isHeard("the end");

  const heard = await page.evaluate(() => window.heard);
  const expected = [];
  for await (const event of all) {
    if (event[0] >= heard[0][0]) expected.push(event);
    if (event[1].includes('"text":"the end"')) break;
  }
  assert.deepEqual(heard, expected);
  const said = heard.filter(([, data]) => JSON.parse(data).type === "said");
  assert.equal(said.length, 1 + 10 + 1 + 60 + 1);
} finally {
  await browser.close();
  proxy.stop();
}
