// Creates elements. Text written by people is only ever inserted as text nodes.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** The element with this id, which exists in the document. */
export function byId(id) {
  return document.getElementById(id);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A QR code as a picture, with the quiet zone around it. */
export function qrPicture(modules, label) {
  const size = modules.length + 8;
  const path = modules.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x + 4} ${y + 4}h1v1h-1z`] : []))).join("");
  return drawing(
    "svg",
    { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    drawing("rect", { width: size, height: size, fill: "#fff" }),
    drawing("path", { d: path, fill: "#000" }),
  );
}

/** A number derived from a name, for its colour. */
export function tint(name) {
  // FNV-1a with its high bits mixed in: names in one class often differ in a single digit.
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % 12;
}
