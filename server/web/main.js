// The page as a whole: what comes from the server goes to the state and from there to
// the views, what people do goes to the server. Each part stands in a module of its own.

import { Attention } from "./attention.js";
import { is, loadCommands, read, whisperOf } from "./commands.js";
import { Composer } from "./composer.js";
import { Connection, chatAddress } from "./connection.js";
import { ask, showMore, showPerson, showStopped } from "./dialogs.js";
import { byId } from "./dom.js";
import { Entry, keyIn } from "./entry.js";
import { fillInvite, prepareCopying, showInvite } from "./invite.js";
import { Log } from "./log.js";
import { choices, forget, recall, remember } from "./memory.js";
import { guestName } from "./names.js";
import { Side, roomTitle } from "./side.js";
import { State, isPrivate } from "./state.js";
import { chooseLang, lang, putWords, word } from "./words.js";

/** How many events are asked for at once. */
const HISTORY = 60;

/** How many other names are tried for who did not choose one. */
const NAME_TRIES = 4;

/** How often the list of rooms is asked for. */
const ROOMS_MS = 60_000;

/** How long coming back after a reload may take before it is said. */
const PATIENCE_MS = 800;

const state = new State();
const memory = recall();
state.keys = memory.keys;
state.session = memory.session;

/** What was chosen on the way in: `{name, isProposed, place, make, tries}`. */
let wanted = null;
let limits = { line_bytes: 4_096, message_bytes: 16_384 };
/** The last event that was here before the session was lost. */
let lastBefore = 0;
let headTimer = 0;
/** Called when what was asked for has come, or will not come any more. */
let olderCame = () => {};

const attention = new Attention();
const act = {
  join: (place) => command(`/join ${place}`),
  make: () => command("/new"),
  person: (name) => showPerson(state, name, act),
  whisper: (name) => composer.whisper(name),
  mention: (name) => composer.insert(`@${name} `),
  command,
  async rename() {
    const name = await ask(word("rename"), state.user, word("save"));
    if (name && name !== state.user) command(`/nick ${name}`);
  },
  async topic() {
    const topic = await ask(word("topic"), state.topic, word("save"));
    if (topic !== null && topic !== state.topic) command(`/topic ${topic || "-"}`);
  },
  async limit() {
    const most = await ask(word("limitPrompt"), "30", word("save"));
    if (most) command(`/limit ${most}`);
  },
  async end() {
    if ((await ask(word("endSure"), null, word("end"))) !== null) command("/end");
  },
  language() {
    choices.lang = lang() === "ko" ? "en" : "ko";
    speak();
    if (state.user) connection.ask({ type: "command", line: `/lang ${lang()}` }, "quiet");
  },
  quit: () => command("/quit"),
};
const entry = new Entry((choice) => {
  wanted = { ...choice, tries: 0 };
  connection.start();
});
const log = new Log(state, act.person, askOlder);
const side = new Side(state, act);
const composer = new Composer(state, say);
const connection = new Connection(chatAddress(document.baseURI), {
  open: logIn, message: take, answer: settle, change: showStatus, stop: stopped,
});

function logIn() {
  [state.whoIsNew, state.roomsAreNew] = [true, true];
  olderCame(false);
  connection.ask({ type: "command", line: `/lang ${lang()}` }, "quiet");
  if (state.session) {
    const place = state.room === null ? {} : { room: state.room, last: state.lastId };
    connection.ask({ type: "login", session: state.session, ...place, last_private: state.lastPrivate }, "login");
  } else {
    connection.ask({ type: "login", name: wanted.name, room: wanted.place, history: HISTORY }, "login");
  }
}

/** Who this was, and where, when the session was last known. */
function lastKnown() {
  const user = state.user ?? memory.user;
  const room = state.user === null ? memory.room : state.room;
  return { user, room };
}

/** Something that belongs to no request, or that its request lets through. */
function take(message) {
  const { room } = state;
  const news = state.receive(message);
  switch (message.type) {
    case "hello": limits = message.limits; return;
    case "welcome":
    case "entered": arrived(room); break;
    case "gap": fillGap(news); break;
    case "renamed": if (message.to === state.user) keep(); break;
    default:
  }
  if (news) attention.news(news);
  changed(news);
}

/** An answer to a request; true if nobody else needs to see it. */
function settle(waiting, message) {
  const { purpose, request } = waiting;
  const { type } = message;
  switch (purpose) {
    case "quiet":
    case "probe":
      return true;
    case "login":
      if (type === "ack") loggedIn();
      if (type === "error") refused(message);
      return true;
    case "state":
      if (type === "ack" || type === "error") return true;
      state.receive(message);
      if (type === "invite") invited();
      changed();
      return true;
    case "older":
      return older(waiting, message);
    case "say":
      showPending();
      if (type !== "error") return true;
      state.note(message.text, "error");
      composer.insert(request.text);
      changed();
      return true;
    default:
      return commanded(request.line, message);
  }
}

