// The page below a prefix, behind a proxy with TLS: URL, with its slash at the end.
import assert from "node:assert/strict";
import { enter, say, sees, start } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await start();
try {
  const alice = await enter(browser, url, "alice", { make: true });
  assert.ok(alice.url().startsWith(`${url}#`), alice.url());
  const bob = await enter(browser, alice.url(), "bob");
  await say(alice, "안녕");
  await sees(bob, "안녕");
  await alice.click("#show-invite");
  assert.equal(await alice.inputValue("#invite-link"), alice.url());
  assert.equal(await alice.locator("#invite-plain").isHidden(), true);
  for (const page of [alice, bob]) {
    assert.deepEqual(page.wrongs, []);
    const base = url.replace(/^https?:/u, "");
    for (const request of page.requests) assert.ok(request.replace(/^\w+:/u, "").startsWith(base), request);
  }
} finally {
  await browser.close();
}
