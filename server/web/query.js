// The words of a search, to mark them in the results; the same rules as the server's
// (server/src/journal/search.rs).

/** The consonants that Hangul syllables begin with, in Unicode's order. */
const INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
const FIRST_SYLLABLE = "가".codePointAt(0);
const SYLLABLES_AN_INITIAL = 21 * 28;

/** How much of a query is used. */
const MOST_LETTERS = 256;

/** How much of a text to show before the first match, if that is far from the beginning. */
const LETTERS_BEFORE = 24;

/** The text from shortly before the first match on, in pieces: `{text, isMarked}`. */
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

/** Matches any of a query's words, as a group; null if it has none. */
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

/** A consonant also matches every syllable that begins with it. */
function letterPattern(letter) {
  const initial = INITIALS.indexOf(letter);
  if (initial < 0) return letter.replace(/[\\^$.*+?()[\]{}|/]/u, "\\$&");
  const first = FIRST_SYLLABLE + initial * SYLLABLES_AN_INITIAL;
  return `[${letter}${String.fromCodePoint(first)}-${String.fromCodePoint(first + SYLLABLES_AN_INITIAL - 1)}]`;
}
