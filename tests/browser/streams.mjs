// Rooms over HTTP in a browser: URL. The page of protocol/README.md shows what is said, and
// pages of other sites can neither say nor read anything.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { enter, say, shoot, start } from "./browser.mjs";

const [url] = process.argv.slice(2);
const room = new URL("rooms/lobby", url).href;
const README = readFileSync(new URL("../../protocol/README.md", import.meta.url), "utf8");
const [, EXAMPLE] = README.match(/```html\n(<ul id="said">.*?)```/su);

/** Says something, as a program does. */
async function post(name, body) {
  const response = await fetch(room, { method: "POST", headers: { Name: name }, body });
  assert.equal(response.status, 200, await response.text());
}

/** A page of another site: what it tries has ended once `window.tried` is set. */
const ATTACK = `
  <form method="post" enctype="text/plain" action="${room}" target="frame"><input name="said by a" value="form"></form>
  <iframe name="frame"></iframe>
  <script>
    const ends = (it) => new Promise((end) => { it.onload = it.onerror = end; });
    const read = async (...request) => (await (await fetch(...request)).text()).length;
    addEventListener("load", async () => {
      const framed = ends(document.querySelector("iframe"));
      document.querySelector("form").submit();
      const image = new Image();
      const shown = ends(image);
      image.src = "${room}";
      const source = new EventSource("${room}");
      source.onmessage = () => { source.wasRead = true; };
      const refused = ends(source);
      const body = "said by fetch";
      const tried = await Promise.allSettled([
        read("${room}", { method: "POST", mode: "no-cors", body }),
        read("${room}", { method: "POST", body }),
        read("${room}", { method: "POST", headers: { Name: "mallory" }, body }),
        read("${room}"),
      ]);
      await Promise.all([framed, shown, refused]);
      window.tried = { read: tried.map(({ value }) => value ?? 0), wasRead: source.wasRead ?? false };
    });
  </script>`;

const browser = await start();
const other = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(ATTACK));
try {
  const reader = await (await browser.newContext()).newPage();
  // The example, as if it came from the server itself.
  const page = new URL("example.html", url).href;
  const body = EXAMPLE.replace("http://localhost:9998/rooms/lobby", room);
  await reader.route(page, (route) => route.fulfill({ contentType: "text/html", body }));
  await reader.goto(page);
  await reader.waitForFunction(() => room.readyState === EventSource.OPEN);
  // A second stream of the same page tells who comes.
  await reader.evaluate((room) => new Promise((opened) => {
    window.joined = [];
    const source = new EventSource(room);
    source.onmessage = ({ data }) => {
      const { type, user } = JSON.parse(data);
      if (type === "welcome") opened();
      if (type === "joined") window.joined.push(user);
    };
  }), room);
  const said = (count) => reader.waitForFunction((count) => {
    const lines = [...document.querySelectorAll("#said li")].map((line) => line.textContent);
    return lines.length >= count && lines;
  }, count).then((lines) => lines.jsonValue());
  await post("bob", "hello");
  assert.deepEqual(await said(1), ["bob: hello"]);

  await new Promise((listening) => other.listen(0, "127.0.0.1", listening));
  const attacker = await (await browser.newContext()).newPage();
  // Another site, not only another port.
  await attacker.goto(`http://localhost:${other.address().port}/`);
  const tried = await attacker.waitForFunction(() => window.tried);
  assert.deepEqual(await tried.jsonValue(), { read: [0, 0, 0, 0], wasRead: false });
  await post("carol", "the end");
  assert.deepEqual(await said(2), ["bob: hello", "carol: the end"]);
  await reader.waitForFunction(() => window.joined.includes("carol"));
  const guests = /^guest-\d+$/u;
  const joined = await reader.evaluate(() => window.joined);
  assert.deepEqual(joined.map((name) => name.replace(guests, "itself")), ["itself", "bob", "carol"]);

  // The page marks in its list, and in answers, who is a stream.
  const chat = await enter(browser, url, "dave", { locale: "en-GB" });
  await chat.waitForFunction(() => document.querySelectorAll("#people button").length >= 5);
  const people = await chat.locator("#people button").evaluateAll((rows) => rows.map((row) => [row.dataset.name, row.querySelector(".marks")?.innerText ?? ""]));
  const marks = people.map(([name, marks]) => [name.replace(guests, "guest"), marks]);
  assert.deepEqual(marks, [["dave", "you"], ["bob", ""], ["carol", ""], ["guest", "read only"], ["guest", "read only"]]);
  await say(chat, `/whois ${people.at(-1)[0]}`);
  await chat.waitForFunction(() => [...document.querySelectorAll(".row.notice")].some((row) => /guest-.* · read only/u.test(row.innerText)));
  // Also one that comes later.
  const later = await fetch(room, { headers: { Name: "logger" } });
  await chat.locator("#people button", { hasText: "logger" }).filter({ hasText: "read only" }).waitFor();
  await later.body.cancel();
  await shoot(chat, "streams");
  assert.deepEqual(chat.wrongs, []);
} finally {
  other.close();
  await browser.close();
}
