// Ten thousand messages: the document stays small, the page answers, and scrolling back
// finds them all: URL HOST PORT.
import assert from "node:assert/strict";
import net from "node:net";
import { enter, say, sees, start } from "./browser.mjs";

const COUNT = 10_000;
const [url, host, port] = process.argv.slice(2);
const speaker = net.connect(port, host);
const browser = await start();
try {
  const page = await enter(browser, url, "독자");
  await page.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ type: "longtask" });
  });
  speaker.write("수다\n");
  speaker.resume();
  await sees(page, "수다 들어옴");
  const lines = Array.from({ length: COUNT }, (_, index) => `말 ${index}번째, 조금 길게 이어지는 말입니다`);
  for (let at = 0; at < COUNT; at += 500) {
    speaker.write(`${lines.slice(at, at + 500).join("\n")}\n`);
    // More at once than an outbox holds would be skipped, and told as a gap.
    await sees(page, `말 ${Math.min(at + 500, COUNT) - 1}번째`);
  }
  await sees(page, `말 ${COUNT - 1}번째`);
  const rows = await page.locator("#rows .row").count();
  assert.ok(rows <= 200, `${rows} rows in the document`);
  const longest = await page.evaluate(() => window.longest);
  assert.ok(longest < 500, `the page stood still for ${longest} ms`);

  // Up, with the wheel's steps: every message passes, none twice.
  const seen = new Set();
  for (let step = 0; step < 3_000 && !seen.has(0); step += 1) {
    const numbers = await page.evaluate(() => {
      const box = document.querySelector("#log");
      box.scrollTop -= 4_000;
      return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
        resolve([...document.querySelectorAll("#rows .row.said .text")].map((it) => Number(/말 (\d+)번째/u.exec(it.textContent)?.[1])));
      })));
    });
    numbers.forEach((number, index) => { if (index > 0) assert.equal(number, numbers[index - 1] + 1); });
    for (const number of numbers) seen.add(number);
  }
  assert.equal(seen.size, COUNT);
  assert.ok((await page.locator("#rows .row").count()) <= 200);
  // What is new does not move who reads the old; one press shows it.
  const top = await page.evaluate(() => document.querySelector("#log").scrollTop);
  speaker.write("새 소식\n");
  await page.locator("#latest", { hasText: "새 메시지 1개" }).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("#log").scrollTop), top);
  await page.click("#latest");
  await sees(page, "새 소식");
  await say(page, "나도");
  await sees(page, "나도");

  // Who comes later has what the server keeps, by scrolling.
  const late = await enter(browser, url, "늦은이");
  await sees(late, "나도");
  await late.waitForFunction(() => {
    document.querySelector("#log").scrollTop = 0;
    return document.querySelector("#rows.from-beginning") !== null;
  });
  const kept = await late.locator("#rows .row.said").count();
  assert.ok(kept > 150, `${kept} messages`);
  for (const one of [page, late]) assert.deepEqual(one.wrongs, []);
} finally {
  speaker.destroy();
  await browser.close();
}
