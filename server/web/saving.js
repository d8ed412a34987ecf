// One's own messages in a room that is saved: they are shown as soon as they are said, with a
// mark until the server confirms that they are on its disk.

import { is } from "./commands.js";

export class Saving {
  #state;
  #connection;

  constructor(state, connection) {
    this.#state = state;
    this.#connection = connection;
  }

  /** One's own message arrived: it belongs to the first one sent and not said yet. */
  said(entry) {
    const isMeant = ({ purpose, request }) => (entry.me ? purpose === "command" && is(request.line, "/me") : purpose === "say");
    const waiting = this.#connection.unanswered().find((it) => it.sent && !it.said && isMeant(it));
    if (!waiting) return;
    waiting.said = entry;
    mark(entry, "saving");
  }

  /** The server has answered: the message is safe, or may not be. Returns whether to show that. */
  acked({ said }, { id, durable }) {
    const { timeline, restartedAt } = this.#state;
    const entry = id === undefined ? undefined : timeline.said(id);
    if (!entry || !said) return false;
    mark(entry, durable === false ? "unsafe" : null);
    // They were lost when the server was killed, and were said again.
    if (said.id !== id && said.id < restartedAt) timeline.drop(said);
    return true;
  }

  /** The session is over: no more answers will come. */
  giveUp(requests) {
    for (const { said } of requests) {
      if (said) mark(said, "unsafe");
    }
  }
}

function mark(entry, saved) {
  if ((entry.mark ?? null) === saved) return;
  entry.mark = saved;
  entry.version += 1;
}
