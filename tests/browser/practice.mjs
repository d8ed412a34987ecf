// The practice page: the handshake, frames in both directions, and frames broken on purpose: URL.
import assert from "node:assert/strict";
import { shoot, start, visit } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();
try {
  for (const [locale, size] of [["ko-KR", { width: 1280, height: 900 }], ["en-GB", { width: 360, height: 640 }]]) {
    const page = await visit(browser, new URL("echo", url).href, { locale, viewport: size });
    await page.click("#connect");
    await page.waitForSelector("#send button:enabled");
    assert.match(await page.textContent("#request"), /^GET \/echo\?explain HTTP\/1\.1\nHost: /u);
    const [key, accept] = [/Key: (.+)/u, /Accept: (.+)/u];
    assert.match(await page.textContent("#request"), key);
    assert.match(await page.textContent("#answer"), accept);

    // A text is sent with a mask, and comes back without one.
    await page.fill("#text", "안녕");
    await page.press("#text", "Enter");
    await page.waitForFunction(() => document.querySelectorAll("#frames > li").length === 2);
    const [sent, received] = await page.locator("#frames > li").allInnerTexts();
    assert.match(sent, /81[^]*86[^]*ec 95 88 eb 85 95[^]*안녕/u);
    assert.match(received, /81[^]*0d[^]*65 63 68 6f[^]*echo : 안녕/u);
    await shoot(page, `practice-sent-${locale}`);

    // Each broken frame gets its code; the last frame is valid.
    const codes = [];
    for (const button of await page.locator("#breaks button").all()) {
      const before = await page.textContent("#for-real");
      await button.click();
      await page.waitForFunction((text) => document.querySelector("#for-real").textContent !== text, before);
      codes.push(/1\d\d\d/u.exec(await page.textContent("#verdict-text"))?.[0] ?? "none");
    }
    assert.deepEqual(codes, ["1002", "1002", "1002", "1002", "1002", "1007", "1009", "1003", "none"]);
    assert.match(await page.textContent("#for-real"), /printf '\\201\\202/u);
    await shoot(page, `practice-broken-${locale}`);

    // Input that the server rejects ends the connection, with its code.
    await page.click("#send-binary");
    await page.waitForFunction(() => document.querySelector("#status").textContent.includes("1003"));
    assert.match(await page.locator("#frames > li").last().innerText(), /1003/u);
    await page.click("#connect");
    await page.waitForSelector("#send button:enabled");
    await page.click("#close");
    await page.waitForFunction(() => document.querySelector("#status").textContent.includes("1000"));
    await page.click("#language");
    assert.equal(await page.getAttribute("html", "lang"), locale.startsWith("ko") ? "en" : "ko");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px too wide`);
    assert.deepEqual(page.wrongs, []);
  }
} finally {
  await browser.close();
}
