// What people have written, cut into pieces that are shown differently: links, names,
// code. Text is never markup.

import { links } from "./links.js";

/** How much of a text around a name tells whether it ends there. */
const NEAR = 24;

/** A word that a name would go on with: a hyphen or a dot joins two of them. */
const WORD_BEFORE = /[\p{L}\p{M}\p{N}_][-.]?$/u;
const WORD_AFTER = /^[-.]?[\p{L}\p{M}\p{N}_]/u;

const HANGUL_END = /\p{Script=Hangul}$/u;
const KANA_HAN_END = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]$/u;

/** What stands behind a name in Hangul without a space: titles, particles, endings. */
const PARTICLES = new RegExp(`^(?:${[
  "님", "씨", "군", "양", "쌤", "선생", "형", "누나", "언니", "오빠", "네", "들",
  "아", "야", "이", "가", "은", "는", "을", "를", "의", "도", "만", "요", "과", "와", "랑", "로", "으로", "에", "에게",
  "한테", "께", "께서", "서", "부터", "까지", "처럼", "보다", "하고", "이랑", "라고", "입니다", "입니까", "이에요",
  "예요", "인데", "였", "이다", "다", "여", "이여", "마저", "조차", "밖에", "대로", "같은", "같이", "말고",
].join("|")}){1,4}(?![\\p{L}\\p{M}\\p{N}_])`, "u");

/** The pieces of a text: `{text}`, `{link, text}` or `{name, text}`, in their order. */
export function pieces(text, user) {
  const calls = callsOf(user);
  const found = [];
  let at = 0;
  for (const { index, length, href, text: shown } of links(text)) {
    if (index > at) found.push(...names(text.slice(at, index), user, calls));
    found.push({ link: href, text: shown });
    at = index + length;
  }
  if (at < text.length) found.push(...names(text.slice(at), user, calls));
  return found;
}

/** Whether `text` calls `user` by name, as a word of its own. */
export function mentions(text, user) {
  return names(text, user, callsOf(user)).some(({ name }) => name);
}

/** Whether a text was pasted as a block, whose columns and line ends matter. */
export function isBlock(text) {
  const lines = text.split("\n");
  if (lines.length < 3) return false;
  const looksLikeCode = lines.filter((line) => /^(\s{2,}|\t)|[{};]\s*$|^\s*(#include|import |def |class |fn |let |const |\/\/|\/\*)/u.test(line));
  return looksLikeCode.length * 3 >= lines.length;
}

/** What finds the letters of a name, with an `@` or without; null for nobody's. */
function callsOf(user) {
  return user ? new RegExp(`@?${user.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")}`, "giu") : null;
}

/** A piece of text with the places where it calls `user`. */
function names(text, user, calls) {
  const found = [];
  let at = 0;
  for (const { 0: call, index } of calls === null ? [] : text.matchAll(calls)) {
    const end = index + call.length;
    const begins = call.startsWith("@") || !WORD_BEFORE.test(text.slice(Math.max(0, index - NEAR), index));
    if (!begins || !isEnd(call, text.slice(end, end + NEAR))) continue;
    if (index > at) found.push({ text: text.slice(at, index) });
    found.push({ name: user, text: call });
    at = end;
  }
  if (at < text.length) found.push({ text: text.slice(at) });
  return found;
}

/** Whether a name ends where `after` follows it, and is not the beginning of a longer one. */
function isEnd(name, after) {
  if (!WORD_AFTER.test(after)) return true;
  if (HANGUL_END.test(name)) return PARTICLES.test(after);
  if (KANA_HAN_END.test(name)) return false;
  return /^[\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(after);
}
