// Everything that people write is shown as text: in messages, names, topics and titles. No
// dialog, no violation of the policy, no foreign element: URL.
import assert from "node:assert/strict";
import { enter, say, sees, start, texts, visit } from "./browser.mjs";

const PAYLOADS = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg/onload=alert(1)>",
  "\"><script>alert(1)</script>", "'><img src=x onerror=alert(1)>", "</textarea><script>alert(1)</script>",
  "<iframe src=javascript:alert(1)></iframe>", "<body onload=alert(1)>", "<a href=javascript:alert(1)>x</a>",
  "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)",
  "http://example.com/\"onmouseover=\"alert(1)", "https://example.com/'onclick='alert(1)'",
  "http://example.com/<script>alert(1)</script>", "https://a.example/`${alert(1)}`", "http://javascript:alert(1)@example.com/",
  "<style>*{background:url(http://evil.example/x)}</style>", "<link rel=stylesheet href=http://evil.example/x>",
  "<meta http-equiv=refresh content='0;url=http://evil.example'>", "<base href=http://evil.example/>",
  "<form action=http://evil.example><input type=submit>", "<object data=http://evil.example/x>", "<embed src=http://evil.example/x>",
  "<video><source onerror=alert(1)></video>", "<details open ontoggle=alert(1)>", "<math><mi xlink:href=javascript:alert(1)>x</mi></math>",
  "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#x3C;script&#x3E;alert(1)",
  "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "<!--<img src=--><img src=x onerror=alert(1)>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<template><script>alert(1)</script></template>", "<marquee onstart=alert(1)>", "]]><script>alert(1)</script>", "__proto__ constructor toString <x>",
];
assert.equal(PAYLOADS.length, 40);

const [url] = process.argv.slice(2);
const browser = await start();
try {
  const writer = await enter(browser, url, "writer", { make: true });
  const reader = await enter(browser, writer.url(), "reader");
  await reader.evaluate(() => { window.ownElements = [...document.querySelectorAll("script, link, style, img, iframe, base, meta, object, embed")].length; });
  for (const payload of PAYLOADS) {
    await say(writer, payload);
    await say(writer, `/topic ${payload}`);
    // An invalid name gets an answer with the name and a proposal.
    await say(writer, `/nick ${payload}`);
    await say(writer, `/msg reader ${payload}`);
    await say(writer, `/me ${payload}`);
  }
  await say(writer, "그게 전부");
  await sees(reader, "그게 전부");
  const said = (await texts(reader)).filter((text) => !text.startsWith("writer "));
  // The user name in an address is not shown.
  const shown = PAYLOADS.map((payload) => payload.replace("javascript:alert(1)@", ""));
  assert.deepEqual(said, [...shown, "그게 전부"]);
  assert.equal(await reader.locator("#room-title").innerText(), PAYLOADS.at(-1));
  // A room with somebody else's name and title, in the list and on the page of a link.
  const first = writer.url();
  await say(writer, `/new ${PAYLOADS[1]}`);
  await writer.waitForFunction((title) => document.title.includes(title), PAYLOADS[1]);
  // The link appears once the server has sent the key.
  await writer.waitForFunction((url) => location.href !== url, first);
  const guest = await enter(browser, writer.url(), "guest");
  await guest.click("#show-wall");
  assert.equal(await guest.locator("#wall-title").innerText(), PAYLOADS[1]);
  const stray = await visit(browser, `${url}#${encodeURIComponent(PAYLOADS[1])}`);
  // A fragment that is not a key leads nowhere, above all not to the lobby.
  await stray.locator("#entry-tagline", { hasText: "잘못된 링크입니다" }).waitFor();
  await stray.fill("#name", "stray");
  await stray.press("#name", "Enter");
  assert.ok(await stray.locator("#enter").isHidden());
  assert.equal(stray.requests.filter((request) => request.startsWith("ws:")).length, 0);
  await stray.click("#leave-link");
  await stray.fill("#name", PAYLOADS[1]);
  await stray.click("#enter");
  await stray.waitForFunction(() => document.querySelector("#entry-error").textContent !== "");

  for (const link of await reader.locator("#rows a").all()) {
    assert.match(await link.getAttribute("href"), /^https?:\/\//u);
    assert.match(await link.getAttribute("rel"), /noopener noreferrer/u);
  }
  const strange = await reader.evaluate(() => ({
    more: document.querySelectorAll("script, link, style, img, iframe, base, meta, object, embed").length - window.ownElements,
    handlers: [...document.querySelectorAll("*")].filter((it) => [...it.attributes].some(({ name }) => name.startsWith("on"))).length,
  }));
  assert.deepEqual(strange, { more: 0, handlers: 0 });
  for (const page of [writer, reader, guest, stray]) {
    assert.deepEqual(page.wrongs, []);
    assert.deepEqual(page.requests.filter((request) => new URL(request).host !== new URL(url).host), []);
  }

  // The content security policy backs all this: violations are reported.
  await stray.evaluate(() => document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "http://evil.example/x.css" })));
  await stray.waitForFunction(() => true);
  for (const end = Date.now() + 30_000; !stray.wrongs.some((wrong) => wrong.startsWith("CSP:"));) {
    assert.ok(Date.now() < end, "a violation would have been seen");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
} finally {
  await browser.close();
}
