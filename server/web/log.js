// The conversation on the screen: a window of rows over all remembered entries that are not
// ignored. Rows that left the window come back by scrolling, and missing entries are requested
// from the server. Whatever arrives, the row being read stays where it is.

import { byId, element } from "./dom.js";
import { row, spoken } from "./row.js";
import { word } from "./words.js";

/** The most rows in the document. */
const ROWS = 200;

/** How close to an end of the window, in pixels, it is moved. */
const NEAR = 600;

/** How much of new text is announced at once. */
const SPOKEN = 5;

/** How close to its end the log counts as being at the end. */
const AT_END = 48;

export class Log {
  #state;
  #act;
  #load;
  #box = byId("log");
  #rows = byId("rows");
  #pending = byId("pending");
  #latest = byId("latest");
  #beginning = byId("beginning");
  #loading = byId("loading");
  #start = byId("start");
  #announcer = byId("announcer");
  /** Rows by the keys of their entries. */
  #shown = new Map();
  /** The keys of the entries in the window. */
  #keys = [];
  #following = true;
  #unseen = 0;
  /** New text that was not announced yet. */
  #unspoken = [];
  /** Cancels the scheduled drawing, if there is one. */
  #cancel = null;
  #asked = false;
  /** The key of the answer to be shown from its first line on. */
  #revealed = null;
  /** The key of the message that a search has led to. */
  #found = null;
  /** The positions of the visible rows. */
  #places = [];

