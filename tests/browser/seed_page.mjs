// Opens a page from disk in a real browser, sends "안녕" with its form, and waits for
// the echo in its output: BROWSER FILE. Prints the output.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [browserPath, file] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(pathToFileURL(file).href);
  const output = page.locator("#messageTextArea");
  const shows = (text) =>
    page.waitForFunction(
      (text) => document.getElementById("messageTextArea").value.includes(text), text);
  await shows("Server connect...");
  await page.fill("#textMessage", "안녕");
  await page.click("input[value=Send]");
  await shows("Recieve From Server => echo : 안녕");
  await page.click("input[value=Disconnect]");
  await shows("Server Disconnect...");
  console.log(await output.inputValue());
} finally {
  await browser.close();
}
