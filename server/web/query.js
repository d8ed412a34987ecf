// What a search looks for, to mark it in what was found; the same rules as the server's
// (server/src/journal/search.rs).

/** The consonants that Hangul syllables begin with, in the order of Unicode's syllables. */
const INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
const FIRST_SYLLABLE = "가".codePointAt(0);
const SYLLABLES_AN_INITIAL = 21 * 28;

/** How much of a query is looked at. */
const MOST_LETTERS = 256;

/** How much of a text stands before the first word that was found, if that is far into it. */
const LETTERS_BEFORE = 24;

/** The text from near the first of the query's words on, in pieces: `{text, isMarked}`. */
export function excerpt(text, query) {
  const wanted = pattern(query);
  const at = wanted ? text.search(wanted) : 0;
  const letters = [...text.slice(0, Math.max(0, at))];
  if (letters.length <= 2 * LETTERS_BEFORE) return marked(text, wanted);
  const start = letters.slice(0, -LETTERS_BEFORE).join("").length;
  return marked(`…${text.slice(start)}`, wanted);
}

function marked(text, wanted) {
  const parts = wanted ? text.split(wanted) : [text];
  return parts.map((part, index) => ({ text: part, isMarked: index % 2 === 1 })).filter((piece) => piece.text !== "");
}

/** Finds any of a query's words, as a group; null if it has none. */
function pattern(query) {
  const words = [...query.slice(0, MOST_LETTERS).normalize("NFC").matchAll(/"([^"]*)"?|[^\s"]+/gu)]
    .map(([whole, phrase]) => (phrase ?? whole).trim())
    .filter((word) => word !== "")
    .sort((one, other) => other.length - one.length);
  return words.length > 0 ? new RegExp(`(${words.map(wordPattern).join("|")})`, "giu") : null;
}

function wordPattern(word) {
  return [...word].map(letterPattern).join("");
}

/** A consonant stands for every syllable that begins with it, too. */
function letterPattern(letter) {
  const initial = INITIALS.indexOf(letter);
  if (initial < 0) return letter.replace(/[\\^$.*+?()[\]{}|/]/u, "\\$&");
  const first = FIRST_SYLLABLE + initial * SYLLABLES_AN_INITIAL;
  return `[${letter}${String.fromCodePoint(first)}-${String.fromCodePoint(first + SYLLABLES_AN_INITIAL - 1)}]`;
}
