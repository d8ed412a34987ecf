// Pupils in browsers who vote on a signal: URL COUNT. Prints "ready" when each sees the poll,
// waits for a line, and prints how long it took until each saw its own vote.
import { once } from "node:events";
import { enter, start } from "./browser.mjs";

const [url, count] = process.argv.slice(2);
const browser = await start();
const choice = (page) => page.locator('#poll [data-choice="1"]');

try {
  const names = Array.from({ length: Number(count) }, (_, at) => `browser${at}`);
  const pupils = await Promise.all(names.map((name) => enter(browser, url, name)));
  console.log("here");
  await Promise.all(pupils.map((page) => choice(page).waitFor()));
  console.log("ready");
  await once(process.stdin, "data");
  const began = Date.now();
  await Promise.all(pupils.map(async (page) => {
    await choice(page).click();
    await page.locator('#poll [data-choice="1"][aria-pressed=true]').waitFor();
  }));
  console.log(`voted in ${Date.now() - began} ms`);
} finally {
  await browser.close();
}