  /**
   * `act` has `person(name)`, `retype(entry)` and `about(topic)`; `load` asks the server for what
   * came `before` or `after` an id, and returns a promise.
   */
  constructor(state, act, load) {
    this.#state = state;
    this.#act = act;
    this.#load = load;
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#latest.addEventListener("click", () => {
      this.#found = null;
      this.toEnd();
    });
    // Without a mouse to point with, a touch shows the time of a message.
    this.#rows.addEventListener("click", ({ target }) => {
      if (!target.closest("a, button, pre") && getSelection().isCollapsed) target.closest(".row")?.classList.toggle("timed");
      if (this.#following) this.#stick();
    });
    // When the phone is turned or its keyboard opens, the reader stays in place.
    new ResizeObserver(() => (this.#following ? this.#stick() : this.#hold())).observe(this.#box);
  }

  get following() {
    return this.#following;
  }

  /** Draws changes with the next frame; `news` is what arrived live. */
  changed(news = null) {
    if (news && !this.#state.hides(news)) {
      if (!this.#following && !news.own && ["said", "whisper", "announced", "question"].includes(news.kind)) {
        this.#unseen += 1;
        this.#label();
      }
      if (!news.own) this.#unspoken = [...this.#unspoken, news].slice(-SPOKEN);
    }
    if (this.#cancel) return;
    // A hidden tab gets no frames, and need not be drawn as often.
    if (document.hidden) {
      const timer = setTimeout(() => this.#draw(), 250);
      this.#cancel = () => clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(() => this.#draw());
      this.#cancel = () => cancelAnimationFrame(frame);
    }
  }

  /** Shows the newest messages, and follows them. */
  toEnd() {
    this.#following = true;
    this.#unseen = 0;
    this.#label();
    this.#draw();
  }

  /** Shows the answer to a command from its first line on, however long it is. */
  reveal(entry) {
    this.#revealed = entry.key;
    this.changed(entry);
  }

  /** Shows a message in its place, and marks it. */
  show(entry) {
    this.#following = false;
    this.#found = entry.key;
    this.#label();
    this.#draw(this.#middle(entry.key), entry.key);
    const row = rowIn(this.#shown.get(entry.key));
    const [view, box] = [this.#box.getBoundingClientRect(), row.getBoundingClientRect()];
    this.#box.scrollTop += box.top - view.top - Math.max(0, view.height - box.height) / 3;
    this.#places = this.#visible();
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
  }

  /** Draws all rows again, in another language or room. */
  redraw() {
    this.#found = null;
    this.#shown.clear();
    this.#rows.replaceChildren();
    this.#asked = false;
    this.toEnd();
  }

  /** Shows messages that have no answer yet. */
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

  /** Only the last few messages are announced: nobody can listen to a flood. */
  #announce() {
    const words = this.#unspoken.map(spoken).filter(Boolean);
    this.#unspoken = [];
    this.#announcer.append(...words.map((text) => element("p", {}, text.slice(0, 300))));
    while (this.#announcer.childElementCount > SPOKEN) this.#announcer.firstElementChild.remove();
  }

  /** Where the window begins: as far above the row being read as before. */
  #window() {
    const { visible: entries } = this.#state;
    if (this.#following || entries.length <= ROWS) return Math.max(0, entries.length - ROWS);
    const key = this.#places[0]?.key ?? this.#keys[0];
    const at = entries.findIndex((entry) => entry.key === key);
    return at < 0 ? entries.length - ROWS : Math.max(0, at - this.#keys.indexOf(key));
  }

  /** Where it begins with this entry in its middle; null if the entry is not here. */
  #middle(key) {
    const at = this.#state.visible.findIndex((entry) => entry.key === key);
    return at < 0 ? null : at - ROWS / 2;
  }

  /**
   * The range of entries that may be in the window: nobody should scroll past a hole without
   * noticing. `key` is that of an entry being read.
   */
  #bounds(key) {
    const { visible: entries } = this.#state;
    const at = entries.findIndex((entry) => entry.key === key);
    if (this.#following || at < 0) return [0, entries.length];
    let [from, to] = [at, at];
    while (from > 0 && entries[from].kind !== "hole") from -= 1;
    while (to < entries.length && entries[to].kind !== "hole") to += 1;
    return [from, Math.min(to + 1, entries.length)];
  }

  /** Draws the window from the entry at `first` on, around the one being read. */
  #draw(first = null, reading = null) {
    this.#cancel?.();
    this.#cancel = null;
    this.#announce();
    this.#places = this.#following ? [] : this.#visible();
    const { visible: entries, user, timeline, exhausted } = this.#state;
    const [from, to] = this.#bounds(reading ?? this.#places.at(-1)?.key);
    const start = Math.max(from, Math.min(first ?? this.#window(), to - ROWS));
    const inWindow = entries.slice(start, Math.min(start + ROWS, to));
    this.#keys = inWindow.map(({ key }) => key);
    timeline.reading = this.#following ? null : this.#keys[0];
    const shown = new Map();
    let place = this.#rows.firstChild;
    for (const [index, entry] of inWindow.entries()) {
      const follows = this.#state.follows(start + index, entries);
      const isFound = entry.key === this.#found;
      const form = `${entry.version} ${follows.newDay} ${follows.goesOn} ${isFound}`;
      let drawn = this.#shown.get(entry.key);
      if (drawn?.form !== form) {
        const made = row(entry, follows, user, this.#act);
        made.lastElementChild.classList.toggle("is-found", isFound);
        if (drawn?.element === place) place = place.nextSibling;
        drawn?.element.remove();
        drawn = { form, element: made, hole: entry.kind === "hole" ? entry : null };
      }
      if (drawn.element === place) place = place.nextSibling;
      else this.#rows.insertBefore(drawn.element, place);
      shown.set(entry.key, drawn);
      this.#shown.delete(entry.key);
    }
    for (const { element: gone } of this.#shown.values()) gone.remove();
    this.#shown = shown;
    const isOver = this.#rows.scrollHeight > this.#box.clientHeight;
    this.#rows.classList.toggle("from-beginning", start === 0 && exhausted);
    this.#beginning.hidden = start > 0 || !exhausted || !isOver;
    this.#loading.hidden = start > 0 || exhausted || !isOver;
    if (this.#following) this.#stick();
    else this.#hold();
    this.#toRevealed();
    this.#refill(start);
  }

  /** The positions of the visible rows, by the keys of their entries. */
  #visible() {
    const view = this.#box.getBoundingClientRect();
    const places = [];
    for (const [key, drawn] of this.#shown) {
      const { top, bottom } = rowIn(drawn).getBoundingClientRect();
      if (top >= view.bottom) break;
      // What fills a hole comes before it or after it, and the hole moves.
      if (bottom > view.top && !drawn.hole) places.push({ key, top });
    }
    return places;
  }

  /** Keeps the first of these rows that still exists in its position. */
  #hold() {
    const place = this.#places.find(({ key }) => this.#shown.has(key));
    if (place) this.#box.scrollTop += rowIn(this.#shown.get(place.key)).getBoundingClientRect().top - place.top;
    this.#places = this.#visible();
  }

  #stick() {
    if (!this.#isAtStart()) this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** Whether there is nothing yet except the beginning of the room. */
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
    this.#places = this.#visible();
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const start = this.#window();
    const [from, to] = this.#bounds(this.#places.at(-1)?.key);
    const below = scrollHeight - scrollTop - clientHeight;
    const { length } = this.#state.visible;
    if (start + ROWS >= length && to === length && below < AT_END) {
      if (!this.#following) this.toEnd();
      return;
    }
    if (this.#following) {
      this.#following = false;
      this.#label();
    }
    const isAtEdge = (below < NEAR && start + ROWS < to) || (scrollTop < NEAR && start > from);
    if (isAtEdge) this.#draw(this.#middle(this.#places[0]?.key));
    else this.#refill(start);
  }

  /** Loads missing entries near the visible ones. */
  async #refill(start) {
    const missing = this.#asked ? null : this.#missing(start);
    if (!missing) return;
    this.#asked = true;
    const came = await this.#load(missing);
    this.#asked = false;
    if (!came) return;
    // Entries beyond an end of the window have to be drawn before somebody scrolls there.
    this.#draw(this.#following ? null : this.#middle(this.#places[0]?.key));
  }

  #missing(start) {
    const { top, bottom } = this.#box.getBoundingClientRect();
    for (const { hole, element: shown } of this.#shown.values()) {
      const box = hole && shown.getBoundingClientRect();
      if (!box || box.bottom < top - NEAR || box.top > bottom + NEAR) continue;
      // From the side that is being read.
      const isBelow = box.top + box.bottom > top + bottom;
      return isBelow ? { after: hole.from - 1 } : { before: hole.to + 1 };
    }
    const { timeline, exhausted } = this.#state;
    const isFull = this.#box.scrollHeight > this.#box.clientHeight + NEAR;
    if (start > 0 || exhausted || this.#box.scrollTop >= NEAR || (this.#following && isFull)) return null;
    return { before: timeline.begin };
  }
}

/** The row among an entry's elements; the heading of a new day may be above it. */
function rowIn({ element: drawn }) {
  return drawn.lastElementChild;
}
