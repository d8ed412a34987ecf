// A lesson on the wall: the open poll with the number of answers, its bars at the end, the next
// hands, and a large clock. It never shows who has not answered, or anything meant only for
// teachers.

import { byId, element } from "./dom.js";
import { choiceNames, clockFace } from "./lesson_row.js";
import { isolated } from "./phrase.js";
import { bars, countVotes, options } from "./pupil.js";
import { word } from "./words.js";

/** A question with more letters than this is long. */
const LONG = 60;

/** How many hands are shown. */
const HANDS = 3;

export class LessonWall {
  #state;
  #box = byId("wall-lesson");
  #timer = 0;
  #drawn = "";

  constructor(state) {
    this.#state = state;
  }

  draw() {
    clearTimeout(this.#timer);
    const { lesson } = this.#state;
    if (!document.body.classList.contains("on-wall")) return;
    const { poll, result, hands, timer, isOn, isPublic } = lesson;
    const left = isOn && timer ? (timer.until - Date.now()) / 1_000 : null;
    if (left !== null && left > 0) this.#timer = setTimeout(() => this.draw(), 250);
    const hasTimer = left !== null;
    const counted = poll && { ...poll, tally: poll.tally?.counts?.length };
    const shown = JSON.stringify([isOn, isPublic, counted, result, hands.slice(0, HANDS), hasTimer, timer?.text, word("lessonBar")]);
    if (shown !== this.#drawn) this.#redraw(lesson, hasTimer);
    this.#drawn = shown;
    // Updated in place, so that the bars don't grow again with each second or vote.
    const part = (selector) => this.#box.querySelector(selector);
    if (hasTimer && isPublic) part(".face").textContent = clockFace(left);
    if (!isPublic || !poll?.tally) return;
    part(".answered").textContent = word("answered", poll.tally.answered, poll.tally.members);
    if (poll.isShown && poll.tally.counts) countVotes(this.#box, poll.tally.counts);
  }

  #redraw({ poll, result, hands, timer, isOn, isPublic }, hasTimer) {
    const content = isPublic ? [
      hasTimer && element("p", { class: "clock" }, element("span", { class: "face" }), timer.text ? element("small", { dir: "auto" }, timer.text) : null),
      ...(poll ? open(poll) : result ? ended(result) : []),
      isOn && hands.length > 0 && element(
        "div", { class: "next-hands" },
        element("h3", {}, word("wallHands")),
        element("ol", {}, ...hands.slice(0, HANDS).map(({ user }) => element("li", {}, isolated(user)))),
      ),
    ].filter(Boolean) : [];
    this.#box.hidden = content.length === 0;
    document.body.classList.toggle("with-lesson", content.length > 0);
    document.body.classList.toggle("with-poll", isPublic && (poll ?? result) !== null);
    this.#box.replaceChildren(...content);
  }
}

function open(poll) {
  const { question, isShown, tally } = poll;
  const choices = isShown && tally?.counts
    ? bars({ ...poll, counts: tally.counts })
    : options(choiceNames(poll));
  return [asked(question), choices, element("p", { class: "answered" })];
}

/** The question; a long one in smaller type. */
function asked(question) {
  return element("h3", { dir: "auto", class: question.length > LONG ? "long" : null }, question);
}

function ended(result) {
  return [
    asked(result.question),
    bars(result),
    element("p", { class: "answered" }, word("answered", result.answered, result.members)),
  ];
}
