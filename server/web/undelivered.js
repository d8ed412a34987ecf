// Unsent text: it is shown in the log as not sent, and put back in the field if possible.

import { is, typedFor, whisperOf } from "./commands.js";
import { word } from "./words.js";

/** Error codes for being in another room than the one the text was written for. */
const ELSEWHERE = ["no_room", "other_room"];

/** How many entries are searched for a reason that was shown already. */
const RECENT = 20;

export class Undelivered {
  #state;
  #composer;
  #onChange;

  /** `onChange` is called after any text was kept. */
  constructor(state, composer, onChange) {
    this.#state = state;
    this.#composer = composer;
    this.#onChange = onChange;
  }

  /** The server has refused the text. */
  refused(waiting, { code, text }) {
    if (ELSEWHERE.includes(code)) {
      this.keep([waiting], code === "no_room" ? "removedUnsent" : "movedUnsent");
      return;
    }
    this.#state.note(text, "error");
    if (!this.#composer.giveBack(waiting.request.text)) this.keep([waiting], null);
    this.#onChange();
  }

  /** Requests that were not sent, and why (a text's key), if that is to be shown. */
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

  /** Several texts that come back together share one reason. */
  #noteOnce(text) {
    const recent = this.#state.entries.slice(-RECENT);
    if (!recent.some((entry) => entry.kind === "error" && entry.text === text)) this.#state.note(text, "error");
  }
}

/** The text of a request that people would miss; null if it has none. */
export function missed({ purpose, request }) {
  if (purpose === "say") return { text: request.text, typed: typedFor(request.text) };
  const whisper = whisperOf(request.line);
  if (whisper) return { ...whisper, typed: request.line };
  return is(request.line, "/me") ? { text: request.line, typed: request.line } : null;
}
