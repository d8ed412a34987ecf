// One's own messages in a room that is saved: they appear at once, with a mark until they are
// safe on the server's disk: URL HOST PORT.
import assert from "node:assert/strict";
import { enter, intercept, say, sees, shoot, start } from "./browser.mjs";
import { Proxy, wake } from "./proxy.mjs";

const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
const [url] = process.argv.slice(2);
const proxy = new Proxy(url);
const through = await proxy.start();
const browser = await start();

/** What to do with the acks of messages: `pass`, `hold`, or `refuse` (as not saved). */
let acks = "pass";
const held = [];
/** Called when an ack is held. */
let isHeld = () => {};
const prepare = intercept((message, { up, toPage }) => {
  if (up || message.type !== "ack" || message.id === undefined || acks === "pass") return message;
  if (acks === "refuse") return { ...message, durable: false };
  held.push(() => toPage(message));
  isHeld();
  return null;
});
/** Lets the held ack go, once it has come: it follows the message that it is for. */
async function release() {
  if (held.length === 0) await new Promise((resolve) => { isHeld = resolve; });
  held.splice(0).forEach((send) => send());
}

const last = (page) => page.locator("#rows .row.said").last();
const box = (page) => last(page).locator(".text").evaluate((it) => it.getBoundingClientRect().toJSON());

try {
  for (const [locale, more, saving, unsafe] of [
    ["ko-KR", {}, "서버에 저장하는 중", "서버에 저장되지 않았을 수 있음"],
    ["en-US", { ...PHONE, colorScheme: "dark" }, "being saved on the server", "may not be saved on the server"],
  ]) {
    const page = await enter(browser, through, locale, { locale, prepare, ...more });
    const long = `${"아주 긴 말이라서 한 줄에 다 들어가지 않습니다. ".repeat(4)}${locale}`;

    // Said, but not safe yet: nothing waits below, and the mark takes no space.
    acks = "hold";
    await say(page, long);
    await sees(page, long.trim());
    assert.equal(await page.locator("#pending .text").count(), 0);
    assert.equal(await last(page).locator(".saving").getAttribute("aria-label"), saving);
    const before = await box(page);
    await shoot(page, `saving-${locale}`);
    await release();
    await last(page).locator(".saving").waitFor({ state: "detached" });
    assert.deepEqual(await box(page), before);

    // Actions (`/me`) are marked, too.
    await say(page, "/me 손을 든다");
    await last(page).locator(".saving").waitFor();
    await release();
    await last(page).locator(".saving").waitFor({ state: "detached" });

    // The connection is lost before the server has answered: the message is said once, and
    // finally safe.
    await say(page, `한 번만 ${locale}`);
    await last(page).locator(".saving").waitFor();
    acks = "pass";
    held.length = 0;
    proxy.cut();
    await page.waitForSelector("#status.shown");
    await wake(page);
    await page.locator("#rows .saving").waitFor({ state: "detached" });
    assert.equal(await page.locator("#rows .row.said", { hasText: `한 번만 ${locale}` }).count(), 1);

    // The disk fails.
    acks = "refuse";
    await say(page, "적어 두었나요");
    const mark = last(page).locator(".unsafe");
    await mark.waitFor();
    assert.deepEqual([await mark.getAttribute("title"), await mark.getAttribute("aria-label")], [unsafe, unsafe]);
    await last(page).locator(".text").click();
    const told = await mark.evaluate((it) => getComputedStyle(it, "::after").content);
    assert.ok(told.includes(unsafe), told);
    await shoot(page, `unsafe-${locale}`);
    acks = "pass";
    await say(page, "이제는요");
    await sees(page, "이제는요");
    await page.locator("#rows .saving").waitFor({ state: "detached" });
    assert.equal(await page.locator("#rows .unsafe").count(), 1);
    assert.deepEqual(page.wrongs, []);
  }
} finally {
  await browser.close();
  proxy.stop();
}
