// The list of rooms beside the conversation.

import { byId, drawing, element } from "./dom.js";
import { isolated } from "./phrase.js";
import { isPrivate } from "./state.js";
import { lang, word } from "./words.js";

/** The name of a room for people: the lobby in the page's language, a private room by its title. */
export function roomTitle(state, room) {
  if (room === null) return word("title");
  if (room === "lobby") return word("lobby");
  if (!isPrivate(room)) return room;
  const title = room === state.room ? state.topic : state.keys.get(room)?.title;
  return title || word("privateRoom");
}

/** The rooms in the order of the list: `{room, place, there, isUnread}`; `place` is what `/join` takes. */
export function places(state) {
  const { room: current, rooms, keys } = state;
  const listed = rooms.map((it) => ({ room: it.room, place: it.room, there: it.members, isUnread: state.isUnread(it) }));
  if (!listed.some(({ room }) => room === "lobby")) listed.unshift({ room: "lobby", place: "lobby" });
  for (const [room, { key }] of keys) listed.push({ room, place: `#${key}` });
  if (current !== null && !listed.some(({ room }) => room === current)) listed.push({ room: current, place: current });
  return listed;
}

export class Rooms {
  #state;
  #onGo;
  #list = byId("room-list");
  /** The data that the list was drawn from: most changes don't concern it. */
  #drawn = "";

  /** `onGo` takes the place of another room that was chosen, or null for the current one. */
  constructor(state, onGo) {
    this.#state = state;
    this.#onGo = onGo;
  }

  draw() {
    const state = this.#state;
    const here = Math.max(state.count, state.members.size);
    const rows = places(state).map(({ room, place, there, isUnread = false }) => ({
      place: room === state.room ? null : place,
      title: roomTitle(state, room),
      isPrivate: isPrivate(room),
      number: room === state.room ? here : there,
      isUnread,
    }));
    byId("go-hint").hidden = rows.length < 2;
    const key = JSON.stringify([rows, lang()]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const focused = [...this.#list.querySelectorAll("button")].indexOf(document.activeElement);
    this.#list.replaceChildren(...rows.map((row) => this.#row(row)));
    this.#list.querySelectorAll("button")[focused]?.focus();
  }

  #row({ place, title, isPrivate: isLocked, number, isUnread }) {
    return element("li", {}, element(
      "button",
      { type: "button", "aria-current": place === null ? "true" : null, onclick: () => this.#onGo(place) },
      isLocked ? lock() : null,
      element("span", { class: "room-name", title }, isolated(title)),
      isUnread ? element("span", { class: "unread", role: "img", "aria-label": word("unreadRoom"), title: word("unreadRoom") }) : null,
      number === undefined ? null : element("span", { class: "number" }, String(number)),
    ));
  }
}

function lock() {
  return drawing("svg", { viewBox: "0 0 24 24", role: "img", "aria-label": word("privateRoom") }, drawing("path", { d: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3" }));
}
