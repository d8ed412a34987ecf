// Who may use a name again, in the same browser and elsewhere: after a closed tab, a reload, a
// duplicated tab, and after leaving: URL.
import assert from "node:assert/strict";
import { enter, say, sees, shoot, start, texts, visit } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();
const isIn = (page) => page.waitForSelector("#chat:not([hidden])");
const isOut = (page) => page.waitForSelector("#entry:not([hidden])");

/** Another tab of the same browser. */
async function open(page, address = url) {
  const tab = await page.context().newPage();
  await tab.goto(address);
  return tab;
}

try {
  const bob = await enter(browser, url, "bob");
  const first = await enter(browser, url, "철수", { make: true });
  const key = await first.evaluate(() => location.hash);
  await say(first, "비밀");
  await sees(first, "비밀");

  // A reload of the tab is the same session, in the same room.
  await first.reload();
  await isIn(first);
  await sees(first, "비밀");
  // A copy of the tab is somebody else, also after a reload.
  const [copy] = await Promise.all([first.waitForEvent("popup"), first.evaluate(() => { window.open(location.href); })]);
  await isOut(copy);
  const stored = await first.evaluate(() => sessionStorage.getItem("madang"));
  await copy.evaluate((stored) => sessionStorage.setItem("madang", stored), stored);
  await copy.reload();
  await isOut(copy);
  await say(first, "아직 여기");
  await sees(first, "아직 여기");
  assert.equal(await first.locator("#stopped[open]").count(), 0);
  // It can't take the name of the open tab.
  await copy.evaluate(() => { location.hash = ""; });
  await copy.fill("#name", "철수");
  await copy.click("#enter");
  await copy.locator("#entry-error", { hasText: "철수-2" }).waitFor();
  assert.equal(await copy.inputValue("#name"), "철수-2");
  assert.ok(await copy.locator("#entry-taken").isHidden());
  await copy.close();

  // In another browser, a free name is proposed.
  const context = first.context();
  await first.close();
  const elsewhere = await visit(browser, url);
  await elsewhere.fill("#name", "철수");
  await elsewhere.click("#enter");
  await elsewhere.locator("#entry-error", { hasText: "쓸 수 있는 이름: 철수-2" }).waitFor();
  assert.ok(await elsewhere.locator("#entry-taken").isHidden());
  await shoot(elsewhere, "name-in-use-desktop-ko");

  // In the same browser, the name can be used again, but nothing more.
  const again = await context.newPage();
  await again.goto(url);
  assert.equal(await again.inputValue("#name"), "철수");
  await again.click("#enter");
  await again.locator("#entry-taken:not([hidden])", { hasText: "조금 전 이 컴퓨터에서 쓰던 이름입니다." }).waitFor();
  await shoot(again, "taken-desktop-ko");
  await again.setViewportSize({ width: 390, height: 780 });
  await shoot(again, "taken-phone-ko");
  await again.click("#other-name");
  assert.equal(await again.inputValue("#name"), "");
  await again.fill("#name", "철수");
  await again.click("#enter");
  await again.click("#go-on");
  await isIn(again);
  await again.locator("#room-title", { hasText: "로비" }).waitFor();
  assert.deepEqual(await texts(again), []);
  assert.equal(await again.evaluate(() => localStorage.getItem("madang.away")), null);
  await say(again, "다시 왔어요");
  await sees(bob, "다시 왔어요");
  // The old room is gone, or at least has no owner.
  const guest = await visit(browser, url + key);
  await guest.fill("#name", "guest");
  await guest.click("#enter");
  await isIn(guest);
  await guest.locator("#people button", { hasText: "guest" }).waitFor();
  assert.equal(await guest.locator("#people button", { hasText: "철수" }).count(), 0);

  // After a minute, the browser has nothing left that would open anything.
  await again.close();
  const old = await context.newPage();
  await old.addInitScript(() => {
    const kept = JSON.parse(localStorage.getItem("madang.away") ?? "[]");
    localStorage.setItem("madang.away", JSON.stringify(kept.map((it) => ({ ...it, at: it.at - 61_000 }))));
  });
  await old.goto(url);
  await old.fill("#name", "철수");
  await old.click("#enter");
  await old.locator("#entry-error", { hasText: "철수-2" }).waitFor();

  // After leaving, the name is not offered.
  await old.fill("#name", "영희");
  await old.click("#enter");
  await isIn(old);
  await say(old, "/quit");
  await isOut(old);
  await old.waitForFunction(() => document.querySelector("#name").value !== "");
  assert.notEqual(await old.inputValue("#name"), "영희");
  assert.equal(await old.evaluate(() => localStorage.getItem("madang.name")), null);
  const next = await open(old);
  await next.fill("#name", "영희");
  await next.click("#enter");
  await isIn(next);
  for (const page of [bob, elsewhere, guest]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
