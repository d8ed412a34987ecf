// The state of a lesson as the server reports it: hands, the open poll, calm, the clock, and what
// only teachers know. No socket, no document, no clock of its own.

/** The lesson's events, which are part of the room's order. */
export const LESSON_EVENTS = ["lesson", "hand", "called", "poll", "poll_ended", "slow", "listen", "timer", "question"];

export class Lesson {
  constructor() {
    /** Whether this person is a teacher, with or without a lesson. */
    this.isTeacher = false;
    /** Whether this room can have lessons: private ones can't. */
    this.isPublic = false;
    this.#clear();
  }

  /** Whether a lesson is running here. */
  get isOn() {
    return this.isPublic && this.isRunning;
  }

  /** Takes in the lesson part of `welcome`, `entered` and `teacher`; undefined if there is none. */
  take(now, isPublic) {
    this.isPublic = isPublic;
    this.isTeacher = now?.teacher ?? false;
    this.#clear();
    if (!now?.running) return;
    this.isRunning = true;
    this.title = now.title ?? "";
    this.hands = (now.hands ?? []).map((user) => ({ user, text: "" }));
    this.called = now.called ?? null;
    if (now.poll) this.ballot(now.poll);
    this.slow = now.slow ?? null;
    this.isListening = now.listen ?? false;
    this.timer = now.timer ? { until: Date.parse(now.timer), text: now.timer_text ?? "" } : null;
    this.questions = now.questions ?? [];
  }

  /** Takes in an event of the room; `me` is this person's name. */
  event(event, me) {
    switch (event.type) {
      case "lesson": this.#lesson(event); break;
      case "hand": this.#hand(event); break;
      case "called":
        this.called = event.user;
        this.#lower(event.user);
        break;
      case "poll": this.#poll(event); break;
      case "poll_ended":
        this.poll = null;
        this.result = event.cancelled ? null : event;
        break;
      case "slow":
        this.slow = event.seconds ?? null;
        if (this.slow === null) this.freeAt = 0;
        break;
      case "listen":
        this.isListening = event.on;
        if (!event.on) this.called = null;
        break;
      case "timer":
        this.timer = event.until && event.state !== "ended" && event.state !== "off"
          ? { until: Date.parse(event.until), text: event.text ?? "" } : null;
        break;
      case "question": this.questions = this.questions.filter(({ number }) => number !== event.number); break;
      case "said":
        if (event.user === me && this.slow !== null && !this.isTeacher) this.wait(this.slow, Date.parse(event.time));
        break;
      case "renamed":
        for (const hand of this.hands) if (hand.user === event.user) hand.user = event.to;
        if (this.called === event.user) this.called = event.to;
        break;
      case "left":
      case "kicked": this.#lower(event.user); break;
      default:
    }
  }

  /** Takes in a message for this person only; false if it is not about the lesson. */
  message(message) {
    switch (message.type) {
      case "teacher": {
        const { result } = this;
        this.take({ ...message.lesson, teacher: true }, this.isPublic);
        if (this.poll === null) this.result = result;
        return true;
      }
      case "ballot": this.ballot(message.poll); return true;
      case "tally":
        if (this.poll) this.poll.tally = message;
        return true;
      case "hands":
        this.hands = message.hands.map(({ user, text = "" }) => ({ user, text }));
        return true;
      case "hand_text":
        for (const hand of this.hands) if (hand.user === message.user) hand.text = message.text;
        return true;
      case "asked": this.questions = [...this.questions, message].slice(-MOST_QUESTIONS); return true;
      default: return false;
    }
  }

  /** The open poll as newcomers and requesters are told about it. */
  ballot({ question, choices, yes_no: isYesNo = false, vote = null, shown: isShown = false }) {
    const tally = this.poll?.tally ?? null;
    this.poll = { question, choices, isYesNo, vote, isShown, tally };
    this.result = null;
  }

  /** The server has counted this person's vote. */
  voted(choice) {
    if (this.poll) this.poll.vote = choice;
  }

  /** This person may speak again `seconds` after `from`. */
  wait(seconds, from) {
    this.freeAt = from + seconds * 1_000;
  }

  /** The place of this person's hand in the queue, from 1; 0 if it is not raised. */
  placeOf(user) {
    return this.hands.findIndex((hand) => hand.user === user) + 1;
  }

  /** Why this person may not speak at that time: `"listening"`, seconds to wait, or null. */
  keepsQuiet(user, now) {
    if (!this.isOn || this.isTeacher) return null;
    if (this.isListening && this.called !== user) return "listening";
    return this.slow !== null && this.freeAt > now ? Math.ceil((this.freeAt - now) / 1_000) : null;
  }

  #clear() {
    this.isRunning = false;
    this.title = "";
    /** Raised hands in order: `{user, text}`. */
    this.hands = [];
    /** Who was called on last. */
    this.called = null;
    /** `{question, choices, isYesNo, vote, isShown, tally}`, or null. */
    this.poll = null;
    /** The result of the last poll, until it is dismissed. */
    this.result = null;
    /** The shortest time between two messages of a person, in seconds; null: no limit. */
    this.slow = null;
    /** When this person may speak again, in ms. */
    this.freeAt = 0;
    this.isListening = false;
    /** `{until, text}`, or null. */
    this.timer = null;
    /** Anonymous questions that were not shown yet: `{number, text}`. */
    this.questions = [];
  }

  #lesson({ state, title = "" }) {
    if (state === "ended") {
      const { result } = this;
      this.#clear();
      this.result = result;
    } else {
      this.isRunning = true;
      this.title = title;
    }
  }

  #hand({ user, up: isUp, text = "" }) {
    if (user === undefined) this.hands = [];
    else if (!isUp) this.#lower(user);
    else {
      const hand = this.hands.find((it) => it.user === user);
      if (!hand) this.hands.push({ user, text });
      else if (text) hand.text = text;
    }
  }

  #lower(user) {
    this.hands = this.hands.filter((hand) => hand.user !== user);
  }

  #poll(event) {
    if (event.counts === undefined) {
      // After a lost connection it is sent again, after the `welcome` that described it.
      const isKnown = this.poll?.question === event.question && this.poll.choices.join("\n") === event.choices.join("\n");
      const { vote = null, isShown = false } = isKnown ? this.poll : {};
      this.poll = null;
      this.ballot({ ...event, vote, shown: isShown });
    } else if (this.poll) {
      this.poll.isShown = true;
      this.poll.tally = { answered: event.answered, members: event.members, counts: event.counts };
    }
  }
}

/** How many questions the page keeps, like the server. */
const MOST_QUESTIONS = 200;
