// The WebSocket: opens it, reopens it after a loss, checks whether it still works, and makes sure
// that each request is carried out once. Other files interpret the messages.

import { wellFormed } from "./visible.js";

/** The first pause before a new attempt; each is twice the one before. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** How long a probe may stay unanswered. */
const PROBE_MS = 4_000;

/** After this much silence, the page sends a probe. */
const SILENCE_MS = 40_000;

/** How long an opening may take. */
const OPENING_MS = 10_000;

/** The subprotocol in which each message is a JSON object. */
export const SUBPROTOCOL = "madang.json.v1";

/** After these goodbyes, the page does not reconnect by itself. */
const FINAL = ["replaced", "quit", "banned", "kicked"];

/** The close code of a connection whose session another one has taken over. */
export const REPLACED = 4001;

/** The close code after a message that was too big (RFC 6455 section 7.4.1). */
const TOO_BIG = 1009;

/** A request in the form in which it is sent. */
export function encode(request) {
  return JSON.stringify(request, (_, value) => (typeof value === "string" ? wellFormed(value) : value));
}

/** The size of a request as sent, with the longest possible nonce. */
export function encodedBytes(request) {
  return new TextEncoder().encode(encode({ ...request, nonce: "0".repeat(32) })).length;
}

/** The pause before the attempt after `failures` of them, with `random` in [0, 1). */
export function pause(failures, random) {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
  return longest / 2 + (longest / 2) * random;
}

/** The address of the chat that a page belongs to. */
export function chatAddress(page) {
  const url = new URL("ws", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  url.search = "";
  return url.href;
}

export class Connection {
  #url;
  #Socket;
  #socket = null;
  #failures = 0;
  #retry = null;
  #deadline = null;
  #silence = null;
  #probing = false;
  #ready = false;
  #stopped = true;
  #nonces = 0;
  #prefix;
  /** Unanswered requests in order, by nonce. */
  #waiting = new Map();

  /**
   * `handlers`: `open` (log in), `message`, `answer` (a request and its outcome), `change` (of
   * `status`), `stop` (why the page does not reconnect), `unsendable` (requests that made the
   * server close the connection).
   */
  constructor(url, handlers, Socket = globalThis.WebSocket) {
    this.#url = url;
    this.#Socket = Socket;
    this.handlers = handlers;
    this.#prefix = [...crypto.getRandomValues(new Uint8Array(6))]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");
    /** `closed`, `opening`, `open` or `waiting`. */
    this.status = "closed";
    this.everOpened = false;
    /** When the last connection ended; null while there is one. */
    this.endedAt = null;
    /** Why the server ended the last connection, if it gave a reason. */
    this.lastBye = null;
  }

  get failures() {
    return this.#failures;
  }

  start() {
    this.#stopped = false;
    this.#open();
  }

  /** Closes the connection for good. */
  stop() {
    this.#stopped = true;
    this.#drop(1000);
    clearTimeout(this.#retry);
    this.#waiting.clear();
    this.#become("closed");
  }

  /** Takes back all unanswered messages. */
  withdrawAll() {
    return this.#withdraw(() => true);
  }

  /** Unanswered messages, in order. */
  unanswered() {
    return [...this.#waiting.values()].filter((request) => request.keep);
  }

  /** Sends a request at once, on this connection or never. Returns its nonce. */
  ask(request, purpose) {
    const nonce = this.#nonce();
    this.#waiting.set(nonce, { nonce, request, purpose, keep: false, sent: true });
    this.#send({ ...request, nonce });
    return nonce;
  }

  /**
   * Sends a request as soon as possible, and again if its answer was lost; `place` is the room it
   * was written for.
   */
  submit(request, purpose, place) {
    const nonce = this.#nonce();
    const waiting = { nonce, request, purpose, place, keep: true, sent: false };
    this.#waiting.set(nonce, waiting);
    if (this.#ready) this.#sendWaiting(waiting);
    return waiting;
  }

  /**
   * The login is done: waiting requests are sent, and unanswered ones again, if `mayGo` allows
   * it. The rest is taken back.
   */
  ready(mayGo = () => true) {
    const rest = this.#withdraw((waiting) => !mayGo(waiting));
    this.#ready = true;
    this.#failures = 0;
    for (const waiting of this.#waiting.values()) {
      if (waiting.keep) this.#sendWaiting(waiting);
    }
    return rest;
  }

  #withdraw(isWithdrawn) {
    const withdrawn = this.unanswered().filter(isWithdrawn);
    for (const { nonce } of withdrawn) this.#waiting.delete(nonce);
    return withdrawn;
  }

  /** The network or the page may have changed: checks the connection. */
  probe() {
    if (this.#stopped) return;
    if (this.status === "waiting") {
      clearTimeout(this.#retry);
      this.#open();
    } else if (this.status === "open" && this.#ready && !this.#probing) {
      this.#probing = true;
      this.ask({ type: "command", line: "/ping" }, "probe");
      this.#expect(PROBE_MS);
    }
  }

  #nonce() {
    this.#nonces += 1;
    return `${this.#prefix}-${this.#nonces}`;
  }

  #open() {
    this.#become("opening");
    this.#ready = false;
    this.#probing = false;
    for (const [nonce, { keep }] of this.#waiting) {
      if (!keep) this.#waiting.delete(nonce);
    }
    const socket = new this.#Socket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    this.#expect(OPENING_MS);
    socket.onopen = () => {
      clearTimeout(this.#deadline);
      this.everOpened = true;
      this.endedAt = null;
      this.#become("open");
      this.handlers.open();
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#lost(code);
  }

  #receive(data) {
    this.#probing = false;
    clearTimeout(this.#deadline);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.probe(), SILENCE_MS);
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    const waiting = message.nonce === undefined ? undefined : this.#waiting.get(message.nonce);
    if (waiting) {
      const settled = message.type === "ack" || message.type === "error";
      if (settled) this.#waiting.delete(message.nonce);
      if (this.handlers.answer(waiting, message)) return;
    }
    if (message.type === "bye") this.bye = message;
    this.handlers.message(message);
  }

  #lost(code) {
    const { bye } = this;
    this.bye = undefined;
    this.lastBye = bye?.reason ?? null;
    this.endedAt ??= Date.now();
    this.#drop();
    if (this.#stopped) return;
    const final = code === REPLACED ? "replaced" : FINAL.find((it) => it === bye?.reason);
    if (final) {
      this.#stopped = true;
      this.#become("closed");
      this.handlers.stop(final, bye?.seconds);
      return;
    }
    // Sent again, it would end every connection.
    if (code === TOO_BIG) this.handlers.unsendable(this.#withdraw(({ sent }) => sent));
    this.#become("waiting");
    const wait = pause(this.#failures, Math.random());
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#open(), wait);
    this.handlers.change(this.status);
  }

  /** Abandons the socket: a dead one may take minutes to report its end. */
  #drop(code) {
    clearTimeout(this.#deadline);
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = null;
    this.#ready = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  /** If nothing arrives within `ms`, the socket counts as dead. */
  #expect(ms) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost(1006), ms);
  }

  #sendWaiting(waiting) {
    waiting.sent = true;
    this.#send({ ...waiting.request, nonce: waiting.nonce });
    this.#expect(PROBE_MS * 2);
  }

  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(encode(message));
  }

  #become(status) {
    if (this.status === status) return;
    this.status = status;
    this.handlers.change(status);
  }
}
