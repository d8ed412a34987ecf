// Earlier messages: requests missing ones from the server, and puts them in their place.

/** How many events to request at once. */
const EVENTS = 60;

/** The most that the server sends at once. */
const MOST_EVENTS = 200;

/** The pause after a refusal. */
const AGAIN_MS = 2_000;

export class Past {
  #state;
  #connection;
  /** Called with whether a new check makes sense, by the nonces of requests. */
  #came = new Map();

  constructor(state, connection) {
    this.#state = state;
    this.#connection = connection;
  }

  /**
   * Requests what came `before` or `after` an id. Returns a promise: whether a new check for
   * missing messages makes sense.
   */
  load(range) {
    if (this.#connection.status !== "open" || this.#state.room === null) return Promise.resolve(false);
    return new Promise((resolve) => {
      const nonce = this.#connection.ask({ type: "history", ...range, limit: EVENTS }, "past");
      this.#came.set(nonce, resolve);
    });
  }

  /** Finds a message, loading it and those before it if it is not here; null if it is gone. */
  async find(id) {
    const { timeline } = this.#state;
    if (!timeline.said(id)) await this.load({ before: id + 1 });
    return timeline.said(id) ?? null;
  }

  /** Requests a gap's missing messages before they are lost. */
  fill(gap) {
    const limit = Math.min(MOST_EVENTS, gap.to - gap.from + 1);
    gap.nonce = this.#connection.ask({ type: "history", before: gap.to + 1, limit }, "past");
  }

  /** Takes a part of an answer, or its end. */
  answer(waiting, message) {
    const { nonce, request } = waiting;
    waiting.answer ??= { room: null, events: [], gaps: [], isAll: false, gone: null, tellsGaps: false };
    const { answer } = waiting;
    if (message.type === "history") {
      answer.room = message.room;
      answer.events.push(...message.events);
      answer.gaps.push(...(message.gaps ?? []));
      answer.isAll ||= message.earliest ?? false;
      answer.gone = message.gone ?? null;
      answer.tellsGaps ||= message.gaps !== undefined;
      return;
    }
    const came = this.#came.get(nonce);
    this.#came.delete(nonce);
    if (message.type === "error") {
      setTimeout(() => came?.(true), AGAIN_MS);
    } else {
      if (answer.events.length === 0) answer.isAll = true;
      this.#state.loaded(request, answer);
      came?.(true);
    }
    const gap = this.#state.entries.find((it) => it.kind === "gap" && it.nonce === nonce);
    if (gap) this.#state.timeline.closeGap(gap, lastMissing(gap, answer));
  }

  /** Requests on a lost connection will not be answered. */
  lost() {
    for (const came of this.#came.values()) came(false);
    this.#came.clear();
  }
}

/** The last id that an answer leaves missing of a gap. Ids may be left out that nobody was given. */
function lastMissing({ from, to }, { events, isAll, gone, tellsGaps }) {
  if (!tellsGaps) return to;
  if (isAll) return Math.min(to, gone?.to ?? from - 1);
  return Math.min(to, events[0].id - 1);
}
