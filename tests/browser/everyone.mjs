// The page on a phone, with only a keyboard, and for a screen reader, in both languages;
// checked by axe-core: URL.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { enter, say, sees, start, visit } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** The limit of layout shift (web.dev/articles/cls). */
const GOOD_JUMPS = 0.1;
const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 3, isMobile: true, hasTouch: true };

/** Runs axe on the page in its current state. */
async function check(page, what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const found = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary}`).join("\n")}`);
  assert.deepEqual(found, [], what);
}

async function fitsItsWidth(page, what) {
  const { width, inner } = await page.evaluate(() => ({ width: document.documentElement.scrollWidth, inner: innerWidth }));
  assert.ok(width <= inner, `${what}: ${width} px of content on ${inner} px`);
}

const [url] = process.argv.slice(2);
const browser = await start();
try {
  for (const colorScheme of ["light", "dark"]) {
    const entry = await visit(browser, url, { colorScheme, bypassCSP: true });
    await check(entry, `entry, ${colorScheme}`);
    const name = `${colorScheme}-길동`;
    const page = await enter(browser, url, name, { make: "교실", colorScheme, bypassCSP: true });
    await page.waitForSelector("#start:not([hidden])");
    await check(page, `empty room, ${colorScheme}`);
    const guest = await enter(browser, page.url(), `${colorScheme}-guest`, { locale: "en-US" });
    await say(guest, `@${name} look: https://example.com/ 봐요`);
    await say(guest, `/msg ${name} psst`);
    await say(page, "function f() {\n    return 1;\n    // code\n}");
    await say(page, "/help all");
    await sees(page, "/정보");
    await sees(page, "psst");
    await check(page, `room, ${colorScheme}`);
    for (const it of [page, guest]) {
      const jumped = await it.evaluate(() => window.jumped);
      assert.ok(jumped < GOOD_JUMPS, `${colorScheme}: the page jumps by ${jumped}`);
    }
    assert.equal(await guest.locator("#send").getAttribute("aria-label"), "Send");
    assert.equal(await guest.evaluate(() => document.documentElement.lang), "en");
    await guest.click("#show-more");
    await guest.getByRole("button", { name: "한국어" }).click();
    assert.equal(await guest.locator("#send").getAttribute("aria-label"), "보내기");
    for (const button of ["#show-invite", "#show-more", "#room-topic", "#new-private"]) {
      await page.click(button);
      await check(page, `${button}, ${colorScheme}`);
      await page.keyboard.press("Escape");
    }
    await page.locator("#people button", { hasText: "guest" }).click();
    await check(page, `person, ${colorScheme}`);
    await page.keyboard.press("Escape");
    await page.click("#show-wall");
    await check(page, `wall, ${colorScheme}`);
    for (const [width, height] of [[1024, 768], [1280, 650], [1920, 950], [3840, 2160]]) {
      await page.setViewportSize({ width, height });
      const { content, box } = await page.locator("#wall").evaluate((it) => ({ content: it.scrollHeight, box: it.clientHeight }));
      assert.ok(content <= box, `wall of ${width} by ${height}: ${content} px of content on ${box} px`);
    }
    await page.setViewportSize({ width: 1280, height: 720 });
    await page.keyboard.press("Escape");
    assert.deepEqual(page.wrongs, []);
  }

  // By keyboard: entering, completing a command, starting and ending a whisper, leaving a
  // dialog.
  const keys = await visit(browser, url);
  await keys.keyboard.type("키보드");
  await keys.keyboard.press("Enter");
  await keys.waitForSelector("#chat:not([hidden])");
  assert.equal(await keys.evaluate(() => document.activeElement.id), "text");
  await keys.keyboard.type("/누");
  await keys.waitForSelector("#completions:not([hidden])");
  assert.equal(await keys.locator("#text").getAttribute("aria-activedescendant"), "completion-0");
  await keys.keyboard.press("Tab");
  assert.equal(await keys.inputValue("#text"), "/누구 ");
  await keys.keyboard.press("Enter");
  await sees(keys, "로비 (1명): 키보드");
  await keys.keyboard.press("ArrowUp");
  assert.equal(await keys.inputValue("#text"), "/누구");
  await keys.fill("#text", "");
  await keys.locator("#show-invite").focus();
  await keys.keyboard.press("Enter");
  await keys.waitForSelector("#invite[open]");
  await keys.keyboard.press("Escape");
  assert.equal(await keys.evaluate(() => document.activeElement.id), "show-invite");
  const other = await enter(browser, url, "다른");
  await say(other, "들리나요");
  await keys.waitForFunction(() => document.querySelector("#announcer").textContent.includes("다른: 들리나요"));
  assert.deepEqual(keys.wrongs, []);

  // The chosen language stays, and the first row names the day in it.
  await keys.click("#show-more");
  await keys.getByRole("button", { name: "English" }).click();
  assert.equal(await keys.locator("#rows .day").first().innerText(), "Today");
  await keys.reload();
  await keys.locator("#room-title", { hasText: "Lobby" }).waitFor();
  assert.equal(await keys.evaluate(() => document.documentElement.lang), "en");

  // With reduced motion, nothing moves.
  for (const reducedMotion of ["reduce", "no-preference"]) {
    const still = await enter(browser, url, `${reducedMotion}-1`, { reducedMotion });
    const moves = await still.locator("#status").evaluate((it) => getComputedStyle(it).transitionDuration);
    assert.equal(/^0s/u.test(moves), reducedMotion === "reduce", moves);
  }

  // On a phone, nothing is wider than the screen, and the drawer opens and closes.
  const phone = await enter(browser, url, "전화기", { ...PHONE, bypassCSP: true });
  await say(phone, "아주긴한글낱말이띄어쓰기없이계속이어지면어떻게되는지보려고쓴글입니다".repeat(3));
  await say(phone, `https://example.com/${"x".repeat(200)}`);
  await say(phone, `int main() {\n    ${"long ".repeat(60)};\n    return 0;\n}`);
  await sees(phone, "return 0");
  await fitsItsWidth(phone, "phone");
  await phone.tap("#menu");
  await phone.waitForSelector(".side-open #side");
  await check(phone, "phone, drawer");
  await phone.locator("#shade").tap({ position: { x: 360, y: 400 } });
  await phone.waitForSelector("body:not(.side-open)");
  for (const id of ["send", "menu", "show-invite", "show-more"]) {
    const { width, height } = await phone.locator(`#${id}`).boundingBox();
    assert.ok(width >= 44 && height >= 44, `${id} is ${width} by ${height}`);
  }
  await fitsItsWidth(await visit(browser, url, { ...PHONE, viewport: { width: 320, height: 568 } }), "small phone");
  assert.deepEqual(phone.wrongs, []);
} finally {
  await browser.close();
}
