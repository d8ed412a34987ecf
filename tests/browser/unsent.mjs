// Text written for one room is said in no other: after a restart, after a room was closed, and
// when it can't be sent: URL OTHER-URL.
import assert from "node:assert/strict";
import { enter, say, sees, shoot, start, texts } from "./browser.mjs";
import { Proxy, wake } from "./proxy.mjs";

const [url, otherUrl] = process.argv.slice(2);
const PHONE = { viewport: { width: 390, height: 780 } };
const proxy = new Proxy(url);
const through = await proxy.start();
const browser = await start();

const unsent = (page) => page.locator("#rows .row.unsent .text").allInnerTexts();
const isShown = (page) => page.waitForSelector("#status.shown");
const isGone = (page) => page.waitForSelector("#status:not(.shown)");

try {
  const bob = await enter(browser, url, "bob");

  // Text too long for a carrier is refused in the field, by its encoded size.
  await say(bob, "\u0001".repeat(15_600));
  await bob.locator("#composer-error", { hasText: "너무 깁니다" }).waitFor();
  await bob.fill("#text", "");
  // A lone surrogate does no harm.
  await bob.evaluate(() => { document.querySelector("#text").value = "반쪽 \ud83e 글자"; });
  await bob.press("#text", "Enter");
  await sees(bob, "반쪽 \ufffd 글자");
  assert.equal(await bob.locator("#pending .text").count(), 0);

  // The room is closed while text for it is on its way.
  const owner = await enter(browser, url, "owner", { make: true });
  const late = await enter(browser, owner.url(), "late", { ...PHONE, locale: "en-US" });
  await sees(owner, "late");
  await late.fill("#text", "a draft");
  await say(owner, "/kick late");
  await late.locator("#removed-text", { hasText: "owner removed you from this room." }).waitFor();
  assert.ok(await late.locator("#composer").isHidden(), "there is nothing to type into");
  await shoot(late, "removed-phone-en");
  await late.click("#back-to-lobby");
  await late.locator("#room-title", { hasText: "Lobby" }).waitFor();
  assert.equal(await late.inputValue("#text"), "a draft");
  // Text begun in another room is not said here by a stray Enter.
  await late.press("#text", "Enter");
  await late.locator("#composer-error", { hasText: "Press again" }).waitFor();
  await shoot(late, "held-phone-en");
  assert.deepEqual(await texts(bob), ["반쪽 \ufffd 글자"]);
  await late.press("#text", "Enter");
  await sees(bob, "a draft");

  // Text sent while its author is being removed comes back, in order.
  const crossing = await enter(browser, owner.url(), "crossing");
  let isHeld = false;
  const held = [];
  await crossing.routeWebSocket(/\/ws$/u, (socket) => {
    socket.connectToServer().onMessage((message) => {
      if (isHeld) held.push({ message, pass: () => socket.send(message) });
      else socket.send(message);
    });
  });
  await crossing.reload();
  await crossing.locator("#people button", { hasText: "crossing" }).waitFor();
  isHeld = true;
  await say(owner, "/kick crossing");
  await sees(owner, "crossing님을 내보냈습니다");
  for (const text of ["늦은 하나", "늦은 둘"]) await say(crossing, text);
  await crossing.evaluate(() => { document.querySelector("#text").value = "쓰던 말"; });
  const refusals = () => held.filter(({ message }) => message.includes("no_room")).length;
  for (const end = Date.now() + 15_000; refusals() < 2;) {
    assert.ok(Date.now() < end, "both are refused");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  isHeld = false;
  for (const { pass } of held) pass();
  await sees(crossing, "그 방에서 나와 보내지 않았습니다");
  await crossing.locator("#removed-text", { hasText: "owner님이 나를 이 방에서 내보냈습니다" }).waitFor();
  await crossing.locator("#rows .row.unsent", { hasText: "늦은 둘" }).waitFor();
  assert.deepEqual(await unsent(crossing), ["늦은 하나", "늦은 둘"]);
  assert.equal(await crossing.inputValue("#text"), "늦은 하나\n늦은 둘\n쓰던 말");

  // After a restart, the private room is gone and the lobby is there again.
  const maker = await enter(browser, through, "만든이", { make: true });
  const english = await enter(browser, through, "phone", { ...PHONE, locale: "en-US", make: true });
  const walker = await enter(browser, through, "산책");
  await say(maker, "/topic 비밀 작전");
  await maker.locator("#room-title", { hasText: "비밀 작전" }).waitFor();
  proxy.mode = "refusing";
  proxy.cut();
  for (const page of [maker, english, walker]) await isShown(page);
  for (const text of ["비밀 하나", "/msg bob 귓속 비밀", "//둘째 비밀", "/me 속삭인다"]) await say(maker, text);
  await maker.fill("#text", "쓰던 글");
  await say(english, "our secret");
  await say(walker, "공개된 말");
  await say(walker, "/msg bob 너에게만");
  proxy.target = new URL(otherUrl);
  const early = await enter(browser, otherUrl, "bob");
  proxy.mode = "open";
  for (const page of [maker, english, walker]) {
    await wake(page);
    await isGone(page);
  }
  await sees(maker, "방이 사라져 보내지 않았습니다");
  await sees(maker, "‘비밀 작전’에 돌아갈 수 없어 로비로 왔습니다");
  await maker.locator("#room-title", { hasText: "로비" }).waitFor();
  assert.deepEqual(await unsent(maker), ["비밀 하나", "귓속 비밀", "/둘째 비밀", "/me 속삭인다"]);
  assert.equal(await maker.inputValue("#text"), "비밀 하나\n/둘째 비밀\n쓰던 글");
  await shoot(maker, "unsent-desktop-ko");
  await sees(english, "Not sent: that room is gone.");
  assert.equal(await english.inputValue("#text"), "our secret");
  await shoot(english, "unsent-phone-en");
  await maker.press("#text", "Enter");
  await maker.locator("#composer-error", { hasText: "한 번 더 누르세요" }).waitFor();

  // In a public room, waiting text is sent; a whisper is not, because the name may belong to
  // somebody else.
  await sees(early, "공개된 말");
  await sees(walker, "같은 이름을 다른 사람이 쓰고 있을 수 있습니다");
  assert.deepEqual(await unsent(walker), ["너에게만"]);
  await walker.locator("#rows .row.unsent button").click();
  assert.equal(await walker.inputValue("#text"), "/msg bob 너에게만");
  assert.deepEqual(await texts(early), ["공개된 말"]);
  assert.equal(await early.locator("#rows .row.whisper").count(), 0);
  assert.ok(!(await early.locator("#rows").innerText()).includes("비밀"));
  for (const page of [bob, owner, late, crossing, maker, english, walker, early]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
  proxy.stop();
}
