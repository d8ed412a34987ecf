// The search panel: a field, results with marked words, and the way to their places. The server
// does the searching.

import { byId, element, tint } from "./dom.js";
import { isolated } from "./phrase.js";
import { excerpt } from "./query.js";
import { moment } from "./times.js";
import { word } from "./words.js";

/** Where it covers the conversation (search.css). */
const NARROW = matchMedia("(max-width: 68rem)");

export class Search {
  #state;
  #ask;
  #onChoose;
  #box = byId("search");
  #button = byId("show-search");
  #field = byId("search-words");
  #list = byId("found");
  #older = byId("older-results");
  /** The text being searched for. */
  #words = "";
  /** The command as it was last sent. */
  #line = "";
  /** The results, newest first. */
  #events = [];
  /** Everything from this id on was searched; null if there is nothing older. */
  #before = null;
  /** The same, while the server searches once more what it had searched before. */
  #reached = null;
  /** The state: `idle`, `searching`, `found`, or `failed` for the reason `#why`. */
  #status = "idle";
  #why = "";

  /**
   * `ask` gives the server a command and returns whether it could; `onChoose` takes the id of a
   * message, shows its place, and returns a promise: why it could not, or null.
   */
  constructor(state, ask, onChoose) {
    this.#state = state;
    this.#ask = ask;
    this.#onChoose = onChoose;
    this.#button.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    byId("close-search").addEventListener("click", () => this.close());
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.find(this.#field.value);
    });
    this.#older.addEventListener("click", () => this.#goOn());
    this.#box.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.close();
    });
  }

  get isOpen() {
    return !this.#box.hidden;
  }

  open() {
    this.#show(true);
    this.#field.focus();
    this.#field.select();
  }

  close() {
    this.#show(false);
    this.#button.focus();
  }

  /** Searches for words, beginning with the newest message. */
  find(words) {
    const wanted = words.trim();
    if (wanted === "") return this.open();
    this.#show(true);
    this.#field.value = wanted;
    this.#words = wanted;
    this.#clear();
    // For the server, the same words again continue with older messages. An empty phrase makes
    // the command different, and changes nothing else.
    const line = `/search ${wanted}`;
    this.#line = line === this.#line ? `${line} ""` : line;
    this.#send();
  }

  /** Takes the server's answer to a command. */
  answer({ request }, message) {
    if (this.#status !== "searching" || request.line !== this.#line) return;
    if (message.type === "found") this.#found(message);
    if (message.type === "error") this.#fail(message.text);
  }

  /** The connection was lost, and the request with it. */
  lost() {
    if (this.#status === "searching") this.#fail(word("searchLost"));
  }

  /** Uncovers the conversation, if the search is over it. */
  makeWay() {
    if (NARROW.matches) this.#show(false);
  }

  /** The room has changed: the results go. */
  reset() {
    if (!this.#state.isSaved) this.#show(false);
    this.#field.value = "";
    this.#clear();
    this.#status = "idle";
    this.#draw();
  }

  /** Changes the language of the panel. */
  relabel() {
    this.#list.replaceChildren(...this.#events.map((event) => this.#row(event)));
    this.#draw();
  }

  #clear() {
    this.#events = [];
    this.#before = null;
    this.#reached = null;
    this.#list.replaceChildren();
  }

  #show(isOpen) {
    this.#box.hidden = !isOpen;
    document.body.classList.toggle("searching", isOpen);
    this.#button.setAttribute("aria-expanded", String(isOpen));
  }

  #send() {
    this.#status = "searching";
    if (!this.#ask(this.#line)) this.#fail(word("searchLost"));
    this.#draw();
  }

  /** Continues where it stopped, or repeats what failed. */
  #goOn() {
    if (this.#status === "searching") return;
    if (this.#before === null) this.find(this.#words);
    else this.#send();
  }

  #found({ events, before = null }) {
    const older = events.filter(({ id }) => !this.#events.some((it) => it.id === id));
    older.reverse();
    this.#events.push(...older);
    const rows = older.map((event) => this.#row(event));
    this.#list.append(...rows);
    const isRepeated = this.#before !== null && before !== null && before >= this.#before;
    if (isRepeated && before !== this.#reached) {
      // Reading history in between makes the server start over, so this catches up first.
      this.#reached = before;
      return this.#send();
    }
    this.#reached = null;
    if (!isRepeated) this.#before = before;
    this.#status = "found";
    const wasPressed = document.activeElement === this.#older;
    this.#draw();
    if (wasPressed && this.#older.hidden) (rows[0]?.firstElementChild ?? this.#field).focus();
  }

  #fail(why) {
    this.#status = "failed";
    this.#why = why;
    this.#draw();
  }

  #row(event) {
    const { id, user, text, time } = event;
    const pieces = excerpt(text, this.#words).map((piece) => (piece.isMarked ? element("mark", {}, piece.text) : piece.text));
    const at = Date.parse(time);
    return element("li", {}, element(
      "button",
      { type: "button", onclick: ({ currentTarget }) => this.#choose(currentTarget, id) },
      element("span", { class: "head" }, element("span", { class: `name tint-${tint(user)}` }, isolated(user)), element("time", { datetime: time }, moment(at))),
      element("span", { class: "text" }, ...pieces),
    ));
  }

  async #choose(button, id) {
    for (const chosen of this.#list.querySelectorAll("[aria-current]")) chosen.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    const wrong = await this.#onChoose(id);
    if (wrong !== null && button.isConnected) byId("search-state").textContent = wrong;
  }

  #draw() {
    byId("search-state").textContent = this.#says();
    byId("search-state").classList.toggle("wrong", this.#status === "failed");
    byId("search-hint").hidden = this.#status !== "idle";
    this.#list.setAttribute("aria-busy", String(this.#status === "searching"));
    const isAgain = this.#status === "failed";
    this.#older.hidden = !isAgain && this.#before === null;
    this.#older.setAttribute("aria-disabled", String(this.#status === "searching"));
    this.#older.textContent = word(isAgain ? "tryAgain" : "olderResults");
  }

  #says() {
    const count = this.#events.length;
    switch (this.#status) {
      case "searching": return word("searching");
      case "failed": return this.#why;
      case "found": {
        if (this.#before === null) return word("found", count);
        const back = this.#state.timeline.timeFrom(this.#before);
        const oldest = this.#events.at(-1);
        const times = [back, oldest && Date.parse(oldest.time)].filter(Boolean);
        return [word("found", count), times.length > 0 && word("searchedBack", moment(Math.min(...times)))].filter(Boolean).join(" · ");
      }
      default: return "";
    }
  }
}
