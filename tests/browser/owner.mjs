// The buttons of a room's owner, and those of everyone: lock, limit, topic, mute, ignore,
// remove, hand over and end, as everyone sees them: URL.
import assert from "node:assert/strict";
import { answer, enter, say, sees, start, texts, visit } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();

/** Presses a button of the dialog about the room. */
async function more(page, name) {
  await page.click("#show-more");
  await page.locator("#more").getByRole("button", { name, exact: true }).click();
}

/** Presses a button of the dialog about a person. */
async function person(page, who, name) {
  await page.locator("#people button", { hasText: who }).click();
  await page.locator("#person").getByRole("button", { name, exact: true }).click();
}

const about = (page, text) => page.locator("#room-topic", { hasText: text }).waitFor();
const marks = (page, who, text) => page.locator("#people button", { hasText: who }).locator(".marks", { hasText: text }).waitFor();

try {
  const alice = await enter(browser, url, "앨리스", { make: true });
  const link = alice.url();
  const bob = await enter(browser, link, "bob");
  const carol = await enter(browser, link, "carol");
  await sees(alice, "carol");

  await more(alice, "방 이름 바꾸기");
  await answer(alice, "작전");
  for (const page of [alice, bob]) await page.locator("#room-title", { hasText: "작전" }).waitFor();
  assert.equal(await bob.title(), "작전 · 마당");
  await bob.locator("#room-list [aria-current] .room-name", { hasText: "작전" }).waitFor();

  // Only the owner has the owner's buttons.
  await bob.click("#show-more");
  assert.equal(await bob.locator("#more h3").count(), 0);
  await bob.keyboard.press("Escape");
  await bob.locator("#people button", { hasText: "carol" }).click();
  assert.equal(await bob.locator("#person h3").count(), 0);
  await bob.keyboard.press("Escape");

  await more(alice, "방 잠그기");
  await sees(bob, "앨리스님이 방을 잠갔습니다");
  await about(bob, "잠김");
  const late = await visit(browser, link);
  await late.fill("#name", "late");
  const sockets = () => late.requests.filter((request) => request.startsWith("ws:")).length;
  assert.equal(sockets(), 0, "nothing is opened before the button is pressed");
  await late.click("#enter");
  await late.locator("#entry-error", { hasText: "잠" }).waitFor();
  assert.equal(sockets(), 1);
  // Somebody who comes back to a locked room sees that it is locked.
  await bob.reload();
  await about(bob, "잠김");
  await more(alice, "잠금 풀기");
  await bob.locator("#room-topic:not(:has-text('잠김'))").waitFor();
  await more(alice, "정원 정하기");
  await answer(alice, "3");
  await about(carol, "정원 3명");
  await late.click("#enter");
  await late.locator("#entry-error", { hasText: "3" }).waitFor();

  await person(alice, "carol", "10분 동안 채팅 금지");
  await marks(bob, "carol", "채팅 금지");
  await say(carol, "들려요?");
  await carol.locator("#rows .row.error").waitFor();
  // Unsent text is back in the field.
  assert.equal(await carol.inputValue("#text"), "들려요?");
  await carol.fill("#text", "");
  await person(alice, "carol", "채팅 금지 풀기");
  await sees(carol, "carol님의 채팅 금지가 풀렸습니다");
  await say(carol, "이제 들려요");
  await sees(bob, "이제 들려요");

  // Ignored, and shown again with the messages in between.
  await person(bob, "carol", "차단하기");
  await marks(bob, "carol", "차단함");
  await say(carol, "안 보일 말");
  await sees(alice, "안 보일 말");
  await say(alice, "그다음 말");
  await sees(bob, "그다음 말");
  assert.deepEqual(await texts(bob), ["그다음 말"]);
  await person(bob, "carol", "차단 풀기");
  await sees(bob, "안 보일 말");

  // Whispering and calling people by button.
  await person(bob, "carol", "귓속말");
  await say(bob, "쉿");
  await sees(carol, "쉿");
  await bob.click("#end-whisper");
  await person(bob, "carol", "이름 부르기");
  await bob.keyboard.type("왔어?");
  await bob.keyboard.press("Enter");
  await carol.locator("#rows .row.mention", { hasText: "왔어?" }).waitFor();
  assert.equal(await alice.locator("#rows .row", { hasText: "쉿" }).count(), 0);

  // The page asks once, and after a no everyone stays.
  await person(alice, "carol", "내보내기");
  await alice.locator("#question-text", { hasText: "carol님을 내보낼까요?" }).waitFor();
  await alice.click("#question button[value='']");
  await say(carol, "아직 있어요");
  await sees(alice, "아직 있어요");
  await person(alice, "carol", "내보내기");
  await answer(alice);
  await carol.locator("#removed:not([hidden])", { hasText: "앨리스님이 나를 이 방에서 내보냈습니다" }).waitFor();
  assert.ok(await carol.locator("#composer").isHidden());
  await sees(bob, "앨리스님이 carol님을 내보냈습니다");
  // One button leads on, without typing.
  await carol.click("#back-to-lobby");
  await carol.locator("#room-title", { hasText: "로비" }).waitFor();
  await carol.waitForSelector("#removed[hidden]", { state: "attached" });
  await carol.waitForSelector("#composer:not([hidden])");

  await person(alice, "bob", "방장 넘기기");
  await marks(alice, "bob", "방장");
  await bob.click("#show-more");
  await bob.getByRole("button", { name: "방 닫기" }).click();
  await bob.click("#question button[value='']");
  await say(bob, "아직 열려 있어요");
  await sees(alice, "아직 열려 있어요");
  await more(bob, "방 닫기");
  await answer(bob);
  await sees(alice, "bob님이 방을 닫았습니다");
  await alice.locator("#removed-text", { hasText: "bob님이 방을 닫았습니다" }).waitFor();
  // The owner who ends a room moves to the lobby.
  await bob.locator("#room-title", { hasText: "로비" }).waitFor();
  for (const page of [alice, bob]) {
    await page.locator("#room-list button", { hasText: "작전" }).waitFor({ state: "detached" });
  }
  // A new room from the list, and a public one that others see there.
  await alice.click("#new-private");
  await answer(alice, "새 작전");
  await alice.locator("#room-title", { hasText: "새 작전" }).waitFor();
  await alice.waitForFunction((link) => location.hash.length > 20 && location.href !== link, link);
  await carol.fill("#open-room-name", "수학");
  await carol.keyboard.press("Enter");
  await carol.locator("#room-title", { hasText: "수학" }).waitFor();
  await alice.setViewportSize({ width: 390, height: 780 });
  await alice.click("#menu");
  await alice.locator("#room-list button", { hasText: "수학" }).click();
  await sees(carol, "앨리스");
  for (const page of [alice, bob, carol, late]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
