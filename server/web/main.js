// The page as a whole: the server's messages go to the state and from there to the views, and
// people's actions go to the server. Each part is a module of its own.

import { actions } from "./actions.js";
import { answerText, lessonAnswer } from "./answers.js";
import { Attention } from "./attention.js";
import { is, isVote, loadCommands, split, whisperOf } from "./commands.js";
import { Classroom, PURPOSE as LESSON } from "./classroom.js";
import { Composer } from "./composer.js";
import { Connection, chatAddress } from "./connection.js";
import { download, showMore, showStopped } from "./dialogs.js";
import { byId } from "./dom.js";
import { Entry } from "./entry.js";
import { Head } from "./head.js";
import { fillInvite, prepareCopying, showInvite } from "./invite.js";
import { isBroken, keyIn } from "./keys.js";
import { Log } from "./log.js";
import { Login } from "./login.js";
import { answerTabs, away, choices, forget, recall, remember } from "./memory.js";
import { Past } from "./past.js";
import { roomTitle } from "./rooms.js";
import { Saving } from "./saving.js";
import { Search } from "./search.js";
import { Side } from "./side.js";
import { Sound } from "./sound.js";
import { commandOf, lettersLeftOf, sizeOf, speech } from "./speech.js";
import { Start } from "./start.js";
import { State } from "./state.js";
import { Undelivered, missed } from "./undelivered.js";
import { fate } from "./unsent.js";
import { Wall } from "./wall.js";
import { chooseLang, lang, languageCalled, putWords, word } from "./words.js";

/** How often to ask for the list of rooms, and how often if it is a long one. */
const ROOMS_MS = 20_000;
const LONG_LIST_MS = 60_000;

/** How many rooms make a long list. */
const LONG_LIST = 20;

/** How long reconnecting after a reload may take before the page says so. */
const PATIENCE_MS = 800;

const state = new State();
const memory = await recall();
state.keys = memory.keys;
state.session = memory.session;
for (const whisper of memory.whispers) state.whispered(...whisper);

let limits = { line_bytes: 4_096, message_bytes: 16_384, carrier_bytes: 65_536 };
/** Name and room before the connection was lost: `{user, room, title}`. */
let before = null;
/** The title of the room that one had to leave, while a draft for it may be in the field. */
let draftFrom = null;
/** When the list of rooms was last requested. */
let roomsAt = 0;

const sound = new Sound();
const attention = new Attention(sound);
const entry = new Entry((choice) => {
  login.want(choice);
  connection.start();
});
const composer = new Composer(state, say, (typed, to) => lettersLeftOf(typed, to, limits));
const undelivered = new Undelivered(state, composer, () => { showPending(); changed(); });
const act = actions(state, composer, command, chooseLanguage);
const log = new Log(state, act, (range) => past.load(range));
const search = new Search(state, askToSearch, showSaid);
const side = new Side(state, act);
const start = new Start(state, act.setTopic);
const wall = new Wall(() => {
  classroom.watch();
  classroom.draw();
  log.toEnd();
});
const connection = new Connection(chatAddress(document.baseURI), {
  open: opened,
  message: take,
  answer: settle,
  change: showStatus,
  stop: stopped,
  unsendable: (requests) => undelivered.keep(requests, "tooBigUnsent"),
});
const past = new Past(state, connection);
const classroom = new Classroom(state, connection, { act, openSide: () => side.reveal(), request, changed });
const saving = new Saving(state, connection);
const head = new Head(state, connection, attention, composer);
const login = new Login(state, memory, connection, {
  done: loggedIn,
  refused,
  taken(choice) {
    connection.stop();
    entry.show();
    entry.askToGoOn(choice);
  },
});

function opened() {
  [state.whoIsNew, state.roomsAreNew] = [true, true];
  past.lost();
  search.lost();
  before ??= lastPlace();
  connection.ask({ type: "command", line: `/lang ${lang()}` }, "quiet");
  login.begin();
}

/** The current name and room; those from before a reload if the page knows no others. */
function lastPlace() {
  const { user, room } = state.user === null ? memory : state;
  return user === null ? null : { user, room, title: roomTitle(state, room) };
}

/** A message that belongs to no request, or that its request passes on. */
function take(message) {
  const { room } = state;
  const title = roomTitle(state, room);
  const news = state.receive(message);
  if (room !== null && state.room === null) draftFrom = title;
  switch (message.type) {
    case "hello": limits = message.limits; return;
    case "welcome":
    case "entered": arrived(room); break;
    case "gap": if (news) past.fill(news); break;
    case "said":
      if (news?.own && state.isSaved) {
        saving.said(news);
        showPending();
      }
      break;
    case "restarted": request("/who"); break;
    case "teacher": classroom.becameTeacher(); break;
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
  // A refused request was certainly not carried out.
  if (type === "error") waiting.sent = false;
  if (type === "ack" && saving.acked(waiting, message)) changed();
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
    case "past":
      past.answer(waiting, message);
      if (type !== "history") changed();
      return true;
    case "search":
      search.answer(waiting, message);
      return true;
    case LESSON:
      classroom.answer(waiting, message);
      return true;
    case "say":
      showPending();
      if (type === "error") undelivered.refused(waiting, message);
      return true;
    default:
      if (type === "error" && missed(waiting)) undelivered.keep([waiting], null);
      return commanded(waiting, message);
  }
}

