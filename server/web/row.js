// One entry of the conversation as an element.

import { element, tint } from "./dom.js";
import { isBlock, pieces } from "./text.js";
import { lang, word } from "./words.js";

/** How many names stand in a line of comings and goings. */
const MOST_NAMES = 5;

/** How the day and the time are written. */
const formats = new Map();

function format(kind, time) {
  const key = `${lang()} ${kind}`;
  if (!formats.has(key)) {
    const options = kind === "time"
      ? { hour: "2-digit", minute: "2-digit", hour12: false, hourCycle: "h23" }
      : { month: "long", day: "numeric", weekday: "long" };
    formats.set(key, new Intl.DateTimeFormat(lang(), options));
  }
  return formats.get(key).format(time);
}

/** The row of an entry; `follows` is how it follows the one before it. */
export function row(entry, { newDay, goesOn }, user, act) {
  const content = (CONTENT[entry.kind] ?? CONTENT.notice)(entry, goesOn, user, act.person, act);
  const made = element("div", { class: `row ${entry.kind}` }, ...content);
  for (const mark of ["own", "me", "mention"]) made.classList.toggle(mark, entry[mark] ?? false);
  made.classList.toggle("goes-on", goesOn);
  const day = newDay ? element("p", { class: "day" }, element("span", {}, dayName(entry.time))) : null;
  return element("div", {}, day, made);
}

/** The same in words alone, for who listens. */
export function spoken(entry) {
  switch (entry.kind) {
    case "said": return `${entry.user}: ${entry.text}`;
    case "whisper": return `${entry.user}, ${word("whispered")}: ${entry.text}`;
    case "announced": return `${word("announced")}: ${entry.text}`;
    case "event": return sentence(entry.event);
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
      return [body, time];
    }
    const block = isBlock(entry.text);
    const body = element(block ? "pre" : "p", { class: "text", tabindex: block ? "0" : null }, ...textNodes(entry.text, entry.own ? null : user));
    return goesOn ? [body, time] : [element("div", { class: "head" }, person(entry.user, onPerson), time), body];
  },
  whisper(entry, goesOn, user, onPerson) {
    const label = entry.own ? word("whisperedTo", entry.to) : word("whispered");
    const head = element("div", { class: "head" }, person(entry.user, onPerson), element("span", { class: "label" }, label), clock(entry.time));
    return [head, element("p", { class: "text" }, ...textNodes(entry.text, null))];
  },
  changes(entry) {
    const came = namesOf(entry, "joined");
    const went = namesOf(entry, "left");
    const last = entry.changes.findLast?.((change) => change.text);
    const parts = [came && word("came", came), went && word("went", went), last?.text && `“${last.text}”`];
    return [element("p", {}, parts.filter(Boolean).join(" · "))];
  },
  event(entry) {
    return [element("p", {}, sentence(entry.event))];
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
  unsent(entry, goesOn, user, onPerson, act) {
    const again = element("button", { type: "button", class: "again", onclick: () => act.retype(entry) }, word("writeAgain"));
    return [
      element("p", { class: "text" }, entry.text),
      element("p", { class: "label" }, unsentLabel(entry), " ", entry.typed === null ? null : again),
    ];
  },
  "private-gap": (entry) => [element("p", {}, word("privateGap", entry.count))],
  notice(entry) {
    // Of several lines it is a table: the server has set its columns.
    const isTable = entry.text.includes("\n");
    return [element(isTable ? "pre" : "p", { class: "text", tabindex: isTable ? "0" : null }, ...textNodes(entry.text, null))];
  },
};

function person(name, onPerson) {
  return element("button", { type: "button", class: `name tint-${tint(name)}`, onclick: (event) => onPerson(name, event.currentTarget) }, name);
}

function unsentLabel({ to, isDoubtful }) {
  const label = word(isDoubtful ? "perhapsSent" : "notSent");
  return to ? `${word("whisperedTo", to)} · ${label}` : label;
}

function clock(time) {
  return element("time", { datetime: new Date(time).toISOString() }, format("time", time));
}

function dayName(time) {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return isToday ? word("today") : format("day", time);
}

function namesOf(entry, type) {
  const names = [...new Set(entry.changes.filter((change) => change.type === type).map((change) => change.user))];
  const shown = names.slice(0, MOST_NAMES).join(", ");
  return names.length > MOST_NAMES ? word("andOthers", shown, names.length - MOST_NAMES) : shown;
}

function sentence(event) {
  const by = event.by ?? word("operator");
  switch (event.type) {
    case "kicked": return word("kicked", by, event.user);
    case "unkicked": return word("unkicked", by, event.user);
    case "renamed": return word("renamed", event.user, event.to);
    case "topic": return event.topic ? word("topicSet", event.user, event.topic) : word("topicCleared", event.user);
    case "muted": return word("mutedEvent", by, event.user);
    case "unmuted": return word("unmutedEvent", event.user);
    case "locked": return word("lockedEvent", event.user);
    case "unlocked": return word("unlockedEvent", event.user);
    case "limited": return word("limitedEvent", event.user, event.limit);
    case "owner": return word("ownerEvent", event.user);
    default: return word("endedEvent", event.user ?? word("operator"));
  }
}
