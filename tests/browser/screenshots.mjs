// Takes the pictures of the page that the README shows: URL FOLDER. The server must be new,
// started with --rate-limit off, and reached by the address that the pictures should show.
import { join } from "node:path";
import { enter, say, sees, start, visit } from "./browser.mjs";

const WIDE = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const WALL = { viewport: { width: 1920, height: 1080 } };
const CODE = "fn greet(name: &str) -> String {\n    // 이름 뒤에 인사를 붙인다\n    format!(\"{name}님, 어서 오세요!\")\n}";
const LONG = "국가인권위원회전원위원회회의결과보고서초안검토요청사항정리본최종수정본";

const [url, folder] = process.argv.slice(2);
const browser = await start();

async function shoot(page, name) {
  await page.mouse.move(0, 0);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

try {
  await shoot(await visit(browser, url, WIDE), "entry");
  await shoot(await visit(browser, url, { ...PHONE, viewport: { width: 360, height: 330 }, locale: "en-US" }), "entry-small");

  // Three people in a private room, which is empty at first.
  const haneul = await enter(browser, url, "김하늘", { make: "3반 프로그래밍", ...WIDE });
  await haneul.waitForSelector("#start:not([hidden])");
  await shoot(haneul, "empty");
  const link = haneul.url();
  const bob = await enter(browser, link, "bob", { ...WIDE, colorScheme: "dark" });
  const sora = await enter(browser, link, "윤소라", PHONE);
  const talk = [
    [haneul, "안녕하세요, 다들 들어왔나요?"], [bob, "네! nc로도 들어와 봤어요"], [bob, "신기하네요"],
    [sora, "저는 휴대전화로 들어왔어요"], [haneul, "오늘은 함수를 만들어 봅시다. 아래 코드를 읽어 보세요."], [haneul, CODE],
    [sora, "김하늘 선생님, &str은 뭐예요?"], [haneul, "좋은 질문이에요. https://doc.rust-lang.org/book/ 의 4장을 같이 봅시다."],
    [bob, "아하, 빌려 온 글자네요"], [bob, "/msg 김하늘 저 잠깐 나갔다 와도 될까요?"],
  ];
  for (const [page, text] of talk) {
    await say(page, text);
    await sees(haneul, text.replace(/^\/msg \S+ /u, "").split("\n")[0]);
  }
  await shoot(haneul, "room");
  await shoot(bob, "dark");
  await shoot(sora, "phone");
  await sora.click("#menu");
  await shoot(sora, "drawer");
  await haneul.click("#show-invite");
  await shoot(haneul, "invite");
  await haneul.keyboard.press("Escape");
  await haneul.setViewportSize(WALL.viewport);
  await haneul.click("#show-wall");
  await shoot(haneul, "projector");

  // The same page in English, with answers to commands.
  const alice = await enter(browser, url, "alice", { make: "Rehearsal", ...WIDE, locale: "en-US" });
  const dave = await enter(browser, alice.url(), "dave", { ...WIDE, locale: "en-US" });
  for (const [page, text] of [[alice, "Hello! Can you hear me?"], [dave, "Loud and clear."], [dave, "/me tunes the violin"]]) {
    await say(page, text);
    await sees(alice, text.replace("/me ", ""));
  }
  await say(alice, "/help");
  await sees(alice, "/help all");
  await shoot(alice, "english");

  // The practice page.
  const practice = await visit(browser, new URL("echo", url).href, { viewport: { width: 960, height: 980 } });
  await practice.click("#connect");
  await practice.waitForSelector("#send button:enabled");
  await practice.fill("#text", "안녕");
  await practice.press("#text", "Enter");
  await practice.waitForFunction(() => document.querySelectorAll("#frames > li").length === 2);
  await shoot(practice, "practice");

  // Forty people, long words, and names of every width.
  const teacher = await enter(browser, url, "선생님", { make: true, ...WIDE });
  const names = Array.from({ length: 39 }, (_, index) => (index % 3 === 0 ? `학생-${index}` : index % 3 === 1 ? `아주긴이름의학생${index}번` : `student_${index}`));
  const sockets = names.map((name) => teacher.evaluate(({ name, place }) => new Promise((resolve) => {
    const socket = new WebSocket("ws", "madang.json.v1");
    socket.onopen = () => socket.send(JSON.stringify({ type: "login", name, room: place, history: 0, nonce: "1" }));
    socket.onmessage = ({ data }) => { if (data.includes('"ack"')) resolve(); };
    (window.others ??= []).push(socket);
  }), { name, place: new URL(teacher.url()).hash }));
  await Promise.all(sockets);
  const saysAs = (index, text) => teacher.evaluate(({ index, text }) => window.others[index].send(JSON.stringify({ type: "say", text })), { index, text });
  for (const [index, text] of [[0, "왔습니다"], [1, LONG + LONG], [2, "저요!"], [4, "띄어쓰기 없는 말도 잘 보이네요"], [5, `https://example.com/${"아주-긴-주소-".repeat(12)}`]]) {
    await saysAs(index, text);
    await sees(teacher, text.slice(0, 20));
  }
  await say(teacher, CODE);
  await say(teacher, "모두 들어왔군요. 시작합시다!");
  await sees(teacher, "시작합시다");
  await shoot(teacher, "forty");
  await teacher.setViewportSize(WALL.viewport);
  await teacher.click("#show-wall");
  await shoot(teacher, "projector-forty");
} finally {
  await browser.close();
}