/** The answer to a command that somebody gave. */
function commanded(waiting, message) {
  const { line } = waiting.request;
  switch (message.type) {
    case "notice":
      if (is(line, "/lang")) speakIn(languageCalled(split(line).argument) ?? lang());
      answered(waiting, state.receive(message));
      break;
    case "ack": {
      const whisper = whisperOf(line);
      if (whisper) {
        state.whispered(whisper.to, whisper.text, Date.now());
        keep();
      }
      if (isVote(line)) request("/poll");
      if (/^\/(?:ignore|unignore|차단|차단해제)\s/u.test(line)) request("/ignore");
      break;
    }
    case "who":
    case "rooms":
    case "whois":
    case "ignored":
    case "pong":
      state.receive(message);
      answered(waiting, state.note(answerText(state, message)));
      break;
    case "teacher":
      state.receive(message);
      classroom.becameTeacher();
      break;
    case "attendance": classroom.showAttendance(message); break;
    case "hands":
    case "ballot":
    case "tally":
      state.receive(message);
      answered(waiting, state.note(lessonAnswer(message)));
      break;
    case "invite":
      state.receive(message);
      invited();
      showInvite(message);
      break;
    case "transcript":
      download(message);
      break;
    default: return false;
  }
  showPending();
  changed();
  return true;
}

/** One is in a room, possibly the same as before. */
function arrived(roomBefore) {
  byId("entry").hidden = true;
  byId("chat").hidden = false;
  document.body.classList.remove("entering");
  for (const line of ["/who", "/rooms", "/invite", "/ignore"]) request(line);
  classroom.watch();
  keep();
  composer.turn(state.room !== null);
  if (state.room !== null && draftFrom !== null) {
    composer.hold(word("heldDraft", draftFrom, roomTitle(state, state.room)));
    draftFrom = null;
  }
  if (state.room !== roomBefore || roomBefore === null) {
    if (!state.isPrivate) history.replaceState(null, "", location.pathname + location.search);
    log.redraw();
    search.reset();
    composer.focus();
  }
}

/** `lastBefore` is the last event of a lost session, if this is another one. */
function loggedIn(isNew, lastBefore) {
  const from = before;
  before = null;
  const isOther = lastBefore !== null;
  const hasMoved = from !== null && from.room !== null && state.room !== from.room;
  if (isOther && from) tellOfNewSession(from);
  if (hasMoved && state.room !== null) state.note(word("movedToLobby", from.title));
  const landing = {
    room: state.room,
    resumed: !isOther,
    wasSaid: (text) => state.entries.some((entry) => entry.own && entry.id > lastBefore && entry.text === text),
  };
  const fates = new Map(connection.unanswered().map((waiting) => [waiting, fate(waiting, landing)]));
  const rest = connection.ready((waiting) => fates.get(waiting) === "send");
  saving.giveUp(rest);
  const kept = rest.filter((waiting) => fates.get(waiting) === "keep");
  undelivered.keep(kept, hasMoved ? "roomGoneUnsent" : "peopleUnsent");
  if (hasMoved) composer.hold(word("heldDraft", from.title, roomTitle(state, state.room)));
  showPending();
  showStatus();
  changed();
  if (!isNew) goToLink();
  classroom.useTicket();
}

/** Explains why so much is different now, so that nobody has to guess. */
function tellOfNewSession({ user }) {
  state.note(word(connection.lastBye === "shutdown" ? "restarted" : "newSession"));
  if (state.user !== user) state.note(word("newName", state.user));
}

function refused(text, proposal) {
  undelivered.keep(connection.withdrawAll(), "roomGoneUnsent");
  before = null;
  connection.stop();
  entry.show();
  entry.refuse(text, proposal);
}

