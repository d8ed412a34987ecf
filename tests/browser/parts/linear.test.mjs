// The cost of a long message in browsers that show it: counted, not timed. The test counts
// executed blocks of code, and the characters that string methods and regular expressions look
// at; neither depends on the machine.
import assert from "node:assert/strict";
import { Session } from "node:inspector";
import { test } from "node:test";

/** The longest message, and half of it. */
const [HALF, WHOLE] = [8_192, 16_384];

const inspector = new Session();
inspector.connect();
const post = (method, params) => new Promise((resolve, reject) => {
  inspector.post(`Profiler.${method}`, params, (error, result) => (error ? reject(error) : resolve(result)));
});
await post("enable");
// Blocks are counted only in modules loaded from now on.
await post("startPreciseCoverage", { callCount: true, detailed: true });
const { isBlock, pieces } = await import("../../../server/web/text.js");
const { highlight } = await import("../../../server/web/highlight.js");

/** How many blocks of the page's modules have run since the last call. */
async function blocks() {
  const { result } = await post("takePreciseCoverage");
  const ranges = result.filter(({ url }) => url.includes("/server/web/"))
    .flatMap(({ functions }) => functions.flatMap((each) => each.ranges));
  return ranges.reduce((sum, { count }) => sum + count, 0);
}

/** How many characters methods look at during `work`. */
async function characters(work) {
  let sum = 0;
  const restore = [];
  const patch = (prototype, name, looksAt) => {
    const original = prototype[name];
    restore.push(() => { prototype[name] = original; });
    prototype[name] = function patched(...args) {
      const from = this.lastIndex;
      const result = Reflect.apply(original, this, args);
      sum += looksAt(this, args, result, from);
      return result;
    };
  };
  patch(RegExp.prototype, "exec", (regexp, [text], match, from) => {
    const end = match ? match.index + match[0].length : text.length;
    return end - (regexp.global || regexp.sticky ? from : 0);
  });
  for (const name of ["slice", "trim", "trimEnd", "normalize", "toLowerCase", "repeat", "replace"]) {
    patch(String.prototype, name, (_text, _args, result) => result.length);
  }
  for (const name of ["indexOf", "includes", "startsWith", "endsWith"]) {
    patch(String.prototype, name, (text, [part], at) => (at > 0 ? at : text.length) + part.length);
  }
  patch(String.prototype, "lastIndexOf", (text, _args, at) => text.length - Math.max(at, 0));
  patch(String.prototype, "split", (text) => text.length);
  try {
    await work();
  } finally {
    restore.forEach((undo) => undo());
  }
  return sum;
}

async function cost(work) {
  // One-time setup happens before the count.
  await work();
  await blocks();
  await work();
  const run = await blocks();
  return { blocks: run, characters: await characters(work) };
}

/** Checks that twice the text costs `work` at most twice as much, whatever `unit` it is made of. */
async function check(unit, work) {
  const of = (length) => cost(() => work(unit.repeat(length / unit.length)));
  const [half, whole] = [await of(HALF), await of(WHOLE)];
  for (const kind of ["blocks", "characters"]) {
    const told = `${unit}: ${half[kind]} ${kind}, ${whole[kind]} for twice as much`;
    assert.ok(whole[kind] <= 2 * half[kind] + 512, told);
    assert.ok(whole[kind] <= 64 * WHOLE, told);
  }
  assert.ok(half.blocks > 0, "nothing is counted");
}

test("a message twice as long costs at most twice as much, whatever is in it", async () => {
  for (const unit of [
    "http://a))))", ")", "(", "[](", ".", "http://", "http://a ", "가", "-0", "@me", "@me ", "me가", "me@",
    "http://a.한국", "http://a:1", "@", "\n", "  {\n", "http://a/#0", "https://a.com에서 ",
  ]) {
    await check(unit, (text) => {
      pieces(`http://a${text}`, "me");
      isBlock(text);
    });
  }
});

test("so does code", async () => {
  for (const unit of ["\"", "'", "/*", "`${", "r#\"", "<a ", " \n", "def ", "select ", "fn a", "가 ", "#", "a", "\\"]) {
    await check(unit, highlight);
  }
});
