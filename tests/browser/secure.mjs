// Features that browsers allow only over https (clipboard, notifications), and the page without
// them; and mentions in both: HTTPS-URL HTTP-URL.
import assert from "node:assert/strict";
import { enter, say, sees, start } from "./browser.mjs";

// A host name, because browsers treat localhost as secure.
const HOST = "madang.local";
const [secure, plain] = process.argv.slice(2);
const browser = await start([`--host-resolver-rules=MAP ${HOST} 127.0.0.1`]);

/** Hides or shows the page. */
const look = (page, isSeen) => page.evaluate((isSeen) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => !isSeen });
  document.hasFocus = () => isSeen;
  document.dispatchEvent(new Event("visibilitychange"));
}, isSeen);

const titled = (page, title) => page.waitForFunction((title) => document.title === title, title);

/** Copies the link with its button, and pastes it. */
async function copied(page) {
  await page.click("#show-invite");
  await page.click("#copy-link");
  await page.locator("#copy-link", { hasText: "복사했습니다" }).waitFor();
  const link = await page.inputValue("#invite-link");
  await page.keyboard.press("Escape");
  await page.focus("#text");
  await page.keyboard.press("Control+V");
  assert.equal(await page.inputValue("#text"), link);
  await page.fill("#text", "");
  return link;
}

async function buttons(page) {
  await page.click("#show-more");
  const names = await page.locator("#more-actions button").allInnerTexts();
  await page.keyboard.press("Escape");
  return names;
}

try {
  const alice = await enter(browser, secure, "alice", { make: true, permissions: ["notifications", "clipboard-write"] });
  assert.equal(await alice.evaluate(() => isSecureContext), true);
  assert.ok(alice.requests.some((request) => request.startsWith("wss:")), "the chat is encrypted too");
  assert.ok((await copied(alice)).startsWith("https://"));
  assert.equal(await alice.locator("#invite-plain").isHidden(), true);
  const bob = await enter(browser, alice.url(), "bob");
  await sees(alice, "bob님이 들어왔습니다");

  await alice.evaluate(() => {
    window.shown = [];
    const Real = Notification;
    window.Notification = class extends Real {
      constructor(title, options) {
        super(title, options);
        window.shown.push([title, options.body]);
      }
    };
  });
  const shown = () => alice.evaluate(() => window.shown);
  await look(alice, false);
  await say(bob, "@alice 아직 꺼져 있어요");
  await titled(alice, "(1) 비공개 방 · 마당");
  await look(alice, true);
  await titled(alice, "비공개 방 · 마당");
  await alice.click("#show-more");
  await alice.getByRole("button", { name: "알림 켜기" }).click();
  await look(alice, false);
  await say(bob, "그냥 하는 말");
  await say(bob, "alice님 보세요");
  await say(bob, "/msg alice 둘이서만");
  await titled(alice, "(3) 비공개 방 · 마당");
  assert.deepEqual(await shown(), [["bob", "alice님 보세요"], ["bob", "둘이서만"]]);
  // One's own messages, joining and leaving, and ignored people cause no notification.
  await look(alice, true);
  await say(alice, "/ignore bob");
  await alice.locator("#people .marks", { hasText: "차단함" }).waitFor();
  await look(alice, false);
  await say(bob, "alice 안 들리죠");
  const carol = await enter(browser, alice.url(), "carol");
  await say(carol, "저는 들리죠");
  await titled(alice, "(1) 비공개 방 · 마당");
  assert.equal((await shown()).length, 2);
  assert.ok((await buttons(alice)).includes("알림 끄기"));

  const there = new URL(plain);
  there.hostname = HOST;
  const dora = await enter(browser, there.href, "dora", { make: true });
  assert.equal(await dora.evaluate(() => isSecureContext), false);
  assert.equal((await buttons(dora)).some((name) => name.includes("알림")), false);
  assert.ok((await copied(dora)).startsWith(`http://${HOST}:`));
  assert.equal(await dora.locator("#invite-plain").evaluate((it) => it.hidden), false);
  for (const page of [alice, bob, carol, dora]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
