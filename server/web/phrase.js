// Names and titles within the page's own sentences: isolated, so that a right-to-left one does
// not reorder the text around it.

import { element } from "./dom.js";
import { word } from "./words.js";

/** Characters around a name while a sentence is made (Unicode's FSI and PDI); no name contains them. */
const [OPEN, CLOSE] = ["\u2068", "\u2069"];
const SET_APART = new RegExp(`${OPEN}([^${CLOSE}]*)${CLOSE}`, "u");

/** A name, or a title, as an element of its own. */
export function isolated(text) {
  return element("bdi", {}, text);
}

/** A name in the form that `phrase` takes; null stays null. */
export function apart(name) {
  return name === null ? null : `${OPEN}${name}${CLOSE}`;
}

/** The text of that key as nodes, with those `apart` as elements of their own. */
export function phrase(key, ...details) {
  return nodesOf(word(key, ...details));
}

/** A sentence as nodes. */
export function nodesOf(text) {
  return text.split(SET_APART).map((part, index) => (index % 2 === 1 ? isolated(part) : part));
}

/** A sentence without the characters that isolate names. */
export function plain(text) {
  return text.replaceAll(OPEN, "").replaceAll(CLOSE, "");
}
