// A phone's tab that sleeps and wakes: a proxy cuts its socket, and the messages in between
// arrive once, in both directions; and a server that has forgotten everything, as after a
// restart: URL OTHER-URL.
import assert from "node:assert/strict";
import { enter, say, sees, start, texts } from "./browser.mjs";
import { Proxy, wake } from "./proxy.mjs";

const [url, otherUrl] = process.argv.slice(2);
const isShown = (page) => page.waitForSelector("#status.shown");
const isGone = (page) => page.waitForSelector("#status:not(.shown)");

const proxy = new Proxy(url);
const through = await proxy.start();
const browser = await start();
try {
  const teacher = await enter(browser, url, "선생님");
  const phone = await enter(browser, through, "폰");
  await say(phone, "하나");
  await sees(teacher, "하나");
  // A message cut before its ack would wait with the others.
  await phone.waitForFunction(() => document.querySelector("#pending .text") === null);

  // The connection is cut and the server can't be reached. The phone's message waits; by
  // itself, the page would not try again for an hour.
  await phone.evaluate(() => {
    const { random } = Math;
    window.restore = () => { Math.random = random; };
    Math.random = () => 20_000;
  });
  proxy.mode = "refusing";
  proxy.cut();
  await isShown(phone);
  for (const text of ["둘", "셋", "넷"]) await say(teacher, text);
  await say(phone, "다섯");
  await say(phone, "여섯");
  assert.deepEqual(await phone.locator("#pending .text").allInnerTexts(), ["다섯", "여섯"]);
  await sees(teacher, "넷");
  proxy.mode = "open";
  await wake(phone);
  await isGone(phone);
  await phone.evaluate(() => window.restore());
  const all = ["하나", "둘", "셋", "넷", "다섯", "여섯"];
  await sees(teacher, "여섯");
  await sees(phone, "여섯");
  assert.deepEqual(await texts(teacher), all);
  assert.deepEqual(await texts(phone), all);
  assert.equal(await phone.locator("#pending .text").count(), 0);

  // During sleep, a socket dies silently: a message sent into it is sent again, once.
  proxy.mode = "deaf";
  await say(phone, "일곱");
  await say(teacher, "여덟");
  await sees(teacher, "여덟");
  await wake(phone);
  await isShown(phone);
  proxy.cut();
  proxy.mode = "open";
  await wake(phone);
  await isGone(phone);
  await sees(phone, "일곱");
  await sees(phone, "여덟");
  all.push("여덟", "일곱");
  await sees(teacher, "일곱");
  assert.deepEqual(await texts(teacher), all);
  assert.deepEqual(await texts(phone), all);
  assert.ok(!(await teacher.locator("#rows").innerText()).includes("폰님이 나갔습니다"), "it was never gone");

  // When another tab takes over, this one does not fight for its name.
  const stored = await phone.evaluate(() => sessionStorage.getItem("madang"));
  const other = await phone.context().newPage();
  // Only a tab that is loaded again may take over its session.
  await other.addInitScript((stored) => {
    sessionStorage.setItem("madang", stored);
    sessionStorage.setItem("madang.left", JSON.parse(stored).session);
  }, stored);
  await other.goto(through);
  await other.reload();
  await other.waitForSelector("#chat:not([hidden])");
  await phone.waitForSelector("#stopped[open]");
  await wake(phone);
  await say(other, "새 창에서");
  await sees(teacher, "새 창에서");
  assert.equal(await other.locator("#stopped[open]").count(), 0);
  assert.equal(await phone.locator("#stopped[open]").count(), 1);

  // After a restart of the server: members are back under their names in the lobby, and waiting
  // messages are sent once; members of a private room are told that it is gone.
  const maker = await enter(browser, through, "만든이", { make: true });
  proxy.mode = "refusing";
  proxy.cut();
  await isShown(other);
  await say(other, "다시 시작해도");
  proxy.target = new URL(otherUrl);
  const early = await enter(browser, otherUrl, "먼저온이");
  proxy.mode = "open";
  await wake(other);
  await sees(early, "다시 시작해도");
  await isGone(other);
  await sees(other, "다시 시작해도");
  assert.deepEqual(await texts(early), ["다시 시작해도"]);
  assert.equal((await texts(other)).filter((text) => text === "다시 시작해도").length, 1);
  // The list is drawn a moment later; a duplicate would fail here.
  await other.locator("#people .marks", { hasText: "나" }).waitFor();
  await other.locator("#people button", { hasText: "폰" }).waitFor();
  await wake(maker);
  await maker.locator("#room-title", { hasText: "로비" }).waitFor();
  await sees(maker, "로비로 왔습니다");
  assert.equal(new URL(maker.url()).hash, "");
  await say(maker, "방이 사라졌네요");
  await sees(early, "방이 사라졌네요");
  for (const page of [teacher, phone, maker, early]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
  proxy.stop();
}
