// QR codes, links, names and words.
import assert from "node:assert/strict";
import { test } from "node:test";
import jsQR from "jsqr";
import { lines, linkTo } from "../../../server/web/invite.js";
import { guestName } from "../../../server/web/names.js";
import { qrCode } from "../../../server/web/qr.js";
import { KEYS, chooseLang, lang, languageCalled, word } from "../../../server/web/words.js";

/** The text that a QR reader finds, with four pixels per module. */
function scan(modules) {
  const quiet = 4;
  const size = (modules.length + 2 * quiet) * 4;
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if (modules[(y >> 2) - quiet]?.[(x >> 2) - quiet]) pixels.fill(0, (y * size + x) * 4, (y * size + x) * 4 + 3);
    }
  }
  return jsQR(pixels, size, size)?.data;
}

test("codes of every version are read as what they say", () => {
  for (const length of [1, 17, 18, 32, 53, 54, 78, 106, 134, 135, 154, 192, 230, 231, 271]) {
    const text = "http://192.168.0.12:9998/#5a6zj-v8me1-".repeat(8).slice(0, length);
    assert.equal(scan(qrCode(text)), text, `${length} bytes`);
  }
  assert.equal(scan(qrCode("https://example.org/마당/#열쇠")), "https://example.org/마당/#열쇠");
  assert.equal(qrCode("x".repeat(272)), null);
});

test("a link leads to where the page was reached, or past this machine alone", () => {
  const invite = { key: "k-1", link: "http://192.168.0.12:9998/#k-1", madang: "madang x", nc: ["nc 192.168.0.12 9009", "/join #k-1"] };
  assert.equal(linkTo(invite, "https://example.org/madang/#old"), "https://example.org/madang/#k-1");
  assert.equal(linkTo(invite, "http://localhost:9998/"), invite.link);
  assert.equal(linkTo({ ...invite, key: undefined }, "http://10.0.0.1:9998/#old"), "http://10.0.0.1:9998/");
  assert.deepEqual(lines(invite, "http://h/#k-1"), ["madang http://h/#k-1", "nc 192.168.0.12 9009", "curl -NT. telnet://192.168.0.12:9009", "/join #k-1"]);
  assert.deepEqual(lines({ ...invite, nc: [] }, "http://h/#k-1"), ["madang http://h/#k-1"]);
  assert.equal(lines({ ...invite, nc: ["nc 2001:db8::5 9009"] }, "x")[2], "curl -NT. telnet://[2001:db8::5]:9009");
  // Behind a proxy, the page is encrypted without the server knowing.
  assert.deepEqual(lines(invite, "https://h/#k-1"), ["madang https://h/#k-1"]);
  const nc = ["openssl s_client -quiet -connect 192.168.0.12:9010", "/join #k-1"];
  assert.deepEqual(lines({ ...invite, nc, encrypted: true }, "https://h/#k-1"), ["madang https://h/#k-1", ...nc]);
});

test("guest names fit, in both languages", () => {
  for (const language of ["ko", "en"]) {
    for (let count = 0; count < 200; count += 1) {
      const name = guestName(language, count % 2);
      const columns = [...name].reduce((sum, character) => sum + (character > "\u1100" ? 2 : 1), 0);
      assert.ok(columns <= 24 && /^[\p{L}][\p{L}\d-]*$/u.test(name), name);
    }
  }
});

test("every word is there in both languages", () => {
  for (const chosen of ["ko", "en"]) {
    chooseLang(chosen, []);
    assert.equal(lang(), chosen);
    for (const key of KEYS) assert.ok(word(key, "a", "b", "c"), key);
  }
  chooseLang(null, ["fr-FR", "ko-KR", "en"]);
  assert.equal(lang(), "ko");
  chooseLang(null, ["fr"]);
  assert.equal(lang(), "en");
  assert.deepEqual(["ko", "English", "영어", "한국어", "fr", ""].map(languageCalled), ["ko", "en", "en", "ko", undefined, undefined]);
});
