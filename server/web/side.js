// Beside the conversation: the rooms one can go to, and who is here.

import { byId, drawing, element, tint } from "./dom.js";
import { isPrivate } from "./state.js";
import { word } from "./words.js";

/** A room as it is called: the lobby in one's language, a private one by its title. */
export function roomTitle(state, room) {
  if (room === null) return word("title");
  if (room === "lobby") return word("lobby");
  if (!isPrivate(room)) return room;
  const title = room === state.room ? state.topic : state.keys.get(room)?.title;
  return title || word("privateRoom");
}

export class Side {
  #state;
  #act;
  #side = byId("side");
  #timer = 0;

  /** `act` has `join(place)`, `make()` and `person(name)`. */
  constructor(state, act) {
    this.#state = state;
    this.#act = act;
    byId("menu").addEventListener("click", () => this.open(!document.body.classList.contains("side-open")));
    byId("shade").addEventListener("click", () => this.open(false));
    this.#side.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.open(false);
    });
    byId("new-private").addEventListener("click", () => { this.open(false); act.make(); });
    byId("open-room").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = byId("open-room-name");
      const name = field.value.trim();
      if (!name) return field.focus();
      field.value = "";
      this.open(false);
      act.join(name);
    });
  }

  /** Where there is no place for it beside the conversation, shows it over it, or not. */
  open(isOpen) {
    const was = document.body.classList.contains("side-open");
    document.body.classList.toggle("side-open", isOpen);
    byId("shade").hidden = !isOpen;
    byId("menu").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.#side.querySelector("button")?.focus();
    else if (was) byId("menu").focus();
  }

  /** Draws with the next picture what has changed. */
  changed() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#drawRooms();
      this.#drawPeople();
    }, 50);
  }

  #drawRooms() {
    const { room: current, rooms, keys, members, count } = this.#state;
    const places = rooms.map(({ room, members: there }) => ({ room, place: room, there }));
    if (!places.some(({ room }) => room === "lobby")) places.unshift({ room: "lobby", place: "lobby" });
    for (const [room, { key }] of keys) places.push({ room, place: `#${key}` });
    if (current !== null && !places.some(({ room }) => room === current)) places.push({ room: current, place: current });
    byId("room-list").replaceChildren(...places.map(({ room, place, there }) => {
      const isHere = room === current;
      const number = isHere ? Math.max(count, members.size) : there;
      return element("li", {}, element(
        "button",
        { type: "button", "aria-current": isHere ? "true" : null, onclick: () => this.#go(place, isHere) },
        isPrivate(room) ? lock() : null,
        element("span", { class: "room-name" }, roomTitle(this.#state, room)),
        number === undefined ? null : element("span", { class: "number" }, String(number)),
      ));
    }));
  }

  #go(place, isHere) {
    this.open(false);
    if (!isHere) this.#act.join(place);
  }

  #drawPeople() {
    const { members, user, owner, muted, ignored, count } = this.#state;
    byId("people-count").textContent = String(Math.max(count, members.size));
    const focused = document.activeElement?.closest?.("#people button")?.dataset.name;
    // Oneself first, then the owner, then who came first.
    const rank = (name) => (name === user ? 0 : name === owner ? 1 : 2);
    const names = [...members].sort((a, b) => rank(a) - rank(b));
    byId("people").replaceChildren(...names.map((name) => {
      const marks = [
        name === user && word("me"), name === owner && word("owner"),
        muted.has(name) && word("mutedMark"), ignored.has(name) && word("hiddenMark"),
      ].filter(Boolean);
      return element("li", {}, element(
        "button",
        { type: "button", "data-name": name, onclick: () => this.#act.person(name) },
        element("span", { class: `dot tint-${tint(name)}`, "aria-hidden": "true" }),
        element("span", { class: "person" }, name),
        marks.length > 0 ? element("span", { class: "marks" }, marks.join(" · ")) : null,
      ));
    }));
    if (focused !== undefined) {
      [...document.querySelectorAll("#people button")].find((button) => button.dataset.name === focused)?.focus();
    }
  }
}

function lock() {
  return drawing("svg", { viewBox: "0 0 24 24", role: "img", "aria-label": word("privateRoom") }, drawing("path", { d: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3" }));
}
