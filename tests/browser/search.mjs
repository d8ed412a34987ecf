// Searching a room whose messages are saved: the results, the marked words, and the way to a
// result's place and back; with a mouse, with a keyboard, and on a phone: URL HOST PORT.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import net from "node:net";
import { enter, say, sees, shoot, start } from "./browser.mjs";
import { inDocument, scrollUpTo, watchRows } from "./watch.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const COUNT = 900;
const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, locale: "en-US" };
const [url, host, port] = process.argv.slice(2);
const speaker = net.connect(port, host);
const browser = await start();
const line = (number) => (number % 60 === 17 ? `내일 회의는 ${number}호에서 합니다` : `말 ${number}번째`);

const state = (page, text) => page.locator("#search-state", { hasText: text }).waitFor();
const found = (page) => page.locator("#found .text").allInnerTexts();

async function search(page, words) {
  await page.fill("#search-words", words);
  await page.press("#search-words", "Enter");
}

/** Waits until the search has led to a message that is wholly visible. */
async function isShown(page, text) {
  await page.locator(".row.is-found", { hasText: text }).waitFor();
  const { row, view } = await page.evaluate(() => {
    const [row, view] = [".row.is-found", "#log"].map((it) => document.querySelector(it).getBoundingClientRect().toJSON());
    return { row, view };
  });
  assert.ok(row.top >= view.top && row.bottom <= view.bottom, `${text} at ${row.top}–${row.bottom} in ${view.top}–${view.bottom}`);
}

/** Runs axe on the page in its current state. */
async function check(page, what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n")}`), [], what);
}

