// Names and titles within the page's own sentences: set apart, so that one written from
// right to left turns nothing around it.

import { element } from "./dom.js";
import { word } from "./words.js";

/** What stands around a name while a sentence is made (Unicode's FSI and PDI); no name has them. */
const [OPEN, CLOSE] = ["\u2068", "\u2069"];
const SET_APART = new RegExp(`${OPEN}([^${CLOSE}]*)${CLOSE}`, "u");

/** A name, or a title, as an element of its own. */
export function isolated(text) {
  return element("bdi", {}, text);
}

/** A name as it is handed to `phrase`; null stays null. */
export function apart(name) {
  return name === null ? null : `${OPEN}${name}${CLOSE}`;
}

/** The words of that key as nodes, those `apart` as elements of their own. */
export function phrase(key, ...details) {
  return nodesOf(word(key, ...details));
}

/** A sentence as nodes. */
export function nodesOf(text) {
  return text.split(SET_APART).map((part, index) => (index % 2 === 1 ? isolated(part) : part));
}

/** A sentence without what sets names apart. */
export function plain(text) {
  return text.replaceAll(OPEN, "").replaceAll(CLOSE, "");
}
