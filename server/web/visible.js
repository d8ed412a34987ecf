// What can be seen of a text: the same rules as the server's, for what is a command,
// held to tests/cases/commands.json. What is shown is sanitized by the server.

/** What the server takes away as one (`control_bytes` in protocol/src/sanitize.rs). */
const CSI = "(?:\\x1b\\[|\\x9b)";
const STRING = "[^\\n\\x07\\x18\\x1a\\x1b\\x80-\\x9f]*";
const STRING_END = "(?:\\x07|\\x1b\\\\|\\x9c)";
const CONTROL = "\\p{Cc}\\u2028-\\u202e\\u2066-\\u2069";
const SEQUENCE = [
  // The mouse, the function keys of the Linux console, then all the others.
  `${CSI}M(?:[^${CONTROL}]|\\t){0,3}`,
  `${CSI}\\[[\\x40-\\x7e]`,
  `${CSI}[\\x30-\\x3f]*[\\x20-\\x2f]*[\\x40-\\x7e]?`,
  "(?:\\x1b[NO]|[\\x8e\\x8f])(?:[0-9;]+[\\x40-\\x7e]?|[\\x20-\\x7e])?",
  `(?:\\x1b\\]|\\x9d)(?:P[0-9A-Fa-f]{7}|${STRING}${STRING_END}|(?=[0-9])${STRING})?`,
  `(?:\\x1b[PX^_k]|[\\x90\\x98\\x9e\\x9f])(?:${STRING}${STRING_END})?`,
  "\\x1b(?:[\\x20-\\x2f]*(?:[\\x30-\\x7e]|(?=[\\x00-\\x1f\\x7f])|(?![^])))?",
  `[${CONTROL}]`,
].join("|");
/** A line end stays; so does a tab. */
const UNWANTED = new RegExp(`(?![\\t\\n])(?:${SEQUENCE})`, "gu");

const NOBODY_SEES = "\\p{White_Space}\\p{Cc}\\p{Default_Ignorable_Code_Point}\\p{Noncharacter_Code_Point}\\u2800\\ufff0-\\ufffb";
const INVISIBLE = new RegExp(`[${NOBODY_SEES}]`, "gu");
const INVISIBLE_BEFORE = new RegExp(`^[${NOBODY_SEES}]+`, "u");
/** A mark before a slash has no letter to stand on. */
const PLACELESS_BEFORE = new RegExp(`^[${NOBODY_SEES}\\p{M}]+`, "u");
const UNSPACED_BEFORE = new RegExp(`^(?:(?!\\p{White_Space})[${NOBODY_SEES}\\p{M}])+`, "u");

/**
 * A text without controls and escape sequences. A sequence that has only begun before a
 * slash doesn't take that with it, or of a command its end would be said aloud.
 */
export function sanitize(typed) {
  const text = typed.replace(/^\ufeff+/u, "");
  const shown = withoutUnwanted(text);
  const slash = text.indexOf("/");
  if (shown === text || slash < 0 || trimPlaceless(shown).startsWith("/")) return shown;
  const before = text.slice(0, slash);
  if (withoutInvisible(withoutUnwanted(before)) !== "") return shown;
  // What a cut sequence may take instead; only the slash of a control string is its own.
  const rest = trimStart(withoutUnwanted(`${before}ㄱㄱㄱ${text.slice(slash)}`)).replace(/^ㄱ+/u, "");
  return rest.startsWith("/") ? rest : shown;
}

function withoutUnwanted(text) {
  return text.replace(UNWANTED, "").normalize("NFC");
}

/** Without whatever nobody sees, in it or only before it. */
export const withoutInvisible = (text) => text.replace(INVISIBLE, "");
export const trimStart = (text) => text.replace(INVISIBLE_BEFORE, "");

/** Without whatever takes no place, not even a blank's. */
export const trimUnspaced = (text) => text.replace(UNSPACED_BEFORE, "");

/** Without whatever before a slash makes a command no less of one. */
export const trimPlaceless = (text) => text.replace(PLACELESS_BEFORE, "");

/** Without halves of characters, which no JSON reader takes. */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
