// Commands that begin with a slash: which there are, as the server tells it, and what
// may complete a line. What a command does is the server's business.

/** Rows of `{name, alias, arguments, ko, en}`; filled once they have come. */
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
 * What a text that was typed asks for: words for the room, or a command. A text of
 * several lines is one only if it begins with the name of one: a pasted comment is not.
 */
export function read(text) {
  if (!text.startsWith("/")) return { say: text };
  const isOneLine = !text.includes("\n");
  if (text.startsWith("//")) return { say: isOneLine ? text.slice(1) : text };
  return isOneLine || find(text.split(/\s/u)[0]) ? { command: text } : { say: text };
}

/** Whom a whisper goes to, and what it says: `null` if the line is none. */
export function whisperOf(line) {
  const match = /^\/(\S+)\s+(\S+)\s+([^]*)$/u.exec(line);
  return match && is(`/${match[1]}`, "/msg") ? { to: match[2], text: match[3] } : null;
}

/** Whether a word is that command, by whichever name. */
export function is(word, name) {
  const folded = word.toLowerCase();
  return folded === name || find(folded)?.name === name;
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
        label: `${nameIn(row, typed, lang)} ${row.arguments}`.trim(),
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
  const folded = word.toLowerCase();
  return table.find(({ name, alias }) => name === folded || alias === folded);
}

function nameIn(row, typed, lang) {
  const isKorean = typed === "/" ? lang === "ko" : !row.name.startsWith(typed);
  return isKorean ? row.alias : row.name;
}
