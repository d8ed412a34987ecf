// Highlights code: guesses its language, and classifies its words. The lexer is a library, which
// is loaded with the first block of code.

/** Features of languages, the most reliable first. */
const SIGNS = [
  ["rust", /\bfn \w+.*(?:->|\{)|\blet mut\b|\bimpl\b.*\{|\b\w+!\(|^use \w+::/mu],
  ["go", /^package \w+$|\bfunc \w*\(|:= |\bfmt\./mu],
  ["cpp", /\bstd::|\bcout\b|#include <\w+>|^using namespace/mu],
  ["c", /#include|\bprintf\(|\bint main\(|\bchar \*/u],
  ["java", /\bpublic (?:static|class)\b|\bSystem\.out\b|^import java/mu],
  ["kotlin", /\bfun \w+\(|\bval \w+ =/u],
  ["python", /^[ \t]*(?:def|class|elif|for|while|if|else|try|with)\b.*:\s*(?:#.*)?$|^[ \t]*(?:from \w+ )?import \w+|\bprint\(|\bself\./mu],
  ["sql", /^\s*(?:select|insert into|create table|update \w+ set)\b/iu],
  ["shell", /^#!.*sh\b|^[ \t]*(?:\$ |sudo |echo |cd |export )|\bfi$|\bdone$/mu],
];

/** JavaScript's keywords; otherwise its syntax is like C's. */
const JAVASCRIPT = { keywords: new Set([
  "async", "await", "break", "case", "catch", "class", "const", "continue", "default", "delete", "do", "else",
  "export", "extends", "false", "finally", "for", "from", "function", "if", "import", "in", "instanceof", "let",
  "new", "null", "of", "return", "static", "super", "switch", "this", "throw", "true", "try", "typeof",
  "undefined", "var", "void", "while", "yield",
]) };

/** Kinds of tokens with a colour of their own, by the library's numbers. */
const KINDS = new Map([[1, "keyword"], [2, "string"], [3, "type"], [4, "property"], [8, "comment"]]);

/** How much of a block is examined for its language. */
const LOOKED_AT = 2_000;

/** The language of a block of code: JavaScript if nothing suggests another. */
export function languageOf(text) {
  const beginning = text.slice(0, LOOKED_AT);
  return SIGNS.find(([, sign]) => sign.test(beginning))?.[0] ?? "javascript";
}

/** A block of code as `[kind, text]` in order; the kind is null for plain text. */
export async function highlight(text) {
  const library = await import("./sugar-high.js");
  // Comments are as in C unless the language says otherwise.
  const { onCommentStart, onCommentEnd } = library.c;
  const options = { onCommentStart, onCommentEnd, ...(library[languageOf(text)] ?? JAVASCRIPT) };
  const pieces = [];
  for (const [type, value] of library.tokenize(text, options)) {
    const kind = KINDS.get(type) ?? null;
    const last = pieces.at(-1);
    if (last && last[0] === kind) last[1] += value;
    else pieces.push([kind, value]);
  }
  return pieces;
}
