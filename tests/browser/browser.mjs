// A real browser with visitors: helpers for the tests and the screenshots.
import { join } from "node:path";
import { chromium } from "playwright-core";

/** How long anything may take. */
const PATIENCE_MS = 30_000;

/** Starts the browser, with further flags. */
export function start(flags = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
      "--disable-background-networking", "--disable-component-update", "--disable-sync", ...flags,
    ],
  });
}

/**
 * A tab of a new visitor. It collects errors and layout shifts. `prepare` gets the page before
 * it is loaded.
 */
export async function visit(browser, url, { prepare, ...options } = {}) {
  const context = await browser.newContext({ locale: "ko-KR", ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.wrongs = [];
  page.requests = [];
  page.on("dialog", (dialog) => { page.wrongs.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("pageerror", (error) => page.wrongs.push(`error: ${error.stack}`));
  page.on("console", (message) => {
    // Chromium itself reports lost WebSockets.
    if (message.type() === "error" && !/WebSocket connection|ERR_/u.test(message.text())) page.wrongs.push(message.text());
  });
  page.on("request", (request) => page.requests.push(request.url()));
  page.on("websocket", (socket) => page.requests.push(socket.url()));
  await page.addInitScript(() => {
    window.jumped = 0;
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput } of list.getEntries()) window.jumped += hadRecentInput ? 0 : value;
    }).observe({ type: "layout-shift", buffered: true });
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await prepare?.(page);
  await page.goto(url);
  return page;
}

/** Enters with a name by the page at `url`; with `make`, into a new private room, titled so if it is a string. */
export async function enter(browser, url, name, { make = false, ...options } = {}) {
  const page = await visit(browser, url, options);
  await page.fill("#name", name);
  await page.click(make === false ? "#enter" : "#enter-private");
  if (make !== false) await answer(page, make === true ? "" : make);
  await page.waitForSelector("#chat:not([hidden])");
  if (make !== false) await page.waitForFunction(() => location.hash.length > 20);
  return page;
}

/** Answers the question of a button: with text, or with yes. */
export async function answer(page, text = null) {
  if (text !== null) await page.fill("#question-value", text);
  await page.click("#question-yes");
}

export async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

/**
 * Prepares a page so that `change` gets every message between it and the server, `up` or down,
 * and returns what is passed on: that message, another one, or null for none. `toPage` sends
 * the page a message instead, or later.
 */
export function intercept(change) {
  return (page) => page.routeWebSocket(/\/ws$/u, (socket) => {
    const server = socket.connectToServer();
    const toPage = (message) => socket.send(JSON.stringify(message));
    for (const [from, to, up] of [[socket, server, true], [server, socket, false]]) {
      from.onMessage((data) => {
        const message = change(JSON.parse(data), { up, toPage });
        if (message) to.send(JSON.stringify(message));
      });
    }
  });
}

/** Waits until a row of the conversation contains the text. */
export async function sees(page, text) {
  await page.locator("#rows .row", { hasText: text }).first().waitFor();
}

/** Takes a picture for people to look at, if PICTURES names a folder. */
export async function shoot(page, name) {
  const folder = process.env.PICTURES;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** The texts of the conversation on the page, in order. */
export function texts(page) {
  return page.locator("#rows .row.said .text").allInnerTexts();
}
