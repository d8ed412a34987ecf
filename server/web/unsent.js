// What happens to text written for one room when its author is back, in that room or in another:
// nothing is said in a room, or to a person, it was not meant for.

import { isPrivate } from "./state.js";

/**
 * `send`, `said` (before the connection was lost) or `keep` (it goes back to its author).
 * `landing` has the current `room`, whether the session is the same (`resumed`), and `wasSaid`,
 * which tells whether a text is in the room's history.
 */
export function fate({ place, purpose, request, sent, said }, { room, resumed, wasSaid }) {
  if (place !== room) return "keep";
  if (resumed) return "send";
  // Another session: the name may belong to somebody else now.
  if (purpose !== "say" || room === null || isPrivate(room)) return "keep";
  return said || (sent && wasSaid(request.text)) ? "said" : "send";
}