/** What answers a command that somebody gave. */
function commanded(line, message) {
  switch (message.type) {
    case "ack": {
      const whisper = whisperOf(line);
      if (whisper) state.whispered(whisper.to, whisper.text, Date.now());
      if (/^\/(?:ignore|unignore|차단|차단해제)\s/u.test(line)) request("/ignore");
      break;
    }
    case "who":
      state.receive(message);
      state.note(`${word("roomLine", roomTitle(state, message.room), message.count)}: ${message.members.join(", ")}`);
      break;
    case "rooms":
      state.receive(message);
      state.note(message.rooms.map(({ room, members, topic }) => word("roomLine", room, members) + (topic ? ` · ${topic}` : "")).join("\n"));
      break;
    case "whois":
      state.note(word("whoisLine", message.user, message.room, new Date(message.since).toLocaleTimeString(lang())));
      break;
    case "ignored":
      state.receive(message);
      state.note(`${word("hiddenMark")}: ${message.users.join(", ") || "–"}`);
      break;
    case "pong": state.note(word("pong")); break;
    case "invite":
      state.receive(message);
      invited();
      showInvite(message);
      break;
    default: return false;
  }
  showPending();
  changed();
  return true;
}

/** One is in a room, perhaps in the one where one was before. */
function arrived(before) {
  byId("entry").hidden = true;
  byId("chat").hidden = false;
  document.body.classList.remove("entering");
  for (const line of ["/who", "/rooms", "/invite", "/ignore"]) request(line);
  keep();
  if (state.room !== before || before === null) {
    if (!state.isPrivate) history.replaceState(null, "", location.pathname + location.search);
    log.redraw();
    composer.focus();
  }
}

/** The login has had its answer, and the room has told what was before. */
function loggedIn() {
  const isNew = wanted !== null;
  const { make, name, isProposed } = wanted ?? {};
  wanted = null;
  if (isNew && !isProposed) choices.name = name;
  // Words whose answer was lost with the session may have been said.
  if (lastBefore > 0) {
    const wasSaid = ({ text }) => state.entries.some((it) => it.own && it.id > lastBefore && it.text === text);
    for (const { nonce, sent, purpose, request: asked } of connection.unanswered()) {
      if (sent && (purpose !== "say" || wasSaid(asked))) connection.withdraw(nonce);
    }
    lastBefore = 0;
  }
  remember(state);
  connection.ready();
  showPending();
  showStatus();
  if (make) act.make();
  else if (!isNew) goToLink();
}

function refused({ code, text }) {
  if (code === "session_unknown") {
    // It was away for too long, or the server has forgotten everything.
    lastBefore = state.lastId;
    const { user, room } = lastKnown();
    const key = state.keys.get(room)?.key ?? keyIn(location.hash);
    const place = key ? `#${key}` : isPrivate(room) ? null : room;
    wanted = { name: user ?? guestName(lang()), isProposed: true, place: place ?? "lobby", make: false, tries: 0 };
    state.session = null;
    forget();
    logIn();
    return;
  }
  const { user, room } = lastKnown();
  if (code === "no_such_room" && wanted.place !== "lobby") {
    // The room is gone, and its link leads nowhere.
    state.keys.delete(room);
    history.replaceState(null, "", location.pathname + location.search);
  }
  if (code === "no_such_room" && user !== null) {
    wanted.place = "lobby";
    logIn();
    return;
  }
  if (code === "name_taken" && wanted.isProposed && wanted.tries < NAME_TRIES) {
    wanted.tries += 1;
    wanted.name = user ? `${user}-${wanted.tries + 1}` : guestName(lang(), wanted.tries);
    logIn();
    return;
  }
  connection.stop();
  forget();
  entry.show();
  entry.refuse(text);
}

function stopped(reason) {
  if (reason === "quit") {
    forget();
    location.hash = "";
    location.reload();
  } else if (reason === "replaced") {
    showStopped(word("replaced"), ["continueHere", () => connection.start()]);
  } else {
    forget();
    showStopped(word("banned"), null);
  }
}

/** What somebody has written: words, or a command. Returns what is wrong with it. */
function say(text, whisperTo) {
  const meant = whisperTo === null ? read(text) : { command: `/msg ${whisperTo} ${text}` };
  const bytes = (it) => new TextEncoder().encode(it).length;
  const longest = Math.max(...text.split("\n").map(bytes));
  if (longest > limits.line_bytes) return word("tooLong", longest, limits.line_bytes);
  if (bytes(text) > limits.message_bytes) return word("tooLong", bytes(text), limits.message_bytes);
  if (meant.command) {
    command(meant.command);
  } else {
    connection.submit({ type: "say", text: meant.say }, "say");
    showPending();
  }
  log.toEnd();
  return null;
}

function command(line) {
  connection.submit({ type: "command", line }, is(line.split(/\s/u)[0], "/lang") ? "quiet" : "command");
}

/** Asks for something that the page itself wants to know. */
function request(line) {
  connection.ask({ type: "command", line }, "state");
}

/** The way into this room is known: its key goes into the address, never to a server. */
function invited() {
  const { invite } = state;
  if (invite.room !== state.room) return;
  fillInvite(invite);
  if (invite.key) history.replaceState(null, "", `#${invite.key}`);
  keep();
}

