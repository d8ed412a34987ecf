// How a lesson looks to a pupil, a teacher and on the wall, on every screen: URL CODE [FOLDER for
// pictures]. In English with 3 pupils, in Korean with 40 and long words. Nothing is wider than the
// screen, every button is large enough for a thumb and reached with Tab, and axe-core finds
// nothing wrong.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { answer, enter, say, sees, start } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// The last but one is the one before it at a zoom of 200 %.
const SCREENS = [[360, 640], [1280, 800], [640, 400], [1920, 1080]];
const WIDE = { width: 1280, height: 800 };
const MANY = Array.from({ length: 39 }, (_, at) => at === 1 ? "아주긴이름을가진학생한명" : at % 2 ? `학생-${at}` : `student_${at}`);
const FEW = ["bob", "carol"];
const LONG = "포인터를 역참조할 때 널인지 확인하지 않으면 어떻게 되나요? ".repeat(30);
const CHOICES = ["프로그램이 조용히 끝난다", "정의되지 않은 동작이라 무엇이든 일어날 수 있고 그래서 더 찾기 어렵다", "컴파일되지 않는다", "0이 나온다"];

const [url, code, folder] = process.argv.slice(2);
const browser = await start();
/** Everything that is wrong with any view. */
const wrongs = [];

/** Checks the page on every screen, light and dark. */
async function look(page, name) {
  for (const [width, height] of SCREENS) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      // For axe, a larger screen makes no difference.
      await check(page, `${name}-${width}-${colorScheme}`, { withAxe: width === 360 || (width === 1280 && colorScheme === "light") });
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
  await page.setViewportSize(WIDE);
}

/** Checks that Tab reaches everything that can be clicked or typed into. */
async function walk(page, name) {
  const buttons = () => page.evaluate(() => {
    const dialog = document.querySelector("dialog[open]") ?? document;
    const all = [...dialog.querySelectorAll("button, a[href], input, textarea, select")];
    const isSeen = (it) => it.checkVisibility({ visibilityProperty: true }) && it.getClientRects().length > 0;
    window.walked ??= new Set();
    const left = all.filter((it) => isSeen(it) && !it.disabled && !window.walked.has(it));
    return left.map((it) => it.outerHTML.slice(0, 100));
  });
  const step = () => page.evaluate(() => {
    const at = document.activeElement;
    const isNew = at !== document.body && !window.walked.has(at);
    window.walked.add(at);
    return isNew;
  });
  await page.evaluate(() => { window.walked = new Set(); document.activeElement?.blur(); });
  let repeats = 0;
  while (repeats < 3) {
    await page.keyboard.press("Tab");
    repeats = await step() ? 0 : repeats + 1;
  }
  for (const button of await buttons()) wrongs.push(`${name}: Tab does not reach ${button}`);
}

async function check(page, name, { withAxe }) {
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
  const { wide, small } = await page.evaluate(() => {
    const isSeen = (it) => it.checkVisibility({ visibilityProperty: true }) && it.getClientRects().length > 0;
    const inside = document.querySelector("dialog[open]") ?? document.body;
    const buttons = [...inside.querySelectorAll("button, summary, a.button")].filter((it) => isSeen(it) && !it.closest("[inert]"));
    const scrolls = (it) => it.closest("#lesson-bar, #side, #search, #log, .scroll, dialog, #poll") !== null;
    return {
      wide: [document.documentElement.scrollWidth > innerWidth && "the page", ...buttons.map((it) => {
        const { left, right } = it.getBoundingClientRect();
        return (left < -1 || right > innerWidth + 1) && !scrolls(it) ? it.outerHTML.slice(0, 90) : null;
      })].filter(Boolean),
      small: buttons.filter((it) => {
        const { width, height } = it.getBoundingClientRect();
        return (width < 43.5 || height < 43.5) && it.closest("#lesson-bar, #poll, #lesson-line, #composer, #hands-section, #questions-section, dialog, #wall") !== null;
      }).map((it) => `${it.outerHTML.slice(0, 90)}: ${JSON.stringify(it.getBoundingClientRect())}`),
    };
  });
  wrongs.push(
    ...wide.map((it) => `${name}: wider than the screen: ${it}`),
    ...small.map((it) => `${name}: smaller than a thumb: ${it}`),
  );
  if (!withAxe) return;
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  wrongs.push(...serious.map(({ id, nodes }) => `${name}: ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(", ")}`));
}

/** Members without a page, who raise hands and vote. */
function joinOthers(page, names) {
  return page.evaluate(async (names) => {
    window.others = await Promise.all(names.map((name) => new Promise((resolve) => {
      const socket = new WebSocket("ws", "madang.json.v1");
      socket.onopen = () => socket.send(JSON.stringify({ type: "login", name, history: 0, nonce: "1" }));
      socket.onmessage = ({ data }) => { if (data.includes('"welcome"')) resolve(socket); };
    })));
  }, names);
}

