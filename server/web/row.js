// One entry of the conversation as an element.

import { codeBlock } from "./code.js";
import { element, tint } from "./dom.js";
import { isSpoken, lessonSentence } from "./lesson_row.js";
import { apart, isolated, nodesOf, phrase, plain } from "./phrase.js";
import { isPrivate } from "./state.js";
import { tableOf } from "./table.js";
import { isBlock, pieces, shortened } from "./text.js";
import { dayName, format } from "./times.js";
import { wireBlock } from "./wire_row.js";
import { word } from "./words.js";

/** The most names in a line about joins and leaves. */
const MOST_NAMES = 5;

/** How much of a topic the line about its change shows. */
const TOPIC_LETTERS = 80;

/** The row of an entry; `follows` is how it relates to the one before it. */
export function row(entry, { newDay, goesOn }, user, act) {
  const content = (CONTENT[entry.kind] ?? CONTENT.notice)(entry, goesOn, user, act.person, act);
  const made = element("div", { class: `row ${entry.kind}` }, ...content);
  for (const quality of ["own", "me", "mention"]) made.classList.toggle(quality, entry[quality] ?? false);
  made.classList.toggle("goes-on", goesOn);
  const day = newDay ? element("p", { class: "day" }, element("span", {}, dayName(entry.time))) : null;
  return element("div", {}, day, made);
}

/** The same as text only, for screen readers. */
export function spoken(entry) {
  switch (entry.kind) {
    case "said": return `${entry.user}: ${entry.text}`;
    case "whisper": return `${entry.user}, ${word("whispered")}: ${entry.text}`;
    case "announced": return `${word("announced")}: ${entry.text}`;
    case "question": return `${word("questionMark", entry.event.number)}: ${entry.text}`;
    case "event": return isSpoken(entry.event) ? plain(sentence(entry.event)) : "";
    case "notice":
    case "error": return entry.text;
    case "unsent": return `${unsentLabel(entry)}: ${entry.text}`;
    default: return "";
  }
}

/** A text as nodes: links, names and the rest. */
export function textNodes(text, user) {
  return pieces(text, user).map((piece) => {
    if (piece.link) {
      return element("a", { href: piece.link, target: "_blank", rel: "noopener noreferrer nofollow" }, piece.text);
    }
    return piece.name ? element("mark", {}, piece.text) : piece.text;
  });
}

const CONTENT = {
  said(entry, goesOn, user, onPerson) {
    const time = clock(entry.time);
    if (entry.me) {
      const body = element("p", { class: "text" }, person(entry.user, onPerson), " ", ...textNodes(entry.text, user));
      return [body, time, savingMark(entry)];
    }
    const body = isBlock(entry.text)
      ? codeBlock(entry.text)
      : element("p", { class: "text" }, ...textNodes(entry.text, entry.own ? null : user));
    const mark = savingMark(entry);
    return goesOn ? [body, time, mark] : [element("div", { class: "head" }, person(entry.user, onPerson), teacherMark(entry), time), body, mark];
  },
  whisper(entry, goesOn, user, onPerson) {
    const label = entry.own ? phrase("whisperedTo", apart(entry.to)) : [word("whispered")];
    const head = element("div", { class: "head" }, person(entry.user, onPerson), teacherMark(entry), element("span", { class: "label" }, ...label), clock(entry.time));
    return [head, element("p", { class: "text" }, ...textNodes(entry.text, null))];
  },
  changes(entry) {
    const came = namesOf(entry, "joined");
    const went = namesOf(entry, "left");
    const last = entry.changes.findLast?.((change) => change.text);
    const parts = [came && word("came", came), went && word("went", went), last?.text && apart(`“${last.text}”`)];
    return [element("p", {}, ...nodesOf(parts.filter(Boolean).join(" · ")))];
  },
  event({ event }, goesOn, user, onPerson, act) {
    const isLong = event.type === "topic" && shortened(event.topic, TOPIC_LETTERS) !== event.topic;
    const whole = isLong && element("button", { type: "button", class: "show-all", onclick: () => act.about(event.topic) }, word("showWhole"));
    return [element("p", {}, ...nodesOf(sentence(event)), whole ? " " : null, whole || null)];
  },
  question(entry) {
    return [
      element("div", { class: "head" }, element("span", { class: "name" }, word("questionMark", entry.event.number)), clock(entry.time)),
      element("p", { class: "text" }, ...textNodes(entry.text, null)),
    ];
  },
  announced(entry) {
    return [
      element("div", { class: "head" }, element("span", { class: "name" }, word("announced")), clock(entry.time)),
      element("p", { class: "text" }, ...textNodes(entry.text, null)),
    ];
  },
  gap(entry) {
    return [element("p", {}, word("gap", entry.count))];
  },
  unsaved(entry) {
    return [element("p", {}, word("unsaved", entry.count))];
  },
  hole: () => [element("p", {}, word("loading"))],
  recorded: () => [element("p", {}, word("recorded"))],
  unsent(entry, goesOn, user, onPerson, act) {
    const again = element("button", { type: "button", class: "again", onclick: () => act.retype(entry) }, word("writeAgain"));
    return [
      element("p", { class: "text" }, entry.text),
      element("p", { class: "label" }, unsentLabel(entry), " ", entry.typed === null ? null : again),
    ];
  },
  wire: (entry) => [wireBlock(entry.notes)],
  "private-gap": (entry) => [element("p", {}, word("privateGap", entry.count))],
  notice(entry) {
    return [tableOf(entry.text) ?? element("p", { class: "text" }, ...textNodes(entry.text, null))];
  },
};

