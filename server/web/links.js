// Addresses in messages: where one ends, and how it is shown so that everyone sees which host it
// opens. Tested with tests/cases/links.json.

/** A longer address is not a link: it would only cost everyone who shows it. */
const LONGEST = 2_000;

/** What may be part of an address; brackets and stops of East Asian text may not. */
const RUN = /https?:\/\/[^\s<>"'`{}|\\^「」『』《》〈〉【】〔〕（）［］｛｝“”‘’、。，．！？；：…·]+/giu;

/** Punctuation that ends a sentence rather than an address. */
const STOPS = ".,;:!?";
const CLOSING = { ")": "(", "]": "[" };

/** The existing Hangul domains; any other Hangul there is text. */
const HANGUL_DOMAIN = /^(?:한국|닷컴|닷넷|삼성)/u;

/** Scripts shown together, because their readers mix them. */
const FAMILIES = [
  /^[a-z\p{Script=Hangul}]*$/u,
  /^[a-z\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]*$/u,
  /^[a-zà-öø-ÿ]*$/u,
  /^\p{Script=Cyrillic}*$/u,
  /^\p{Script=Greek}*$/u,
];

/** The links in a text, in order: `{index, length, href, text}`. */
export function links(text) {
  const found = [];
  for (const { 0: run, index } of text.matchAll(RUN)) {
    const raw = trim(cutAuthority(run));
    const link = raw.length <= LONGEST && open(raw);
    if (link) found.push({ index, length: raw.length, ...link });
  }
  return found;
}

/** The link, cut where text is attached to its host, its port, or the key of a room. */
function cutAuthority(run) {
  const begin = run.indexOf("//") + 2;
  const after = run.slice(begin).search(/[/?#]/u);
  const end = after < 0 ? run.length : begin + after;
  const at = run.lastIndexOf("@", end - 1) + 1;
  const from = Math.max(begin, at);
  const host = hostLength(run.slice(from, end));
  if (from + host < end) return run.slice(0, from + host);
  const key = /#[0-9a-z](?:-?[0-9a-z]){25}(?=[^ -~])/iu.exec(run.slice(end, LONGEST));
  return key ? run.slice(0, end + key.index + key[0].length) : run;
}

/** The length of host and port in an authority. */
function hostLength(authority) {
  const port = /:\d{1,5}/u.exec(authority.replace(/^\[[^\]]*\]/u, (address) => "x".repeat(address.length)));
  if (port) return port.index + port[0].length;
  const label = authority.slice(authority.lastIndexOf(".") + 1);
  const start = authority.length - label.length;
  if (start > 0 && /^\p{Script=Hangul}/u.test(label) && !HANGUL_DOMAIN.test(label)) return start;
  // Hangul after a label of Latin letters or digits is a particle: `.com에서`.
  const latin = /^[a-z0-9-]+(?=[^ -~])/iu.exec(label) ?? (start > 0 && HANGUL_DOMAIN.exec(label));
  return latin ? start + latin[0].length : authority.length;
}

/** The link without the end of the sentence around it: stops, and brackets that it does not open. */
function trim(link) {
  const count = { "(": 0, ")": 0, "[": 0, "]": 0 };
  for (const character of link) if (character in count) count[character] += 1;
  let end = link.length;
  for (; end > 0; end -= 1) {
    const last = link[end - 1];
    const isLoose = last in CLOSING && count[last] > count[CLOSING[last]];
    if (!isLoose && !STOPS.includes(last)) break;
    if (last in count) count[last] -= 1;
  }
  return link.slice(0, end);
}

/** What a link opens, and what it shows: the host that is opened, without any `user@`. */
function open(raw) {
  let url;
  try {
    url = new URL(raw);
  } catch {
    return null;
  }
  if (url.hostname === "") return null;
  url.username = "";
  url.password = "";
  const [, scheme, authority, rest] = /^(https?:\/\/)([^/?#]*)(.*)$/isu.exec(raw);
  const shown = shownHost(authority.slice(authority.lastIndexOf("@") + 1), url.hostname);
  return { href: url.href, text: scheme.toLowerCase() + shown + (url.port && `:${url.port}`) + rest };
}

/** The host as it was written, unless it could be mistaken for another; then as it is opened. */
function shownHost(authority, hostname) {
  if (!hostname.includes("xn--")) return hostname;
  const written = authority.replace(/:\d*$/u, "").normalize("NFC").toLowerCase();
  const letters = written.replace(/[0-9.-]/gu, "");
  const isPlain = FAMILIES.some((family) => family.test(letters)) && !/[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\ud7b0-\ud7ff]/u.test(letters);
  return isPlain ? written : hostname;
}
