// What the page knows about the chat: takes in the server's messages one by one, and holds the
// result. No socket, no document, no clock of its own.

import { LESSON_EVENTS, Lesson } from "./lesson.js";
import { Timeline } from "./timeline.js";

/** How long a speaker may pause within one group of messages. */
const GROUP_MS = 5 * 60_000;

/** How many whispers are kept when the room changes. */
const WHISPERS_TAKEN = 20;

const EVENTS = new Set([
  "said", "joined", "left", "kicked", "unkicked", "renamed", "topic", "muted", "unmuted",
  "locked", "unlocked", "limited", "owner", "announced", "transcribed", "restarted", "ended", ...LESSON_EVENTS,
]);

export class State {
  constructor() {
    this.user = null;
    this.session = null;
    /** The room's name, or its mark if it is private; null in no room. */
    this.room = null;
    this.topic = "";
    this.owner = null;
    /** People whom an event has shown to be teachers. */
    this.teachers = new Set();
    this.locked = false;
    /** The most members, if the owner has set a limit. */
    this.limit = null;
    this.muted = new Set();
    this.count = 0;
    /** Names in order of joining. */
    this.members = new Set();
    /** Those who joined unannounced, according to the last list. */
    this.quiet = new Set();
    this.streams = new Set();
    this.ignored = new Set();
    this.rooms = [];
    /** For each room, the last message that was seen, or that was there before. */
    this.seen = new Map();
    /** Keys and titles of private rooms, by their marks. */
    this.keys = new Map();
    this.invite = null;
    /** Whether messages are saved, and on this server: earlier ones can be read back and searched. */
    this.isSaved = false;
    /** Whether they are saved anywhere. */
    this.isRecorded = false;
    /** The state of the lesson. */
    this.lesson = new Lesson();
    /** What is shown. */
    this.timeline = new Timeline();
    this.lastPrivate = 0;
    this.lastId = 0;
    /** The id of this person's joining. */
    this.cameAt = 0;
    /** The room's first id after the server's restart. */
    this.restartedAt = 0;
    this.whoIsNew = true;
    this.roomsAreNew = true;
    /** Why this person is in no room: `{type, by}`, or null. */
    this.removed = null;
  }

  /** What is shown, oldest first. */
  get entries() {
    return this.timeline.entries;
  }

  /** What this person is shown: nothing that they ignore. */
  get visible() {
    return this.ignored.size === 0 ? this.entries : this.entries.filter((entry) => !this.hides(entry));
  }

  /** Whether the server has nothing older than the first entry. */
  get exhausted() {
    return this.timeline.begin === 0;
  }

  get isOwner() {
    return this.owner !== null && this.owner === this.user;
  }

  /** Whether this person moderates the room and may have its transcript: an owner, or a teacher. */
  get keepsOrder() {
    return this.isOwner || (this.lesson.isTeacher && this.room !== null && !this.isPrivate);
  }

  get isPrivate() {
    return isPrivate(this.room);
  }

  /** Takes in a message; returns the new entry if it is news. */
  receive(message) {
    if (EVENTS.has(message.type)) return this.#event(message);
    switch (message.type) {
      case "welcome": return this.#welcome(message);
      case "entered": return this.#enter(message);
      case "history": return this.#history(message);
      case "whisper": return this.#whisper(message);
      case "who": return this.#who(message);
      case "rooms": return this.#rooms(message);
      case "ignored": this.ignored = new Set(message.users); return null;
      case "invite":
        this.invite = message;
        if (message.key) this.keys.set(message.room, { key: message.key, title: this.topic });
        return null;
      case "gap": return this.#gap(message);
      case "private_gap":
        this.lastPrivate = Math.max(this.lastPrivate, message.to);
        return this.#push({ kind: "private-gap", count: message.to - message.from + 1 });
      case "notice": return this.note(message.text);
      case "wire":
        this.timeline.addWire(message);
        return null;
      case "error": return this.note(message.text, "error");
      case "teacher":
        this.teachers.add(message.user);
        this.lesson.message(message);
        return null;
      default:
        this.lesson.message(message);
        return null;
    }
  }

  /** Adds a text for this person only, as the newest entry. */
  note(text, kind = "notice", time = null) {
    return this.#push({ kind, text, time });
  }

  /** Adds this person's own whisper, which the server does not send back. */
  whispered(to, text, time, user = this.user) {
    return this.#push({ kind: "whisper", user, to, text, time, own: true });
  }

  /** Adds unsent text; `typed` is what to type to say it. */
  unsent({ text, to, typed, isDoubtful, time }) {
    return this.#push({ kind: "unsent", text, to, typed, isDoubtful, time, own: true });
  }