function person(name, onPerson) {
  return element("button", { type: "button", class: `name tint-${tint(name)}`, onclick: () => onPerson(name) }, isolated(name));
}

function teacherMark({ teacher }) {
  return teacher ? element("span", { class: "teacher" }, word("teacher")) : null;
}

/** Shows that one's own message is not safe on the server's disk yet, or may not be. */
function savingMark({ mark }) {
  return mark ? element("span", { class: mark, role: "img", "aria-label": word(mark), title: word(mark) }) : null;
}

function unsentLabel({ to, isDoubtful }) {
  const label = word(isDoubtful ? "perhapsSent" : "notSent");
  return to ? `${word("whisperedTo", to)} · ${label}` : label;
}

function clock(time) {
  return element("time", { datetime: new Date(time).toISOString(), title: format("whole", time) }, format("time", time));
}

function namesOf(entry, type) {
  const names = [...new Set(entry.changes.filter((change) => change.type === type).map((change) => change.user))];
  if (names.length === 0) return "";
  const shown = names.slice(0, MOST_NAMES).map(apart).join(", ");
  return names.length > MOST_NAMES ? word("andOthers", shown, names.length - MOST_NAMES) : word("names", shown);
}

/** The text for an event, with the names in it `apart`. */
function sentence(event) {
  const [by, user] = [apart(event.by ?? null), apart(event.user ?? null)];
  switch (event.type) {
    case "kicked": return word("kicked", by, user);
    case "unkicked": return word("unkicked", by, user);
    case "renamed": return word("renamed", user, apart(event.to));
    case "topic": {
      // The topic of a private room is its name.
      const [set, cleared] = isPrivate(event.room) ? ["titleSet", "titleCleared"] : ["topicSet", "topicCleared"];
      return event.topic ? word(set, user, apart(shortened(event.topic, TOPIC_LETTERS))) : word(cleared, user);
    }
    case "muted": return word("mutedEvent", by, user);
    case "unmuted": return word("unmutedEvent", user);
    case "locked": return word("lockedEvent", user);
    case "unlocked": return word("unlockedEvent", user);
    case "limited": return word("limitedEvent", user, event.limit);
    case "owner": return word("ownerEvent", user);
    case "transcribed": return word("transcribedEvent", user);
    case "restarted": return word("restartedEvent");
    case "ended": return word("endedEvent", user);
    default: return lessonSentence(event);
  }
}
