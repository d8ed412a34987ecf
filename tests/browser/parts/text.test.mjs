// How text is split into parts, which lines are commands, and completion.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { completions, read, setCommands, split, typedFor, whisperOf } from "../../../server/web/commands.js";
import { findKey, isBroken, keyIn } from "../../../server/web/keys.js";
import { isBlock, mentions, pieces } from "../../../server/web/text.js";
import { wellFormed } from "../../../server/web/visible.js";

/** The cases of a table shared by server, client and page. */
const cases = (table) => JSON.parse(readFileSync(new URL(`../../cases/${table}.json`, import.meta.url), "utf8"));

test("links end where the table says, and show the host that they open", () => {
  const table = cases("links");
  assert.ok(table.length > 40);
  for (const { text, links, why } of table) {
    const found = pieces(text, null).filter(({ link }) => link);
    assert.deepEqual(found.map((piece) => piece.text), links, `${text}: ${why}`);
    for (const piece of found) {
      assert.equal(new URL(piece.text).href, piece.link, "it opens what it shows");
      assert.doesNotMatch(piece.link, /@/u);
    }
  }
});

test("what stands around a link is kept", () => {
  for (const text of ["a https://example.com/a?b=c. b", "(https://example.com/x)", "https://example.com/a、https://example.com/b"]) {
    assert.equal(pieces(text, "me").map((piece) => piece.text).join(""), text);
  }
});

test("an address of more than 2,000 characters is no link", () => {
  const link = `https://example.com/${"a".repeat(1_980)}`;
  assert.equal(pieces(link, null)[0].link, link);
  assert.deepEqual(pieces(`${link}a`, null), [{ text: `${link}a` }]);
});

test("a name is called as the table says", () => {
  const table = cases("mentions");
  assert.ok(table.length > 40);
  for (const { text, name, mentioned, why } of table) assert.equal(mentions(text, name), mentioned, `${name} in ${text}: ${why}`);
});

test("code is told from prose", () => {
  assert.ok(isBlock("fn main() {\n    x();\n}"));
  assert.ok(isBlock("// a\n// b\n// c"));
  assert.ok(!isBlock("하나\n둘\n셋"));
  assert.ok(!isBlock("x = {\n}"));
});

const MSG = { name: "/msg", alias: "/귓", arguments: "NAME TEXT", arguments_ko: "이름 말", ko: "귓속말", en: "whispers" };
const ME = { name: "/me", alias: "/나", arguments: "TEXT", arguments_ko: "말", ko: "나", en: "me" };

test("what is typed means what the table says, with the server's table of commands or without", () => {
  const table = cases("commands");
  assert.ok(table.length > 40);
  for (const rows of [[], [MSG, ME]]) {
    setCommands(rows);
    for (const { input, means, word, argument, text, why } of table) {
      const { command, say } = read(input);
      const found = command === undefined ? { say } : { ...split(command) };
      const expected = { command: { word: `/${word}`, argument }, text: { say: text }, nothing: { say: undefined } }[means];
      assert.deepEqual(found, expected, `${JSON.stringify(input)}: ${why}`);
    }
  }
});

test("what was not said is typed so that it is said", () => {
  for (const text of ["hello", "/home", "//", "// a\n// b", " /x", "a\n/who"]) {
    assert.equal(read(typedFor(text)).say, text);
  }
});

test("a whisper is told from other commands, however it is written", () => {
  setCommands([MSG, ME]);
  assert.deepEqual(whisperOf("/귓 bob  a\nb"), { to: "bob", text: "a\nb" });
  assert.deepEqual(whisperOf("/msg @bob: psst"), { to: "bob", text: "psst" });
  assert.deepEqual(whisperOf("/MSG [bob] psst"), { to: "bob", text: "psst" });
  assert.equal(whisperOf("/me bob a"), null);
});

test("commands and names are completed", () => {
  setCommands([MSG, ME]);
  const inserts = (before, lang = "en") => completions(before, ["bob", "bora", "길동"], lang).map(({ insert }) => insert);
  assert.deepEqual(inserts("/m"), ["/msg ", "/me "]);
  assert.deepEqual(inserts("/귓"), ["/귓 "]);
  assert.deepEqual(inserts("/", "ko"), ["/귓 ", "/나 "]);
  assert.deepEqual(inserts("hi @bo"), ["@bob ", "@bora "]);
  assert.deepEqual(inserts("/msg bo"), ["bob ", "bora "]);
  assert.deepEqual(inserts("bo"), []);
});

test("a key is found as the table says", () => {
  const table = cases("keys");
  assert.ok(table.length > 40);
  for (const { input, key, broken, why } of table) {
    assert.equal(findKey(input), key, `${input}: ${why}`);
    assert.equal(isBroken(input), broken, `${input}: ${why}`);
    // A browser encodes a fragment.
    if (key !== null && input.startsWith("#")) assert.equal(keyIn(encodeURI(input)), key, `${input}: ${why}`);
  }
  assert.equal(keyIn("#%E0%A4%A"), null);
  assert.ok(isBroken("#%E0%A4%A"));
});

test("half a character is none", () => {
  assert.equal(wellFormed("a\ud800b\udc00"), "a\ufffdb\ufffd");
  assert.equal(wellFormed("🦀"), "🦀");
});