  /** The last whispers, for a reload: what `whispered` takes. */
  get ownWhispers() {
    const own = this.entries.filter(({ kind, own: isOwn }) => kind === "whisper" && isOwn);
    return own.slice(-WHISPERS_TAKEN).map(({ to, text, time, user }) => [to, text, time, user]);
  }

  /** How the entry at `index` of `entries` relates to the one before it. */
  follows(index, entries = this.entries) {
    const entry = entries[index];
    const before = entries[index - 1];
    const day = entry.time ? dayOf(entry.time) : null;
    let previous = before;
    for (let at = index - 1; previous && !previous.time; at -= 1) previous = entries[at];
    const newDay = day !== null && (!previous || dayOf(previous.time) !== day);
    const goesOn = !newDay && entry.kind === "said" && before?.kind === "said"
      && !entry.me && !before.me && entry.user === before.user
      && entry.time - before.time < GROUP_MS;
    return { newDay, goesOn };
  }

  /** Whether a message is hidden from this person. */
  hides(entry) {
    return (entry.kind === "said" || entry.kind === "whisper") && this.ignored.has(entry.user);
  }

  #welcome(message) {
    const sameRoom = message.resumed && this.room !== null && message.room === this.room;
    this.user = message.user;
    this.session = message.session;
    if (!message.resumed) this.lastPrivate = 0;
    if (sameRoom) {
      this.#placed(message);
    } else {
      this.#moved(message);
      // Without a resumed session the room sends what came before the welcome's id; with one,
      // what came after it.
      this.#goOnAfter(message.resumed ? message.id : message.id - 1);
      // A removal in the meantime is shown with its author.
      if (message.removed) this.timeline.add(message.removed, this.user);
    }
    return null;
  }

  #enter(message) {
    this.#moved(message);
    this.#goOnAfter(message.id - 1);
    return null;
  }

  /** The next events come after that id. */
  #goOnAfter(id) {
    if (this.timeline.begin === Infinity) this.timeline.begin = id + 1;
    else if (this.lastId < id) this.timeline.addHole(this.lastId + 1, id);
    this.lastId = id;
    this.cameAt = id + 1;
  }

  #placed({ room, members, topic, owner, durable, archived, archived_elsewhere: elsewhere, locked, limit, removed, lesson }) {
    this.room = room ?? null;
    this.lesson.take(lesson, this.room !== null && !this.isPrivate);
    this.isSaved = durable ?? archived ?? false;
    this.isRecorded = this.isSaved || (elsewhere ?? false);
    this.count = members;
    this.topic = topic ?? "";
    this.owner = owner ?? null;
    this.locked = locked ?? false;
    this.limit = limit ?? null;
    if (this.room !== null) this.removed = null;
    else this.removed ??= whyRemoved(removed);
  }

  #moved(message) {
    if (this.room !== null) this.seen.set(this.room, this.lastId);
    const back = message.room !== undefined && message.room === this.room;
    this.#placed(message);
    this.invite = null;
    this.muted.clear();
    this.members.clear();
    this.quiet.clear();
    this.streams.clear();
    this.teachers.clear();
    if (this.lesson.isTeacher) this.teachers.add(this.user);
    if (back) return;
    const isTaken = ({ kind }) => kind === "whisper" || kind === "unsent";
    this.timeline.restart(this.entries.filter(isTaken).slice(-WHISPERS_TAKEN));
  }

  #event(event) {
    if (event.room !== this.room || event.id <= this.lastId) return null;
    this.lastId = event.id;
    this.#apply(event);
    const added = this.timeline.add(event, this.user);
    if (event.type === "joined" && event.user === this.user && this.isRecorded) {
      this.#push({ kind: "recorded", id: event.id, time: Date.parse(event.time) });
    }
    this.#trim();
    return added;
  }

  /** The changes an event makes besides what it shows. */
  #apply(event) {
    if (event.teacher) this.teachers.add(event.user);
    this.lesson.event(event, this.user);
    switch (event.type) {
      case "joined":
        this.members.add(event.user);
        this.quiet.delete(event.user);
        if (event.stream) this.streams.add(event.user);
        else this.streams.delete(event.user);
        this.count += event.user === this.user ? 0 : 1;
        break;
      case "left": this.#goes(event.user); break;
      case "kicked":
        this.#goes(event.user);
        if (event.user === this.user) this.#remove(event);
        break;
      case "renamed":
        this.members = new Set([...this.members].map((name) => (name === event.user ? event.to : name)));
        for (const names of [this.muted, this.ignored, this.teachers, this.quiet, this.streams]) {
          if (names.delete(event.user)) names.add(event.to);
        }
        if (this.owner === event.user) this.owner = event.to;
        if (this.user === event.user) this.user = event.to;
        break;
      case "topic":
        this.topic = event.topic;
        if (this.keys.has(this.room)) this.keys.get(this.room).title = event.topic;
        break;
      case "owner": this.owner = event.user; break;
      case "restarted": this.restartedAt = event.id; break;
      case "locked": this.locked = true; break;
      case "unlocked": this.locked = false; break;
      case "limited": this.limit = event.limit; break;
      // Without a name, it is for everyone.
      case "muted": for (const user of event.user ? [event.user] : this.members) this.muted.add(user); break;
      case "unmuted": event.user ? this.muted.delete(event.user) : this.muted.clear(); break;
      case "ended":
        this.keys.delete(this.room);
        this.#remove(event);
        this.members.clear();
        this.count = 0;
        break;
      default:
    }
  }

  #remove(event) {
    this.room = null;
    this.removed = whyRemoved(event);
  }

  #goes(user) {
    for (const names of [this.members, this.muted, this.teachers, this.quiet, this.streams]) names.delete(user);
    this.count = Math.max(0, this.count - 1);
  }

  /** Earlier events: from before this person joined, or before an id if they were requested. */
  #history({ room, events, nonce }) {
    if (room !== this.room || events.length === 0) return null;
    this.timeline.cover(events[0].id, nonce === undefined ? this.cameAt - 1 : events.at(-1).id);
    this.#insert(events);
    return null;
  }

  /**
   * The requested events have arrived: all `events` `before` or `after` an id, as far as they
   * reach; `isAll` if there is nothing older.
   */
  loaded({ before, after }, { room, events, gaps, isAll }) {
    if (room !== this.room) return;
    const [first, last] = [events[0]?.id, events.at(-1)?.id];
    if (before === undefined) this.timeline.cover(after + 1, last ?? Infinity);
    else this.timeline.cover(isAll ? 0 : first, before - 1);
    this.#insert(events);
    for (const gap of gaps) this.timeline.addUnsaved(gap);
    this.#trim();
  }

  #insert(events) {
    // Events that only a newer server knows were skipped live, too.
    this.timeline.insert(events.filter(({ type }) => EVENTS.has(type)), this.user);
    this.lastId = Math.max(this.lastId, events.at(-1)?.id ?? 0);
  }

  /** Returns what to request before it is lost for good. */
  #gap({ room, from, to, reason }) {
    if (room !== this.room) return null;
    this.lastId = Math.max(this.lastId, to);
    if (reason === "restart") {
      this.restartedAt = to + 1;
      this.#push({ kind: "event", id: from, event: { type: "restarted" } });
    } else if (this.isSaved) {
      this.timeline.addHole(from, to);
    } else {
      return this.timeline.addGap({ from, to });
    }
    return null;
  }

  #whisper({ private: number, user, teacher, text, time }) {
    if (number <= this.lastPrivate) return null;
    this.lastPrivate = number;
    return this.#pushWhisper({ kind: "whisper", user, teacher, text, time: Date.parse(time), own: false });
  }

  #pushWhisper(entry) {
    this.timeline.pushWhisper(entry);
    this.#trim();
    return entry;
  }

  #who({ room, count, members, quiet = [], streams = [], more }) {
    if (room !== this.room) return null;
    if (this.whoIsNew) [this.members, this.quiet, this.streams] = [new Set(), new Set(), new Set()];
    for (const name of members) this.members.add(name);
    for (const name of quiet) this.quiet.add(name);
    for (const name of streams) this.streams.add(name);
    this.whoIsNew = !more;
    if (!more) this.count = count;
    return null;
  }

  /** Whether something was said in another room since this person was there, or since they joined. */
  isUnread({ room, last = 0 }) {
    return room !== this.room && last > (this.seen.get(room) ?? Infinity);
  }

  #rooms({ rooms, more }) {
    // Messages from before the login are not news; in a room that opens later, all are.
    const isFirst = this.seen.size === 0;
    for (const { room, last = 0 } of rooms) {
      if (!this.seen.has(room)) this.seen.set(room, isFirst ? last : 0);
    }
    this.rooms = this.roomsAreNew ? rooms : this.rooms.concat(rooms);
    this.roomsAreNew = !more;
    return null;
  }

  #push(entry) {
    this.timeline.push(entry);
    this.#trim();
    return entry;
  }

  #trim() {
    this.timeline.trim(this.isSaved);
  }
}

/** Why this person was removed, and by whom: a kick names its victim, an end names who closed the room. */
function whyRemoved(event) {
  if (!event) return { type: "gone", by: null };
  return { type: event.type, by: (event.type === "kicked" ? event.by : event.user) ?? null };
}

/** Whether this is the mark of a private room. */
export function isPrivate(room) {
  return room?.startsWith("private-") ?? false;
}

function dayOf(time) {
  const date = new Date(time);
  return date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
}
