// Pastes a block of JavaScript into the console of the page: URL BLOCK. Then says hello on its
// WebSocket, `ws`, and waits until the message comes back.
import { start, visit } from "./browser.mjs";

const [url, block] = process.argv.slice(2);
const browser = await start();

try {
  const page = await visit(browser, url);
  const heard = [];
  page.on("console", (message) => heard.push(message.text()));
  const hears = async (text) => {
    while (!heard.some((line) => line.includes(text))) await page.waitForEvent("console");
  };
  // As the console of the developer tools does.
  const devtools = await page.context().newCDPSession(page);
  const run = async (expression) => {
    const { exceptionDetails } = await devtools.send("Runtime.evaluate", { expression, replMode: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
  };
  await run(block);
  await hears("[alice]");
  await run('ws.send("hello")');
  await hears("[alice] hello");
  if (page.wrongs.length > 0) throw new Error(page.wrongs.join("\n"));
} finally {
  await browser.close();
}
