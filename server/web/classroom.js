// Actions in a lesson, and the server's answers to them: votes, hands, anonymous questions, and
// the ticket in a link that makes a teacher.

import { ticketIn } from "./keys.js";
import { Pupil } from "./pupil.js";
import { Teacher } from "./teacher.js";
import { LessonWall } from "./lesson_wall.js";
import { word } from "./words.js";

/** The nonces of requests from this file begin with this. */
export const PURPOSE = "lesson";

/** The prefix of an anonymous question's command. */
const ASK = "/ask ";

export class Classroom {
  #state;
  #connection;
  #request;
  #changed;
  #pupil;
  #teacher;
  #wall;
  /** The ticket from the link that led here, until the server has it. */
  #ticket = null;

  /**
   * `act` has `command(line)`, `openSide` shows the list of hands, `request` sends the page's own
   * questions, and `changed` redraws.
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

  /** Why nothing may be said now, as text; null if it may. */
  refusal() {
    return this.#pupil.refusal();
  }

  showAttendance(message) {
    this.#teacher.showAttendance(message);
  }

  /** Takes the ticket out of the address at once: an address is visible and stays in the history. */
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

  /** Limits a wall screen to what everyone may see; on their own page, teachers see everything. */
  watch() {
    const { isTeacher } = this.#state.lesson;
    if (isTeacher) this.#ask({ type: "watch", ...(!document.body.classList.contains("on-wall") && { off: true }) });
  }

  /** Takes the answer to a request from this file. */
  answer({ request: { type, choice, text, line = "" } }, message) {
    const written = text ?? (line.startsWith(ASK) ? line.slice(ASK.length) : null);
    if (message.type === "error" && message.code === "slow" && written) {
      this.#pupil.askAgain(message.text, written, type === "hand");
    } else if (message.type === "error") {
      // The page has missed the poll's progress, or its end.
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

  /** This person is a teacher now: hands and the poll have more for teachers. */
  becameTeacher() {
    this.#state.note(word(this.#state.lesson.isRunning ? "youTeachToo" : "youTeach"));
    this.#askForMore();
  }

  /** Asks for what teachers may know about hands and the open poll. */
  #askForMore() {
    if (!this.#state.lesson.isRunning) return;
    this.#request("/hands");
    if (this.#state.lesson.poll) this.#request("/poll");
  }

  #ask(request) {
    this.#connection.ask(request, PURPOSE);
  }
}
