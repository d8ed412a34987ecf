// The login: asks for a name, or for the previous session, and finds another way if that is
// refused.

import { keyIn } from "./keys.js";
import { away, choices, forget, remember } from "./memory.js";
import { guestName } from "./names.js";
import { isPrivate } from "./state.js";
import { lang } from "./words.js";

/** How many events a newcomer requests. */
const HISTORY = 60;

/** Why somebody who was in a room is in the lobby now. */
const NO_WAY_IN = ["no_such_room", "room_locked", "room_full", "kicked"];

/** How many other names to try if none was chosen. */
const NAME_TRIES = 4;

export class Login {
  #state;
  #memory;
  #connection;
  #handlers;
  /** The choice on the entry form: `{name, isProposed, place, make, previous, tries}`. */
  #wanted = null;
  /** The last event on this page before the session was lost; null if it was not lost. */
  #lastBefore = null;

  /**
   * `memory` is what was known before a reload. `handlers`: `done` (`isNew`, and `lastBefore` if
   * a new session follows a lost one), `refused` (with a text for people), and `taken` (this
   * browser used the name a moment ago).
   */
  constructor(state, memory, connection, handlers) {
    this.#state = state;
    this.#memory = memory;
    this.#connection = connection;
    this.#handlers = handlers;
  }

  /** Takes the choice on the entry form, for when there is a connection. */
  want(choice) {
    this.#wanted = { ...choice, tries: 0 };
  }

  /** There is a connection: logs in. */
  begin() {
    const { session, room, lastId, lastPrivate } = this.#state;
    if (session) {
      const place = room === null ? {} : { room, last: lastId };
      this.#ask({ session, ...place, last_private: lastPrivate });
    } else {
      const { name, make, place, previous } = this.#wanted;
      this.#ask({ name, ...(previous && { previous }), ...(make ? { new_room: true, ...(make.title && { topic: make.title }) } : { room: place }), history: HISTORY });
    }
  }

  /** Takes the answer, which comes after the room's history. */
  answer(message) {
    if (message.type === "ack") this.#done();
    if (message.type === "error") this.#refused(message);
  }

  #ask(who) {
    this.#connection.ask({ type: "login", ...who }, "login");
  }

  #done() {
    const isNew = this.#wanted !== null;
    const { name, isProposed, previous } = this.#wanted ?? {};
    this.#wanted = null;
    if (isNew && !isProposed) choices.name = name;
    remember(this.#state);
    for (const session of [this.#state.session, previous]) away.end(session);
    const lastBefore = this.#lastBefore;
    this.#lastBefore = null;
    this.#handlers.done(isNew, lastBefore);
  }

  #refused({ code, text, proposal }) {
    const state = this.#state;
    const { user, room } = this.#lastKnown();
    if (code === "session_unknown") {
      // The page was away for too long, or the server has forgotten everything.
      this.#lastBefore ??= state.lastId;
      const key = state.keys.get(room)?.key ?? keyIn(location.hash);
      const place = key ? `#${key}` : isPrivate(room) ? null : room;
      this.want({ name: user ?? guestName(lang()), isProposed: true, place: place ?? "lobby", make: null });
      state.session = null;
      forget();
      this.begin();
      return;
    }
    const wanted = this.#wanted;
    if (NO_WAY_IN.includes(code) && wanted && wanted.place !== "lobby") {
      if (code === "no_such_room") {
        // The room is gone, and its link leads nowhere.
        state.keys.delete(room);
        history.replaceState(null, "", location.pathname + location.search);
      }
      if (user !== null) {
        wanted.place = "lobby";
        this.begin();
        return;
      }
    }
    if (code === "name_taken" && wanted?.isProposed && wanted.tries < NAME_TRIES) {
      wanted.tries += 1;
      wanted.name = user ? `${user}-${wanted.tries + 1}` : guestName(lang(), wanted.tries);
      this.begin();
      return;
    }
    forget();
    if (code === "name_taken" && wanted && !wanted.previous) {
      const previous = away.find(wanted.name);
      if (previous) return this.#handlers.taken({ ...wanted, previous });
    }
    this.#handlers.refused(text, proposal);
  }

  /** The last known name and room. */
  #lastKnown() {
    const { user, room } = this.#state.user === null ? this.#memory : this.#state;
    return { user, room };
  }
}
