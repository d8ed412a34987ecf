// The look of the conversation: groups and times, code, the order of people, sound for
// mentions, and the projector: URL.
import assert from "node:assert/strict";
import { enter, say, sees, start, texts } from "./browser.mjs";

const TITLE = "3반 프로그래밍 수업, 한 줄에 다 들어가지 않는 긴 이름의 방입니다";
const CODE = "fn greet(name: &str) -> String {\n    // 인사\n    format!(\"{name}님\")\n}";

const [url] = process.argv.slice(2);
const browser = await start();

/** Lets others join the room of `page`, silently. */
async function fill(page, names) {
  await page.evaluate(({ names, place }) => Promise.all(names.map((name) => new Promise((resolve) => {
    const socket = new WebSocket("ws", "madang.json.v1");
    socket.onopen = () => socket.send(JSON.stringify({ type: "login", name, room: place, history: 0, nonce: "1" }));
    socket.onmessage = ({ data }) => { if (data.includes('"ack"')) resolve(); };
    (window.others ??= []).push(socket);
  }))), { names, place: new URL(page.url()).hash });
}

const opacity = (page, row) => page.locator(row).last().locator("time").evaluate((it) => getComputedStyle(it).opacity);

try {
  const alice = await enter(browser, url, "앨리스", { make: TITLE });
  const bob = await enter(browser, alice.url(), "bob");
  await sees(alice, "bob");

  // Messages of one speaker within five minutes form a group with one time; the other times can
  // be reached.
  for (const text of ["하나", "둘", "셋"]) {
    await say(bob, text);
    await sees(alice, text);
  }
  assert.equal(await alice.locator("#rows .row.said:not(.own) .name").count(), 1);
  const goesOn = "#rows .row.said.goes-on";
  assert.equal(await alice.locator(goesOn).count(), 2);
  await alice.mouse.move(0, 0);
  assert.equal(await opacity(alice, goesOn), "0");
  await alice.locator(goesOn).last().hover();
  assert.equal(await opacity(alice, goesOn), "1", "by mouse");
  await alice.mouse.move(0, 0);
  await alice.locator(goesOn).last().click();
  await alice.mouse.move(0, 0);
  assert.equal(await opacity(alice, goesOn), "1", "by touch");
  await alice.locator(goesOn).last().click();
  await alice.mouse.move(0, 0);
  assert.equal(await opacity(alice, goesOn), "0");
  await alice.locator("#text").focus();
  for (let step = 0; step < 40 && !(await alice.evaluate(() => document.activeElement.id === "log")); step += 1) await alice.keyboard.press("Shift+Tab");
  assert.equal(await opacity(alice, goesOn), "1", "by keyboard");

  // Code is highlighted, and copied unchanged.
  await say(alice, CODE);
  await bob.locator(".code .is-keyword", { hasText: "fn" }).waitFor();
  assert.deepEqual((await texts(bob)).at(-1), CODE);
  await bob.evaluate(() => {
    // As it must be over plain http.
    Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
    addEventListener("copy", () => { window.copied = document.activeElement.value; });
  });
  await bob.locator(".code").getByRole("button", { name: "코드 복사" }).click();
  await bob.locator(".code button", { hasText: "복사했습니다" }).waitFor();
  assert.equal(await bob.evaluate(() => window.copied), CODE);
  // A clipped block has a visible cue; a long block opens on a press.
  await say(alice, `int f() {\n    return ${"1 + ".repeat(80)}1;\n}`);
  const wide = bob.locator(".code").last();
  await bob.locator(".code", { hasText: "1 + 1" }).waitFor();
  assert.ok(await wide.locator("pre").evaluate((it) => it.scrollWidth > it.clientWidth && getComputedStyle(it).backgroundAttachment.includes("local")));
  const long = Array.from({ length: 60 }, (_, line) => `    x = ${line};`).join("\n");
  await say(alice, `void g() {\n${long}\n}`);
  const cut = bob.locator(".code.is-cut");
  await cut.waitFor();
  const height = () => bob.locator(".code").last().evaluate((it) => it.offsetHeight);
  const before = await height();
  await cut.getByRole("button", { name: "전체 62줄 보기" }).click();
  await bob.waitForSelector(".code.is-cut", { state: "detached" });
  assert.ok(await height() > before + 300);

  // Forty people, sorted.
  const names = Array.from({ length: 38 }, (_, index) => `학생${index + 1}`);
  await fill(alice, names);
  await bob.waitForFunction(() => document.querySelector("#people-count").textContent === "40");
  await bob.waitForFunction(() => document.querySelectorAll("#people button").length === 40);
  assert.deepEqual(await bob.locator("#people .person").allInnerTexts(), ["bob", "앨리스", ...names]);
  await bob.fill("#people-filter", "학생2");
  assert.deepEqual(await bob.locator("#people .person").allInnerTexts(), names.filter((name) => name.startsWith("학생2")));
  await bob.fill("#people-filter", "없는이");
  await bob.locator("#people .hint").waitFor();
  await bob.press("#people-filter", "Escape");
  assert.equal(await bob.locator("#people .person").count(), 40);

  // The sound for mentions is off by default, and the choice survives a reload.
  await bob.evaluate(() => {
    window.tones = 0;
    const begin = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) { window.tones += 1; return begin.apply(this, when); };
  });
  const tones = () => bob.evaluate(() => window.tones);
  await say(alice, "@bob 들려요?");
  await sees(bob, "들려요?");
  assert.equal(await tones(), 0, "it is off until it is chosen");
  await bob.click("#show-more");
  await bob.getByRole("button", { name: "내 이름이 나오면 소리 내기" }).click();
  await bob.waitForFunction(() => window.tones === 2);
  await bob.reload();
  await bob.waitForSelector("#chat:not([hidden])");
  await bob.click("#show-more");
  await bob.getByRole("button", { name: "소리 끄기" }).waitFor();
  await bob.keyboard.press("Escape");
  await bob.evaluate(() => {
    window.tones = 0;
    const begin = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) { window.tones += 1; return begin.apply(this, when); };
  });
  await say(alice, "아무도 부르지 않는 말");
  await sees(bob, "부르지 않는 말");
  assert.equal(await tones(), 0);
  await say(alice, "@bob 이제는요?");
  await bob.waitForFunction(() => window.tones === 2);

  // The projector view fills the screen on a press, and its type adapts to the wall.
  await alice.click("#show-wall");
  const letters = () => alice.locator("#rows .row.said .text").first().evaluate((it) => Number.parseFloat(getComputedStyle(it).fontSize));
  const sizes = [];
  for (const [width, height] of [[1024, 768], [1920, 1080], [3840, 2160]]) {
    await alice.setViewportSize({ width, height });
    sizes.push(await letters());
    const { content, box } = await alice.locator("#wall").evaluate((it) => ({ content: it.scrollHeight, box: it.clientHeight }));
    assert.ok(content <= box, `${width} by ${height}: ${content} px of content on ${box} px`);
  }
  assert.ok(sizes[1] >= 1.6 * sizes[0] && sizes[2] >= 1.9 * sizes[1], `letters of ${sizes} px`);
  await alice.setViewportSize({ width: 1280, height: 720 });
  await alice.click("#full-screen");
  await alice.waitForFunction(() => document.fullscreenElement !== null);
  await alice.locator("#full-screen", { hasText: "전체 화면 끝내기" }).waitFor();
  await alice.click("#end-wall");
  await alice.waitForFunction(() => document.fullscreenElement === null);
  await alice.waitForSelector("#wall", { state: "hidden" });

  for (const page of [alice, bob]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
