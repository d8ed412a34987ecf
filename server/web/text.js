// Messages cut into pieces that are shown differently: links, names, code. Text is never markup.

import { links } from "./links.js";

/** How much text after a name is examined to tell whether the name ends there. */
const NEAR = 24;

/** A longer name would continue like this: a hyphen or a dot joins two words. */
const WORD_BEFORE = /[\p{L}\p{M}\p{N}_][-.]?$/u;
const WORD_AFTER = /^[-.]?[\p{L}\p{M}\p{N}_]/u;

/** Single Hangul letters, as in ㅋㅋ; and scripts written without spaces. */
const JAMO = "ㄱ-ㅣ";
const UNSPACED = "가-힣々ぁ-ゖァ-ヺー-ヿｦ-ﾟ\\u3400-\\u4dbf\\u4e00-\\u9fff";

const endsIn = (letters) => new RegExp(`[${letters}]$`, "u");
const beginsWith = (letters) => new RegExp(`^[${letters}]`, "u");
const [JAMO_END, HANGUL_END, UNSPACED_END] = [JAMO, "가-힣", UNSPACED].map(endsIn);
const [JAMO_BEGIN, HANGUL_BEGIN, UNSPACED_BEGIN] = [JAMO, "가-힣", UNSPACED].map(beginsWith);

/** What follows a name in Hangul without a space: titles, particles, endings. */
const PARTICLES = new RegExp(`^(?:${[
  "님", "씨", "군", "양", "쌤", "선생", "아", "야", "여", "이", "가", "은", "는", "을", "를", "의", "에", "에게",
  "에게서", "한테", "한테서", "께", "께서", "도", "만", "와", "과", "랑", "이랑", "하고", "로", "으로", "보다", "처럼",
  "같은", "까지", "부터", "마저", "조차", "나", "이나", "라도", "이라도", "요", "이요", "네", "들", "입니다", "이에요", "예요",
  "라고", "이라고", "라는", "이라는", "인데", "인가", "대로", "만큼", "밖에", "뿐", "이여", "이야", "형", "누나", "언니", "오빠",
  "서", "였", "다", "이다", "입니까", "같이", "말고",
].join("|")})*$`, "u");

/** The longest run of particles: no mention is followed by more letters. */
const LONGEST_RUN = 12;

/** The pieces of a text: `{text}`, `{link, text}` or `{name, text}`, in order. */
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

/** Whether `text` mentions `user`, as a word of its own. */
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

/** A text, cut after this many characters. */
export function shortened(text, most) {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("").trimEnd()}…` : text;
}

/** Matches the letters of a name, with or without an `@`; null without a name. */
function callsOf(user) {
  return user ? new RegExp(`@?${user.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")}`, "giu") : null;
}

/** A piece of text with the places where it mentions `user`. */
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

/** Whether a name ends before `after`, and is not the beginning of a longer one. */
function isEnd(name, after) {
  if (!WORD_AFTER.test(after)) return true;
  if (JAMO_BEGIN.test(after)) return !JAMO_END.test(name);
  if (HANGUL_END.test(name) && HANGUL_BEGIN.test(after)) {
    const [run] = /^[가-힣]*/u.exec(after);
    const rest = after.slice(run.length);
    const goesOn = /^[\p{L}\p{M}\p{N}_]/u.test(rest) && !JAMO_BEGIN.test(rest);
    return run.length <= LONGEST_RUN && PARTICLES.test(run) && !goesOn;
  }
  return UNSPACED_BEGIN.test(after) && !UNSPACED_END.test(name);
}
