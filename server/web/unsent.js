// What becomes of words that were written for one room when their writer is back, in
// that room or in another: nothing is said where, or to whom, it was not meant.

import { isPrivate } from "./state.js";

/**
 * `send`, `said` (before the connection was lost) or `keep` (it goes back to its writer).
 * `landing` has the `room` where one is, whether the session is the same (`resumed`),
 * and `wasSaid`, which tells of a text whether it stands in the room's history.
 */
export function fate({ place, purpose, request, sent, said }, { room, resumed, wasSaid }) {
  if (place !== room) return "keep";
  if (resumed) return "send";
  // Another session: who has a name may be somebody else now.
  if (purpose !== "say" || room === null || isPrivate(room)) return "keep";
  return said || (sent && wasSaid(request.text)) ? "said" : "send";
}
