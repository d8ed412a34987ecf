// What this tab remembers over a reload, and this browser over a visit. A session and
// the keys of rooms stay in the tab: another one is another visitor.

const TAB = "madang";
const NAME = "madang.name";
const LANG = "madang.lang";

/** What a reload needs of a state: `{session, user, room, keys, whispers}`. */
export function recall() {
  try {
    const { session = null, user = null, room = null, keys = [], whispers = [] } = JSON.parse(sessionStorage.getItem(TAB)) ?? {};
    return { session, user, room, keys: new Map(keys), whispers };
  } catch {
    return { session: null, user: null, room: null, keys: new Map(), whispers: [] };
  }
}

export function remember({ session, user, room, keys, ownWhispers: whispers }) {
  sessionStorage.setItem(TAB, JSON.stringify({ session, user, room, keys: [...keys], whispers }));
}

export function forget() {
  sessionStorage.removeItem(TAB);
}

/** The name one chose oneself the last time, and the language. */
export const choices = {
  get name() { return localStorage.getItem(NAME); },
  set name(name) { localStorage.setItem(NAME, name); },
  get lang() { return localStorage.getItem(LANG); },
  set lang(lang) { localStorage.setItem(LANG, lang); },
};
