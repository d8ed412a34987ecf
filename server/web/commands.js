// Commands that begin with a slash: which there are, as the server tells it, and what
// may complete a line. What a command does is the server's business.

import { sanitize, trimPlaceless, trimStart, trimUnspaced, withoutInvisible } from "./visible.js";

/** Rows of `{name, alias, arguments, arguments_ko, ko, en}`; filled once they have come. */
let table = [];

/** Fetches the table. Without it nothing is completed, and all works. */
export async function loadCommands() {
  try {
    const answer = await fetch("commands.json");
    if (answer.ok) table = await answer.json();
  } catch {
    // The next page load tries again.
  }
}

/** For tests, and for who has the table already. */
export function setCommands(rows) {
  table = rows;
}

/**
 * What was typed asks for: `{command}`, `{say}` for the room, or `{}` if nothing of it
 * can be seen. Whatever is invisible before a slash makes a command no less of one.
 */
export function read(typed) {
  const text = sanitize(typed);
  if (trimStart(text) === "") return {};
  const seen = trimPlaceless(text);
  const before = text.slice(0, text.length - seen.length);
  if (!seen.startsWith("/")) return { say: text };
  const rest = seen.slice(1);
  if (rest.startsWith("/")) {
    const isEscape = rest.length > 1 && withoutInvisible(rest[1]) !== "";
    return { say: isEscape ? before + rest : text };
  }
  // What takes no place hides no command either: a slash, U+200B and a word.
  const isCommand = /^[\p{Alphabetic}\p{N}]/u.test(trimUnspaced(rest));
  if (isCommand) return { command: seen.trimEnd() };
  return { say: text };
}

/** What to type so that `text` is said; null if nothing does. */
export function typedFor(text) {
  const seen = trimPlaceless(text);
  const escaped = `${text.slice(0, text.length - seen.length)}/${seen}`;
  return [text, escaped].find((typed) => read(typed).say === text) ?? null;
}

/** Whom a whisper goes to, and what it says: `null` if the line is none. */
export function whisperOf(line) {
  const { word, argument } = split(line);
  if (find(word)?.name !== "/msg" && word !== "/msg") return null;
  const match = /^(\S+)\s+([^]*)$/u.exec(argument);
  return match && { to: match[1].replace(/^[@[]+|[\]:,]+$/gu, ""), text: match[2] };
}

/** Whether a line gives that command, by whichever name. */
export function is(line, name) {
  const { word } = split(line);
  return word === name || find(word)?.name === name;
}

/** Whether a line votes in a poll. */
export function isVote(line) {
  const name = find(split(line).word)?.name ?? split(line).word;
  return /^\/[1-9ox]$/u.test(name);
}

/** A command's word as it is compared, and its argument. */
export function split(line) {
  const [, word, argument = ""] = /^(\S*)(?:\s([^]*))?$/u.exec(trimStart(line));
  return { word: withoutInvisible(word).normalize("NFC").toLowerCase(), argument: argument.trim() };
}

/** What could stand where the cursor is: a command, or after some words a name. */
export function completions(before, members, lang) {
  const command = /^\/\S*$/u.exec(before);
  if (command) {
    const typed = command[0].toLowerCase();
    return table
      .filter(({ name, alias }) => name.startsWith(typed) || alias.startsWith(typed))
      .map((row) => ({
        insert: `${row.name.startsWith(typed) && typed !== "/" ? row.name : nameIn(row, typed, lang)} `,
        from: 0,
        label: `${nameIn(row, typed, lang)} ${argumentsIn(row, typed, lang)}`.trim(),
        help: row[lang],
      }));
  }
  const person = /(?:^|\s)@(\S*)$/u.exec(before) ?? (before.startsWith("/") ? /\s(\S+)$/u.exec(before) : null);
  if (!person) return [];
  const typed = person[1].toLowerCase();
  const isCall = person[0].includes("@");
  return [...members]
    .filter((name) => name.toLowerCase().startsWith(typed) && name.toLowerCase() !== typed)
    .slice(0, 8)
    .map((name) => ({
      insert: `${isCall ? "@" : ""}${name} `,
      from: before.length - person[1].length - (isCall ? 1 : 0),
      label: name,
      help: "",
    }));
}

function find(word) {
  return table.find(({ name, alias }) => name === word || alias === word);
}

function nameIn(row, typed, lang) {
  return isKorean(row, typed, lang) ? row.alias : row.name;
}

function argumentsIn(row, typed, lang) {
  return isKorean(row, typed, lang) ? row.arguments_ko : row.arguments;
}

/** Whether a command is shown under its Korean name: in Korean, or where that was begun. */
function isKorean(row, typed, lang) {
  return typed === "/" ? lang === "ko" : !row.name.startsWith(typed);
}
