// What the page knows of the chat: takes in what the server sends, one message after
// the other, and holds the result. No socket, no document, no clock of its own.

import { mentions } from "./text.js";

/** How long somebody may pause and still go on in the same group of messages. */
const GROUP_MS = 5 * 60_000;

/** The most entries that are remembered of a room. */
export const MOST_ENTRIES = 20_000;

/** How many whispers are taken along into another room. */
const WHISPERS_TAKEN = 20;

/** Comings and goings that stand in one line: so many, and so long after one another. */
const MOST_CHANGES = 200;
const CHANGES_MS = 10 * 60_000;

const EVENTS = new Set([
  "said", "joined", "left", "kicked", "unkicked", "renamed", "topic", "muted", "unmuted",
  "locked", "unlocked", "limited", "owner", "announced", "ended",
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
    /** What is shown, oldest first. */
    this.entries = [];
    this.lastPrivate = 0;
    this.lastId = 0;
    /** Whether the server has nothing older than the first entry. */
    this.exhausted = false;
    this.ids = new Set();
    this.nextKey = 1;
    this.whoIsNew = true;
    this.roomsAreNew = true;
    /** Why one is in no room: `{type, by}`, or null. */
    this.removed = null;
  }

  get firstId() {
    return this.entries.find((entry) => entry.id)?.id ?? this.lastId + 1;
  }

  get isOwner() {
    return this.owner !== null && this.owner === this.user;
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
      case "history": return this.#insert(message.events);
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
      default: return null;
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

  /** How the entry at `index` follows the one before it. */
  follows(index) {
    const entry = this.entries[index];
    const before = this.entries[index - 1];
    const day = entry.time ? dayOf(entry.time) : null;
    let previous = before;
    for (let at = index - 1; previous && !previous.time; at -= 1) previous = this.entries[at];
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
      this.lastId = message.resumed ? message.id : message.id - 1;
      // Whoever was removed meanwhile sees by whom.
      if (message.removed) append(this.entries, message.removed, this);
    }
    return null;
  }

  #enter(message) {
    this.#moved(message);
    this.lastId = message.id - 1;
    return null;
  }

  #placed({ room, members, topic, owner, locked, limit, removed }) {
    this.room = room ?? null;
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
    this.exhausted = false;
    if (back) return;
    const isTaken = ({ kind }) => kind === "whisper" || kind === "unsent";
    this.entries = this.entries.filter(isTaken).slice(-WHISPERS_TAKEN);
    for (const entry of this.entries) entry.id = undefined;
    this.ids.clear();
  }

  #event(event) {
    if (event.room !== this.room || event.id <= this.lastId) return null;
    this.lastId = event.id;
    this.#apply(event);
    if (this.ids.has(event.id)) return null;
    const added = append(this.entries, event, this);
    this.#forget();
    return added;
  }

  /** What an event changes, beside what it shows. */
  #apply(event) {
    if (event.teacher) this.teachers.add(event.user);
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

  /** Puts what happened before in its place, each event once. */
  #insert(events) {
    const missing = events.filter((event) => event.room === this.room && !this.ids.has(event.id));
    if (missing.length === 0) return null;
    const last = missing.at(-1).id;
    const inserted = [];
    for (const event of missing) append(inserted, event, this);
    let at = this.entries.findIndex((entry) => entry.id > last);
    if (at < 0) at = this.entries.length;
    let start = at;
    while (start > 0 && !this.entries[start - 1].id) start -= 1;
    // What has no place in the room's order stands where its time says; without one, it
    // stays with what it followed, or came before.
    const loose = this.entries.slice(start, at);
    const timeless = at < this.entries.length ? Infinity : -Infinity;
    const merged = [];
    for (const entry of inserted) {
      while (loose.length > 0 && (loose[0].time ?? timeless) <= entry.time) merged.push(loose.shift());
      merged.push(entry);
    }
    this.entries.splice(start, at - start, ...merged, ...loose);
    this.lastId = Math.max(this.lastId, last);
    return null;
  }

  /** The gap was asked about: what is still missing of it stays one. */
  closeGap(gap) {
    let missing = 0;
    for (let id = gap.from; id <= gap.to && missing < 1_000; id += 1) {
      if (!this.ids.has(id)) missing += 1;
    }
    const wide = gap.to - gap.from + 1;
    gap.count = missing < 1_000 ? missing : wide;
    if (gap.count === 0) this.entries.splice(this.entries.indexOf(gap), 1);
    else gap.version += 1;
  }

  #gap(message) {
    if (message.room !== this.room) return null;
    const { from, to } = message;
    this.lastId = Math.max(this.lastId, to);
    const gap = this.#make({ kind: "gap", from, to, id: from, count: to - from + 1 });
    this.entries.push(gap);
    return gap;
  }

  #whisper({ private: number, user, text, time }) {
    if (number <= this.lastPrivate) return null;
    this.lastPrivate = number;
    return this.#pushWhisper({ kind: "whisper", user, text, time: Date.parse(time), own: false });
  }

  /** Those that come again after a reload find their places among one's own. */
  #pushWhisper(entry) {
    let at = this.entries.length;
    while (at > 0 && this.entries[at - 1].kind === "whisper" && this.entries[at - 1].time > entry.time) at -= 1;
    this.entries.splice(at, 0, this.#make(entry));
    this.#forget();
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
    const made = this.#make(entry);
    this.entries.push(made);
    this.#forget();
    return made;
  }

  #make(entry) {
    entry.key = this.nextKey;
    entry.version = 0;
    this.nextKey += 1;
    return entry;
  }

  make(entry) {
    return this.#make(entry);
  }

  #forget() {
    if (this.entries.length <= MOST_ENTRIES) return;
    const gone = this.entries.splice(0, MOST_ENTRIES / 10);
    for (const { id } of gone) this.ids.delete(id);
    this.exhausted = true;
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

/** Adds an event to a list of entries; returns the entry if it is a new one. */
function append(entries, event, state) {
  state.ids.add(event.id);
  const time = Date.parse(event.time);
  const { id, type, user } = event;
  if (type === "said") {
    const own = user === state.user;
    const mention = !own && mentions(event.text, state.user);
    const entry = state.make({
      kind: "said", id, time, user, text: event.text, me: event.me ?? false, own, mention,
    });
    entries.push(entry);
    return entry;
  }
  if (type === "joined" || type === "left") {
    // One's own coming is what brought one here.
    if (user === state.user) return null;
    const before = entries.at(-1);
    if (before?.kind === "changes" && before.changes.length < MOST_CHANGES && time - before.time < CHANGES_MS) {
      before.changes.push({ type, user, text: event.text });
      before.version += 1;
      return null;
    }
    entries.push(state.make({ kind: "changes", id, time, changes: [{ type, user, text: event.text }] }));
    return null;
  }
  const entry = state.make({ kind: type === "announced" ? type : "event", id, time, event, text: event.text });
  entries.push(entry);
  return entry;
}

function dayOf(time) {
  const date = new Date(time);
  return date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
}
