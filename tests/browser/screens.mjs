// Each screen shows what people need and nobody gets stuck: entry on a small phone, an empty
// room, long answers, the drawer, a long draft: URL.
import assert from "node:assert/strict";
import { answer, enter, say, sees, start, visit } from "./browser.mjs";

const SMALL = { viewport: { width: 360, height: 330 }, isMobile: true, hasTouch: true };
const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };

const [url] = process.argv.slice(2);
const browser = await start();

/** The position of an element in the viewport. */
const box = (page, selector) => page.locator(selector).first().evaluate((it) => it.getBoundingClientRect().toJSON());

/** Fails unless all of an element is in the viewport. */
async function isWholeOnScreen(page, selector) {
  const { top, bottom, left, right } = await box(page, selector);
  const { width, height } = page.viewportSize();
  assert.ok(top >= 0 && left >= 0 && bottom <= height && right <= width, `${selector}: ${left}–${right}, ${top}–${bottom} on ${width} by ${height}`);
}

try {
  // With the keyboard open, a phone has 330 pixels left, which show all buttons.
  for (const locale of ["ko-KR", "en-US"]) {
    const entry = await visit(browser, url, { ...SMALL, locale });
    for (const button of ["#name", "#enter", "#enter-private"]) await isWholeOnScreen(entry, button);
  }

  // An empty private room shows its link and a field for its title, on every screen.
  const alice = await visit(browser, url);
  await alice.fill("#name", "앨리스");
  await alice.click("#enter-private");
  await answer(alice, "수학 2반");
  await alice.locator("#room-title", { hasText: "수학 2반" }).waitFor();
  await alice.waitForSelector("#start:not([hidden])");
  assert.equal(await alice.inputValue("#start-link"), alice.url());
  assert.equal(await alice.locator("#start-code svg").count(), 1);
  assert.equal(await alice.inputValue("#start-name-field"), "수학 2반");
  await alice.fill("#start-name-field", "수학 3반");
  await alice.press("#start-name-field", "Enter");
  await alice.locator("#room-title", { hasText: "수학 3반" }).waitFor();
  // It stays when somebody joins, because others may still be scanning, and disappears with the
  // room.
  const bob = await enter(browser, alice.url(), "bob");
  await sees(alice, "bob님이 들어왔습니다");
  assert.ok(await alice.locator("#start").isVisible());
  assert.ok(await bob.locator("#start").isHidden(), "who came by the link needs no link");
  const small = await enter(browser, url, "작은화면", { ...SMALL, make: true });
  await small.waitForSelector("#start:not([hidden])");
  for (const part of ["#start-code", "#start-link", "#start-copy", "#start-name-field"]) await isWholeOnScreen(small, part);

  // Without a title, `/new` asks for one. If that is cancelled, no room is made.
  const before = bob.url();
  await say(bob, "/new");
  await bob.waitForSelector("#question[open]");
  await bob.keyboard.press("Escape");
  assert.equal(bob.url(), before);
  await say(bob, "/새방");
  await answer(bob, "물리");
  await bob.locator("#room-title", { hasText: "물리" }).waitFor();
  await say(bob, "/new 화학");
  await bob.locator("#room-title", { hasText: "화학" }).waitFor();
  await alice.click("#room-list button:has-text('로비')");
  await alice.waitForSelector("#start", { state: "hidden" });

  // A long answer is shown from its beginning, and fits the width of the screen.
  const phone = await enter(browser, url, "전화기", PHONE);
  await phone.setViewportSize(SMALL.viewport);
  await say(phone, "/help all");
  await phone.locator("#rows .row.notice .table").waitFor();
  await phone.waitForFunction(() => {
    const top = (id) => document.querySelector(id).getBoundingClientRect().top;
    return Math.abs(top("#rows .row.notice") - top("#log")) < 4;
  });
  for (const part of await phone.locator("#rows .row.notice :is(dt, dd)").all()) {
    const { left, right } = await part.evaluate((it) => it.getBoundingClientRect());
    assert.ok(left >= 0 && right <= 360);
  }
  await phone.setViewportSize(PHONE.viewport);
  await say(phone, "짧은 말");
  await sees(phone, "짧은 말");
  await phone.waitForSelector("#latest", { state: "hidden" });

  // `/lang` changes the language of the page too, and the answer says so.
  const notices = await phone.locator("#rows .row.notice").count();
  await say(phone, "/lang en");
  await phone.locator("#room-title", { hasText: "Lobby" }).waitFor();
  assert.equal(await phone.evaluate(() => document.documentElement.lang), "en");
  await phone.waitForFunction((count) => document.querySelectorAll("#rows .row.notice").length > count, notices);
  await say(phone, "/언어 한국어");
  await phone.locator("#room-title", { hasText: "로비" }).waitFor();
  // An unknown language changes nothing.
  await say(phone, "/lang fr");
  await phone.locator("#rows .row.error").waitFor();
  assert.equal(await phone.evaluate(() => document.documentElement.lang), "ko");

  // The drawer: a button and Escape close it, and the elements below it can't be reached.
  await phone.tap("#menu");
  await phone.waitForSelector(".side-open #side");
  assert.equal(await phone.evaluate(() => document.activeElement.id), "close-side");
  assert.ok(await phone.evaluate(() => document.querySelector("#talk").inert && document.querySelector("#bar").inert));
  await phone.tap("#close-side");
  await phone.waitForSelector("body:not(.side-open)");
  assert.equal(await phone.evaluate(() => document.activeElement.id), "menu");
  await phone.tap("#menu");
  await phone.evaluate(() => document.activeElement.blur());
  await phone.keyboard.press("Escape");
  await phone.waitForSelector("body:not(.side-open)");
  assert.ok(await phone.evaluate(() => !document.querySelector("#talk").inert));
  await phone.tap("#menu");
  await phone.setViewportSize({ width: 1200, height: 640 });
  await phone.waitForFunction(() => !document.querySelector("#talk").inert);

  // The button to the newest message stays above the draft, however long that is.
  await phone.setViewportSize(PHONE.viewport);
  for (let line = 0; line < 30; line += 1) await say(phone, `말 ${line}`);
  await sees(phone, "말 29");
  await phone.evaluate(() => { document.querySelector("#log").scrollTop = 0; });
  await phone.waitForSelector("#latest:not([hidden])");
  for (const lines of [1, 4, 40]) {
    await phone.fill("#text", "초안\n".repeat(lines));
    const [button, field] = [await box(phone, "#latest"), await box(phone, "#text")];
    assert.ok(button.bottom <= field.top, `${lines} lines: ${button.bottom} over ${field.top}`);
  }

  // Near the limit, a counter shows how much is left, and beyond it, how much is too much.
  assert.ok(await phone.locator("#counter").isHidden());
  await phone.fill("#text", "가".repeat(1_300));
  assert.ok(await phone.locator("#counter").isVisible());
  assert.equal(await phone.locator("#counter").innerText(), "약 65자 남음");
  await phone.fill("#text", "가".repeat(1_370));
  assert.equal(await phone.locator("#counter").innerText(), "약 5자 넘음");
  await phone.press("#text", "Enter");
  await phone.locator("#composer-error", { hasText: "한글 약 1,365자" }).waitFor();
  assert.equal((await phone.inputValue("#text")).length, 1_370, "the draft is kept");
  await phone.fill("#text", "짧게");
  assert.ok(await phone.locator("#counter").isHidden());
  await phone.fill("#text", "");

  // New messages in a room that one has left mark it in the list, until one goes back.
  const reader = await enter(browser, url, "독자");
  const others = await enter(browser, url, "남은이");
  await reader.locator("#go-hint", { hasText: "이 방에서 나가" }).waitFor({ state: "attached" });
  await say(reader, "/join 독서");
  await reader.locator("#room-title", { hasText: "독서" }).waitFor();
  await reader.waitForFunction(() => document.querySelectorAll("#room-list button").length > 1);
  await say(others, "돌아와요");
  await sees(others, "돌아와요");
  // The list is updated every 20 s; the menu's button updates it at once.
  await reader.setViewportSize(PHONE.viewport);
  await reader.click("#menu");
  await reader.locator("#room-list button:has-text('로비') .unread").waitFor();
  assert.equal(await reader.locator("#room-list .unread").getAttribute("aria-label"), "새 메시지 있음");
  await reader.click("#room-list button:has-text('로비')");
  await sees(reader, "돌아와요");
  await reader.waitForSelector("#room-list .unread", { state: "detached" });

  // A long topic is shortened; a click shows all of it.
  const topic = `${"아주 긴 주제 ".repeat(15)}끝`;
  await say(alice, "/join 지리");
  await alice.locator("#room-title", { hasText: "지리" }).waitFor();
  await say(alice, `/topic ${topic}`);
  await alice.locator("#room-topic", { hasText: "아주 긴 주제" }).waitFor();
  const isCut = await alice.locator("#room-topic").evaluate((it) => it.scrollWidth > it.clientWidth);
  assert.ok(isCut, "it has one line");
  assert.ok((await alice.locator("#rows .row.event").last().innerText()).length < 110);
  for (const opener of ["#room-topic", "#rows .row.event .show-all"]) {
    await alice.locator(opener).last().click();
    assert.equal(await alice.locator("#about-text").innerText(), topic);
    await alice.keyboard.press("Escape");
  }

  // A right-to-left name does not reorder the text around it.
  const rtl = await enter(browser, url, "שלום");
  await sees(phone, "שלום");
  await say(rtl, "/me מרים יד (1)");
  await phone.locator("#rows .row.me").waitFor();
  for (const name of await phone.locator("#people button[data-name='שלום'] .person, #rows .row.changes p").all()) {
    assert.ok((await name.locator("bdi").count()) >= 1);
  }
  assert.equal(await phone.locator("#rows .row.me .text").evaluate((it) => getComputedStyle(it).unicodeBidi), "plaintext");

  for (const page of [alice, bob, small, phone, rtl]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
