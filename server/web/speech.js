// What somebody has typed as the request that it is, and how long that is.

import { is, read } from "./commands.js";
import { encodedBytes } from "./connection.js";
import { lettersLeft, measure } from "./size.js";

/** `{words, isCommand, request}` for `room`; the words are empty if nothing of them can be seen. */
export function speech(typed, whisperTo, room) {
  const meant = whisperTo === null ? read(typed) : { command: `/msg ${whisperTo} ${typed}` };
  const words = meant.command ?? meant.say ?? "";
  const isCommand = meant.command !== undefined;
  const request = isCommand ? commandOf(words, room) : inRoom({ type: "say", text: words }, room);
  return { words, isCommand, request };
}

/** A command as it is asked for; one that speaks is for this room only. */
export function commandOf(line, room) {
  const request = { type: "command", line };
  return is(line, "/me") ? inRoom(request, room) : request;
}

/** A request that is refused anywhere but in the room where one is. */
function inRoom(request, room) {
  return room === null ? request : { ...request, room };
}

/** The limit of the server's that leaves it the least: `{size, most}`, in bytes. */
export function sizeOf(typed, { words, request }, limits) {
  // As it was typed, too: whoever pastes what is mostly controls is told so.
  const encoded = Math.max(encodedBytes(request), encodedBytes({ type: "say", text: typed }));
  return measure(words, encoded, limits);
}

/** How many more letters have a place (below zero: have none), or null while there are plenty. */
export function lettersLeftOf(typed, whisperTo, limits) {
  // No character takes more than four bytes: of what is this short there is nothing to count.
  if (typed.length * 4 < limits.line_bytes / 2) return null;
  const meant = speech(typed, whisperTo, null);
  return meant.words === "" ? null : lettersLeft(meant.words, sizeOf(typed, meant, limits));
}