const asOther = (page, at, request) => page.evaluate(({ at, request }) => window.others[at].send(JSON.stringify(request)), { at, request });

try {
  for (const [locale, others] of [["en-US", FEW], ["ko-KR", MANY]]) {
    const count = others.length;
    const name = `${locale.slice(0, 2)}`;
    const isFull = others === MANY;
    const teacher = await enter(browser, url, locale === "ko-KR" ? "김선생" : "Kim", { locale, viewport: WIDE });
    const pupil = await enter(browser, url, locale === "ko-KR" ? "앨리스" : "alice", { locale, viewport: WIDE });
    await joinOthers(teacher, others);
    await say(teacher, `/teach ${code}`);
    await teacher.locator('[data-tool="begin"]').waitFor();
    await look(teacher, `${name}-teacher-0`);
    await say(teacher, isFull ? "/lesson 포인터와 배열, 그리고 그 사이의 모든 것에 대한 아주 긴 수업 제목" : "/lesson Pointers");
    await pupil.locator("#hand").waitFor();
    await look(pupil, `${name}-pupil-0`);
    await pupil.click("#hand");
    await pupil.locator("#lesson-line").waitFor();
    for (let at = 0; at < Math.min(count, 12); at += 1) await asOther(teacher, at, { type: "hand", up: true, ...(!isFull ? {} : at === 1 ? { text: LONG.slice(0, 120) } : at === 2 ? { text: "왜요?" } : {}) });
    if (isFull) {
      await asOther(teacher, 3, { type: "command", line: `/ask ${LONG.slice(0, 130)}` });
      await teacher.locator("#questions .nameless").waitFor();
    }
    await teacher.locator('[data-tool="hands"]', { hasText: String(Math.min(count, 12) + 1) }).waitFor();
    await say(teacher, isFull ? `/poll ${LONG.slice(0, 130)} / ${CHOICES.join(" / ")}` : "/poll Is this clear?");
    await pupil.locator("#poll .choice").first().waitFor();
    await look(pupil, `${name}-pupil-1-poll`);
    await walk(pupil, `${name}-pupil-1-poll`);
    await look(teacher, `${name}-teacher-1-poll`);
    await walk(teacher, `${name}-teacher-1-poll`);
    await pupil.locator("#poll .choice").nth(1).click();
    for (let at = 0; at < Math.min(count, 20); at += 1) await asOther(teacher, at, { type: "vote", choice: 1 + (at % 3) });
    await say(teacher, "/timer 5m 모둠끼리 이야기하기");
    await teacher.locator("#lesson-bar .clock").waitFor();
    await teacher.locator("#poll .answered", { hasText: String(Math.min(count, 20) + 1) }).waitFor();
    await look(pupil, `${name}-pupil-2-voted`);
    await teacher.click("#show-wall");
    await teacher.locator("#wall-lesson .answered").waitFor();
    await look(teacher, `${name}-wall-1-poll`);
    await teacher.click("#end-wall");
    await say(teacher, "/listen on");
    await pupil.locator("#lesson-line", { hasText: locale === "ko-KR" ? "듣는 시간" : "Time to listen" }).waitFor();
    await look(pupil, `${name}-pupil-3-listen`);
    await say(teacher, "/poll end");
    await pupil.locator("#poll .bars").waitFor();
    await look(pupil, `${name}-pupil-4-result`);
    await look(teacher, `${name}-teacher-4-result`);
    await teacher.click("#show-wall");
    await teacher.locator("#wall-lesson .bars").waitFor();
    await look(teacher, `${name}-wall-4-result`);
    await teacher.click("#end-wall");
    await say(teacher, "/listen off");
    await say(teacher, "/attendance");
    await teacher.locator("#attendance tbody tr").first().waitFor();
    await look(teacher, `${name}-teacher-5-attendance`);
    await teacher.keyboard.press("Escape");
    await teacher.locator('[data-tool="poll"]').click();
    await look(teacher, `${name}-teacher-6-dialog`);
    await walk(teacher, `${name}-teacher-6-dialog`);
    await teacher.keyboard.press("Escape");
    await say(teacher, "/lesson end");
    await sees(pupil, locale === "ko-KR" ? "수업이 끝났습니다" : "The lesson ended");
    for (const page of [teacher, pupil]) {
      assert.deepEqual(page.wrongs, []);
      await page.context().close();
    }
  }
  assert.deepEqual(wrongs, []);
} finally {
  await browser.close();
}
