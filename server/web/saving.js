// Words of one's own where messages are saved on the server's disk: they stand as said as
// soon as they are, with a mark until the server has answered that they are safe.

import { is } from "./commands.js";

export class Saving {
  #state;
  #connection;

  constructor(state, connection) {
    this.#state = state;
    this.#connection = connection;
  }

  /** One's own words came: they answer the first that were sent and not said yet. */
  said(entry) {
    const isMeant = ({ purpose, request }) => (entry.me ? purpose === "command" && is(request.line, "/me") : purpose === "say");
    const waiting = this.#connection.unanswered().find((it) => it.sent && !it.said && isMeant(it));
    if (!waiting) return;
    waiting.said = entry;
    mark(entry, "saving");
  }

  /** The server has answered: the words are safe, or may not be. Whether that is to be shown. */
  acked({ said }, { id, durable }) {
    const { timeline, restartedAt } = this.#state;
    const entry = id === undefined ? undefined : timeline.said(id);
    if (!entry || !said) return false;
    mark(entry, durable === false ? "unsafe" : null);
    // They were lost when the server was killed, and were said again.
    if (said.id !== id && said.id < restartedAt) timeline.drop(said);
    return true;
  }

  /** The session is over: nobody will answer any more. */
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
