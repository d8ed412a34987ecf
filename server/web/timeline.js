// The conversation of a room as far as this page has it, oldest first. A hole stands for events
// that are missing but may still be on the server, until they are loaded. No socket, no document,
// no clock of its own.

import { mentions } from "./text.js";

/** The most entries that are remembered of a room. */
export const MOST_ENTRIES = 20_000;

/** How many of them are dropped at once; at least this many of the newest always stay. */
const DROPPED = MOST_ENTRIES / 10;
const NEWEST = 200;

/** Joins and leaves in one line: at most this many, and at most this far apart. */
const MOST_CHANGES = 200;
const CHANGES_MS = 10 * 60_000;

/** The most notes about a connection in one entry. */
const MOST_NOTES = 12;

export class Timeline {
  #nextKey = 1;

  constructor() {
    this.entries = [];
    /** The ids of all events that are shown, or need not be. */
    this.ids = new Set();
    /** From this id on, everything but the holes is known; 0 if there is nothing older. */
    this.begin = Infinity;
    /** The key of an entry being read; null while the newest are. */
    this.reading = null;
  }

  /** Starts over in another room; `taken` are entries to keep. */
  restart(taken) {
    this.entries = taken;
    for (const entry of taken) entry.id = undefined;
    this.ids.clear();
    this.begin = Infinity;
    this.reading = null;
  }

  /** Adds an entry without an event of its own as the newest. */
  push(entry) {
    this.entries.push(this.#make(entry));
    return entry;
  }

  /** Whispers restored after a reload go between one's own messages. */
  pushWhisper(entry) {
    let at = this.entries.length;
    while (at > 0 && this.entries[at - 1].kind === "whisper" && this.entries[at - 1].time > entry.time) at -= 1;
    this.entries.splice(at, 0, this.#make(entry));
    return entry;
  }

  /** Adds a new event; returns the entry if it is a new one. */
  add(event, user) {
    return this.ids.has(event.id) ? null : this.#append(this.entries, event, user);
  }

  /** Puts earlier events in their places, each once. */
  insert(events, user) {
    let rest = events.filter(({ id }) => !this.ids.has(id));
    while (rest.length > 0) {
      const next = this.#placeOf(rest[0].id);
      const end = this.entries[next]?.id ?? Infinity;
      const run = rest.filter(({ id }) => id < end);
      this.#insertRun(run, next, user);
      rest = rest.slice(run.length);
    }
  }

  /** All events from the id `from` to `to` are known now. */
  cover(from, to) {
    for (const hole of this.entries.filter((it) => it.kind === "hole" && from <= it.to && to >= it.from)) {
      const { from: first, to: last } = hole;
      this.#remove(hole);
      if (first < from) this.addHole(first, from - 1);
      if (last > to) this.addHole(to + 1, last);
    }
    if (from >= this.begin) return;
    if (to + 1 < this.begin) this.addHole(to + 1, this.begin - 1);
    this.begin = from;
  }

  /** Nothing is known from the id `from` to `to`, but the server may have it. */
  addHole(from, to) {
    const next = this.entries.filter((it) => it.kind === "hole" && (it.to === from - 1 || it.from === to + 1));
    for (const hole of next) {
      this.#remove(hole);
      [from, to] = [Math.min(from, hole.from), Math.max(to, hole.to)];
    }
    const hole = this.#make({ kind: "hole", id: from, from, to });
    this.entries.splice(this.#placeOf(to), 0, hole);
  }

  /** These events are missing, and the server does not keep them for long. */
  addGap({ from, to }) {
    return this.push({ kind: "gap", from, to, id: from, count: to - from + 1 });
  }

  /** Something about this person's own connection; lines with nothing between them are one entry. */
  addWire(note) {
    const last = this.entries.at(-1);
    if (last?.kind !== "wire") {
      this.push({ kind: "wire", notes: [note] });
      return;
    }
    last.notes = [...last.notes, note].slice(-MOST_NOTES);
    last.version += 1;
  }

  /** These events could not be saved when the disk failed. */
  addUnsaved({ from, to }) {
    if (this.entries.some((it) => it.kind === "unsaved" && it.id === from)) return;
    const entry = this.#make({ kind: "unsaved", id: from, count: to - from + 1 });
    this.entries.splice(this.#placeOf(from), 0, entry);
  }

  /** The gap was requested: what is still missing stays a gap. Nothing is after the id `last`. */
  closeGap(gap, last = gap.to) {
    let missing = 0;
    for (let id = gap.from; id <= last && missing < 1_000; id += 1) {
      if (!this.ids.has(id)) missing += 1;
    }
    const wide = last - gap.from + 1;
    gap.count = missing < 1_000 ? missing : wide;
    if (gap.count === 0) this.#remove(gap);
    else gap.version += 1;
  }

  /** The message with that id; undefined if it is not here. */
  said(id) {
    return this.entries.find((entry) => entry.kind === "said" && entry.id === id);
  }

  /** The time of the first event with that id or a higher one. */
  timeFrom(id) {
    return this.entries.find((entry) => entry.id >= id && entry.time)?.time;
  }

  /** Removes a hole that the server can't fill after all. */
  drop(entry) {
    this.#forgetIds(entry);
    this.#remove(entry);
  }

  /**
   * Drops entries far from the one being read, if there are too many; `canReload` says whether
   * the server still has them.
   */
  trim(canReload) {
    const { entries } = this;
    if (entries.length <= MOST_ENTRIES) return;
    const at = this.reading === null ? -1 : entries.findIndex(({ key }) => key === this.reading);
    if (canReload && at >= 0 && at < entries.length / 2) {
      const dropped = this.#letGo(entries.length - NEWEST - DROPPED).filter(({ id }) => id);
      if (dropped.length > 0) this.addHole(dropped[0].id, lastIdOf(dropped.at(-1)));
      return;
    }
    this.#letGo(0);
    while (entries[0].kind === "hole") entries.shift();
    this.begin = canReload ? entries.find(({ id }) => id)?.id ?? this.begin : 0;
  }

  #letGo(start) {
    const dropped = this.entries.splice(start, DROPPED);
    for (const entry of dropped) this.#forgetIds(entry);
    return dropped;
  }

  #forgetIds({ id, changes = [] }) {
    for (const known of [id, ...changes.map((change) => change.id)]) this.ids.delete(known);
  }

  #remove(entry) {
    const at = this.entries.indexOf(entry);
    if (at >= 0) this.entries.splice(at, 1);
  }

  /** Where entries after that id begin. */
  #placeOf(id) {
    const at = this.entries.findIndex((entry) => entry.id > id);
    return at < 0 ? this.entries.length : at;
  }

