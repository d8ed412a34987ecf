// How days and times are written, in the page's language.

import { lang, word } from "./words.js";

const CLOCK = { hour: "2-digit", minute: "2-digit", hour12: false, hourCycle: "h23" };
const OPTIONS = {
  time: CLOCK,
  day: { month: "long", day: "numeric", weekday: "long" },
  moment: { month: "long", day: "numeric", ...CLOCK },
  whole: { dateStyle: "full", timeStyle: "medium" },
};
const formats = new Map();

/** A time, formatted by the options for its `kind`. */
export function format(kind, time) {
  const key = `${lang()} ${kind}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(lang(), OPTIONS[kind]));
  return formats.get(key).format(time);
}

/** The day as a heading. */
export function dayName(time) {
  return isToday(time) ? word("today") : format("day", time);
}

/** A time, as short as possible while clear. */
export function moment(time) {
  return format(isToday(time) ? "time" : "moment", time);
}

function isToday(time) {
  return new Date(time).toDateString() === new Date().toDateString();
}
