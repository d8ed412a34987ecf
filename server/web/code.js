// A block of code: its columns stay, a button copies it, a long one opens on a press, and
// what lies beyond an edge is hinted at by a shadow there (room.css).

import { copy } from "./clipboard.js";
import { element } from "./dom.js";
import { highlight } from "./highlight.js";
import { word } from "./words.js";

/** So many lines are shown of a longer block. */
export const MOST_LINES = 20;

/** How long the button says that it has copied. */
const SAID_MS = 2_000;

/** The element of a block. */
export function codeBlock(text) {
  const lines = text.split("\n").length;
  const isLong = lines > MOST_LINES;
  const code = element("code", {}, text);
  const block = element(
    "div",
    { class: "code" },
    element("pre", { class: "text", tabindex: "0", dir: "ltr" }, code),
    element("div", { class: "code-foot" }, isLong ? opener(lines) : null, copier(text)),
  );
  block.classList.toggle("is-cut", isLong);
  colour(code, text);
  return block;
}

function copier(text) {
  const button = element("button", { type: "button", class: "quiet", "aria-live": "polite" }, word("copyCode"));
  button.addEventListener("click", async () => {
    button.textContent = word((await copy(text)) ? "copied" : "selected");
    setTimeout(() => { button.textContent = word("copyCode"); }, SAID_MS);
  });
  return button;
}

function opener(lines) {
  const button = element("button", { type: "button", class: "quiet", "aria-expanded": "false" }, word("allLines", lines));
  button.addEventListener("click", () => {
    const block = button.closest(".code");
    block.classList.remove("is-cut");
    block.querySelector("pre").focus({ preventScroll: true });
    button.remove();
  });
  return button;
}

/** Colours come when the lexer has: the letters stand where they stood. */
async function colour(code, text) {
  try {
    const pieces = await highlight(text);
    code.replaceChildren(...pieces.map(([kind, value]) => (kind ? element("span", { class: `is-${kind}` }, value) : value)));
  } catch {
    // It is as readable without.
  }
}
