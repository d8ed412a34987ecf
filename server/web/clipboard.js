// Copies text from the page.

/** Copies a text; false if the browser does not allow it. Keeps the focus where it is. */
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

/** Without https there is no clipboard API; the old way copies the selection. */
function copySelected(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "unseen";
  field.value = text;
  // An open dialog keeps the focus inside.
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
