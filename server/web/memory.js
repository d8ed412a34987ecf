// What this tab remembers across a reload, and this browser across visits. A session and the keys
// of rooms stay in the tab: another tab is another visitor.

const TAB = "madang";
const LEFT = "madang.left";
const AWAY = "madang.away";

/** How long a name can be used again after its connection ended. */
const AWAY_MS = 60_000;

/** How long another tab may take to claim a session. */
const ANSWER_MS = 300;

/** The browser's storage; if that is blocked, values last as long as the page. */
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

  /** Even naming a storage throws where it is blocked. */
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
 * What a reload needs from a state: `{session, user, room, keys, whispers}`; without a session if
 * this is not a reload. A duplicated tab has a copy of everything that the first one remembers,
 * and must not take its session.
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

/** Opens the channel between this browser's tabs; null where that is blocked. */
function channel() {
  try {
    return new BroadcastChannel(TAB);
  } catch {
    return null;
  }
}

/** Tells other tabs which session belongs to this one: the one that `current` returns. */
export function answerTabs(current) {
  const tabs = channel();
  tabs?.addEventListener("message", ({ data }) => {
    if (data.whose && data.whose === current()) tabs.postMessage({ mine: data.whose });
  });
}

/** Whether another open tab has this session. */
function isElsewhere(session) {
  const tabs = channel();
  if (tabs === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    tabs.addEventListener("message", ({ data }) => { if (data.mine === session) resolve(true); });
    setTimeout(() => resolve(false), ANSWER_MS);
    tabs.postMessage({ whose: session });
  }).finally(() => tabs.close());
}

/** Names whose connection in this browser has just ended, each with its session. */
export const away = {
  /** The page is closing, possibly for a reload; its connection ended at `at`. */
  leave(name, session, at) {
    tab.set(LEFT, session);
    keepAway([...recentlyAway().filter((it) => it.session !== session), { name, session, at }]);
  },
  /** The session belongs to this tab again, or is over. */
  end(session) {
    tab.remove(LEFT);
    keepAway(recentlyAway().filter((it) => it.session !== session));
  },
  /** The session of that name; null if none has just ended. */
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

/** The last choices: name, language, notifications and sound. */
export const choices = {};
for (const choice of ["name", "lang", "notify", "sound"]) {
  const key = `madang.${choice}`;
  Object.defineProperty(choices, choice, {
    get: () => browser.get(key),
    set: (value) => (value === null ? browser.remove(key) : browser.set(key, value)),
  });
}
