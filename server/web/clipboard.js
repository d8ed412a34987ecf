// Copies what is on the page.

/** Copies a text; false if the browser lets nothing be copied. Keeps the focus where it is. */
export async function copy(text) {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
    return copySelected(text);
  } catch {
    return false;
  }
}

/** Without https there is no clipboard; the old way copies what is selected. */
function copySelected(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "unseen";
  field.value = text;
  // A dialog that is open has all the focus there is.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.focus();
  field.select();
  try {
    return document.execCommand("copy");
  } finally {
    field.remove();
    focused?.focus();
  }
}
