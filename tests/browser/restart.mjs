// A server that saves messages is restarted: members are back under their names with everything
// that was said, the page shows the restart, and nobody has left: URL HOST PORT. A line to that
// port has the server restarted; the answer is its new address.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { enter, say, sees, shoot, start, texts } from "./browser.mjs";
import { Proxy, wake } from "./proxy.mjs";

const [url, host, port] = process.argv.slice(2);
const proxy = new Proxy(url);
const through = await proxy.start();
const browser = await start();
try {
  const korean = await enter(browser, through, "하늘");
  const english = await enter(browser, through, "alice", { locale: "en-US" });
  const secret = await enter(browser, through, "비밀이", { make: "비밀방" });
  await say(korean, "다시 시작하기 전");
  await sees(english, "다시 시작하기 전");

  proxy.mode = "refusing";
  const control = net.connect(port, host);
  control.write("again\n");
  const [address] = await once(control, "data");
  control.destroy();
  for (const page of [korean, english, secret]) await page.waitForSelector("#status.shown");
  await say(korean, "그동안 쓴 말");
  proxy.target = new URL(String(address));
  proxy.mode = "open";
  for (const page of [korean, english, secret]) await wake(page);
  await sees(korean, "서버가 다시 시작되었습니다");
  await sees(english, "The server restarted");
  for (const page of [korean, english]) {
    await sees(page, "그동안 쓴 말");
    assert.deepEqual(await texts(page), ["다시 시작하기 전", "그동안 쓴 말"]);
    assert.equal(await page.locator("#rows .row.event", { hasText: /다시 시작|restarted/u }).count(), 1);
    assert.ok(!/나갔습니다|left/u.test(await page.locator("#rows").innerText()));
    await page.locator("#room-topic", { hasText: /저장됨|saved/u }).waitFor();
    await shoot(page, `restarted-${await page.evaluate(() => document.documentElement.lang)}`);
  }

  // A private room ends with the server, and its members are told.
  await secret.locator("#room-title", { hasText: "로비" }).waitFor();
  await sees(secret, "‘비밀방’에 돌아갈 수 없어 로비로 왔습니다");
  await say(secret, "여기 있었네요");
  await sees(korean, "여기 있었네요");

  // A new member can read what was said before, too.
  const late = await enter(browser, through, "늦은이");
  await sees(late, "여기 있었네요");
  await late.waitForFunction(() => document.querySelector("#rows").textContent.includes("다시 시작하기 전"));
  await sees(late, "서버가 다시 시작되었습니다");
  for (const page of [korean, english, secret, late]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
  proxy.stop();
}
