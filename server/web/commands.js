// Slash commands: the list that the server sends, and completion. What a command does is up to
// the server.

import { sanitize, trimPlaceless, trimStart, trimUnspaced, withoutInvisible } from "./visible.js";

/** Rows of `{name, alias, arguments, arguments_ko, ko, en}`, once they have been loaded. */
let table = [];

/** Loads the table. Without it, there is no completion, and everything else works. */
export async function loadCommands() {
  try {
    const answer = await fetch("commands.json");
    if (answer.ok) table = await answer.json();
  } catch {
    // The next page load tries again.
  }
}

/** For tests, and for callers that have the table already. */
export function setCommands(rows) {
  table = rows;
}

/**
 * What the typed text asks for: `{command}`, `{say}` for the room, or `{}` if none of it is
 * visible. Invisible characters before a slash don't hide a command.
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
  // Characters without width don't hide a command either: a slash, U+200B and a word.
  const isCommand = /^[\p{Alphabetic}\p{N}]/u.test(trimUnspaced(rest));
  if (isCommand) return { command: seen.trimEnd() };
  return { say: text };
}

/** What to type to say `text`; null if nothing does. */
export function typedFor(text) {
  const seen = trimPlaceless(text);
  const escaped = `${text.slice(0, text.length - seen.length)}/${seen}`;
  return [text, escaped].find((typed) => read(typed).say === text) ?? null;
}

/** The recipient and the text of a whisper; `null` if the line is not a whisper. */
export function whisperOf(line) {
  const { word, argument } = split(line);
  if (find(word)?.name !== "/msg" && word !== "/msg") return null;
  const match = /^(\S+)\s+([^]*)$/u.exec(argument);
  return match && { to: match[1].replace(/^[@[]+|[\]:,]+$/gu, ""), text: match[2] };
}

/** Whether a line gives this command, under any of its names. */
export function is(line, name) {
  const { word } = split(line);
  return word === name || find(word)?.name === name;
}

/** Whether a line votes in a poll. */
export function isVote(line) {
  const name = find(split(line).word)?.name ?? split(line).word;
  return /^\/[1-9ox]$/u.test(name);
}

/** A command's word in the form that is compared, and its argument. */
export function split(line) {
  const [, word, argument = ""] = /^(\S*)(?:\s([^]*))?$/u.exec(trimStart(line));
  return { word: withoutInvisible(word).normalize("NFC").toLowerCase(), argument: argument.trim() };
}

/** Completions at the cursor: commands, or a name after some of them. */
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

/** Whether to show a command under its Korean name: on a Korean page, or if its beginning is Korean. */
function isKorean(row, typed, lang) {
  return typed === "/" ? lang === "ko" : !row.name.startsWith(typed);
}
