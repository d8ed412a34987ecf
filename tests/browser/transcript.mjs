// A room's conversation as a file: the owner of a private room gets it with a button; others have
// no such button and are told: URL.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { enter, say, sees, shoot, start } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();

/** Presses the button and chooses a form; answers with the file's name and text. */
async function download(page, form) {
  await page.click("#show-more");
  await page.locator("#more").getByRole("button", { name: "대화 내려받기", exact: true }).click();
  await shoot(page, "transcript");
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.locator("#transcript").getByRole("button", { name: form, exact: true }).click(),
  ]);
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
}

try {
  const alice = await enter(browser, url, "앨리스", { make: true });
  const bob = await enter(browser, alice.url(), "bob");
  await say(alice, "<script>document.title = 'hacked'</script>");
  await say(bob, "안녕 & 반가워요");
  await sees(alice, "반가워요");

  const page = await download(alice, "읽기 좋은 문서");
  assert.match(page.name, /^private-[a-z0-9]+-\d{4}-\d\d-\d\d\.html$/u);
  assert.ok(page.text.includes("안녕 &amp; 반가워요") && page.text.includes("&lt;script&gt;"), page.text);
  await sees(bob, "앨리스님이 이 방의 대화를 파일로 받았습니다");
  const lines = await download(alice, "프로그램용 데이터");
  const said = lines.text.trim().split("\n").map((line) => JSON.parse(line)).filter(({ type }) => type === "said");
  assert.deepEqual(said.map(({ user }) => user), ["앨리스", "bob"]);

  // Opened from where it was saved, the page shows the conversation and runs no script in it.
  const read = await (await browser.newContext()).newPage();
  await read.setContent(page.text);
  await read.locator("p.said span", { hasText: "안녕 & 반가워요" }).waitFor();
  assert.ok((await read.title()).startsWith("private-"), await read.title());
  await shoot(read, "transcript-page");

  await bob.click("#show-more");
  await bob.locator("#more").getByRole("button", { name: "방 이름 바꾸기" }).waitFor();
  assert.equal(await bob.locator("#more").getByRole("button", { name: "대화 내려받기" }).count(), 0);
  await bob.keyboard.press("Escape");
  await say(bob, "/transcript");
  await bob.locator("#rows .row.error, .refused").first().waitFor();
  for (const wrongs of [alice.wrongs, bob.wrongs]) assert.deepEqual(wrongs, []);
} finally {
  await browser.close();
}
