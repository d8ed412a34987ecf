// Two browsers and an nc in one private room made by link: URL HOST PORT.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { answer, enter, say, sees, start, texts } from "./browser.mjs";

const [url, host, port] = process.argv.slice(2);
const browser = await start();
try {
  const inLobby = await enter(browser, url, "로비사람");
  const alice = await enter(browser, url, "앨리스", { make: true });
  const link = alice.url();
  const key = new URL(link).hash;
  assert.match(key, /^#[0-9a-z-]{30}$/u);

  // The link in another browser; its QR code and the lines for terminals.
  const bob = await enter(browser, link, "bob");
  await sees(alice, "bob님이 들어왔습니다");
  await alice.click("#show-invite");
  assert.equal(await alice.inputValue("#invite-link"), link);
  assert.equal(await alice.locator("#invite-code svg").count(), 1);
  await alice.locator("summary").click();
  const lines = await alice.locator("#invite-lines li").allInnerTexts();
  assert.equal(lines[0], `madang ${link}`);
  assert.ok(lines.some((line) => line.startsWith("nc ")) && lines.some((line) => line.startsWith("curl -NT. telnet://")), lines);
  assert.equal(lines.at(-1), `/join ${key}`);
  await alice.keyboard.press("Escape");

  const nc = spawn("nc", [host, port]);
  let heard = "";
  nc.stdout.on("data", (data) => { heard += data; });
  const hears = async (text) => {
    for (const end = Date.now() + 30_000; !heard.includes(text);) {
      assert.ok(Date.now() < end, `nc never hears ${text}: ${heard}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  nc.stdin.write(`${lines.at(-1)}\ncarol\n`);
  await sees(bob, "carol");
  nc.stdin.write("nc에서 안녕\n");
  await sees(alice, "nc에서 안녕");
  await say(bob, "첫 줄\n둘째 줄");
  await hears("[bob] 첫 줄\n[bob] 둘째 줄\n");
  await say(alice, "다 보여요");
  for (const page of [alice, bob]) {
    await sees(page, "다 보여요");
    assert.deepEqual(await texts(page), ["nc에서 안녕", "첫 줄\n둘째 줄", "다 보여요"]);
    await page.waitForFunction(() => document.querySelector("#people-count").textContent === "3");
  }

  // A whisper is shown to one person and to its sender.
  await say(bob, "/msg 앨리스 쉿, 비밀");
  await sees(alice, "쉿, 비밀");
  await sees(bob, "쉿, 비밀");
  // The owner's button.
  await alice.locator("#people button", { hasText: "carol" }).click();
  await alice.getByRole("button", { name: "내보내기" }).click();
  await answer(alice);
  await hears("[carol]님을 내보냈습니다");
  assert.ok(!heard.includes("비밀"));
  nc.kill();

  // After a reload, it is the same person in the same room, with the same messages.
  const before = await texts(bob);
  await bob.reload();
  await sees(bob, "다 보여요");
  assert.deepEqual(await texts(bob), before);
  assert.equal(bob.url(), link);
  await sees(bob, "쉿, 비밀");
  await alice.reload();
  await sees(alice, "쉿, 비밀");
  await say(bob, "다시 왔어요");
  await sees(alice, "다시 왔어요");
  assert.ok(!(await alice.locator("#rows").innerText()).includes("bob님이 나갔습니다"), "nobody was told that bob had gone");

  // The lobby is another room, and the way back is remembered.
  await bob.locator("#room-list button", { hasText: "로비" }).click();
  await bob.waitForFunction(() => document.querySelector("#room-title").textContent === "로비");
  assert.equal(new URL(bob.url()).hash, "");
  await bob.locator("#room-list button", { hasText: "비공개 방" }).click();
  await sees(bob, "다 보여요");

  // Neither the maker of a room nor visitors by its link were ever seen in the lobby.
  await sees(inLobby, "bob님이 들어왔습니다");
  assert.ok(!(await inLobby.locator("#log").innerText()).includes("앨리스"));

  for (const page of [alice, bob]) {
    assert.deepEqual(page.wrongs, []);
    const words = key.slice(1);
    assert.deepEqual(page.requests.filter((request) => request.split("#")[0].includes(words)), [], "the key was in no request");
    assert.deepEqual(page.requests.filter((request) => new URL(request).host !== new URL(url).host), []);
  }
} finally {
  await browser.close();
}
