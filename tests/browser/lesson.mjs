// A lesson on the page as a teacher, two pupils and the wall see it: hands, a poll, calm, an
// anonymous question, the clock and attendance: URL CODE [FOLDER for pictures].
import assert from "node:assert/strict";
import { answer, enter, say, sees, start } from "./browser.mjs";

const [url, code, folder] = process.argv.slice(2);
const browser = await start();
const picture = (page, name) => (folder ? page.screenshot({ path: `${folder}/${name}.png` }) : null);
const tool = (page, name) => page.locator(`#lesson-bar [data-tool="${name}"]`);
const choice = (page, number) => page.locator(`#poll [data-choice="${number}"]`);
const bars = (page, wall = false) => page.locator(`${wall ? "#wall-lesson" : "#poll"} .bars .votes`).allTextContents();

try {
  const teacher = await enter(browser, url, "김하나");
  const alice = await enter(browser, url, "앨리스", { viewport: { width: 360, height: 640 } });
  const bob = await enter(browser, url, "bob", { locale: "en" });
  assert.equal(await teacher.locator("#lesson-bar").isVisible(), false);

  await say(teacher, `/teach ${code}`);
  await tool(teacher, "begin").click();
  await answer(teacher, "포인터");
  await sees(bob, "김하나 began the lesson: 포인터");
  await alice.locator("#lesson-bar .lesson-title", { hasText: "포인터" }).waitFor();
  assert.equal(await alice.locator("#lesson-bar button").count(), 0, "a pupil has no teacher's buttons");
  // The code is not restored for the next person at this computer.
  await teacher.press("#text", "ArrowUp");
  assert.equal(await teacher.inputValue("#text"), "");

  // One press raises a hand; a question may follow; a click calls on somebody.
  await alice.click("#hand");
  await alice.locator("#lesson-line", { hasText: "1번째" }).waitFor();
  // Too soon after that, and the text is still there.
  await alice.locator("#lesson-line button").click();
  await answer(alice, "포인터가 뭔가요?");
  await alice.locator("#question-text", { hasText: "뒤에 바꿀 수 있습니다" }).waitFor();
  assert.equal(await alice.inputValue("#question-value"), "포인터가 뭔가요?");
  await alice.keyboard.press("Escape");
  await bob.click("#hand");
  await bob.locator("#lesson-line", { hasText: "number 2" }).waitFor();
  await tool(teacher, "hands").filter({ hasText: "2" }).waitFor();
  await picture(alice, "lesson-pupil-hand");
  await teacher.locator("#hands button", { hasText: "앨리스" }).click();
  await sees(bob, "김하나 called on 앨리스");
  await alice.locator("#hand[aria-pressed=false]").waitFor();

  // A poll: opened in a dialog, voted on by button or digit, secret, changed, ended.
  await tool(teacher, "poll").click();
  await teacher.fill("#poll-question", "점심은?");
  await teacher.fill("#poll-choices", "김밥\n라면\n\n샐러드");
  await picture(teacher, "lesson-poll-dialog");
  await teacher.locator("#poll-form .main").click();
  await choice(alice, 2).click();
  await alice.locator("#poll", { hasText: "내 선택: 라면" }).waitFor();
  await choice(bob, 1).focus();
  await bob.keyboard.press("3");
  await bob.locator("#poll", { hasText: "You chose 샐러드" }).waitFor();
  await teacher.locator("#poll .answered", { hasText: "2명 중 2명" }).waitFor();
  assert.deepEqual(await bars(teacher), [], "no counts while it is open");
  // The names of those who have not voted are on the teacher's page, and never on the wall, not
  // even hidden.
  const carol = await enter(browser, url, "carol", { locale: "en" });
  await sees(teacher, "carol");
  const waitsForCarol = (isSo) => teacher.waitForFunction((isSo) => document.querySelector("#poll .waiting").textContent.includes("carol") === isSo, isSo);
  await say(teacher, "/poll");
  await waitsForCarol(true);
  await teacher.click("#show-wall");
  await waitsForCarol(false);
  await teacher.locator("#wall-lesson .answered", { hasText: "3명 중 2명" }).waitFor();
  await teacher.click("#end-wall");
  await waitsForCarol(true);
  await say(carol, "/quit");
  await sees(alice, "carol님이 나갔습니다");
  await alice.reload();
  await alice.locator('#poll [data-choice="2"][aria-pressed=true]').waitFor();
  await picture(alice, "lesson-pupil-poll");
  await picture(teacher, "lesson-teacher");
  // A typed vote is shown, too.
  await say(alice, "/1");
  await alice.locator('#poll [data-choice="1"][aria-pressed=true]').waitFor();
  await teacher.click("#show-wall");
  await teacher.locator("#wall-lesson", { hasText: "점심은?" }).waitFor();
  await picture(teacher, "lesson-wall-open");
  await teacher.click("#end-wall");
  await teacher.locator("#poll .main").click();
  for (const page of [alice, teacher]) await page.locator("#poll .bars").waitFor();
  assert.deepEqual(await bars(alice), ["1표", "0표", "1표"]);
  await teacher.click("#show-wall");
  await teacher.locator("#wall-lesson .bars").waitFor();
  assert.deepEqual(await bars(teacher, true), ["1표", "0표", "1표"]);
  await picture(teacher, "lesson-wall-result");
  await teacher.click("#end-wall");
  await picture(alice, "lesson-pupil-result");
  for (const page of [alice, bob]) await page.locator("#poll .quiet").click();
  await bob.locator("#poll").waitFor({ state: "hidden" });

  // A teacher moderates, but does not own the room.
  await teacher.locator("#people button[data-name='bob']").click();
  const offered = await teacher.locator("#person-actions button").allTextContents();
  assert.ok(offered.includes("내보내기") && !offered.some((it) => it.includes("방장")), offered.join(", "));
  await teacher.keyboard.press("Escape");

  // Calm: text that may not be said stays in the field.
  await tool(teacher, "slow").click();
  await sees(bob, "Slow mode: one message every 10 s");
  await say(bob, "one");
  await sees(alice, "one");
  await say(bob, "two");
  await bob.locator("#composer-error", { hasText: /You can send in \d+ s/u }).waitFor();
  assert.equal(await bob.inputValue("#text"), "two");
  await tool(teacher, "slow").click();
  await tool(teacher, "listen").click();
  await bob.locator("#lesson-line", { hasText: "Time to listen" }).waitFor();
  await alice.locator("#lesson-line", { hasText: "선생님이 불렀습니다" }).waitFor();
  await bob.press("#text", "Enter");
  await bob.locator("#composer-error", { hasText: "Time to listen" }).waitFor();
  assert.equal(await bob.inputValue("#text"), "two");

  // Only teachers see an anonymous question, until one of them shows it.
  await alice.click("#ask-nameless");
  await answer(alice, "왜 별표를 두 번 쓰나요?");
  await teacher.locator("#questions .nameless", { hasText: "왜 별표를" }).waitFor();
  assert.equal(await bob.locator("body", { hasText: "왜 별표를" }).count(), 0);
  await picture(teacher, "lesson-teacher-question");
  await teacher.locator("#questions").getByRole("button", { name: "모두에게 공개" }).click();
  await bob.locator(".row.question", { hasText: "왜 별표를" }).waitFor();
  await teacher.locator("#questions-section").waitFor({ state: "hidden" });
  await tool(teacher, "listen").click();
  await bob.locator("#lesson-line", { hasText: "Time to listen" }).waitFor({ state: "hidden" });

  await tool(teacher, "timer").click();
  await answer(teacher, "5분");
  await alice.locator("#lesson-bar .clock", { hasText: /^[45]:\d\d/u }).waitFor();
  // A passing second changes the clock and nothing else, so no click is lost.
  const button = await tool(teacher, "attendance").elementHandle();
  const face = await teacher.locator("#lesson-bar .face").textContent();
  await teacher.waitForFunction((then) => document.querySelector("#lesson-bar .face").textContent !== then, face);
  await button.click();
  await teacher.locator("#attendance tbody tr", { hasText: "앨리스" }).waitFor();
  await picture(teacher, "lesson-attendance");
  const table = await teacher.evaluate(async () => (await fetch(document.getElementById("attendance-csv").href)).text());
  assert.match(table, /앨리스/u);
  await teacher.keyboard.press("Escape");

  await tool(teacher, "end").click();
  await answer(teacher);
  await sees(bob, "The lesson ended");
  await alice.locator("#lesson-bar").waitFor({ state: "hidden" });
  await tool(teacher, "begin").waitFor();
  for (const page of [teacher, alice, bob]) assert.deepEqual(page.wrongs, []);
} finally {
  await browser.close();
}
