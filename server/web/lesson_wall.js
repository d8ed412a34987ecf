// A lesson on the wall: the open poll with how many have answered, its bars at the end, the
// next hands, and a large clock. Nothing here says who has not answered, or what teachers
// alone are told.

import { byId, element } from "./dom.js";
import { choiceNames, clockFace } from "./lesson_row.js";
import { isolated } from "./phrase.js";
import { bars } from "./pupil.js";
import { word } from "./words.js";

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
    const face = left === null ? null : clockFace(left);
    const shown = JSON.stringify([isOn, isPublic, poll, result, hands.slice(0, HANDS), face, timer?.text, word("lessonBar")]);
    if (shown === this.#drawn) return;
    this.#drawn = shown;
    const content = isPublic ? [
      face && element("p", { class: "clock" }, face, timer.text ? element("small", { dir: "auto" }, timer.text) : null),
      ...(poll ? open(poll) : result ? ended(result) : []),
      isOn && hands.length > 0 && element(
        "div", { class: "next-hands" },
        element("h3", {}, word("wallHands")),
        element("ol", {}, ...hands.slice(0, HANDS).map(({ user }) => element("li", {}, isolated(user)))),
      ),
    ].filter(Boolean) : [];
    this.#box.hidden = content.length === 0;
    document.body.classList.toggle("with-lesson", content.length > 0);
    this.#box.replaceChildren(...content);
  }
}

function open(poll) {
  const { question, isShown, tally } = poll;
  const choices = isShown && tally?.counts
    ? bars({ ...poll, counts: tally.counts })
    : element("ol", { class: "bars" }, ...choiceNames(poll).map((name, at) => element("li", {}, element("span", { class: "choice-name", dir: "auto" }, `/${at + 1} ${name}`))));
  return [
    element("h3", { dir: "auto" }, question),
    choices,
    tally && element("p", { class: "answered" }, word("answered", tally.answered, tally.members)),
  ];
}

function ended(result) {
  return [
    element("h3", { dir: "auto" }, result.question),
    bars(result),
    element("p", { class: "answered" }, word("answered", result.answered, result.members)),
  ];
}
