// A page with a server that knows nothing of lessons, or more than the page does, and an older
// page in a lesson: nothing breaks, and the conversation goes on: URL CODE.
import assert from "node:assert/strict";
import { enter, intercept, say, sees, start } from "./browser.mjs";

const OF_LESSONS = ["lesson", "hand", "called", "poll", "poll_ended", "slow", "listen", "timer", "question"];

const [url, code] = process.argv.slice(2);
const browser = await start();

/** A server from the time before lessons. */
const older = intercept((message, { up }) => {
  if (up && ["vote", "hand", "watch"].includes(message.type)) return { ...message, type: "unheard_of" };
  if (up || message.type === "event") return message;
  const { lesson: _, teacher: __, ...rest } = message;
  return OF_LESSONS.includes(message.type) ? null : rest;
});

/** A server whose lessons have features that the page does not know, as every lesson does for an older page. */
const newer = intercept((message, { up }) => {
  if (up) return message;
  if (OF_LESSONS.includes(message.type)) return { ...message, type: `new_${message.type}` };
  return message.lesson ? { ...message, lesson: { homework: { pages: [1, 2] }, seats: 30, running: false } } : message;
});

try {
  const teacher = await enter(browser, url, "김하나");
  const [old, fresh] = [await enter(browser, url, "old", { prepare: older }), await enter(browser, url, "new", { prepare: newer })];
  await say(teacher, `/teach ${code}`);
  await teacher.locator('[data-tool="begin"]').waitFor();
  for (const line of ["/lesson 포인터", "/poll 점심은? / 김밥 / 라면", "/timer 5m", "/listen on", "/listen off", "/poll end"]) await say(teacher, line);
  await teacher.locator("#poll .bars").waitFor();
  for (const page of [old, fresh]) {
    await say(page, "안녕");
    await sees(page, "안녕");
    assert.equal(await page.locator("#lesson-bar").isVisible(), false);
    assert.equal(await page.locator("#poll").isVisible(), false);
  }
  // The same for somebody who joins later.
  const later = await enter(browser, url, "later", { prepare: newer });
  await say(later, "여기");
  for (const page of [teacher, old, fresh, later]) await sees(page, "여기");
  // The conversation has no gap where events were skipped.
  assert.equal(await old.locator(".row.gap").count(), 0);
  for (const page of [teacher, old, fresh, later]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
