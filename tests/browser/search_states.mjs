// What a search shows while it runs, when it fails and when it is incomplete; the server's
// answers are changed or held on their way: URL.
import assert from "node:assert/strict";
import { enter, intercept, say, sees, shoot, start } from "./browser.mjs";
import { Proxy, wake } from "./proxy.mjs";

const [url] = process.argv.slice(2);
const proxy = new Proxy(url);
const through = await proxy.start();
const browser = await start();

/** What to do with the next answer: `held`, `{code, text}` to refuse, `{before}` for an incomplete one. */
let next = null;
let held = [];
const prepare = intercept((message, { up, toPage }) => {
  const isHeld = held.length > 0 && message.nonce === held[0].nonce;
  if (isHeld || (!up && message.type === "found" && next === "held")) {
    held.push({ nonce: message.nonce, send: () => toPage(message) });
    return null;
  }
  if (up || message.type !== "found" || next === null) return message;
  const { nonce, room } = message;
  if (next.code) return { type: "error", ...next, nonce };
  return { type: "found", room, events: [], before: next.before, nonce };
});

/** Releases the held answer. */
function release() {
  next = null;
  for (const { send } of held.splice(0)) send();
}

const state = (page, text) => page.locator("#search-state", { hasText: text }).waitFor();
const older = (page, name) => page.locator("#older-results", { hasText: name });

try {
  for (const [locale, words] of [
    ["ko-KR", { searching: "찾는 중…", again: "다시 찾기", lost: "연결이 끊겨", older: "이전 메시지에서 더 찾기", none: "찾는 메시지가 없습니다", back: /까지 찾아보았습니다/u, one: "메시지 1개를 찾았습니다" }],
    ["en-US", { searching: "Searching…", again: "Try again", lost: "connection to the server was lost", older: "Search older messages", none: "No messages found", back: /searched back to/u, one: "1 message found" }],
  ]) {
    const page = await enter(browser, through, locale, { locale, prepare, colorScheme: locale === "en-US" ? "dark" : "light" });
    const text = `찾을 것 ${locale}`;
    await say(page, text);
    await sees(page, text);
    await page.click("#show-search");

    // Refused, with the server's reason; pressing the button tries again.
    next = { code: "busy", text: "서버가 바쁩니다. 조금 뒤에 다시 하세요." };
    await page.fill("#search-words", text);
    await page.press("#search-words", "Enter");
    await state(page, next.text);
    await older(page, words.again).waitFor();
    await shoot(page, `search-busy-${locale}`);
    next = { code: "not_kept", text: "이 방의 대화는 서버에 저장되지 않습니다." };
    await page.click("#older-results");
    await state(page, next.text);

    // It takes long.
    next = "held";
    await page.click("#older-results");
    await state(page, words.searching);
    assert.equal(await page.locator("#found").getAttribute("aria-busy"), "true");
    await shoot(page, `searching-${locale}`);
    release();
    await state(page, words.one);
    assert.equal(await page.locator("#found").getAttribute("aria-busy"), "false");

    // Only part of what is saved was searched: it says how far, and continues on request.
    next = { before: 1 };
    await page.fill("#search-words", `그런 말 ${locale}`);
    await page.press("#search-words", "Enter");
    await state(page, words.back);
    await shoot(page, `search-partial-${locale}`);
    next = null;
    await older(page, words.older).click();
    await page.waitForFunction((none) => document.querySelector("#search-state").textContent === none, words.none);
    assert.ok(await page.locator("#older-results").isHidden());

    // The connection is lost meanwhile; afterwards, the same search works again.
    next = "held";
    await page.fill("#search-words", text);
    await page.press("#search-words", "Enter");
    await state(page, words.searching);
    proxy.mode = "refusing";
    proxy.cut();
    await page.waitForSelector("#status.shown");
    proxy.mode = "open";
    [next, held] = [null, []];
    await wake(page);
    await state(page, words.lost);
    await page.waitForSelector("#status:not(.shown)");
    await older(page, words.again).click();
    await state(page, words.one);
    assert.deepEqual(page.wrongs, []);
  }
} finally {
  await browser.close();
  proxy.stop();
}
