// A block of code: its columns stay, a button copies it, a long one opens on a press, and a
// shadow shows that it continues beyond an edge (room.css).

import { copy } from "./clipboard.js";
import { element } from "./dom.js";
import { highlight } from "./highlight.js";
import { word } from "./words.js";

/** How many lines of a longer block are shown. */
export const MOST_LINES = 20;

/** How long the button confirms that it has copied. */
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

/** Colours are added once the lexer is loaded; the letters stay where they are. */
async function colour(code, text) {
  try {
    const pieces = await highlight(text);
    code.replaceChildren(...pieces.map(([kind, value]) => (kind ? element("span", { class: `is-${kind}` }, value) : value)));
  } catch {
    // It is readable without colours, too.
  }
}
