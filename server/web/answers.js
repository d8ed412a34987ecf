// The page's own wording for answers to commands.

import { choiceNames } from "./lesson_row.js";
import { roomTitle } from "./rooms.js";
import { shortened } from "./text.js";
import { lang, word } from "./words.js";

/** How much of a topic the list of rooms shows. */
const TOPIC_LETTERS = 60;

/** The text for an answer; null if the answer has its own, or needs none. */
export function answerText(state, message) {
  switch (message.type) {
    case "who": return `${word("roomLine", roomTitle(state, message.room), message.count)}: ${marked(message).join(", ")}`;
    case "rooms": return message.rooms.map((room) => roomLine(state, room)).join("\n");
    case "whois": {
      const place = message.room && roomTitle(state, message.room);
      const since = message.since && new Date(message.since).toLocaleTimeString(lang());
      const line = word("whoisLine", message.user, place, since);
      const marks = [
        message.away && word("awayMark"), message.quiet && word("quietMark"), message.stream && word("streamMark"),
      ];
      return [line, ...marks.filter(Boolean)].join(" · ");
    }
    case "ignored": return message.users.length > 0 ? word("ignoredLine", message.users.join(", ")) : word("nobodyIgnored");
    case "pong": return word("pong");
    default: return null;
  }
}

/** The text for the answer to a question about a lesson. */
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

/** A list of names, with a mark after those who joined unannounced, and those who only read. */
function marked({ members, quiet = [], streams = [] }) {
  return members.map((name) => {
    const marks = [quiet.includes(name) && word("quietMark"), streams.includes(name) && word("streamMark")].filter(Boolean);
    return marks.length > 0 ? `${name} (${marks.join(", ")})` : name;
  });
}

function roomLine(state, { room, members, topic }) {
  const line = word("roomLine", roomTitle(state, room), members);
  return topic ? `${line} · ${shortened(topic, TOPIC_LETTERS)}` : line;
}
