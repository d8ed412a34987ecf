// The way in: a name, and where to. Nothing is sent before a button is pressed.

import { byId } from "./dom.js";
import { choices } from "./memory.js";
import { guestName } from "./names.js";
import { lang, word } from "./words.js";

/** The key of a private room in a link's fragment; null if there is none. */
export function keyIn(fragment) {
  const key = fragment.replace(/^#/u, "");
  return /^[0-9a-z](-?[0-9a-z]){25}$/iu.test(key) ? key : null;
}

export class Entry {
  #field = byId("name");
  #error = byId("entry-error");
  #proposed = null;
  #onEnter;

  /** `onEnter` takes `{name, isProposed, place, make}`. */
  constructor(onEnter) {
    this.#onEnter = onEnter;
    byId("entry-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter(false);
    });
    byId("enter-private").addEventListener("click", () => this.#enter(true));
    byId("another-name").addEventListener("click", () => {
      this.#propose();
      this.refuse("");
      this.#field.focus();
    });
  }

  show() {
    byId("entry").hidden = false;
    byId("chat").hidden = true;
    document.body.className = "entering";
    if (this.#field.value === "") {
      if (choices.name) this.#field.value = choices.name;
      else this.#propose();
    }
    this.relabel();
    this.busy(false);
    this.#field.focus();
    this.#field.select();
  }

  /** The words that depend on the link by which one came. */
  relabel() {
    const isInvited = keyIn(location.hash) !== null;
    byId("entry-tagline").textContent = word(isInvited ? "invited" : "tagline");
    byId("enter").textContent = word(isInvited ? "enterInvited" : "enterLobby");
    byId("enter-private").hidden = isInvited;
    if (this.#proposed !== null && this.#field.value === this.#proposed) this.#propose();
  }

  /** Nothing can be pressed while it is tried. */
  busy(isBusy) {
    for (const button of byId("entry-form").querySelectorAll("button")) button.disabled = isBusy;
    byId("entry-form").setAttribute("aria-busy", String(isBusy));
  }

  /** Says what is wrong, and lets it be tried again. */
  refuse(text) {
    this.busy(false);
    this.#error.textContent = text;
    if (text) {
      this.#field.focus();
      this.#field.select();
    }
  }

  say(text) {
    this.#error.textContent = text;
  }

  #propose() {
    this.#proposed = guestName(lang());
    this.#field.value = this.#proposed;
  }

  #enter(make) {
    const name = this.#field.value.trim();
    if (!name) this.#propose();
    const isProposed = this.#field.value === this.#proposed;
    const key = keyIn(location.hash);
    this.refuse("");
    this.busy(true);
    this.#onEnter({ name: this.#field.value.trim(), isProposed, place: key ? `#${key}` : "lobby", make });
  }
}
