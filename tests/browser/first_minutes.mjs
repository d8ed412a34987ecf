// The first minutes of a newcomer on the page: URL LANGUAGE [TRANSCRIPT]. Without a
// transcript, prints one: each step, and the lines that appear. With one, expects its lines,
// where `…` stands for text that differs each time.
import { readFileSync } from "node:fs";
import { start, visit } from "./browser.mjs";

const PATIENCE_MS = 30_000;
const PAUSE_MS = 50;

const SCRIPTS = {
  en: {
    locale: "en-US", badName: "al ice", name: "alice", title: "Rehearsal",
    lobby: ["hello", "/help", "/who", "/q"], room: ["/msg bob psst", "/nick carol", "/leave", "/lang ko"],
  },
  ko: {
    locale: "ko-KR", badName: "김 하늘", name: "하늘", title: "3반",
    lobby: ["안녕하세요", "/도움말", "/누구", "/q"], room: ["/귓 철수 비밀", "/이름 김하늘", "/로비", "/언어 en"],
  },
};

const [url, lang, transcript] = process.argv.slice(2);
const script = SCRIPTS[lang];
const steps = transcript ? readFileSync(transcript, "utf8").trim().split(/^→ /mu).slice(1) : null;
const browser = await start();
const page = await visit(browser, url, { locale: script.locale, viewport: { width: 1280, height: 800 } });
let before = [];

/** The lines that a person can read: those of the open dialog, or of the page. */
function readable() {
  return page.evaluate(() => {
    const announcer = document.querySelector("#announcer");
    announcer.hidden = true;
    const text = (document.querySelector("dialog[open]") ?? document.body).innerText;
    announcer.hidden = false;
    return text.split("\n").map((line) => line.trim()).filter(Boolean);
  });
}

/** The lines of `now` that were not there before. */
function added(now) {
  const old = [...before];
  return now.filter((line) => {
    const at = old.indexOf(line);
    if (at >= 0) old.splice(at, 1);
    return at < 0;
  });
}

function isLike(line, pattern) {
  const escaped = pattern.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`, "u").test(line);
}

/** Prints what a step has led to once the page is still, or waits for what the transcript has. */
async function step(what) {
  const [title, ...rest] = steps?.shift()?.trim().split("\n") ?? [];
  if (steps && title !== what) throw new Error(`the transcript has ${title}, not ${what}`);
  const expected = rest.map((line) => line.replace("← ", ""));
  let [now, still] = [await readable(), 0];
  const isReached = () => (steps
    ? added(now).length === expected.length && added(now).every((line, at) => isLike(line, expected[at]))
    : still === 10);
  for (const end = Date.now() + PATIENCE_MS; !isReached();) {
    if (Date.now() > end) throw new Error(`after ${what}: ${JSON.stringify(added(now), null, 1)}`);
    await page.waitForTimeout(PAUSE_MS);
    const next = await readable();
    still = next.join("\n") === now.join("\n") ? still + 1 : 0;
    now = next;
  }
  console.log(`→ ${what}`);
  for (const line of added(now)) console.log(`← ${line}`);
  before = now;
}

async function say(line) {
  await page.fill("#text", line);
  await page.keyboard.press("Escape");
  await page.press("#text", "Enter");
  await step(line);
}

try {
  await step("(the page)");
  await page.fill("#name", script.badName);
  await page.click("#enter");
  await step(`(name) ${script.badName}`);
  await page.fill("#name", script.name);
  await page.click("#enter");
  await step(`(name) ${script.name}`);
  for (const line of script.lobby) await say(line);
  await page.click("#show-invite");
  await step("(invite)");
  await page.keyboard.press("Escape");
  await page.click("#new-private");
  await page.waitForSelector("dialog#question[open]");
  await step("(new private room)");
  await page.fill("#question-value", script.title);
  await page.click("#question-yes");
  await step(`(title) ${script.title}`);
  for (const line of script.room) await say(line);
  if (page.wrongs.length) throw new Error(page.wrongs.join("\n"));
} finally {
  await browser.close();
}
