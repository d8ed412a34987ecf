// The conversation on the screen: a window of rows over all entries that are
// remembered. What left the window comes back by scrolling, and what the page has not
// is asked for.

import { byId, element } from "./dom.js";
import { row, spoken } from "./row.js";
import { word } from "./words.js";

/** How many rows the document has at most. */
const ROWS = 200;

/** By how many rows the window moves. */
const STEP = 60;

/** How near to an end of the window, in pixels, it is moved. */
const NEAR = 600;

/** How much of what is new is read out at once. */
const SPOKEN = 5;

/** How near to its end the log counts as being there. */
const AT_END = 48;

export class Log {
  #state;
  #act;
  #askOlder;
  #box = byId("log");
  #rows = byId("rows");
  #pending = byId("pending");
  #latest = byId("latest");
  #beginning = byId("beginning");
  #start = byId("start");
  #announcer = byId("announcer");
  /** Rows by the keys of their entries. */
  #shown = new Map();
  /** The key of the first entry in the window; null while it follows the newest. */
  #firstKey = null;
  #following = true;
  #unseen = 0;
  /** What is new and was not read out yet. */
  #unspoken = [];
  /** Takes back the drawing that is to come, if one is. */
  #cancel = null;
  #asked = false;
  /** The key of the answer that is to be shown from its first line on. */
  #revealed = null;

