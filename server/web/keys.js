// The key of a private room in a link, whatever is written around it; tested with
// tests/cases/keys.json.

/** Crockford's digits; the first digit of a key gives three bits. */
const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH = 26;

const isSkipped = (character) => /^[-\u2010-\u2015]$/u.test(character)
  || (/^[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\ufff0-\ufffb]$/u.test(character) && !/^\p{White_Space}$/u.test(character));

/** The first key after a `#`, in groups of five; null if there is none. */
export function findKey(text) {
  for (const rest of text.split("#").slice(1)) {
    const key = keyAt(rest);
    if (key !== null) return key;
  }
  return null;
}

/** The key in an address's fragment, where the browser has encoded any text attached to it. */
export function keyIn(fragment) {
  try {
    return findKey(decodeURIComponent(fragment));
  } catch {
    return findKey(fragment);
  }
}

/** The ticket in an address's fragment that makes a teacher; null if there is none. */
export function ticketIn(fragment) {
  return /^#(teach-[0-9a-z-]+)$/iu.exec(fragment)?.[1] ?? null;
}

/** Whether there is a fragment without a key. */
export function isBroken(fragment) {
  return fragment.includes("#") && keyIn(fragment) === null;
}

function keyAt(text) {
  let digits = "";
  for (const character of text) {
    if (isSkipped(character)) continue;
    // Latin letters only: U+212A is not a K.
    const letter = /^[A-Z]$/u.test(character) ? character.toLowerCase() : character;
    const digit = letter.replace("o", "0").replace(/[il]/u, "1");
    if (digits.length === LENGTH) {
      if (/^[0-9a-z]$/u.test(digit)) return null;
      break;
    }
    if (digit.length !== 1 || !DIGITS.includes(digit)) return null;
    digits += digit;
  }
  if (digits.length !== LENGTH || digits[0] > "7") return null;
  return digits.replace(/.{5}(?=.{6})/gu, "$&-");
}