function keep() {
  if (state.session) remember(state);
}

/** A link was opened in a tab that is in the chat already. */
function goToLink() {
  const key = keyIn(location.hash);
  const normal = (it) => it?.toLowerCase().replaceAll("-", "");
  if (key && normal(key) !== normal(state.keys.get(state.room)?.key)) act.join(`#${key}`);
}

function askOlder() {
  if (connection.status !== "open" || state.room === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    connection.ask({ type: "history", before: state.firstId, limit: HISTORY }, "older");
    olderCame = resolve;
  });
}

function fillGap(gap) {
  if (!gap) return;
  gap.nonce = connection.ask({ type: "history", before: gap.to + 1, limit: Math.min(200, gap.to - gap.from + 1) }, "older");
}

function older(waiting, message) {
  if (message.type === "history") {
    waiting.count = (waiting.count ?? 0) + message.events.length;
    state.receive(message);
    return true;
  }
  const gap = state.entries.find((it) => it.kind === "gap" && it.nonce === waiting.nonce);
  if (gap) state.closeGap(gap);
  else state.exhausted ||= (waiting.count ?? 0) < waiting.request.limit;
  olderCame(true);
  changed();
  return true;
}

function changed(news = null) {
  log.changed(news);
  side.changed();
  headTimer ||= setTimeout(() => {
    headTimer = 0;
    showHead();
  });
}

/** Where one is, and with how many. */
function showHead() {
  const title = roomTitle(state, state.room);
  attention.setTitle(state.user ? title : "");
  setText("room-title", title);
  setText("room-topic", state.isPrivate && state.topic ? word("privateRoom") : state.isPrivate ? "" : state.topic);
  const people = state.room === null ? "" : word("members", Math.max(state.count, state.members.size));
  setText("count", people);
  setText("wall-count", people);
  setText("wall-title", title);
  composer.prompt(word("say", title));
  showStatus();
}

function setText(id, text) {
  const at = byId(id);
  if (at.textContent !== text) at.textContent = text;
}

function showPending() {
  log.setPending(connection.unanswered().filter(({ purpose }) => purpose === "say").map(({ request: { text } }) => text));
  showStatus();
}

/** How it stands with the connection, if that is not as it should be. */
function showStatus() {
  const isCut = state.user !== null && connection.status !== "open" && connection.status !== "closed";
  const unsent = connection.unanswered().length;
  const text = isCut
    ? [word(connection.failures > 3 ? "unreachable" : "reconnecting"), unsent > 0 && word("unsent", unsent)].filter(Boolean).join(" · ")
    : state.user !== null && state.room === null && connection.status === "open" ? word("removed") : "";
  setText("status", text);
  byId("status").classList.toggle("shown", text !== "");
  if (state.user === null && connection.status !== "closed") {
    entry.say(connection.failures > 0 ? word("unreachable") : "");
    if (connection.failures === 2) explainRefusal();
  }
}

/** A browser doesn't tell why a WebSocket was refused; whether the server is there does. */
async function explainRefusal() {
  try {
    if ((await fetch("healthz")).ok && !connection.everOpened) {
      connection.stop();
      entry.refuse(word("refusedPage"));
    }
  } catch {
    // It is not there: that is what is said already.
  }
}

/** Says everything in the language that was chosen. */
function speak() {
  chooseLang(choices.lang, navigator.languages);
  document.documentElement.lang = lang();
  putWords(document);
  entry.relabel();
  log.redraw();
  if (state.invite) fillInvite(state.invite);
  changed();
}

function showWall(isShown) {
  document.body.classList.toggle("on-wall", isShown);
  byId("wall").hidden = !isShown;
  log.toEnd();
  byId(isShown ? "end-wall" : "show-wall").focus();
}

document.querySelector(".language").addEventListener("click", act.language);
byId("show-invite").addEventListener("click", () => (state.invite ? showInvite(state.invite) : command("/invite")));
byId("show-more").addEventListener("click", () => showMore(state, attention, act));
byId("show-wall").addEventListener("click", () => showWall(true));
byId("end-wall").addEventListener("click", () => showWall(false));
byId("menu").addEventListener("click", () => request("/rooms"));
byId("room-topic").addEventListener("dblclick", act.topic);
prepareCopying();

// A page that slept does not know how long: it finds out at once.
addEventListener("online", () => connection.probe());
addEventListener("pageshow", () => connection.probe());
addEventListener("focus", () => connection.probe());
document.addEventListener("visibilitychange", () => { if (!document.hidden) connection.probe(); });
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("on-wall")) showWall(false);
});
addEventListener("hashchange", () => {
  if (state.user === null) entry.relabel();
  else goToLink();
});
setInterval(() => {
  if (!document.hidden && connection.status === "open" && state.user) request("/rooms");
}, ROOMS_MS);

speak();
loadCommands();
if (state.session) {
  connection.start();
  // Mostly it is back before anybody has seen that it was away.
  setTimeout(() => {
    if (state.user !== null || connection.status === "closed") return;
    entry.show();
    entry.busy(true);
  }, PATIENCE_MS);
} else {
  entry.show();
}
