// `/wire on`: the page shows what the server sees of its connection, and nothing secret: URL.
import assert from "node:assert/strict";
import { enter, say, shoot, start } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();
try {
  const visits = [
    ["ko-KR", "철수", { width: 1280, height: 800 }, [/웹소켓/u, /내 프레임: FIN, opcode 1\(text\), 마스크 .+ "\{\\"type\\":\\"say\\""/u, /시스템 호출 1번/u]],
    ["en-GB", "bob", { width: 360, height: 640 }, [/WebSocket/u, /your frame: FIN, opcode 1 \(text\), mask /u, /in 1 system call/u]],
  ];
  for (const [locale, name, viewport, expected] of visits) {
    const page = await enter(browser, url, name, { locale, viewport });
    await say(page, "/wire on");
    const seen = async (pattern) => page.waitForFunction(
      ([source, flags]) => new RegExp(source, flags).test([...document.querySelectorAll(".row.wire")].map((row) => row.innerText).join("\n")),
      [pattern.source, pattern.flags],
    );
    await seen(expected[0]);
    await say(page, name === "bob" ? "hello there" : "안녕하세요");
    for (const pattern of expected) await seen(pattern);
    // A key that is typed is in no line, and neither is what it was typed with.
    await say(page, "/join #78e4c-v9s0a-c0m7h-8129r-zech6s");
    await page.waitForSelector(".row.error");
    await say(page, name === "bob" ? "the end" : "끝");
    await page.waitForFunction((text) => [...document.querySelectorAll(".row.said")].some((row) => row.innerText.includes(text)), name === "bob" ? "the end" : "끝");
    const shown = (await page.locator(".row.wire").allInnerTexts()).join("\n");
    assert.ok(!shown.includes("78e4c") && !shown.includes("zech6s"), shown);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px too wide`);
    // It is for the eyes: nobody wants to hear it.
    assert.ok(!(await page.textContent("#announcer")).includes("opcode"));
    await shoot(page, `wire-${locale}`);
    await say(page, "/wire off");
    await page.waitForFunction(() => document.querySelectorAll(".row.notice").length >= 2);
    assert.deepEqual(page.wrongs, []);
  }
} finally {
  await browser.close();
}
