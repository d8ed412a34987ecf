// Words that were written and not said: they stand in the log as not sent, and in the
// field again where that is possible.

import { is, typedFor, whisperOf } from "./commands.js";
import { word } from "./words.js";

/** Codes of errors that say that one is not in the room any more for which one wrote. */
const ELSEWHERE = ["no_room", "other_room"];

/** Among how many entries a reason is looked for that was told already. */
const RECENT = 20;

export class Undelivered {
  #state;
  #composer;
  #onChange;

  /** `onChange` is called after anything was kept. */
  constructor(state, composer, onChange) {
    this.#state = state;
    this.#composer = composer;
    this.#onChange = onChange;
  }

  /** The server has refused what was to be said. */
  refused(waiting, { code, text }) {
    if (ELSEWHERE.includes(code)) {
      this.keep([waiting], code === "no_room" ? "removedUnsent" : "movedUnsent");
      return;
    }
    this.#state.note(text, "error");
    if (!this.#composer.giveBack(waiting.request.text)) this.keep([waiting], null);
    this.#onChange();
  }

  /** Requests that did not go out, and why (a word's key), if that is to be told. */
  keep(requests, why) {
    const kept = requests.filter(({ purpose }) => purpose !== "quiet");
    if (kept.length === 0) return;
    for (const waiting of kept) {
      const words = missed(waiting) ?? { text: waiting.request.line, typed: waiting.request.line };
      this.#state.unsent({ ...words, isDoubtful: waiting.sent, time: Date.now() });
    }
    if (why) this.#noteOnce(word(why));
    const said = kept.filter(({ purpose }) => purpose === "say").map(({ request }) => request.text);
    if (said.length > 0) this.#composer.giveBack(said.join("\n"));
    this.#onChange();
  }

  /** Several words that come back one after another have one reason. */
  #noteOnce(text) {
    const recent = this.#state.entries.slice(-RECENT);
    if (!recent.some((entry) => entry.kind === "error" && entry.text === text)) this.#state.note(text, "error");
  }
}

/** The words of a request that people would miss; null if it has none. */
export function missed({ purpose, request }) {
  if (purpose === "say") return { text: request.text, typed: typedFor(request.text) };
  const whisper = whisperOf(request.line);
  if (whisper) return { ...whisper, typed: request.line };
  return is(request.line, "/me") ? { text: request.line, typed: request.line } : null;
}
