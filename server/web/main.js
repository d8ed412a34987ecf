// The page as a whole: what comes from the server goes to the state and from there to
// the views, what people do goes to the server. Each part stands in a module of its own.

import { Attention } from "./attention.js";
import { is, loadCommands, read, whisperOf } from "./commands.js";
import { Composer } from "./composer.js";
import { Connection, chatAddress } from "./connection.js";
import { ask, showMore, showPerson, showStopped } from "./dialogs.js";
import { byId } from "./dom.js";
import { Entry, keyIn } from "./entry.js";
import { Head } from "./head.js";
import { fillInvite, prepareCopying, showInvite } from "./invite.js";
import { Log } from "./log.js";
import { Login } from "./login.js";
import { choices, forget, recall, remember } from "./memory.js";
import { Side, roomTitle } from "./side.js";
import { State } from "./state.js";
import { chooseLang, lang, putWords, word } from "./words.js";

/** How many events are asked for at once. */
const HISTORY = 60;

/** How often the list of rooms is asked for. */
const ROOMS_MS = 60_000;

/** How long coming back after a reload may take before it is said. */
const PATIENCE_MS = 800;

const state = new State();
const memory = recall();
state.keys = memory.keys;
state.session = memory.session;
for (const whisper of memory.whispers) state.whispered(...whisper);

let limits = { line_bytes: 4_096, message_bytes: 16_384 };
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
    const most = await ask(word("limitPrompt"), String(state.limit ?? 30), word("save"));
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
  login.want(choice);
  connection.start();
});
const log = new Log(state, act.person, askOlder);
const side = new Side(state, act);
const composer = new Composer(state, say);
const connection = new Connection(chatAddress(document.baseURI), {
  open: opened, message: take, answer: settle, change: showStatus, stop: stopped,
});
const head = new Head(state, connection, attention, composer);
const login = new Login(state, memory, connection, { done: loggedIn, refused });

function opened() {
  [state.whoIsNew, state.roomsAreNew] = [true, true];
  olderCame(false);
  connection.ask({ type: "command", line: `/lang ${lang()}` }, "quiet");
  login.begin();
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
  if (news && !state.hides(news)) attention.news(news);
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
      login.answer(message);
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
      if (whisper) {
        state.whispered(whisper.to, whisper.text, Date.now());
        keep();
      }
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

function loggedIn(isNew) {
  showPending();
  showStatus();
  if (!isNew) goToLink();
}

function refused(text) {
  connection.stop();
  entry.show();
  entry.refuse(text);
}

function stopped(reason, seconds) {
  if (reason === "quit") {
    forget();
    location.hash = "";
    location.reload();
  } else if (reason === "replaced") {
    showStopped(word("replaced"), ["continueHere", () => connection.start()]);
  } else {
    forget();
    showStopped(reason === "kicked" ? word("kickedOut", Math.ceil(seconds / 60)) : word("banned"), null);
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
  head.changed();
}

function showPending() {
  log.setPending(connection.unanswered().filter(({ purpose }) => purpose === "say").map(({ request: { text } }) => text));
  showStatus();
}

function showStatus() {
  head.drawStatus();
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
