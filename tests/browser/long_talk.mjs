// Ten thousand messages: the document stays small, the page stays responsive, and scrolling
// back finds all of them: URL HOST PORT.
import assert from "node:assert/strict";
import net from "node:net";
import { enter, say, sees, start } from "./browser.mjs";

const COUNT = 10_000;
// How long the page may work on 500 of them, in milliseconds; at worst, it does not respond
// meanwhile.
const MOST_WORK = 500;
const [url, host, port] = process.argv.slice(2);
const speaker = net.connect(port, host);
const browser = await start();
try {
  const page = await enter(browser, url, "독자");
  // The page's work is measured in processor time, because the machine may be busy.
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const worked = async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    return 1_000 * metrics.find(({ name }) => name === "TaskDuration").value;
  };
  speaker.write("수다\n");
  speaker.resume();
  await sees(page, "수다님이 들어왔습니다");
  const lines = Array.from({ length: COUNT }, (_, index) => `말 ${index}번째, 조금 길게 이어지는 말입니다`);
  for (let at = 0; at < COUNT; at += 500) {
    const before = await worked();
    speaker.write(`${lines.slice(at, at + 500).join("\n")}\n`);
    // More at once than an outbox holds would be skipped and shown as a gap.
    await sees(page, `말 ${at + 499}번째`);
    const work = await worked() - before;
    assert.ok(work < MOST_WORK, `the page worked for ${work} ms`);
  }
  const rows = await page.locator("#rows .row").count();
  assert.ok(rows <= 200, `${rows} rows in the document`);

  // Up, in steps of the mouse wheel: every message appears, none twice.
  const seen = new Set();
  for (let step = 0; step < 3_000 && !seen.has(0); step += 1) {
    const numbers = await page.evaluate((step) => {
      const box = document.querySelector("#log");
      // The end is visible before the first step.
      if (step > 0) box.scrollTop -= 4_000;
      return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
        resolve([...document.querySelectorAll("#rows .row.said .text")].map((it) => Number(/말 (\d+)번째/u.exec(it.textContent)?.[1])));
      })));
    }, step);
    numbers.forEach((number, index) => { if (index > 0) assert.equal(number, numbers[index - 1] + 1); });
    for (const number of numbers) seen.add(number);
  }
  assert.equal(seen.size, COUNT);
  assert.ok((await page.locator("#rows .row").count()) <= 200);
  // New messages don't move the view of somebody reading old ones; one press shows them.
  const top = await page.evaluate(() => document.querySelector("#log").scrollTop);
  speaker.write("새 소식\n");
  await page.locator("#latest", { hasText: "새 메시지 1개" }).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("#log").scrollTop), top);
  await page.click("#latest");
  await sees(page, "새 소식");
  await say(page, "나도");
  await sees(page, "나도");

  // New members can scroll back through everything the server keeps.
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
