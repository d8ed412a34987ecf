// What the server explains of this person's own connection (`/wire on`), as quiet lines in a
// block. The words are the server's.

import { element } from "./dom.js";

/** The block for some notes. */
export function wireBlock(notes) {
  return element("p", { class: "text" }, notes.map((note) => note.text).join("\n"));
}
