// The frame around the conversation: the room, its number of members, the placeholder of the
// field, and the state of the connection if something is wrong.

import { byId } from "./dom.js";
import { roomTitle } from "./rooms.js";
import { shortened } from "./text.js";
import { word } from "./words.js";

/** How much of the room's title the empty field shows. */
const PROMPT_LETTERS = 24;

export class Head {
  #state;
  #connection;
  #attention;
  #composer;
  #timer = 0;

  constructor(state, connection, attention, composer) {
    this.#state = state;
    this.#connection = connection;
    this.#attention = attention;
    this.#composer = composer;
  }

  /** Schedules a redraw. */
  changed() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#draw();
    });
  }

  #draw() {
    const state = this.#state;
    const title = roomTitle(state, state.room);
    this.#attention.setTitle(state.user ? title : "");
    setText("room-title", title);
    const about = this.#about();
    setText("room-topic", about);
    byId("room-topic").hidden = about === "";
    const people = state.room === null ? "" : word("members", Math.max(state.count, state.members.size));
    setText("count", people);
    setText("wall-count", people);
    setText("wall-title", title);
    this.#composer.prompt(word("say", shortened(title, PROMPT_LETTERS)));
    const { user, room, removed } = state;
    this.#composer.turn(room !== null || user === null);
    byId("show-invite").hidden = room === null;
    byId("show-search").hidden = !state.isSaved;
    byId("removed").hidden = room !== null || user === null;
    if (removed) setText("removed-text", whyRemoved(removed));
    this.drawStatus();
  }

  /** Further facts about the room; a private room's topic is its title. */
  #about() {
    const { room, isPrivate, topic, locked, limit, isRecorded } = this.#state;
    if (room === null) return "";
    const parts = [
      isPrivate ? topic && word("privateRoom") : topic,
      locked && word("lockedMark"),
      limit !== null && word("limitMark", limit),
      isRecorded && word("recordedMark"),
    ];
    return parts.filter(Boolean).join(" · ");
  }

  /** At once: somebody who is disconnected should not wait to be told. */
  drawStatus() {
    const text = this.#status();
    setText("status", text);
    byId("status").classList.toggle("shown", text !== "");
  }

  #status() {
    const { user } = this.#state;
    const { status, failures } = this.#connection;
    if (user === null || status === "closed") return "";
    if (status === "open") return "";
    const unsent = this.#connection.unanswered().filter(({ said }) => !said).length;
    const parts = [word(failures > 3 ? "unreachable" : "reconnecting"), unsent > 0 && word("unsent", unsent)];
    return parts.filter(Boolean).join(" · ");
  }
}

function whyRemoved({ type, by }) {
  if (type === "kicked") return word("kickedYou", by);
  return type === "ended" ? word("endedEvent", by) : word("roomGone");
}

function setText(id, text) {
  const at = byId(id);
  if (at.textContent !== text) at.textContent = text;
}
