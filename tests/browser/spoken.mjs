// Words to be said aloud: shown to the host, typed by a guest on the first screen: URL.
import assert from "node:assert/strict";
import { answer, enter, say, sees, shoot, start, visit } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();
try {
  const host = await enter(browser, url, "주인", { make: true });
  await host.click("#show-invite");
  await host.click("#show-words");
  await host.waitForSelector("#invite-words:not([hidden])");
  const shown = await host.textContent("#invite-words");
  const words = shown.split(" ")[0];
  assert.match(words, /^[가-힣]+-[가-힣]+-[가-힣]+$/u);
  assert.ok(await host.isHidden("#show-words"));
  await shoot(host, "words-host");
  await host.keyboard.press("Escape");

  const guest = await visit(browser, url);
  await guest.fill("#name", "손님이");
  // Wrong words leave people where they are.
  const tell = async (text) => {
    await guest.click("#enter-words");
    await answer(guest, text);
  };
  await tell("파란 고래 우산");
  await guest.waitForFunction(() => document.querySelector("#entry-error").textContent.includes("단어"));
  assert.ok(await guest.isVisible("#entry"));
  await shoot(guest, "words-wrong");
  await tell(words.replaceAll("-", " "));
  await sees(host, "손님이님이 들어왔습니다");
  await say(guest, "말로 들었어요");
  await sees(host, "말로 들었어요");
  // The address leads back to the room, as a link does.
  await guest.waitForFunction(() => location.hash.length > 26);
  assert.deepEqual([...host.wrongs, ...guest.wrongs], []);
} finally {
  await browser.close();
}
