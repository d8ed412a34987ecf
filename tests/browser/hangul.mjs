// Hangul through the browser's input method: the Enter that ends a syllable sends nothing, and
// no syllable appears twice: URL.
import assert from "node:assert/strict";
import { enter, say, sees, start, texts } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();
try {
  const page = await enter(browser, url, "한글");
  const method = await page.context().newCDPSession(page);
  const compose = (text) => method.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
  /** A key, as Chromium reports it during composition, and the key itself. */
  const enterKey = async (code) => {
    const key = { key: code === 229 ? "Process" : "Enter", code: "Enter", windowsVirtualKeyCode: code };
    await method.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...key });
    if (code === 13) await method.send("Input.dispatchKeyEvent", { type: "char", key: "Enter", text: "\r" });
    await method.send("Input.dispatchKeyEvent", { type: "keyUp", ...key });
  };
  const field = page.locator("#text");
  await field.focus();

  for (const step of ["ㅇ", "아", "안"]) await compose(step);
  await method.send("Input.insertText", { text: "안" });
  for (const step of ["ㄴ", "녀", "녕"]) await compose(step);
  assert.equal(await field.inputValue(), "안녕");
  // Enter during an open syllable belongs to the input method.
  await enterKey(229);
  await enterKey(13);
  assert.deepEqual(await texts(page), []);
  assert.equal((await field.inputValue()).trim(), "안녕");
  await method.send("Input.insertText", { text: "녕" });
  await enterKey(13);
  await sees(page, "안녕");
  assert.equal(await field.inputValue(), "");

  // A button pressed during an open syllable sends everything once.
  await compose("끝");
  await page.click("#send");
  await sees(page, "끝");
  assert.equal(await field.inputValue(), "");
  await say(page, "다음");
  await sees(page, "다음");
  assert.deepEqual(await texts(page), ["안녕", "끝", "다음"]);
  assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
