// Turns typed text into its request, and measures that.

import { is, read } from "./commands.js";
import { encodedBytes } from "./connection.js";
import { lettersLeft, measure } from "./size.js";

/** `{words, isCommand, request}` for `room`; the words are empty if none of them are visible. */
export function speech(typed, whisperTo, room) {
  const meant = whisperTo === null ? read(typed) : { command: `/msg ${whisperTo} ${typed}` };
  const words = meant.command ?? meant.say ?? "";
  const isCommand = meant.command !== undefined;
  const request = isCommand ? commandOf(words, room) : inRoom({ type: "say", text: words }, room);
  return { words, isCommand, request };
}

/** The request for a command; one that speaks is limited to this room. */
export function commandOf(line, room) {
  const request = { type: "command", line };
  return is(line, "/me") ? inRoom(request, room) : request;
}

/** A request that is refused in any other room than the current one. */
function inRoom(request, room) {
  return room === null ? request : { ...request, room };
}

/** The server's limit that leaves the least: `{size, most}`, in bytes. */
export function sizeOf(typed, { words, request }, limits) {
  // As it was typed, too: a paste that is mostly controls is reported as too long.
  const encoded = Math.max(encodedBytes(request), encodedBytes({ type: "say", text: typed }));
  return measure(words, encoded, limits);
}

/** How many more letters fit (below zero: too many), or null while there are plenty. */
export function lettersLeftOf(typed, whisperTo, limits) {
  // No character takes more than four bytes, so a short text need not be measured.
  if (typed.length * 4 < limits.line_bytes / 2) return null;
  const meant = speech(typed, whisperTo, null);
  return meant.words === "" ? null : lettersLeft(meant.words, sizeOf(typed, meant, limits));
}
