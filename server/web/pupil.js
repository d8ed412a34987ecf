// A lesson for a member: the line above the field (hand, calm), the poll's card, and the button
// for an anonymous question.

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
  /** The data that line and card were drawn from: most changes don't concern them. */
  #drawnLine = "";
  #drawnCard = "";

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

  /** A question asked too soon is not lost: the dialog opens again, with the reason. */
  async askAgain(reason, written, isForHand) {
    const text = await ask(reason, written, word("ask"));
    if (text && isForHand) this.#act.hand(true, text);
    else if (text) this.#act.ask(text);
  }

  /** Why nothing may be said now, as text; null if it may. */
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
    clearTimeout(this.#timer);
    if (refusal !== null && !lesson.isListening) this.#timer = setTimeout(() => this.draw(), 250);
    const line = JSON.stringify([isPupil, place, isCalled, refusal, word("hands")]);
    if (line !== this.#drawnLine) this.#drawLine(isPupil ? place : 0, isCalled ? word("youAreCalled") : refusal);
    this.#drawnLine = line;
    const { poll, result, isTeacher, isPublic } = lesson;
    // Counts are updated in place, so that no click and no open list is lost.
    const card = JSON.stringify([poll && { ...poll, tally: poll.tally?.counts?.length }, result, isTeacher, isPublic, word("hands")]);
    if (card !== this.#drawnCard) this.#drawCard(lesson);
    this.#drawnCard = card;
    if (isPublic && poll?.tally) this.#drawTally(poll.tally);
  }

  #drawLine(place, text) {
    this.#line.hidden = place === 0 && text === null;
    const question = async () => {
      const typed = await ask(word("questionPrompt"), "", word("ask"));
      if (typed) this.#act.hand(true, typed);
    };
    this.#line.replaceChildren(...[
      // Not live: the text changes every second, and a refusal or a call is announced anyway.
      text && element("span", {}, text),
      place > 0 && element("span", {}, word("handPlace", place)),
      place > 0 && element("button", { type: "button", class: "quiet", onclick: question }, word("addQuestion")),
    ].filter(Boolean));
  }

  #drawCard({ poll, result, isTeacher, isPublic }) {
    const scrolled = this.#card.querySelector(".card-body")?.scrollTop ?? 0;
    const focused = this.#card.contains(document.activeElement) ? document.activeElement.dataset : {};
    this.#card.hidden = !isPublic || (poll === null && result === null);
    if (this.#card.hidden) return this.#card.replaceChildren();
    const [body, foot] = poll ? this.#open(poll, isTeacher) : this.#ended(result);
    const hasChoices = poll !== null && !isTeacher;
    this.#card.replaceChildren(
      // A scrolling area can be reached by keyboard, too.
      element("div", { class: "card-body", tabindex: hasChoices ? null : "0", role: "group", "aria-labelledby": "poll-asked" }, ...body),
      element("div", { class: "card-foot" }, ...foot),
    );
    this.#card.querySelector(".card-body").scrollTop = scrolled;
    const again = focused.choice ? `[data-choice="${focused.choice}"]` : `[data-tool="${focused.tool ?? ""}"]`;
    this.#card.querySelector(again)?.focus();
  }

  #open(poll, isTeacher) {
    const { question, vote, isShown, tally } = poll;
    const names = choiceNames(poll);
    const title = element("h2", { id: "poll-asked", dir: "auto" }, question);
    const answered = element("p", { class: "answered" });
    if (isTeacher) {
      const waiting = element("details", { class: "waiting" }, element("summary", {}), element("p", { class: "hint" }));
      const list = tally?.counts ? bars({ ...poll, counts: tally.counts }) : options(names);
      return [[title, list, waiting], [answered, this.#tools()]];
    }
    const isFixed = isShown && vote === null;
    const buttons = names.map((name, at) => element(
      "button",
      {
        type: "button", class: "choice", "data-choice": String(at + 1), disabled: isFixed,
        "aria-pressed": String(vote === at + 1), onclick: () => this.#act.vote(at + 1),
      },
      element("span", { class: "digit", "aria-hidden": "true" }, vote === at + 1 ? "✓" : String(at + 1)),
      element("span", { class: "choice-name", dir: "auto" }, name),
      tally?.counts ? element("span", { class: "votes" }) : null,
    ));
    const hint = vote === null ? word(isFixed ? "pollShownHint" : "voteHint") : word("yourVote", names[vote - 1]);
    return [[title, element("div", { class: "choices" }, ...buttons)], [element("p", { class: "hint" }, hint), answered]];
  }

  /** The open poll's progress. */
  #drawTally({ answered, members, counts, waiting = [] }) {
    const part = (selector) => this.#card.querySelector(selector);
    part(".answered").textContent = word("answered", answered, members);
    if (counts) countVotes(this.#card, counts);
    const list = part(".waiting");
    if (!list) return;
    list.hidden = waiting.length === 0;
    list.querySelector("summary").textContent = word("waitingFor", members - answered);
    list.querySelector("p").textContent = waiting.join(", ");
  }

  #tools() {
    const { command } = this.#act;
    const cancel = async () => {
      if ((await ask(word("cancelPollSure"), null, word("cancelPoll"))) !== null) command("/poll cancel");
    };
    return element(
      "div", { class: "ways" },
      element("button", { type: "button", class: "main", "data-tool": "end", onclick: () => command("/poll end") }, word("endPoll")),
      element("button", { type: "button", "data-tool": "show", onclick: () => command("/poll show") }, word("showPoll")),
      element("button", { type: "button", class: "quiet", "data-tool": "cancel", onclick: cancel }, word("cancelPoll")),
    );
  }

  #ended(result) {
    return [
      [element("h2", { id: "poll-asked", dir: "auto" }, result.question), bars(result)],
      [
        element("p", { class: "answered" }, word("answered", result.answered, result.members)),
        element("button", { type: "button", class: "quiet", onclick: () => this.#putAway() }, word("close")),
      ],
    ];
  }

  #putAway() {
    this.#state.lesson.result = null;
    this.draw();
    byId("text").focus();
  }
}

/** The choices of a poll as text, each with its number. */
export function options(names) {
  return element("ol", { class: "options" }, ...names.map((name, at) => element(
    "li", {}, element("span", { class: "digit" }, String(at + 1)), element("span", { class: "choice-name", dir: "auto" }, name),
  )));
}

/** The count of each choice, as bars with numbers. */
export function bars(result) {
  const box = element("ol", { class: "bars" }, ...choiceNames(result).map((name) => element(
    "li", {},
    element("span", { class: "choice-name", dir: "auto" }, name),
    element("span", { class: "votes" }),
    element("span", { class: "bar", "aria-hidden": "true" }),
  )));
  countVotes(box, result.counts);
  return box;
}

/** Updates the count of each choice in place. */
export function countVotes(box, counts) {
  const most = Math.max(1, ...counts);
  for (const [at, place] of box.querySelectorAll(".votes").entries()) {
    place.textContent = word("votes", counts[at]);
    // As a property: the content security policy forbids style attributes.
    place.parentElement.querySelector(".bar")?.style.setProperty("--share", String(counts[at] / most));
  }
}
