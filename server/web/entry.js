// The entry form: a name, and a room. Nothing is sent before a button is pressed.

import { ask } from "./dialogs.js";
import { byId } from "./dom.js";
import { isBroken, keyIn } from "./keys.js";
import { choices } from "./memory.js";
import { guestName } from "./names.js";
import { lang, word } from "./words.js";

export class Entry {
  #field = byId("name");
  #error = byId("entry-error");
  #proposed = null;
  #onEnter;
  /** The choices for a name that this browser used before. */
  #taken = null;

  /** `onEnter` takes `{name, isProposed, place, make}`, or what `askToGoOn` was given. */
  constructor(onEnter) {
    this.#onEnter = onEnter;
    byId("entry-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter(null);
    });
    byId("enter-private").addEventListener("click", async () => {
      const title = await ask(word("newTitle"), "", word("make"));
      if (title !== null) this.#enter({ title });
    });
    byId("enter-words").addEventListener("click", async () => {
      const words = await ask(word("askWords"), "", word("enterByWords"));
      if (words) this.#enter(null, words);
    });
    byId("another-name").addEventListener("click", () => {
      this.#propose();
      this.refuse("");
      this.#field.focus();
    });
    byId("leave-link").addEventListener("click", () => {
      location.hash = "";
      this.refuse("");
    });
    byId("go-on").addEventListener("click", () => {
      this.#showWays(true);
      this.busy(true);
      this.#onEnter(this.#taken);
    });
    byId("other-name").addEventListener("click", () => {
      this.#showWays(true);
      this.#field.value = "";
      this.#field.focus();
    });
    this.#field.addEventListener("input", () => this.#showWays(true));
  }

  /** This browser used the name a moment ago: `choice` continues with it, or another name is chosen. */
  askToGoOn(choice) {
    this.busy(false);
    this.#taken = choice;
    this.#showWays(false);
    byId("go-on").focus();
  }

  #showWays(areShown) {
    byId("entry-ways").hidden = !areShown || isBroken(location.hash);
    byId("entry-taken").hidden = areShown;
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

  /** The texts that depend on the link that led here. */
  relabel() {
    const isInvited = keyIn(location.hash) !== null;
    const leadsNowhere = isBroken(location.hash);
    const tagline = leadsNowhere ? "brokenLink" : isInvited ? "invited" : "tagline";
    byId("entry-tagline").textContent = word(tagline);
    byId("entry-tagline").classList.toggle("wrong", leadsNowhere);
    byId("leave-link").hidden = !leadsNowhere;
    this.#showWays(true);
    byId("enter").textContent = word(isInvited ? "enterInvited" : "enterLobby");
    byId("enter-private").hidden = isInvited;
    byId("enter-words").hidden = isInvited;
    if (this.#proposed !== null && this.#field.value === this.#proposed) this.#propose();
  }

  /** Disables the buttons during an attempt. */
  busy(isBusy) {
    for (const button of byId("entry-form").querySelectorAll("button")) button.disabled = isBusy;
    byId("entry-form").setAttribute("aria-busy", String(isBusy));
  }

  /** Shows what is wrong, and enables another attempt, with a free name if one is known. */
  refuse(text, proposal = null) {
    this.busy(false);
    this.#error.textContent = text;
    if (proposal) this.#field.value = proposal;
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

  /** `make` is the room to make, `{title}`; null for none. `words` open a private one. */
  #enter(make, words = null) {
    if (isBroken(location.hash)) return;
    const name = this.#field.value.trim();
    if (!name) this.#propose();
    const isProposed = this.#field.value === this.#proposed;
    const key = keyIn(location.hash);
    this.refuse("");
    this.busy(true);
    this.#onEnter({ name: this.#field.value.trim(), isProposed, place: words ?? (key ? `#${key}` : "lobby"), make });
  }
}
