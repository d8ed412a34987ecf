// The list of the room's members beside the conversation.

import { byId, element, tint } from "./dom.js";
import { isolated } from "./phrase.js";
import { lang, word } from "./words.js";

/** With more people, the list can be filtered. */
export const FEW = 15;

/** The most names in the document; the filter finds the others. */
const SHOWN = 200;

/** Compares names in natural order: 학생2 comes before 학생10. */
const collators = new Map();

function collator() {
  if (!collators.has(lang())) collators.set(lang(), new Intl.Collator(lang(), { numeric: true }));
  return collators.get(lang());
}

/** Names in the order of the list: oneself, teachers, the owner, then by name. */
export function inOrder(names, { user, teachers, owner }) {
  const rank = (name) => (name === user ? 0 : teachers.has(name) ? 1 : name === owner ? 2 : 3);
  const { compare } = collator();
  return [...names].sort((a, b) => rank(a) - rank(b) || compare(a, b));
}

/** The names that contain the text in the filter. */
export function found(names, typed) {
  const folded = (text) => text.normalize("NFC").toLowerCase();
  const wanted = folded(typed.trim());
  return wanted === "" ? names : names.filter((name) => folded(name).includes(wanted));
}

export class People {
  #state;
  #onPerson;
  #list = byId("people");
  #filter = byId("people-filter");
  /** The data that the list was drawn from: most changes don't concern it. */
  #drawn = "";

  /** `onPerson` takes a name that was chosen. */
  constructor(state, onPerson) {
    this.#state = state;
    this.#onPerson = onPerson;
    this.#filter.addEventListener("input", () => this.draw());
    this.#filter.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#filter.value === "") return;
      // The drawer stays open.
      event.stopPropagation();
      this.#filter.value = "";
      this.draw();
    });
  }

  draw() {
    const { members, count } = this.#state;
    const all = Math.max(count, members.size);
    byId("people-count").textContent = String(all);
    const isLong = all > FEW;
    this.#filter.hidden = !isLong;
    if (!isLong) this.#filter.value = "";
    const names = found(inOrder(members, this.#state), this.#filter.value);
    const shown = names.slice(0, SHOWN).map((name) => [name, this.#marks(name)]);
    const rest = this.#filter.value === "" ? all - shown.length : names.length - shown.length;
    const key = JSON.stringify([shown, rest, lang()]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const focused = document.activeElement?.closest?.("#people button")?.dataset.name;
    this.#list.replaceChildren(...shown.map(([name, marks]) => this.#row(name, marks)));
    if (names.length === 0) this.#list.append(element("li", { class: "hint" }, word("nobodyFound")));
    else if (rest > 0) this.#list.append(element("li", { class: "hint" }, word("morePeople", rest)));
    if (focused !== undefined) {
      [...this.#list.querySelectorAll("button")].find((button) => button.dataset.name === focused)?.focus();
    }
  }

  #marks(name) {
    const { user, owner, teachers, muted, ignored, quiet, streams } = this.#state;
    return [
      name === user && word("me"), teachers.has(name) && word("teacher"), name === owner && word("owner"),
      muted.has(name) && word("mutedMark"), ignored.has(name) && word("ignoredMark"),
      quiet.has(name) && word("quietMark"), streams.has(name) && word("streamMark"),
    ].filter(Boolean).join(" · ");
  }

  #row(name, marks) {
    return element("li", {}, element(
      "button",
      { type: "button", "data-name": name, onclick: () => this.#onPerson(name) },
      element("span", { class: `dot tint-${tint(name)}`, "aria-hidden": "true" }),
      element("span", { class: "person", title: name }, isolated(name)),
      marks ? element("span", { class: "marks" }, marks) : null,
    ));
  }
}
