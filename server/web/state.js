// What the page knows of the chat: takes in what the server sends, one message after
// the other, and holds the result. No socket, no document, no clock of its own.

import { LESSON_EVENTS, Lesson } from "./lesson.js";
import { Timeline } from "./timeline.js";

/** How long somebody may pause and still go on in the same group of messages. */
const GROUP_MS = 5 * 60_000;

/** How many whispers are taken along into another room. */
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
    /** Those whom an event has shown to be teachers. */
    this.teachers = new Set();
    this.locked = false;
    /** The most members, if the owner has set that. */
    this.limit = null;
    this.muted = new Set();
    this.count = 0;
    /** Names in the order in which they came. */
    this.members = new Set();
    /** Those of them who joined unannounced, as the last list told. */
    this.quiet = new Set();
    this.ignored = new Set();
    this.rooms = [];
    /** The last message of each room that is known to have been seen, or was there before. */
    this.seen = new Map();
    /** Keys of private rooms by their marks, with their titles. */
    this.keys = new Map();
    this.invite = null;
    /** Whether messages are saved on the server's disk. */
    this.durable = false;
    /** What goes on in a lesson. */
    this.lesson = new Lesson();
    /** What is shown. */
    this.timeline = new Timeline();
    this.lastPrivate = 0;
    this.lastId = 0;
    /** The id of one's own coming into the room. */
    this.cameAt = 0;
    /** The id with which the room went on after the server was started again. */
    this.restartedAt = 0;
    this.whoIsNew = true;
    this.roomsAreNew = true;
    /** Why one is in no room: `{type, by}`, or null. */
    this.removed = null;
  }

  /** What is shown, oldest first. */
  get entries() {
    return this.timeline.entries;
  }

  /** What is shown to this person: nothing that they ignore. */
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

  /** Whether one keeps order here, and may have what was said as a file: an owner, and a teacher. */
  get keepsOrder() {
    return this.isOwner || (this.lesson.isTeacher && this.room !== null && !this.isPrivate);
  }

  get isPrivate() {
    return isPrivate(this.room);
  }

  /** Takes in a message; returns the entry that came of it and is news, if one did. */
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

  /** Words for this person alone, as the newest entry. */
  note(text, kind = "notice", time = null) {
    return this.#push({ kind, text, time });
  }

  /** What this person has whispered: nobody sends it back. */
  whispered(to, text, time, user = this.user) {
    return this.#push({ kind: "whisper", user, to, text, time, own: true });
  }

  /** What was written and not said; `typed` is what to type so that it is. */
  unsent({ text, to, typed, isDoubtful, time }) {
    return this.#push({ kind: "unsent", text, to, typed, isDoubtful, time, own: true });
  }

  /** The last of that, for a reload: what `whispered` takes. */
  get ownWhispers() {
    const own = this.entries.filter(({ kind, own: isOwn }) => kind === "whisper" && isOwn);
    return own.slice(-WHISPERS_TAKEN).map(({ to, text, time, user }) => [to, text, time, user]);
  }

  /** How the entry at `index` of `entries` follows the one before it. */
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

  /** Whether what was said is hidden from this person. */
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
      // Without a resumed session the room shows what is before the welcome's id;
      // with one, what comes after it.
      this.#goOnAfter(message.resumed ? message.id : message.id - 1);
      // Whoever was removed meanwhile sees by whom.
      if (message.removed) this.timeline.add(message.removed, this.user);
    }
    return null;
  }

  #enter(message) {
    this.#moved(message);
    this.#goOnAfter(message.id - 1);
    return null;
  }

  /** The events that follow come after that id. */
  #goOnAfter(id) {
    if (this.timeline.begin === Infinity) this.timeline.begin = id + 1;
    else if (this.lastId < id) this.timeline.addHole(this.lastId + 1, id);
    this.lastId = id;
    this.cameAt = id + 1;
  }

  #placed({ room, members, topic, owner, durable, locked, limit, removed, lesson }) {
    this.room = room ?? null;
    this.lesson.take(lesson, this.room !== null && !this.isPrivate);
    this.durable = durable ?? false;
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
    if (event.type === "joined" && event.user === this.user && this.durable) {
      this.#push({ kind: "recorded", id: event.id, time: Date.parse(event.time) });
    }
    this.#trim();
    return added;
  }

  /** What an event changes, beside what it shows. */
  #apply(event) {
    if (event.teacher) this.teachers.add(event.user);
    this.lesson.event(event, this.user);
    switch (event.type) {
      case "joined":
        this.members.add(event.user);
        this.quiet.delete(event.user);
        this.count += event.user === this.user ? 0 : 1;
        break;
      case "left": this.#goes(event.user); break;
      case "kicked":
        this.#goes(event.user);
        if (event.user === this.user) this.#remove(event);
        break;
      case "renamed":
        this.members = new Set([...this.members].map((name) => (name === event.user ? event.to : name)));
        for (const names of [this.muted, this.ignored, this.teachers, this.quiet]) {
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
      // Without a name, it is everyone.
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
    for (const names of [this.members, this.muted, this.teachers, this.quiet]) names.delete(user);
    this.count = Math.max(0, this.count - 1);
  }

  /** What happened before one came; or before something else, if one has asked for it. */
  #history({ room, events, nonce }) {
    if (room !== this.room || events.length === 0) return null;
    this.timeline.cover(events[0].id, nonce === undefined ? this.cameAt - 1 : events.at(-1).id);
    this.#insert(events);
    return null;
  }

  /**
   * What was asked for has come: all `events` `before` an id or `after` one, as far as
   * they reach; `isAll` if there is nothing older than these.
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
    // What a newer server tells of besides has been passed over live, too.
    this.timeline.insert(events.filter(({ type }) => EVENTS.has(type)), this.user);
    this.lastId = Math.max(this.lastId, events.at(-1)?.id ?? 0);
  }

  /** Returns what should be asked about before it is lost for good. */
  #gap({ room, from, to, reason }) {
    if (room !== this.room) return null;
    this.lastId = Math.max(this.lastId, to);
    if (reason === "restart") {
      this.restartedAt = to + 1;
      this.#push({ kind: "event", id: from, event: { type: "restarted" } });
    } else if (this.durable) {
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

  #who({ room, count, members, quiet = [], more }) {
    if (room !== this.room) return null;
    if (this.whoIsNew) [this.members, this.quiet] = [new Set(), new Set()];
    for (const name of members) this.members.add(name);
    for (const name of quiet) this.quiet.add(name);
    this.whoIsNew = !more;
    if (!more) this.count = count;
    return null;
  }

  /** Whether something was said in another room since one was there, or since one came. */
  isUnread({ room, last = 0 }) {
    return room !== this.room && last > (this.seen.get(room) ?? Infinity);
  }

  #rooms({ rooms, more }) {
    // What was said before one came is nothing new; in a room that opens later, all is.
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
    this.timeline.trim(this.durable);
  }
}

/** What one was removed by, and by whom: a kick names its victim, an end whoever closed the room. */
function whyRemoved(event) {
  if (!event) return { type: "gone", by: null };
  return { type: event.type, by: (event.type === "kicked" ? event.by : event.user) ?? null };
}

/** Whether that is the mark of a private room. */
export function isPrivate(room) {
  return room?.startsWith("private-") ?? false;
}

function dayOf(time) {
  const date = new Date(time);
  return date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
}
