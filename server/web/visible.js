// What can be seen of a text: the same rules as the server's, for what is a command,
// held to tests/cases/commands.json. What is shown is sanitized by the server.

/** A line end stays; so does a tab. */
const SEQUENCE = [
  "(?:\\x1b\\[|\\x9b)(?:[\\x30-\\x3f]*[\\x20-\\x2e]*[\\x40-\\x7e])?",
  "(?:\\x1b[\\]PX^_]|[\\x9d\\x90\\x98\\x9e\\x9f])(?:[^\\x07\\x18\\x1a\\x1b\\x80-\\x9f]*(?:\\x07|\\x1b\\\\|\\x9c))?",
  "\\x1b(?:[\\x20-\\x2e]*[\\x30-\\x7e])?",
  "[\\p{Cc}\\u2028-\\u202e\\u2066-\\u2069]",
].join("|");
const UNWANTED = new RegExp(`(?![\\t\\n])(?:${SEQUENCE})`, "gu");

const INVISIBLE = /[\p{White_Space}\p{Cc}\p{Default_Ignorable_Code_Point}\u2800\ufff0-\ufffb]/gu;
const INVISIBLE_BEFORE = /^[\p{White_Space}\p{Cc}\p{Default_Ignorable_Code_Point}\u2800\ufff0-\ufffb]+/u;

/** A text without controls and escape sequences. */
export function sanitize(text) {
  return text.replace(/^\ufeff+/u, "").replace(UNWANTED, "").normalize("NFC");
}

/** Without whatever nobody sees, in it or only before it. */
export const withoutInvisible = (text) => text.replace(INVISIBLE, "");
export const trimStart = (text) => text.replace(INVISIBLE_BEFORE, "");

/** Without halves of characters, which no JSON reader takes. */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
