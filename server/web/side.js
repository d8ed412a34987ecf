// The rooms and people beside the conversation; on a phone, a drawer over it.

import { byId } from "./dom.js";
import { People } from "./people.js";
import { Rooms } from "./rooms.js";

/** Where there is no room beside the conversation (room.css). */
const NARROW = matchMedia("(max-width: 50rem)");

export class Side {
  #rooms;
  #people;
  #side = byId("side");
  #timer = 0;

  /** `act` has `join(place)`, `make()` and `person(name)`. */
  constructor(state, act) {
    this.#people = new People(state, act.person);
    this.#rooms = new Rooms(state, (place) => {
      this.open(false);
      if (place !== null) act.join(place);
    });
    byId("menu").addEventListener("click", () => this.open(true));
    for (const id of ["shade", "close-side"]) byId(id).addEventListener("click", () => this.open(false));
    addEventListener("keydown", (event) => {
      // A dialog over the drawer handles its own Escape.
      if (event.key === "Escape" && this.isOpen && !document.querySelector("dialog[open]")) this.open(false);
    });
    NARROW.addEventListener("change", () => this.open(false));
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

  /** Shows the list, wherever it is. */
  reveal() {
    if (NARROW.matches) this.open(true);
    byId("side").scrollTop = 0;
  }

  get isOpen() {
    return document.body.classList.contains("side-open");
  }

  /** Opens or closes the drawer; the elements below it can't be reached while it is open. */
  open(isOpen) {
    const wasOpen = this.isOpen;
    if (isOpen === wasOpen) return;
    document.body.classList.toggle("side-open", isOpen);
    for (const id of ["bar", "talk"]) byId(id).inert = isOpen;
    byId("shade").hidden = !isOpen;
    byId("menu").setAttribute("aria-expanded", String(isOpen));
    byId(isOpen ? "close-side" : "menu").focus();
  }

  /** Draws changes with the next frame. */
  changed() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#rooms.draw();
      this.#people.draw();
    }, 50);
  }
}
