// An event of a lesson as a sentence in the conversation.

import { apart } from "./phrase.js";
import { word } from "./words.js";




/** The sentence for a lesson event, with names `apart`; null for other events. */
export function lessonSentence(event) {
  const [by, user] = [apart(event.by ?? null), apart(event.user ?? null)];
  const text = event.text ? apart(event.text) : "";
  switch (event.type) {
    case "lesson": return lesson(event, by);
    case "hand":
      if (event.user === undefined) return word("handsCleared", by);
      if (event.up) return word("handRaised", user, text, event.place ?? 1);
      return event.by ? word("handLoweredBy", by, user) : word("handLowered", user);
    case "called": return word("called", by, user);
    case "poll":
      return event.counts ? word("pollShown", votes(event), event.answered, event.members) : word("pollOpened", apart(event.question));
    case "poll_ended":
      if (event.cancelled) return word("pollCancelled", apart(event.question));
      return word("pollEnded", votes(event), event.answered, event.members);
    case "slow": return event.seconds ? word("slowOn", event.seconds) : word("slowOff");
    case "listen": return word(event.on ? "listenOn" : "listenOff");
    case "timer": return timer(event, text);
    default: return null;
  }
}

/** Whether a screen reader announces an event of the room. */
export function isSpoken({ type }) {
  return !["hand", "slow", "question"].includes(type);
}

/** The labels of a poll's choices. */
export function choiceNames({ choices, isYesNo, yes_no: yesNo }) {
  return isYesNo || yesNo ? [word("yes"), word("no")] : choices;
}

/** A duration on a clock: 5:00. */
export function clockFace(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(left / 3_600), Math.floor(left / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

function lesson({ state, title, seconds = 0, people = 0, hands = 0, polls = 0 }, by) {
  if (state === "ended") return word("lessonEnded", Math.round(seconds / 60), people, hands, polls);
  return word(state === "begun" ? "lessonBegun" : "lessonRenamed", by, title ? apart(title) : "");
}

function timer({ state, seconds }, text) {
  switch (state) {
    case "started": return word("timerStarted", clockFace(seconds), text);
    case "minute": return word("timerMinute", text);
    case "ended": return word("timerEnded", text);
    default: return word("timerOff");
  }
}

/** The count of each choice, in one line. */
function votes(event) {
  return choiceNames(event).map((name, at) => word("choiceVotes", apart(name), event.counts[at])).join(" · ");
}
