// Takes the pictures of a lesson that the manuals show: URL CODE FOLDER. The server must be new
// and started with --rate-limit off.
import { join } from "node:path";
import { enter, say, sees, start } from "./browser.mjs";

const WIDE = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const WALL = { viewport: { width: 1600, height: 900 } };
const NAMES = ["윤소라", "박지우", "최서준", "alice", "이도윤", "정하은", "bob", "강민서", "조은우", "한지민"];

const [url, code, folder] = process.argv.slice(2);
const browser = await start();

async function shoot(page, name) {
  await page.mouse.move(0, 0);
  await page.waitForTimeout(700);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

try {
  const teacher = await enter(browser, url, "김하나", WIDE);
  const pupil = await enter(browser, url, "앨리스", PHONE);
  await teacher.evaluate(async (names) => {
    window.others = await Promise.all(names.map((name) => new Promise((resolve) => {
      const socket = new WebSocket("ws", "madang.json.v1");
      socket.onopen = () => socket.send(JSON.stringify({ type: "login", name, history: 0, nonce: "1" }));
      socket.onmessage = ({ data }) => { if (data.includes('"welcome"')) resolve(socket); };
    })));
  }, NAMES);
  const asOther = (at, request) => teacher.evaluate(({ at, request }) => window.others[at].send(JSON.stringify(request)), { at, request });
  await say(teacher, `/teach ${code}`);
  await say(teacher, "/lesson 포인터");
  await sees(teacher, "수업을 시작했습니다");
  await say(teacher, "포인터는 주소를 담는 변수예요. 아래 코드에서 p에는 무엇이 들어 있을까요?");
  await say(teacher, "int n = 7;\nint *p = &n;\nprintf(\"%d\", *p);");
  await sees(pupil, "printf");
  await asOther(0, { type: "say", text: "n의 주소요!" });
  await asOther(3, { type: "say", text: "그러면 *p는 7이네요" });
  await sees(teacher, "7이네요");
  await asOther(1, { type: "hand", up: true, text: "&와 *는 어떻게 달라요?" });
  await teacher.locator("#hands", { hasText: "박지우" }).waitFor();
  await pupil.click("#hand");
  await pupil.locator("#lesson-line").waitFor();
  await asOther(6, { type: "hand", up: true });
  await teacher.locator("#hands", { hasText: "bob" }).waitFor();
  await asOther(4, { type: "command", line: "/ask 별표를 두 번 쓰면 어떻게 되나요?" });
  await teacher.locator("#questions .nameless").waitFor();
  await say(teacher, "/timer 5분 생각할 시간");
  await say(teacher, "/poll *p = 9; 다음에 n은 얼마일까요? / 7 / 9 / 알 수 없다");
  await pupil.locator("#poll .choice").nth(1).click();
  for (const at of NAMES.keys()) if (at !== 2) await asOther(at, { type: "vote", choice: [2, 2, 1, 2, 2, 3, 2, 1, 2, 2][at] });
  await teacher.locator("#poll .answered", { hasText: "11명 중 10명" }).waitFor();
  await shoot(teacher, "lesson-teacher");
  await shoot(pupil, "lesson-pupil");
  await say(teacher, "/poll end");
  await teacher.setViewportSize(WALL.viewport);
  await teacher.click("#show-wall");
  await teacher.locator("#wall-lesson .bars").waitFor();
  await shoot(teacher, "lesson-wall");
} finally {
  await browser.close();
}
