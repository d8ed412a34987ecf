// What one does in a lesson, and what the server says to it: votes, hands, questions
// without a name, and the ticket in a link that makes a teacher.

import { ticketIn } from "./keys.js";
import { Pupil } from "./pupil.js";
import { Teacher } from "./teacher.js";
import { LessonWall } from "./lesson_wall.js";
import { word } from "./words.js";

/** How the answers to what is asked here are known. */
export const PURPOSE = "lesson";

/** What asks without a name begins with this. */
const ASK = "/ask ";

export class Classroom {
  #state;
  #connection;
  #request;
  #changed;
  #pupil;
  #teacher;
  #wall;
  /** What makes a teacher, from the link that led here, until the server has it. */
  #ticket = null;

  /**
   * `act` has `command(line)`, `openSide` shows the list of hands, `request` asks for what
   * the page wants to know, and `changed` draws.
   */
  constructor(state, connection, { act, openSide, request, changed }) {
    this.#state = state;
    this.#connection = connection;
    this.#request = request;
    this.#changed = changed;
    this.#pupil = new Pupil(state, {
      command: act.command,
      vote: (choice) => this.#ask({ type: "vote", choice }),
      hand: (isUp, text) => this.#ask({ type: "hand", up: isUp, ...(text && { text }) }),
      ask: (text) => this.#ask({ type: "command", line: ASK + text }),
    });
    this.#teacher = new Teacher(state, act, openSide);
    this.#wall = new LessonWall(state);
  }

  draw() {
    this.#pupil.draw();
    this.#teacher.draw();
    this.#wall.draw();
  }

  /** Why nothing may be said now, in words; null if it may. */
  refusal() {
    return this.#pupil.refusal();
  }

  showAttendance(message) {
    this.#teacher.showAttendance(message);
  }

  /** Takes the ticket out of the address at once: an address is seen and kept. */
  takeTicket() {
    const found = ticketIn(location.hash);
    if (found === null) return;
    this.#ticket = found;
    history.replaceState(null, "", location.pathname + location.search);
  }

  /** Gives the server the ticket, once. */
  useTicket() {
    if (this.#ticket) this.#ask({ type: "command", line: `/teach ${this.#ticket}` });
    this.#ticket = null;
  }

  /** Has a wall told only what everyone may see; on their own page, teachers are told all. */
  watch() {
    const { isTeacher } = this.#state.lesson;
    if (isTeacher) this.#ask({ type: "watch", ...(!document.body.classList.contains("on-wall") && { off: true }) });
  }

  /** What became of something that was asked here. */
  answer({ request: { type, choice, text, line = "" } }, message) {
    const written = text ?? (line.startsWith(ASK) ? line.slice(ASK.length) : null);
    if (message.type === "error" && message.code === "slow" && written) {
      this.#pupil.askAgain(message.text, written, type === "hand");
    } else if (message.type === "error") {
      // The page has missed how the poll stands, or that it is over.
      if (message.code === "poll_over") this.#request("/poll");
      this.#state.note(message.text, "error");
    } else if (message.type === "ack") {
      if (type === "vote") this.#state.lesson.voted(choice);
    } else {
      this.#state.receive(message);
      if (message.type === "teacher" && type === "watch") this.#askForMore();
      else if (message.type === "teacher") this.becameTeacher();
    }
    this.#changed();
  }

  /** One is a teacher now: hands and the poll have more for teachers. */
  becameTeacher() {
    this.#state.note(word(this.#state.lesson.isRunning ? "youTeachToo" : "youTeach"));
    this.#askForMore();
  }

  /** What teachers are told of hands and the open poll. */
  #askForMore() {
    if (!this.#state.lesson.isRunning) return;
    this.#request("/hands");
    if (this.#state.lesson.poll) this.#request("/poll");
  }

  #ask(request) {
    this.#connection.ask(request, PURPOSE);
  }
}
