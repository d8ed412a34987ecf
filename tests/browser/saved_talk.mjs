// A room whose messages are saved: scrolling up reads beyond the server's memory, and the row
// being read stays where it is, whatever arrives above or below it: URL HOST PORT.
import assert from "node:assert/strict";
import net from "node:net";
import { enter, say, sees, shoot, start } from "./browser.mjs";
import { inDocument, scrollUpTo, watchRows } from "./watch.mjs";

const COUNT = 1_000;
const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
const [url, host, port] = process.argv.slice(2);
const speaker = net.connect(port, host);
const browser = await start();
const line = (number) => `말 ${number}번째${", 조금 길게 이어지는 말입니다".repeat(number % 4)}`;

try {
  const first = await enter(browser, url, "먼저");
  await sees(first, "이 방의 대화는 서버에 저장됩니다");
  await first.locator("#room-topic", { hasText: "저장됨" }).click();
  await first.locator("#about-recorded", { hasText: "저장됩니다" }).waitFor();
  await first.keyboard.press("Escape");
  speaker.write("수다\n");
  speaker.resume();
  await sees(first, "수다님이 들어왔습니다");
  for (let at = 0; at < COUNT; at += 250) {
    speaker.write(`${Array.from({ length: 250 }, (_, index) => line(at + index)).join("\n")}\n`);
    await sees(first, line(at + 249));
  }

  // A new member can read everything, though the server remembers only the last 200 events.
  const readers = [await enter(browser, url, "독자"), await enter(browser, url, "phone", { ...PHONE, locale: "en-US", colorScheme: "dark" })];
  for (const page of readers) {
    await sees(page, line(COUNT - 1));
    await watchRows(page);
    const seen = await scrollUpTo(page, line(0));
    assert.equal([...seen].filter((text) => text.startsWith("말 ")).length, COUNT);
    await page.evaluate(() => window.scroll(-1e6));
    await page.waitForSelector("#rows.from-beginning");
    await page.locator("#beginning").waitFor();
    await shoot(page, `saved-beginning-${await page.evaluate(() => document.documentElement.lang)}`);
    assert.ok((await page.locator("#rows .row").count()) <= 200);

    // What is said meanwhile appears at the end, and moves nothing.
    const top = await page.evaluate(() => document.querySelector("#log").scrollTop);
    const news = `새 소식 ${readers.indexOf(page)}`;
    speaker.write(`${news}\n`);
    await page.locator("#latest", { hasText: "1" }).waitFor();
    assert.equal(await page.evaluate(() => document.querySelector("#log").scrollTop), top);
    assert.deepEqual(await page.evaluate(() => window.movedRows), []);
    await page.click("#latest");
    await sees(page, news);
    assert.deepEqual(page.wrongs, []);
  }

  // With the keyboard only.
  const keys = await enter(browser, url, "키보드");
  await sees(keys, line(COUNT - 1));
  await keys.focus("#log");
  for (let pressed = 0; pressed < 500 && !(await inDocument(keys)).includes(line(COUNT - 300)); pressed += 1) {
    await keys.keyboard.press("PageUp");
    await keys.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
  assert.ok((await inDocument(keys)).includes(line(COUNT - 300)));

  // After a reload, the newest messages are there again.
  await keys.reload();
  await sees(keys, line(COUNT - 1));
  await say(keys, "다 읽었습니다");
  await sees(keys, "다 읽었습니다");
  assert.equal((await inDocument(keys)).at(-1), "다 읽었습니다");
  assert.deepEqual(keys.wrongs, []);
} finally {
  speaker.destroy();
  await browser.close();
}
