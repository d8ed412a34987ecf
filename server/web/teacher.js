// A lesson for a teacher: the toolbar, hands and questions above the list of people, the dialog
// for a new poll, and attendance.

import { ask } from "./dialogs.js";
import { byId, element } from "./dom.js";
import { clockFace } from "./lesson_row.js";
import { isolated } from "./phrase.js";
import { bytesOf } from "./size.js";
import { word } from "./words.js";

/** The server's limits for a poll. */
const MOST_CHOICES = 9;
const QUESTION_BYTES = 400;
const CHOICE_BYTES = 120;

export class Teacher {
  #state;
  #act;
  #openSide;
  #timer = 0;
  #drawn = "";

  /** `act` has `command(line)`; `openSide` shows the list of hands if it is hidden. */
  constructor(state, act, openSide) {
    this.#state = state;
    this.#act = act;
    this.#openSide = openSide;
    byId("poll-form").addEventListener("submit", (event) => {
      if (event.submitter?.value !== "yes") return;
      const [question, ...choices] = this.#asked();
      act.command(`/poll ${[question, ...choices].join("\n")}`);
    });
    // Shows what the server would refuse while it can still be changed.
    byId("poll-form").addEventListener("input", () => {
      const [question, ...choices] = this.#asked();
      const isMany = choices.length === 1 || choices.length > MOST_CHOICES;
      const isLong = choices.some((choice) => bytesOf(choice) > CHOICE_BYTES);
      byId("poll-question").setCustomValidity(bytesOf(question) > QUESTION_BYTES ? word("questionTooLong") : "");
      byId("poll-choices").setCustomValidity(isMany ? word("choicesWrong", MOST_CHOICES) : isLong ? word("choiceTooLong") : "");
    });
  }

