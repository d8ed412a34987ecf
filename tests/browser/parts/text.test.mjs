// What a text is cut into, which lines are commands, what completes them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { completions, read, setCommands, whisperOf } from "../../../server/web/commands.js";
import { keyIn } from "../../../server/web/entry.js";
import { isBlock, mentions, pieces } from "../../../server/web/text.js";

const links = (text) => pieces(text, null).filter(({ link }) => link).map(({ link }) => link);

test("only addresses on the web are links, without what stands around them", () => {
  const cases = [
    ["보세요 https://example.com/a?b=c.", ["https://example.com/a?b=c"]],
    ["(https://ko.wikipedia.org/wiki/마당_(공간))", ["https://ko.wikipedia.org/wiki/마당_(공간)"]],
    ["http://192.168.0.2:9998/#abc, 그리고", ["http://192.168.0.2:9998/#abc"]],
    ["javascript:alert(1) data:text/html,x ftp://x", []],
    ["https:// http://\"x", []],
    ["HTTPS://EXAMPLE.COM", ["HTTPS://EXAMPLE.COM"]],
  ];
  for (const [text, expected] of cases) {
    assert.deepEqual(links(text), expected, text);
    assert.equal(pieces(text, "me").map((piece) => piece.text).join(""), text);
  }
});

test("a name is called as a word, with a particle behind it in Korean", () => {
  const cases = [
    ["bob, hi", "bob", true], ["@bob", "bob", true], ["BOB!", "bob", true], ["bobby", "bob", false], ["kebob", "bob", false],
    ["길동아 안녕", "길동", true], ["홍길동", "길동", false], ["환한-수달님", "환한-수달", true], ["a.b", "a.b", true], ["axb", "a.b", false],
  ];
  for (const [text, user, expected] of cases) assert.equal(mentions(text, user), expected, `${text} ${user}`);
});

test("code is told from prose", () => {
  assert.ok(isBlock("fn main() {\n    x();\n}"));
  assert.ok(isBlock("// a\n// b\n// c"));
  assert.ok(!isBlock("하나\n둘\n셋"));
  assert.ok(!isBlock("x = {\n}"));
});

test("a slash begins a command, and a pasted comment none", () => {
  setCommands([
    { name: "/msg", alias: "/귓", arguments: "NAME TEXT", ko: "귓속말", en: "whispers" },
    { name: "/me", alias: "/나", arguments: "TEXT", ko: "나", en: "me" },
  ]);
  assert.deepEqual(read("/who"), { command: "/who" });
  assert.deepEqual(read("//home"), { say: "/home" });
  assert.deepEqual(read("// a\n// b"), { say: "// a\n// b" });
  assert.deepEqual(read("/* a\n */"), { say: "/* a\n */" });
  assert.deepEqual(read("/귓 bob a\nb"), { command: "/귓 bob a\nb" });
  assert.deepEqual(whisperOf("/귓 bob  a\nb"), { to: "bob", text: "a\nb" });
  assert.equal(whisperOf("/me bob a"), null);
});

test("commands and names are completed", () => {
  const inserts = (before, lang = "en") => completions(before, ["bob", "bora", "길동"], lang).map(({ insert }) => insert);
  assert.deepEqual(inserts("/m"), ["/msg ", "/me "]);
  assert.deepEqual(inserts("/귓"), ["/귓 "]);
  assert.deepEqual(inserts("/", "ko"), ["/귓 ", "/나 "]);
  assert.deepEqual(inserts("hi @bo"), ["@bob ", "@bora "]);
  assert.deepEqual(inserts("/msg bo"), ["bob ", "bora "]);
  assert.deepEqual(inserts("bo"), []);
});

test("a key is read in whatever form, and nothing else is one", () => {
  assert.equal(keyIn("#5a6zj-v8me1-bm0rs-4dmpa-s556jd"), "5a6zj-v8me1-bm0rs-4dmpa-s556jd");
  assert.equal(keyIn("#5A6ZJV8ME1BM0RS4DMPAS556JD"), "5A6ZJV8ME1BM0RS4DMPAS556JD");
  for (const fragment of ["", "#", "#lobby", "#<script>", "#5a6zj"]) assert.equal(keyIn(fragment), null);
});