try {
  const first = await enter(browser, url, "먼저");
  speaker.write("수다\n");
  speaker.resume();
  await sees(first, "수다님이 들어왔습니다");
  for (let at = 0; at < COUNT; at += 300) {
    speaker.write(`${Array.from({ length: 300 }, (_, index) => line(at + index)).join("\n")}\n`);
    await sees(first, line(at + 299));
  }

  const asked = [];
  const prepare = (it) => it.on("websocket", (socket) => socket.on("framesent", ({ payload }) => asked.push(JSON.parse(payload))));
  const page = await enter(browser, url, "독자", { bypassCSP: true, prepare });
  await sees(page, line(COUNT - 1));
  await page.click("#show-search");
  await page.locator("#search-hint", { hasText: "초성" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "search-words");
  await shoot(page, "search-hint");

  // The newest ten, then the rest; matching words are marked, however they were written.
  await search(page, "ㅎㅇ 호에서");
  await state(page, "메시지 10개를 찾았습니다");
  const hits = Array.from({ length: 15 }, (_, index) => line(857 - 60 * index)).filter((text) => text.includes("회의"));
  assert.deepEqual(await found(page), hits.slice(0, 10));
  assert.deepEqual(await page.locator("#found li").first().locator("mark").allInnerTexts(), ["회의", "호에서"]);
  assert.equal(await page.locator("#search-state").getAttribute("role"), "status");
  await shoot(page, "search-found");
  await check(page, "found");

  // A result's place; messages around it are loaded, and the visible ones stay.
  await page.locator("#found button", { hasText: "317호" }).click();
  await isShown(page, line(317));
  assert.equal(await page.locator("#found [aria-current]").innerText().then((it) => it.includes("317호")), true);
  await page.waitForFunction((text) => [...document.querySelectorAll("#rows .row.said .text")].some((it) => it.textContent === text), line(330));
  await isShown(page, line(317));
  await shoot(page, "search-place");
  await check(page, "a found message in its place");
  for (const [offset, text] of (await inDocument(page)).slice(0, 200).map((text, index, all) => [index - all.indexOf(line(317)), text])) {
    assert.equal(text, line(317 + offset));
  }

  // After reading there, the search continues where it was.
  await page.click("#older-results");
  await state(page, `메시지 ${hits.length}개를 찾았습니다`);
  assert.deepEqual(await found(page), hits);
  assert.ok(await page.locator("#older-results").isHidden());

  // Scrolling from there to the newest: nothing is missing, and no row moves by itself.
  await page.locator("#found button", { hasText: line(17).slice(0, 10) }).last().click();
  await isShown(page, line(17));
  await watchRows(page);
  const seen = new Set();
  for (let step = 0; step < 2_000 && !seen.has(line(COUNT - 1)); step += 1) {
    for (const text of await inDocument(page)) seen.add(text);
    await page.evaluate(() => new Promise((resolve) => {
      window.scroll(1_500);
      requestAnimationFrame(() => requestAnimationFrame(resolve));
    }));
  }
  assert.equal([...seen].length, COUNT - [...seen].reduce((low, text) => Math.min(low, Number(/\d+/u.exec(text)[0])), COUNT));
  assert.deepEqual(await page.evaluate(() => window.movedRows), []);
  assert.ok(asked.some(({ after }) => after !== undefined), "what follows is asked for from where one reads");

  // Back to the newest at once; new messages appear there.
  await page.locator("#found button", { hasText: "137호" }).click();
  await isShown(page, line(137));
  speaker.write("회의 끝\n");
  await page.locator("#latest", { hasText: "새 메시지 1개" }).waitFor();
  await page.click("#latest");
  await sees(page, "회의 끝");
  await page.waitForSelector(".row.is-found", { state: "detached" });

  // The same words again find what was said since; by command, too.
  await search(page, "ㅎㅇ 호에서");
  await state(page, "메시지 10개를 찾았습니다");
  assert.deepEqual(await found(page), hits.slice(0, 10));
  await say(page, "/찾기 회의");
  await page.waitForFunction(() => document.querySelector("#found .text")?.textContent === "회의 끝");
  await search(page, "그런말은없다");
  await state(page, "찾는 메시지가 없습니다");
  await shoot(page, "search-none");
  await page.keyboard.press("Escape");
  assert.ok(await page.locator("#search").isHidden());
  assert.equal(await page.evaluate(() => document.activeElement.id), "show-search");

  // With the keyboard only: the field, the first result, its place.
  await page.keyboard.press("Enter");
  await page.keyboard.type("회의 끝");
  await page.keyboard.press("Enter");
  await state(page, "메시지 1개를 찾았습니다");
  for (let tab = 0; tab < 3; tab += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await isShown(page, "회의 끝");
  assert.ok(await page.evaluate(() => document.activeElement.matches(".row.is-found")));

  // A room that is not saved has no search, and the other room's results are gone.
  await say(page, "/new 비밀");
  await page.locator("#room-title", { hasText: "비밀" }).waitFor();
  assert.ok(await page.locator("#search").isHidden());
  assert.ok(await page.locator("#show-search").isHidden());
  await say(page, "/search 회의");
  await sees(page, "저장되지 않습니다");

  // On a phone, it covers the conversation until a result is chosen.
  const phone = await enter(browser, url, "phone", { ...PHONE, colorScheme: "dark", bypassCSP: true });
  await sees(phone, "회의 끝");
  await phone.tap("#show-search");
  await phone.locator("#search-hint", { hasText: "phrase" }).waitFor();
  assert.ok(await phone.locator("#text").isHidden());
  await search(phone, '"회의는 77호"');
  await state(phone, "1 message found");
  await shoot(phone, "search-phone");
  await check(phone, "phone");
  for (const it of await phone.locator("#show-search, #search button:visible").all()) {
    const { width, height } = await it.boundingBox();
    assert.ok(width >= 44 && height >= 44, `${await it.getAttribute("id")} is ${width} by ${height}`);
  }
  await phone.locator("#found button").tap();
  await isShown(phone, line(77));
  assert.ok(await phone.locator("#search").isHidden());
  assert.ok(await phone.evaluate(() => document.activeElement.matches(".row.is-found")));
  await shoot(phone, "search-phone-place");
  await phone.tap("#show-search");
  assert.equal(await phone.locator("#found li").count(), 1);
  await phone.tap("#close-search");
  assert.ok(await phone.locator("#text").isVisible());
  for (const it of [page, phone]) assert.deepEqual(it.wrongs, []);
} finally {
  speaker.destroy();
  await browser.close();
}
