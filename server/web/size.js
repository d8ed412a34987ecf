// How long a message may be: measured like the server measures it, and shown in letters.

/** From this share of a limit on, the page shows how much is left. */
const NEAR = 0.8;

/** The size of a text on the wire, in bytes. */
export const bytesOf = (text) => new TextEncoder().encode(text).length;

/** The limit that leaves the least for a text: `{size, most}`, in bytes. `encoded` is the request's size. */
export function measure(words, encoded, limits) {
  const longest = words.split("\n").reduce((most, line) => Math.max(most, bytesOf(line)), 0);
  const sizes = [
    { size: longest, most: limits.line_bytes },
    { size: bytesOf(words), most: limits.message_bytes },
    { size: encoded, most: limits.carrier_bytes },
  ];
  return sizes.reduce((worst, it) => (it.most - it.size < worst.most - worst.size ? it : worst));
}

/** How many more letters of the same kind fit, below zero if there are too many; null while there are plenty. */
export function lettersLeft(words, { size, most }) {
  if (size < most * NEAR) return null;
  const each = bytesOf(words) / [...words].length;
  const letters = (most - size) / each;
  return size > most ? Math.min(-1, Math.floor(letters)) : Math.floor(letters);
}
