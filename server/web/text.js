// What people have written, cut into pieces that are shown differently: links, names,
// code. Text is never markup.

/** Only what can be nothing else than an address on the web. */
const LINK = /https?:\/\/[^\s<>"'`{}|\\^]+/giu;

/** The pieces of a text: `{text}`, `{link, text}` or `{name, text}`, in their order. */
export function pieces(text, user) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const link = trimLink(match[0]);
    if (!isAddress(link)) continue;
    if (match.index > at) found.push(...names(text.slice(at, match.index), user));
    found.push({ link, text: link });
    at = match.index + link.length;
  }
  if (at < text.length) found.push(...names(text.slice(at), user));
  return found;
}

/** Whether `text` calls `user` by name, as a word of its own. */
export function mentions(text, user) {
  return names(text, user).some(({ name }) => name);
}

/** Whether a text was pasted as a block, whose columns and line ends matter. */
export function isBlock(text) {
  const lines = text.split("\n");
  if (lines.length < 3) return false;
  const looksLikeCode = lines.filter((line) => /^(\s{2,}|\t)|[{};]\s*$|^\s*(#include|import |def |class |fn |let |const |\/\/|\/\*)/u.test(line));
  return looksLikeCode.length * 3 >= lines.length;
}

/** A sentence's punctuation after an address, or a bracket around it, is no part of it. */
function trimLink(link) {
  let end = link.length;
  for (;;) {
    const last = link[end - 1];
    const isOpened = (open) => link.slice(0, end).split(open).length > link.slice(0, end).split(last).length - 1;
    if (/[.,;:!?…。、]/u.test(last)) end -= 1;
    else if (last === ")" && !isOpened("(")) end -= 1;
    else if (last === "]" && !isOpened("[")) end -= 1;
    else return link.slice(0, end);
  }
}

function isAddress(link) {
  try {
    const { protocol, hostname } = new URL(link);
    return (protocol === "http:" || protocol === "https:") && hostname !== "";
  } catch {
    return false;
  }
}

/** A piece of text with the places where it calls `user`. */
function names(text, user) {
  if (!user) return [{ text }];
  const escaped = user.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&");
  // Hangul puts particles behind a name without a space.
  const calls = new RegExp(`(?<![\\p{L}\\p{N}_])@?${escaped}(?![a-z0-9_])`, "giu");
  const found = [];
  let at = 0;
  for (const match of text.matchAll(calls)) {
    if (match.index > at) found.push({ text: text.slice(at, match.index) });
    found.push({ name: user, text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push({ text: text.slice(at) });
  return found;
}
