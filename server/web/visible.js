// Which characters of a text are visible: the server's rules for recognizing commands, tested
// with tests/cases/commands.json. Displayed text is sanitized by the server.

/** A sequence that the server removes as a whole (`control_bytes` in protocol/src/sanitize.rs). */
const CSI = "(?:\\x1b\\[|\\x9b)";
const STRING = "[^\\n\\x07\\x18\\x1a\\x1b\\x80-\\x9f]*";
const STRING_END = "(?:\\x07|\\x1b\\\\|\\x9c)";
const CONTROL = "\\p{Cc}\\u2028-\\u202e\\u2066-\\u2069";
const SEQUENCE = [
  // The mouse, the function keys of the Linux console, then all others.
  `${CSI}M(?:[^${CONTROL}]|\\t){0,3}`,
  `${CSI}\\[[\\x40-\\x7e]`,
  `${CSI}[\\x30-\\x3f]*[\\x20-\\x2f]*[\\x40-\\x7e]?`,
  "(?:\\x1b[NO]|[\\x8e\\x8f])(?:[0-9;]+[\\x40-\\x7e]?|[\\x20-\\x7e])?",
  `(?:\\x1b\\]|\\x9d)(?:P[0-9A-Fa-f]{7}|${STRING}${STRING_END}|(?=[0-9])${STRING})?`,
  `(?:\\x1b[PX^_k]|[\\x90\\x98\\x9e\\x9f])(?:${STRING}${STRING_END})?`,
  "\\x1b(?:[\\x20-\\x2f]*(?:[\\x30-\\x7e]|(?=[\\x00-\\x1f\\x7f])|(?![^])))?",
  `[${CONTROL}]`,
].join("|");
/** Line ends and tabs stay. */
const UNWANTED = new RegExp(`(?![\\t\\n])(?:${SEQUENCE})`, "gu");

const NOBODY_SEES = "\\p{White_Space}\\p{Cc}\\p{Default_Ignorable_Code_Point}\\p{Noncharacter_Code_Point}\\u2800\\ufff0-\\ufffb";
const INVISIBLE = new RegExp(`[${NOBODY_SEES}]`, "gu");
const INVISIBLE_BEFORE = new RegExp(`^[${NOBODY_SEES}]+`, "u");
/** A combining mark before a slash has no letter to combine with. */
const PLACELESS_BEFORE = new RegExp(`^[${NOBODY_SEES}\\p{M}]+`, "u");
const UNSPACED_BEFORE = new RegExp(`^(?:(?!\\p{White_Space})[${NOBODY_SEES}\\p{M}])+`, "u");

/**
 * A text without controls and escape sequences. An unfinished sequence before a slash does not
 * include the slash, or the rest of a command would be said aloud.
 */
export function sanitize(typed) {
  const text = typed.replace(/^\ufeff+/u, "");
  const shown = withoutUnwanted(text);
  const slash = text.indexOf("/");
  if (shown === text || slash < 0 || trimPlaceless(shown).startsWith("/")) return shown;
  const before = text.slice(0, slash);
  if (withoutInvisible(withoutUnwanted(before)) !== "") return shown;
  // An unfinished sequence may include these instead; only a control string includes a slash.
  const rest = trimStart(withoutUnwanted(`${before}ㄱㄱㄱ${text.slice(slash)}`)).replace(/^ㄱ+/u, "");
  return rest.startsWith("/") ? rest : shown;
}

function withoutUnwanted(text) {
  return text.replace(UNWANTED, "").normalize("NFC");
}

/** Without invisible characters: everywhere, or only at the beginning. */
export const withoutInvisible = (text) => text.replace(INVISIBLE, "");
export const trimStart = (text) => text.replace(INVISIBLE_BEFORE, "");

/** Without characters that take no space, not even that of a blank. */
export const trimUnspaced = (text) => text.replace(UNSPACED_BEFORE, "");

/** Without characters that don't hide a command before its slash. */
export const trimPlaceless = (text) => text.replace(PLACELESS_BEFORE, "");

/** Without lone surrogates, which no JSON parser accepts. */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
