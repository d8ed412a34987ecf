// The message field: sends with Enter, grows with its text, completes commands and names, and
// never sends a syllable that is still being composed.

import { completions, is, read, typedFor } from "./commands.js";
import { byId, element } from "./dom.js";
import { lang, word } from "./words.js";

/** How many earlier lines the up arrow brings back. */
const REMEMBERED = 50;

export class Composer {
  #state;
  #onSend;
  #lettersLeft;
  #form = byId("composer");
  #field = byId("text");
  #list = byId("completions");
  #offers = [];
  #chosen = 0;
  #composing = false;
  #sendWhenComposed = false;
  #earlier = [];
  #at = 0;
  /** Text to put back as soon as no syllable is being composed. */
  #returned = [];
  /** How much of the field is unsent text that was put back. */
  #backLength = 0;
  /** The warning before a draft is sent to a room it was not written for. */
  #held = null;
  /** Who receives the text as a whisper, if anybody. */
  whisperTo = null;

  /**
   * `onSend(text, recipient)` returns what is wrong with the text, if anything; the recipient is
   * null without a whisper. `lettersLeft` returns how many more letters fit, or null.
   */
  constructor(state, onSend, lettersLeft) {
    this.#state = state;
    this.#onSend = onSend;
    this.#lettersLeft = lettersLeft;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    const field = this.#field;
    field.addEventListener("compositionstart", () => { this.#composing = true; });
    field.addEventListener("compositionend", () => {
      this.#composing = false;
      // Text that came back meanwhile waits for the end of the syllable.
      for (const text of this.#returned.splice(0)) setTimeout(() => this.giveBack(text));
      if (!this.#sendWhenComposed) return;
      this.#sendWhenComposed = false;
      // The last syllable is in the field only after this event.
      setTimeout(() => this.#send());
    });
    field.addEventListener("input", () => this.#changed());
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("blur", () => setTimeout(() => this.#offer([]), 150));
    byId("end-whisper").addEventListener("click", () => this.whisper(null));
  }

  focus() {
    // On a phone this would open the keyboard over the conversation.
    if (matchMedia("(pointer: fine)").matches) this.#field.focus();
  }

  /** Inserts text at the cursor. */
  insert(text) {
    this.#field.setRangeText(text, this.#field.selectionStart, this.#field.selectionEnd, "end");
    this.#field.focus();
    this.#changed();
  }

  /**
   * Puts unsent text before what is being typed, after text that was put back earlier. Returns
   * false if that is impossible because a whisper or a command is being typed.
   */
  giveBack(text) {
    const draft = this.#field.value;
    const typed = this.#backLength > 0 ? text : typedFor(text);
    if (typed === null || this.whisperTo !== null || read(draft).command !== undefined) return false;
    if (this.#composing) {
      this.#returned.push(text);
      return true;
    }
    const [back, rest] = [draft.slice(0, this.#backLength), draft.slice(this.#backLength).replace(/^\n/u, "")];
    const { selectionEnd } = this.#field;
    const head = [back, typed].filter(Boolean).join("\n");
    this.#field.value = [head, rest].filter(Boolean).join("\n");
    const cursor = selectionEnd + this.#field.value.length - draft.length;
    this.#field.setSelectionRange(cursor, cursor);
    this.#changed();
    this.#backLength = head.length;
    return true;
  }

  /** Replaces the line in the field; the up arrow recalls the old one. */
  retype(line) {
    if (this.#field.value.trim()) this.#remember(this.#field.value);
    this.whisper(null);
    this.#field.value = line;
    this.#field.focus();
    this.#changed();
  }

  /** The draft was written elsewhere: `warning` is shown before it is sent. */
  hold(warning) {
    this.#held = this.#field.value.trim() ? warning : null;
  }

  /** Whether anything can be said. */
  turn(isOn) {
    this.#form.hidden = !isOn;
  }

  /** Whispers to this person from now on, or to nobody. */
  whisper(name) {
    this.whisperTo = name;
    byId("whisper-mode").hidden = name === null;
    if (name !== null) byId("whisper-to").textContent = word("whisperTo", name);
    this.#form.classList.toggle("whispering", name !== null);
    this.#field.focus();
  }

  /** The placeholder of the empty field. */
  prompt(text) {
    this.#field.placeholder = text;
  }

  refuse(text) {
    byId("composer-error").textContent = text;
  }

  #send() {
    if (this.#composing) {
      // A button was pressed while a syllable was open: it ends first.
      this.#sendWhenComposed = true;
      this.#field.blur();
      this.#field.focus();
      return;
    }
    const text = this.#field.value.replace(/\s+$/u, "");
    if (!text.trim()) return;
    if (this.#form.hidden) return;
    const wrong = this.#held ?? this.#onSend(text, this.whisperTo);
    this.#held = null;
    this.refuse(wrong ?? "");
    if (wrong) return;
    this.#remember(text);
    this.#field.value = "";
    this.#changed();
    this.#field.focus();
  }

  #remember(text) {
    // A teacher's code must not be recalled by the next person at this computer.
    if (is(read(text).command ?? "", "/teach")) return;
    if (this.#earlier.at(-1) !== text) this.#earlier.push(text);
    this.#earlier = this.#earlier.slice(-REMEMBERED);
    this.#at = this.#earlier.length;
  }

  #key(event) {
    // 229: the key belongs to the input method (Safari reports nothing else).
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#offers.length > 0 && this.#keyInList(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !event.ctrlKey) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "Escape" && this.whisperTo !== null) {
      this.whisper(null);
    } else if (event.key === "ArrowUp" && (this.#field.value === "" || this.#field.value === this.#earlier[this.#at])) {
      if (this.#at === 0) return;
      event.preventDefault();
      this.#recall(this.#at - 1);
    } else if (event.key === "ArrowDown" && this.#at < this.#earlier.length && this.#field.value === this.#earlier[this.#at]) {
      event.preventDefault();
      this.#recall(this.#at + 1);
    }
  }

  #recall(at) {
    this.#at = at;
    this.#field.value = this.#earlier[at] ?? "";
    this.#grow();
    this.#count();
  }

  #keyInList(event) {
    const { key } = event;
    const isWhole = this.#field.value.includes(" ");
    if (key === "ArrowDown" || key === "ArrowUp") {
      this.#choose(this.#chosen + (key === "ArrowDown" ? 1 : -1));
    } else if (key === "Tab" && !event.shiftKey) {
      this.#take(this.#offers[this.#chosen]);
    } else if (key === "Enter" && !isWhole && this.#field.value !== this.#offers[this.#chosen].insert.trim()) {
      this.#take(this.#offers[this.#chosen]);
    } else if (key === "Escape") {
      this.#offer([]);
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  #changed() {
    this.#grow();
    this.#count();
    this.refuse("");
    const { value, selectionStart, selectionEnd } = this.#field;
    this.#backLength = 0;
    if (value === "") this.#held = null;
    const before = selectionStart === selectionEnd ? value.slice(0, selectionStart) : "";
    const isMany = value.includes("\n");
    this.#offer(isMany && value.startsWith("/") ? [] : completions(before, this.#state.members, lang()));
  }

  #grow() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  /** Near the limit and beyond it, shows how much is left. */
  #count() {
    const left = this.#lettersLeft(this.#field.value, this.whisperTo);
    const counter = byId("counter");
    counter.hidden = left === null;
    if (left === null) return;
    counter.textContent = left < 0 ? word("lettersOver", -left) : word("lettersLeft", left);
    counter.classList.toggle("wrong", left < 0);
  }

  #offer(offers) {
    this.#offers = offers;
    this.#list.hidden = offers.length === 0;
    this.#field.setAttribute("aria-expanded", String(offers.length > 0));
    this.#list.replaceChildren(...offers.map((offer, index) => element(
      "li",
      { role: "option", id: `completion-${index}`, onpointerdown: (event) => { event.preventDefault(); this.#take(offer); } },
      element("span", { class: "completion" }, offer.label),
      element("span", { class: "help" }, offer.help),
    )));
    if (offers.length > 0) this.#choose(0);
    else this.#field.removeAttribute("aria-activedescendant");
  }

  #choose(index) {
    this.#chosen = (index + this.#offers.length) % this.#offers.length;
    [...this.#list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === this.#chosen)));
    this.#list.children[this.#chosen].scrollIntoView({ block: "nearest" });
    this.#field.setAttribute("aria-activedescendant", `completion-${this.#chosen}`);
  }

  #take(offer) {
    this.#field.setRangeText(offer.insert, offer.from, this.#field.selectionStart, "end");
    this.#field.focus();
    this.#changed();
  }
}
