// A browser in which every access to storage throws, and one without cookies: the page works,
// and remembers things while it is open: URL.
import assert from "node:assert/strict";
import { answer, say, sees, start, visit } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();

const block = () => {
  const refuse = { get() { throw new DOMException("Access is denied for this document.", "SecurityError"); } };
  for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"]) Object.defineProperty(window, name, refuse);
  Object.defineProperty(Document.prototype, "cookie", { ...refuse, set: refuse.get });
  window.BroadcastChannel = function () { refuse.get(); };
};
const fill = () => {
  const full = () => { throw new DOMException("The quota has been exceeded.", "QuotaExceededError"); };
  Storage.prototype.setItem = full;
};

try {
  for (const [index, obstacle] of [block, fill].entries()) {
    const page = await visit(browser, "about:blank", { locale: "en-US" });
    await page.addInitScript(obstacle);
    await page.goto(url);
    const name = `visitor-${index}`;
    await page.fill("#name", name);
    await page.click("#enter-private");
    await answer(page);
    await page.waitForSelector("#chat:not([hidden])");
    await say(page, "it works");
    await sees(page, "it works");
    // The language is remembered while the page is open.
    await page.click("#show-more");
    await page.getByRole("button", { name: "한국어" }).click();
    await page.locator("#room-title", { hasText: "비공개 방" }).waitFor();
    // So is the choice to hear calls.
    for (const button of ["내 이름이 나오면 소리 내기", "소리 끄기"]) {
      await page.click("#show-more");
      await page.getByRole("button", { name: button }).click();
    }
    await say(page, "/leave");
    await page.locator("#room-title", { hasText: "로비" }).waitFor();
    // A reload is a new visitor.
    await page.reload();
    await page.waitForSelector("#entry:not([hidden])");
    await page.fill("#name", `${name}-b`);
    await page.click("#enter");
    await page.waitForSelector("#chat:not([hidden])");
    await say(page, "/quit");
    await page.waitForSelector("#entry:not([hidden])");
    assert.deepEqual(page.wrongs, []);
  }
} finally {
  await browser.close();
}
