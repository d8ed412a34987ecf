// A room in whose saved messages some are missing, because the disk failed: whoever scrolls up sees
// in their place how many there were, once: URL.
import assert from "node:assert/strict";
import { enter, sees, shoot, start } from "./browser.mjs";
import { scrollUpTo, watchRows } from "./watch.mjs";

const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
const [url] = process.argv.slice(2);
const browser = await start();

/** What is told of unsaved messages: the text before each row, its number, the text behind it. */
const unsaved = (page) => page.locator("#rows .row").evaluateAll((rows) => {
  const text = (row) => row?.querySelector(".text")?.textContent;
  const found = [...rows.keys()].filter((at) => rows[at].classList.contains("unsaved"));
  return found.map((at) => [text(rows[at - 1]), rows[at].textContent.match(/\d+/u)[0], text(rows[at + 1])]);
});

try {
  for (const [locale, more] of [["ko-KR", {}], ["en-US", { ...PHONE, colorScheme: "dark" }]]) {
    const page = await enter(browser, url, locale, { locale, ...more });
    await sees(page, "line 399");
    await watchRows(page);
    await scrollUpTo(page, "line 95");
    assert.deepEqual(await unsaved(page), [["line 99", "5", "line 105"]]);
    await page.locator("#rows .row.unsaved").scrollIntoViewIfNeeded();
    await shoot(page, `unsaved-${locale}`);
    assert.deepEqual(page.wrongs, []);
  }
} finally {
  await browser.close();
}
