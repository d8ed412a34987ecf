// What this tab remembers over a reload, and this browser over a visit. A session and
// the keys of rooms stay in the tab: another one is another visitor.

const TAB = "madang";
const LEFT = "madang.left";
const AWAY = "madang.away";

/** How long a name may be gone on with after its connection ended. */
const AWAY_MS = 60_000;

/** How long another tab may take to say that a session is its own. */
const ANSWER_MS = 300;

/** A store of the browser's; where it may not be used, what is put there lasts as long as the page. */
class Store {
  #name;
  #own = new Map();

  constructor(name) {
    this.#name = name;
  }

  get(key) {
    if (this.#own.has(key)) return this.#own.get(key);
    return this.#try((store) => store.getItem(key)) ?? null;
  }

  set(key, value) {
    this.#own.set(key, value);
    this.#try((store) => {
      store.setItem(key, value);
      this.#own.delete(key);
    });
  }

  remove(key) {
    this.#own.delete(key);
    this.#try((store) => store.removeItem(key));
  }

  /** Even to name a store throws where storage is blocked. */
  #try(use) {
    try {
      return use(globalThis[this.#name]);
    } catch {
      return undefined;
    }
  }
}

const tab = new Store("sessionStorage");
const browser = new Store("localStorage");

function read(store, key) {
  try {
    return JSON.parse(store.get(key));
  } catch {
    return null;
  }
}

/**
 * What a reload needs of a state: `{session, user, room, keys, whispers}`, without a
 * session if this is no reload. A duplicated tab has a copy of all that the first one
 * remembers, and may not take its session.
 */
export async function recall() {
  const { session = null, user = null, room = null, keys = [], whispers = [] } = read(tab, TAB) ?? {};
  const wasLeft = session !== null && tab.get(LEFT) === session;
  tab.remove(LEFT);
  const mayReturn = session !== null && isReload() && (wasLeft || !(await isElsewhere(session)));
  if (mayReturn) return { session, user, room, keys: new Map(keys), whispers };
  forget();
  return { session: null, user: null, room: null, keys: new Map(), whispers: [] };
}

export function remember({ session, user, room, keys, ownWhispers: whispers }) {
  tab.set(TAB, JSON.stringify({ session, user, room, keys: [...keys], whispers }));
}

export function forget() {
  tab.remove(TAB);
}

function isReload() {
  const type = performance.getEntriesByType("navigation")[0]?.type;
  return type === "reload" || type === "back_forward";
}

/** Opens what tabs of this browser ask each other by; null where that is blocked. */
function channel() {
  try {
    return new BroadcastChannel(TAB);
  } catch {
    return null;
  }
}

/** Tells other tabs which session is this one's: the one that `current` gives. */
export function answerTabs(current) {
  const tabs = channel();
  tabs?.addEventListener("message", ({ data }) => {
    if (data.whose && data.whose === current()) tabs.postMessage({ mine: data.whose });
  });
}

/** Whether a tab that was not left has this session. */
function isElsewhere(session) {
  const tabs = channel();
  if (tabs === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    tabs.addEventListener("message", ({ data }) => { if (data.mine === session) resolve(true); });
    setTimeout(() => resolve(false), ANSWER_MS);
    tabs.postMessage({ whose: session });
  }).finally(() => tabs.close());
}

/** Names whose connection has just ended in this browser, each with its session. */
export const away = {
  /** The page goes, perhaps to be loaded again; its connection ended at `at`. */
  leave(name, session, at) {
    tab.set(LEFT, session);
    keepAway([...recentlyAway().filter((it) => it.session !== session), { name, session, at }]);
  },
  /** The session is this tab's again, or over. */
  end(session) {
    tab.remove(LEFT);
    keepAway(recentlyAway().filter((it) => it.session !== session));
  },
  /** The session that had that name; null if none has just ended. */
  find(name) {
    const folded = (it) => it.normalize("NFC").toLowerCase();
    return recentlyAway().findLast((it) => folded(it.name) === folded(name))?.session ?? null;
  },
};

function recentlyAway() {
  const all = read(browser, AWAY);
  const now = Date.now();
  return Array.isArray(all) ? all.filter(({ at }) => at <= now && now - at < AWAY_MS) : [];
}

function keepAway(sessions) {
  if (sessions.length > 0) browser.set(AWAY, JSON.stringify(sessions));
  else browser.remove(AWAY);
}

/** What was chosen the last time: one's own name, the language, whether to be notified, and to hear it. */
export const choices = {};
for (const choice of ["name", "lang", "notify", "sound"]) {
  const key = `madang.${choice}`;
  Object.defineProperty(choices, choice, {
    get: () => browser.get(key),
    set: (value) => (value === null ? browser.remove(key) : browser.set(key, value)),
  });
}
