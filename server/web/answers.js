// What a command's answer says where the page has words of its own for it.

import { choiceNames } from "./lesson_row.js";
import { roomTitle } from "./rooms.js";
import { shortened } from "./text.js";
import { lang, word } from "./words.js";

/** How much of a topic stands in the list of rooms. */
const TOPIC_LETTERS = 60;

/** The words for an answer; null if it has its own, or needs none. */
export function answerText(state, message) {
  switch (message.type) {
    case "who": return `${word("roomLine", roomTitle(state, message.room), message.count)}: ${marked(message).join(", ")}`;
    case "rooms": return message.rooms.map((room) => roomLine(state, room)).join("\n");
    case "whois": {
      const place = message.room && roomTitle(state, message.room);
      const line = word("whoisLine", message.user, place, new Date(message.since).toLocaleTimeString(lang()));
      return message.quiet ? `${line} · ${word("quietMark")}` : line;
    }
    case "ignored": return message.users.length > 0 ? word("ignoredLine", message.users.join(", ")) : word("nobodyIgnored");
    case "pong": return word("pong");
    default: return null;
  }
}

/** The words for what somebody has asked about a lesson. */
export function lessonAnswer(message) {
  switch (message.type) {
    case "hands": {
      const lines = message.hands.map(({ user, text }, at) => `${at + 1}. ${user}${text ? `: ${text}` : ""}`);
      return [`${word("hands")} (${message.count})`, ...lines].join("\n");
    }
    case "ballot": return [message.poll.question, ...choiceNames(message.poll).map((name, at) => `/${at + 1} ${name}`)].join("\n");
    default: {
      const { answered, members, waiting = [] } = message;
      const rest = waiting.length > 0 ? `\n${word("waitingFor", members - answered)}: ${waiting.join(", ")}` : "";
      return word("answered", answered, members) + rest;
    }
  }
}

/** The names of a list, with a mark behind those who joined unannounced. */
function marked({ members, quiet = [] }) {
  return members.map((name) => (quiet.includes(name) ? `${name} (${word("quietMark")})` : name));
}

function roomLine(state, { room, members, topic }) {
  const line = word("roomLine", roomTitle(state, room), members);
  return topic ? `${line} · ${shortened(topic, TOPIC_LETTERS)}` : line;
}