function stopped(reason, seconds) {
  if (reason === "quit") {
    // The next person at this computer is somebody else.
    away.end(state.session);
    choices.name = null;
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

/** Shows an answer; if it has several parts, from the beginning of the first. */
function answered(waiting, entry) {
  if (waiting.isAnswered) log.changed(entry);
  else log.reveal(entry);
  waiting.isAnswered = true;
}

/** What somebody has typed: text, or a command. Returns what is wrong with it. */
function say(typed, whisperTo) {
  const meant = speech(typed, whisperTo, state.room);
  const { words, isCommand, request } = meant;
  const { size, most } = sizeOf(typed, meant, limits);
  if (size > most) return word("tooLong", size, most);
  if (words === "") return null;
  const refusal = isCommand || whisperTo !== null ? null : classroom.refusal();
  if (refusal !== null) return refusal;
  if (isCommand && is(words, "/search") && state.isSaved) {
    search.find(split(words).argument);
    return null;
  }
  if (isCommand && is(words, "/new") && split(words).argument === "") {
    act.make();
  } else if (isCommand) {
    command(words);
  } else {
    connection.submit(request, "say", state.room);
    showPending();
  }
  log.toEnd();
  return null;
}

function command(line) {
  connection.submit(commandOf(line, state.room), "command", state.room);
}

function askRooms() {
  roomsAt = Date.now();
  request("/rooms");
}

/** Sends a question of the page itself. */
function request(line) {
  connection.ask({ type: "command", line }, "state");
}

/** The room's key is known: it goes into the address, never to a server. */
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

/** A link was opened in a tab that is already in the chat. */
function goToLink() {
  const key = keyIn(location.hash);
  const current = state.keys.get(state.room)?.key;
  if (isBroken(location.hash)) {
    state.note(word("brokenLink"), "error");
    history.replaceState(null, "", current ? `#${current}` : location.pathname + location.search);
    changed();
  } else if (key && key !== (current && keyIn(`#${current}`))) {
    act.join(`#${key}`);
  }
}

/** Asks the server to search; false without a connection. */
function askToSearch(line) {
  if (connection.status !== "open" || state.user === null) return false;
  connection.ask({ type: "command", line }, "search");
  return true;
}

/** Shows a search result in its place; returns what is wrong if that is impossible. */
async function showSaid(id) {
  const entry = await past.find(id);
  if (entry === null || state.hides(entry)) return word(connection.status === "open" ? "notThere" : "searchLost");
  search.makeWay();
  log.show(entry);
  return null;
}

function changed(news = null) {
  log.changed(news);
  side.changed();
  classroom.draw();
  start.draw();
  head.changed();
}

function showPending() {
  log.setPending(connection.unanswered().filter(({ purpose, said }) => purpose === "say" && !said).map(({ request: { text } }) => text));
  showStatus();
}

function showStatus() {
  head.drawStatus();
  if (state.user === null && connection.status !== "closed") {
    entry.say(connection.failures > 0 ? word("unreachable") : "");
    if (connection.failures === 2) explainRefusal();
  }
}

/** Browsers don't say why a WebSocket was refused; whether the server answers does. */
async function explainRefusal() {
  try {
    if ((await fetch("healthz")).ok && !connection.everOpened) {
      connection.stop();
      entry.refuse(word("refusedPage"));
    }
  } catch {
    // It does not answer, which the page says already.
  }
}

/** Changes the page's language, and the server's. */
function chooseLanguage(language) {
  speakIn(language);
  if (state.user) connection.ask({ type: "command", line: `/lang ${language}` }, "quiet");
}

/** Changes the page's language. */
function speakIn(language) {
  choices.lang = language;
  speak();
}

/** Shows everything in the chosen language. */
function speak() {
  chooseLang(choices.lang, navigator.languages);
  document.documentElement.lang = lang();
  putWords(document);
  entry.relabel();
  wall.relabel();
  search.relabel();
  log.redraw();
  if (state.invite) fillInvite(state.invite);
  changed();
}

document.querySelector(".language").addEventListener("click", act.language);
byId("show-invite").addEventListener("click", () => (state.invite ? showInvite({ ...state.invite, words: null }) : command("/invite")));
byId("show-words").addEventListener("click", () => command("/invite words"));
byId("show-more").addEventListener("click", () => showMore(state, attention, sound, act));
byId("menu").addEventListener("click", askRooms);
byId("back-to-lobby").addEventListener("click", () => act.join("lobby"));
byId("room-topic").addEventListener("click", () => act.about());
prepareCopying();

// A page that slept does not know for how long, so it checks at once.
addEventListener("online", () => connection.probe());
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) away.end(state.session);
  connection.probe();
});
addEventListener("pagehide", () => {
  if (state.session && connection.status !== "closed") away.leave(state.user, state.session, connection.endedAt ?? Date.now());
});
answerTabs(() => (connection.status === "closed" ? null : state.session));
addEventListener("focus", () => connection.probe());
document.addEventListener("visibilitychange", () => { if (!document.hidden) connection.probe(); });
addEventListener("hashchange", () => {
  classroom.takeTicket();
  if (state.user === null) entry.relabel();
  else {
    classroom.useTicket();
    goToLink();
  }
});
setInterval(() => {
  const isDue = state.rooms.length < LONG_LIST || Date.now() - roomsAt >= LONG_LIST_MS;
  if (isDue && !document.hidden && connection.status === "open" && state.user) askRooms();
}, ROOMS_MS);

classroom.takeTicket();
speak();
loadCommands();
if (state.session) {
  connection.start();
  // Usually it is back before anybody has noticed.
  setTimeout(() => {
    if (state.user !== null || connection.status === "closed") return;
    entry.show();
    entry.busy(true);
  }, PATIENCE_MS);
} else {
  entry.show();
}