  /** `act` has `person(name)`, `retype(entry)` and `about(topic)`; `askOlder` asks the server for what was before, and answers with a promise. */
  constructor(state, act, askOlder) {
    this.#state = state;
    this.#act = act;
    this.#askOlder = askOlder;
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#latest.addEventListener("click", () => this.toEnd());
    // Without a mouse to point with, a touch shows when something was said.
    this.#rows.addEventListener("click", ({ target }) => {
      if (!target.closest("a, button, pre") && getSelection().isCollapsed) target.closest(".row")?.classList.toggle("timed");
    });
    // Whoever turns the phone or opens its keyboard stays where they are.
    new ResizeObserver(() => { if (this.#following) this.#stick(); }).observe(this.#box);
  }

  get following() {
    return this.#following;
  }

  /** Draws with the next picture what has changed; `news` is what came live. */
  changed(news = null) {
    if (news && !this.#state.hides(news)) {
      if (!this.#following && !news.own && ["said", "whisper", "announced"].includes(news.kind)) {
        this.#unseen += 1;
        this.#label();
      }
      if (!news.own) this.#unspoken = [...this.#unspoken, news].slice(-SPOKEN);
    }
    if (this.#cancel) return;
    // A tab that nobody sees gets no pictures, and need not be drawn as often.
    if (document.hidden) {
      const timer = setTimeout(() => this.#draw(), 250);
      this.#cancel = () => clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(() => this.#draw());
      this.#cancel = () => cancelAnimationFrame(frame);
    }
  }

  /** Shows the newest, and follows it. */
  toEnd() {
    this.#following = true;
    this.#firstKey = null;
    this.#unseen = 0;
    this.#label();
    this.#draw();
  }

  /** Shows the answer to a command from its first line on, however long it is. */
  reveal(entry) {
    this.#revealed = entry.key;
    this.changed(entry);
  }

  /** Draws all rows anew, in another language or room. */
  redraw() {
    this.#shown.clear();
    this.#rows.replaceChildren();
    this.#asked = false;
    this.toEnd();
  }

  /** Shows what was said and has no answer yet. */
  setPending(texts) {
    this.#pending.replaceChildren(...texts.map((text) => element(
      "div", { class: "row said own waiting" },
      element("p", { class: "text" }, text),
      element("span", { class: "label" }, word("sending")),
    )));
    if (this.#following) this.#stick();
  }

  #label() {
    this.#latest.hidden = this.#following;
    this.#latest.textContent = this.#unseen > 0 ? `${word("newMessages", this.#unseen)} ↓` : `${word("toNewest")} ↓`;
  }

  /** Only the last few words are read out: nobody can listen to a flood. */
  #announce() {
    const words = this.#unspoken.map(spoken).filter(Boolean);
    this.#unspoken = [];
    this.#announcer.append(...words.map((text) => element("p", {}, text.slice(0, 300))));
    while (this.#announcer.childElementCount > SPOKEN) this.#announcer.firstElementChild.remove();
  }

  #window() {
    const { entries } = this.#state;
    if (this.#following || entries.length <= ROWS) return Math.max(0, entries.length - ROWS);
    const at = entries.findIndex((entry) => entry.key === this.#firstKey);
    return Math.max(0, Math.min(at < 0 ? entries.length - ROWS : at, entries.length - 1));
  }

  #draw(first = null) {
    this.#cancel?.();
    this.#cancel = null;
    this.#announce();
    const anchor = this.#following ? null : this.#anchor();
    const { entries, user } = this.#state;
    const start = first ?? this.#window();
    this.#firstKey = entries[start]?.key ?? null;
    const shown = new Map();
    let place = this.#rows.firstChild;
    for (let index = start; index < Math.min(start + ROWS, entries.length); index += 1) {
      const entry = entries[index];
      if (this.#state.hides(entry)) continue;
      const follows = this.#state.follows(index);
      const form = `${entry.version} ${follows.newDay} ${follows.goesOn}`;
      let drawn = this.#shown.get(entry.key);
      if (drawn?.form !== form) {
        const made = row(entry, follows, user, this.#act);
        if (drawn?.element === place) place = place.nextSibling;
        drawn?.element.remove();
        drawn = { form, element: made };
      }
      if (drawn.element === place) place = place.nextSibling;
      else this.#rows.insertBefore(drawn.element, place);
      shown.set(entry.key, drawn);
      this.#shown.delete(entry.key);
    }
    for (const { element: gone } of this.#shown.values()) gone.remove();
    this.#shown = shown;
    const isBeginning = start === 0 && this.#state.exhausted;
    this.#rows.classList.toggle("from-beginning", isBeginning);
    this.#beginning.hidden = !isBeginning || this.#rows.scrollHeight <= this.#box.clientHeight;
    if (anchor) this.#box.scrollTop += anchor.element.getBoundingClientRect().top - anchor.top;
    else this.#stick();
    this.#toRevealed();
    if (!this.#following || this.#box.scrollHeight <= this.#box.clientHeight + NEAR) this.#refill(start);
  }

  /** A row that is to stay where it is. */
  #anchor() {
    const top = this.#box.getBoundingClientRect().top;
    for (const { element: shown } of this.#shown.values()) {
      const box = shown.getBoundingClientRect();
      if (box.bottom > top) return { element: shown, top: box.top };
    }
    return null;
  }

  #stick() {
    if (!this.#isAtStart()) this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** Whether there is nothing to follow yet but how the room begins. */
  #isAtStart() {
    return !this.#start.hidden && this.#state.entries.length === 0;
  }

  #toRevealed() {
    const shown = this.#shown.get(this.#revealed)?.element;
    this.#revealed = null;
    if (!shown || shown.offsetHeight <= this.#box.clientHeight) return;
    this.#following = false;
    this.#label();
    this.#box.scrollTop += shown.getBoundingClientRect().top - this.#box.getBoundingClientRect().top;
  }

  #scrolled() {
    if (this.#isAtStart()) return;
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const { entries } = this.#state;
    const start = this.#window();
    const hasEnd = start + ROWS >= entries.length;
    const below = scrollHeight - scrollTop - clientHeight;
    if (hasEnd && below < AT_END) {
      if (!this.#following) this.toEnd();
      return;
    }
    if (this.#following) {
      this.#following = false;
      this.#label();
    }
    if (!hasEnd && below < NEAR) this.#draw(Math.min(start + STEP, entries.length - ROWS));
    else if (scrollTop < NEAR && start > 0) this.#draw(Math.max(0, start - STEP));
    else this.#refill(start);
  }

  /** Asks for more at the beginning of what the page has. */
  async #refill(start) {
    if (start > 0 || this.#box.scrollTop >= NEAR || this.#state.exhausted || this.#asked) return;
    this.#asked = true;
    const came = await this.#askOlder();
    this.#asked = false;
    if (came) this.changed();
  }
}
