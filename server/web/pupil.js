// A lesson for a member: the line above the field (hand, calm), the card of a poll, and
// the button for a question without a name.

import { ask } from "./dialogs.js";
import { byId, element } from "./dom.js";
import { choiceNames } from "./lesson_row.js";
import { word } from "./words.js";

export class Pupil {
  #state;
  #act;
  #hand = byId("hand");
  #line = byId("lesson-line");
  #card = byId("poll");
  #timer = 0;
  /** What line and card were drawn from: most changes of the page don't concern them. */
  #drawn = "";

  /** `act` has `command(line)`, `vote(choice)` and `hand(isUp, text)`. */
  constructor(state, act) {
    this.#state = state;
    this.#act = act;
    this.#hand.addEventListener("click", () => act.hand(this.#place === 0, null));
    byId("ask-nameless").addEventListener("click", async () => {
      const text = await ask(word("askPrompt"), "", word("ask"));
      if (text) act.ask(text);
    });
    this.#card.addEventListener("keydown", (event) => {
      if (!/^[1-9]$/u.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
      const button = this.#card.querySelectorAll(".choice")[Number(event.key) - 1];
      if (!button || button.disabled) return;
      event.preventDefault();
      button.click();
    });
  }

  get #place() {
    return this.#state.lesson.placeOf(this.#state.user);
  }

  /** Why nothing may be said now, in words; null if it may. */
  refusal() {
    const quiet = this.#state.lesson.keepsQuiet(this.#state.user, Date.now());
    if (quiet === null) return null;
    return quiet === "listening" ? word("listening") : word("waitToSpeak", quiet);
  }

  draw() {
    const { lesson, user } = this.#state;
    const isPupil = lesson.isOn && !lesson.isTeacher;
    this.#hand.hidden = !isPupil;
    byId("ask-nameless").hidden = !isPupil;
    const place = this.#place;
    this.#hand.setAttribute("aria-pressed", String(place > 0));
    const label = word(place > 0 ? "handDown" : "handUp");
    this.#hand.setAttribute("aria-label", label);
    this.#hand.title = label;
    const isCalled = isPupil && lesson.isListening && lesson.called === user;
    const refusal = isPupil ? this.refusal() : null;
    const shown = JSON.stringify([isPupil, place, isCalled, refusal, lesson.poll, lesson.result, lesson.isTeacher, lesson.isPublic, word("votes", 0)]);
    clearTimeout(this.#timer);
    if (refusal !== null && !lesson.isListening) this.#timer = setTimeout(() => this.draw(), 250);
    if (shown === this.#drawn) return;
    this.#drawn = shown;
    this.#drawLine(isPupil ? place : 0, isCalled ? word("youAreCalled") : refusal);
    this.#drawCard(lesson);
  }

  #drawLine(place, text) {
    this.#line.hidden = place === 0 && text === null;
    const question = async () => {
      const typed = await ask(word("questionPrompt"), "", word("ask"));
      if (typed) this.#act.hand(true, typed);
    };
    this.#line.replaceChildren(...[
      text && element("span", { role: "status" }, text),
      place > 0 && element("span", {}, word("handPlace", place)),
      place > 0 && element("button", { type: "button", class: "quiet", onclick: question }, word("addQuestion")),
    ].filter(Boolean));
  }

  #drawCard({ poll, result, isTeacher, isPublic }) {
    const focused = document.activeElement?.closest?.("#poll .choice")?.dataset.choice;
    this.#card.hidden = !isPublic || (poll === null && result === null);
    if (this.#card.hidden) return this.#card.replaceChildren();
    const content = poll ? this.#open(poll, isTeacher) : this.#ended(result);
    this.#card.replaceChildren(...content);
    if (focused) this.#card.querySelector(`[data-choice="${focused}"]`)?.focus();
  }

  #open(poll, isTeacher) {
    const { question, vote, isShown, tally } = poll;
    const names = choiceNames(poll);
    const isFixed = isTeacher || (isShown && vote === null);
    const buttons = names.map((name, at) => element(
      "button",
      {
        type: "button", class: "choice", "data-choice": String(at + 1), disabled: isFixed,
        "aria-pressed": isTeacher ? null : String(vote === at + 1), onclick: () => this.#act.vote(at + 1),
      },
      element("span", { class: "digit", "aria-hidden": "true" }, vote === at + 1 ? "✓" : String(at + 1)),
      element("span", { class: "choice-name", dir: "auto" }, name),
      tally?.counts ? element("span", { class: "votes" }, word("votes", tally.counts[at])) : null,
    ));
    const hint = isFixed ? "pollShownHint" : "voteHint";
    return [
      element("h2", { dir: "auto" }, question),
      element("div", { class: "choices" }, ...buttons),
      isTeacher ? null : element("p", { class: "hint" }, vote === null ? word(hint) : word("yourVote", names[vote - 1])),
      tally ? element("p", { class: "answered" }, word("answered", tally.answered, tally.members)) : null,
      isTeacher ? this.#waiting(tally) : null,
      isTeacher ? this.#tools() : null,
    ].filter(Boolean);
  }

  #waiting(tally) {
    const waiting = tally?.waiting ?? [];
    if (waiting.length === 0) return null;
    return element("details", {}, element("summary", {}, word("waitingFor", tally.members - tally.answered)), element("p", { class: "hint" }, waiting.join(", ")));
  }

  #tools() {
    const { command } = this.#act;
    const cancel = async () => {
      if ((await ask(word("cancelPollSure"), null, word("cancelPoll"))) !== null) command("/poll cancel");
    };
    return element(
      "div", { class: "ways" },
      element("button", { type: "button", class: "main", onclick: () => command("/poll end") }, word("endPoll")),
      element("button", { type: "button", onclick: () => command("/poll show") }, word("showPoll")),
      element("button", { type: "button", class: "quiet", onclick: cancel }, word("cancelPoll")),
    );
  }

  #ended(result) {
    return [
      element("h2", { dir: "auto" }, result.question),
      bars(result),
      element("p", { class: "answered" }, word("answered", result.answered, result.members)),
      element("button", { type: "button", class: "quiet", onclick: () => this.#putAway() }, word("close")),
    ];
  }

  #putAway() {
    this.#state.lesson.result = null;
    this.draw();
    byId("text").focus();
  }
}

/** How often each choice was chosen, as bars with their numbers. */
export function bars(result) {
  const most = Math.max(1, ...result.counts);
  return element("ol", { class: "bars" }, ...choiceNames(result).map((name, at) => {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    // As a property: no style may stand in an attribute here.
    bar.style.setProperty("--share", String(result.counts[at] / most));
    return element(
      "li", {},
      element("span", { class: "choice-name", dir: "auto" }, name),
      element("span", { class: "votes" }, word("votes", result.counts[at])),
      bar,
    );
  }));
}
