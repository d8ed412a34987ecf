// The beginning of a private room: nobody else is there yet, so it shows the invitation and asks
// for the room's name. It stays above the conversation until one goes to another room.

import { byId } from "./dom.js";

export class Start {
  #state;
  #box = byId("start");
  #field = byId("start-name-field");
  /** The room that it is shown for; null for none. */
  #room = null;

  /** `onName` takes the name that the room is given. */
  constructor(state, onName) {
    this.#state = state;
    byId("start-name").addEventListener("submit", (event) => {
      event.preventDefault();
      onName(this.#field.value.trim());
    });
  }

  draw() {
    const { room, topic, isOwner } = this.#state;
    if (room !== this.#room) this.#room = null;
    if (this.#room === null && this.#isNew()) {
      this.#room = room;
      this.#field.value = topic;
    }
    const isShown = this.#room !== null;
    byId("start-name").hidden = !isOwner;
    if (this.#box.hidden !== isShown) return;
    this.#box.hidden = !isShown;
    byId("log").scrollTop = 0;
  }

  #isNew() {
    const { isPrivate, count, invite, room, entries } = this.#state;
    return isPrivate && count === 1 && invite?.room === room && !entries.some(({ kind }) => kind === "said");
  }
}