  /** The question in the dialog, and its choices. */
  #asked() {
    const choices = byId("poll-choices").value.split("\n").map((line) => line.trim()).filter(Boolean);
    return [byId("poll-question").value.trim(), ...choices];
  }

  draw() {
    const { lesson } = this.#state;
    const { isOn, isTeacher, isPublic } = lesson;
    const left = lesson.timer ? (lesson.timer.until - Date.now()) / 1_000 : null;
    clearTimeout(this.#timer);
    if (left !== null && left > 0) this.#timer = setTimeout(() => this.draw(), 250);
    const shown = JSON.stringify([
      isOn, isTeacher, isPublic, lesson.title, lesson.hands, lesson.questions, lesson.slow,
      lesson.isListening, lesson.poll !== null, lesson.timer, word("lessonBar"),
    ]);
    if (shown !== this.#drawn) {
      this.#drawBar(lesson);
      this.#drawHands(lesson);
      this.#drawQuestions(lesson);
    }
    this.#drawn = shown;
    // Updated in place, or a click at the wrong moment would be lost.
    const face = byId("lesson-bar").querySelector(".face");
    if (face) face.textContent = clockFace(left);
  }

  #drawBar(lesson) {
    const bar = byId("lesson-bar");
    const { isOn, isTeacher, isPublic, title } = lesson;
    bar.hidden = !isPublic || (!isOn && !isTeacher);
    const focused = bar.contains(document.activeElement) ? document.activeElement.dataset.tool : null;
    const text = lesson.timer?.text;
    bar.replaceChildren(...[
      isOn && element(
        "div", { class: "lesson-now" },
        element("span", { class: "lesson-title", dir: "auto", title }, title || word("lessonRuns")),
        lesson.timer && element("span", { class: "clock", role: "timer" }, element("span", { class: "face" }), text ? element("small", { dir: "auto", title: text }, text) : null),
      ),
      isTeacher && element("div", { class: "tools" }, ...this.#tools(lesson)),
    ].filter(Boolean));
    if (focused) bar.querySelector(`[data-tool="${focused}"]`)?.focus();
  }

  #tools(lesson) {
    const { command } = this.#act;
    const tool = (name, label, onclick, isPressed = null) => element(
      "button",
      { type: "button", "data-tool": name, "aria-pressed": isPressed === null ? null : String(isPressed), class: name === "end" ? "grave" : null, onclick },
      label,
    );
    if (!lesson.isOn) return [tool("begin", word("beginLesson"), () => this.#begin())];
    return [
      tool("hands", word("handsCount", lesson.hands.length), () => this.#openSide()),
      tool("poll", word("pollButton"), () => this.#openPoll(), lesson.poll !== null),
      tool("slow", word("slowButton", lesson.slow), () => command(lesson.slow === null ? "/slow 10s" : "/slow off"), lesson.slow !== null),
      tool("listen", word("listenButton"), () => command(lesson.isListening ? "/listen off" : "/listen on"), lesson.isListening),
      tool("timer", word(lesson.timer ? "stopTimer" : "timerButton"), () => this.#runTimer(), lesson.timer !== null),
      tool("attendance", word("attendance"), () => command("/attendance")),
      tool("end", word("endLesson"), () => this.#end()),
    ];
  }

  async #begin() {
    const title = await ask(word("lessonTitle"), "", word("begin"));
    if (title !== null) this.#act.command(`/lesson ${title}`.trim());
  }

  async #end() {
    if ((await ask(word("endLessonSure"), null, word("endLesson"))) !== null) this.#act.command("/lesson end");
  }

  async #runTimer() {
    if (this.#state.lesson.timer) return this.#act.command("/timer off");
    const time = await ask(word("timerPrompt"), word("timerDefault"), word("startTimer"));
    if (time) this.#act.command(`/timer ${time}`);
    return undefined;
  }

  #openPoll() {
    if (this.#state.lesson.poll) return byId("poll").querySelector("button:not(:disabled)")?.focus();
    byId("poll-question").value = "";
    byId("poll-choices").value = "";
    for (const field of ["poll-question", "poll-choices"]) byId(field).setCustomValidity("");
    byId("poll-dialog").showModal();
    byId("poll-question").focus();
    return undefined;
  }

  #drawHands({ isOn, isTeacher, hands }) {
    byId("hands-section").hidden = !isOn || hands.length === 0;
    byId("hands-count").textContent = String(hands.length);
    byId("hands-hint").hidden = !isTeacher;
    byId("clear-hands").hidden = !isTeacher;
    byId("clear-hands").onclick = () => this.#act.command("/hands clear");
    byId("hands").replaceChildren(...hands.map(({ user, text }, at) => {
      const content = [
        element("span", { class: "number" }, String(at + 1)),
        element("span", { class: "person", title: user }, isolated(user), text ? element("small", { dir: "auto" }, text) : null),
      ];
      return element("li", {}, isTeacher
        ? element("button", { type: "button", onclick: () => this.#act.command(`/call ${user}`) }, ...content)
        : element("p", { class: "hand" }, ...content));
    }));
  }

  #drawQuestions({ isOn, isTeacher, questions }) {
    const { command } = this.#act;
    const hush = async (number) => {
      if ((await ask(word("hushSure"), null, word("hush"))) !== null) command(`/hush ${number}`);
    };
    byId("questions-section").hidden = !isOn || !isTeacher || questions.length === 0;
    byId("questions").replaceChildren(...questions.map(({ number, text }) => element(
      "li", { class: "nameless" },
      element("p", { dir: "auto" }, element("span", { class: "number" }, `${number} `), text),
      element("div", { class: "ways" },
        element("button", { type: "button", onclick: () => command(`/show ${number}`) }, word("showQuestion")),
        element("button", { type: "button", class: "quiet", onclick: () => hush(number) }, word("hush"))),
    )));
  }

  /** Shows the attendance that the server has sent. */
  showAttendance({ people, count, missing = [], path }) {
    const headings = ["attendanceName", "attendanceMinutes", "attendanceLines", "attendanceHands", "attendancePolls"];
    byId("attendance-title").textContent = word("attendancePresent", count);
    byId("attendance-table").replaceChildren(
      element("thead", {}, element("tr", {}, ...headings.map((key) => element("th", { scope: "col" }, word(key))))),
      element("tbody", {}, ...people.map(({ user, here, minutes, lines, hands, polls }) => element(
        "tr", {},
        element("th", { scope: "row" }, isolated(user), here ? element("small", {}, ` ${word("hereNow")}`) : null),
        ...[minutes, lines, hands, polls].map((number) => element("td", {}, String(number))),
      ))),
    );
    byId("attendance-missing").textContent = missing.length > 0 ? `${word("attendanceMissing", missing.length)}: ${missing.join(", ")}` : "";
    const link = byId("attendance-csv");
    link.hidden = !path;
    if (path) link.href = path.replace(/^\//u, "");
    byId("attendance").showModal();
  }
}