  /** Puts events before the entry at `at`, in order with it. */
  #insertRun(events, at, user) {
    const inserted = [];
    for (const event of events) this.#append(inserted, event, user);
    let start = at;
    while (start > 0 && !this.entries[start - 1].id) start -= 1;
    // An entry without a place in the room's order goes by its time; without a time, it stays
    // next to its neighbour.
    const loose = this.entries.slice(start, at);
    const timeless = at < this.entries.length ? Infinity : -Infinity;
    const merged = [];
    for (const entry of inserted) {
      while (loose.length > 0 && (loose[0].time ?? timeless) <= entry.time) merged.push(loose.shift());
      merged.push(entry);
    }
    this.entries.splice(start, at - start, ...merged, ...loose);
  }

  /** Adds an event to a list of entries; returns the entry if it is a new one. */
  #append(entries, event, user) {
    this.ids.add(event.id);
    const made = entryOf(event, user, entries.at(-1));
    if (made === null) return null;
    entries.push(this.#make(made));
    return made.kind === "changes" ? null : made;
  }

  #make(entry) {
    entry.key = this.#nextKey;
    entry.version = 0;
    this.#nextKey += 1;
    return entry;
  }
}

/** The last of the ids that an entry stands for. */
function lastIdOf({ id, to, changes }) {
  return changes?.at(-1).id ?? to ?? id;
}

/** The entry for an event after the entry `before`; null if that covers it, or none is needed. */
function entryOf(event, me, before) {
  const { id, type, user, text } = event;
  const time = Date.parse(event.time);
  if (type === "said") {
    const own = user === me;
    return { kind: "said", id, time, user, text, me: event.me ?? false, teacher: event.teacher ?? false, own, mention: !own && mentions(text, me) };
  }
  if (type === "joined" || type === "left") {
    // One's own joining is what led here.
    if (user === me) return null;
    const change = { id, type, user, text };
    if (before?.kind !== "changes" || before.changes.length >= MOST_CHANGES || time - before.time >= CHANGES_MS) {
      return { kind: "changes", id, time, changes: [change] };
    }
    before.changes.push(change);
    before.version += 1;
    return null;
  }
  // It was shown with what was lost when the server was killed.
  if (type === "restarted" && before?.event?.type === type) return null;
  return { kind: ["announced", "question"].includes(type) ? type : "event", id, time, event, text };
}
