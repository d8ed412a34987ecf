// Small windows: a question, what can be done with a person or with the room, and why
// the conversation stopped.

import { byId, element } from "./dom.js";
import { textNodes } from "./row.js";
import { word } from "./words.js";

/** Answers the question that is asked now. */
let settle = () => {};

/** Asks for words, or for a yes if `value` is null; answers null for no. */
export function ask(text, value, yes) {
  const dialog = byId("question");
  const field = byId("question-value");
  byId("question-text").textContent = text;
  byId("question-yes").textContent = yes;
  // What only wants a yes can't be taken back.
  byId("question-yes").classList.toggle("danger", value === null);
  field.hidden = value === null;
  field.value = value ?? "";
  // A question that was put away a moment ago is answered with no.
  settle(null);
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (!dialog.open) settle(dialog.returnValue === "yes" ? field.value.trim() : null);
  };
  dialog.showModal();
  (value === null ? byId("question-yes") : field).focus();
  return new Promise((resolve) => { settle = resolve; });
}

/** What can be done with a person. `act` has `whisper`, `mention`, `kick` and `command`. */
export function showPerson(state, name, act) {
  const dialog = byId("person");
  const isSelf = name === state.user;
  const isHere = state.members.has(name);
  const tools = state.keepsOrder && !isSelf && isHere ? [
    ["kick", () => act.kick(name)],
    state.muted.has(name) ? ["unmute", () => act.command(`/unmute ${name}`)] : ["mute", () => act.command(`/mute ${name} 10m`)],
    state.isOwner && ["makeOwner", () => act.command(`/owner ${name}`)],
  ].filter(Boolean) : [];
  const actions = isSelf ? [["rename", act.rename]] : [
    ["whisper", () => act.whisper(name)],
    ["mention", () => act.mention(name)],
    state.ignored.has(name) ? ["unignore", () => act.command(`/unignore ${name}`)] : ["ignore", () => act.command(`/ignore ${name}`)],
  ];
  byId("person-name").textContent = name;
  byId("person-actions").replaceChildren(...buttons(dialog, actions), ...owners(dialog, tools));
  dialog.showModal();
}

/** The whole of what stands shortened elsewhere of a room: `{title, topic, durable}`. `onSet` changes the topic. */
export function showAbout({ title, topic, durable }, label, onSet) {
  const dialog = byId("about");
  byId("about-title").textContent = title;
  byId("about-text").replaceChildren(...textNodes(topic === title ? "" : topic, null));
  byId("about-recorded").hidden = !durable;
  const set = byId("set-topic");
  set.textContent = label;
  set.onclick = () => {
    dialog.close();
    onSet();
  };
  dialog.showModal();
}

/** All that has no button of its own on the page. */
export function showMore(state, attention, sound, act) {
  const dialog = byId("more");
  const tools = state.keepsOrder ? [
    state.locked ? ["unlock", () => act.command("/unlock")] : ["lock", () => act.command("/lock")],
    ["limit", act.limit],
    state.isOwner && ["end", act.end],
  ].filter(Boolean) : [];
  const actions = [
    ["rename", act.rename],
    [state.isPrivate ? "setTitle" : "setTopic", act.topic],
    state.keepsOrder && ["transcript", act.transcript],
    attention.possible && [attention.on ? "notificationsOff" : "notifications", () => attention.toggle()],
    sound.possible && [sound.on ? "soundOff" : "sound", () => sound.toggle()],
    ["help", () => act.command("/help")],
    ["language", act.language],
    ["quit", act.quit],
  ].filter(Boolean);
  byId("more-actions").replaceChildren(...buttons(dialog, actions), ...owners(dialog, tools));
  dialog.showModal();
}

/** Asks in which form the room's talk is wanted; `onFormat` takes what `/transcript` does. */
export function showTranscript({ durable }, onFormat) {
  const dialog = byId("transcript");
  byId("transcript-hint").textContent = word(durable ? "transcriptHint" : "transcriptRecent");
  const formats = [["transcriptHtml", "html"], ["transcriptText", "txt"], ["transcriptJson", "jsonl"]];
  byId("transcript-formats").replaceChildren(...buttons(dialog, formats.map(([name, format]) => [name, () => onFormat(format)])));
  dialog.showModal();
}

/** Saves a file by its path, which is good for one download. */
export function download({ path }) {
  const address = new URL(path.replace(/^\//u, ""), document.baseURI);
  element("a", { href: address.href, download: "" }).click();
}

/** Says that it goes no further here; `action` is `[word, function]` if something helps. */
export function showStopped(text, action) {
  const dialog = byId("stopped");
  byId("stopped-text").textContent = text;
  const button = byId("stopped-action");
  button.hidden = !action;
  if (action) {
    button.textContent = word(action[0]);
    button.onclick = () => {
      dialog.close();
      action[1]();
    };
  }
  dialog.oncancel = (event) => event.preventDefault();
  if (!dialog.open) dialog.showModal();
}

function owners(dialog, tools) {
  return tools.length > 0 ? [element("h3", {}, word("ownersTools")), ...buttons(dialog, tools)] : [];
}

function buttons(dialog, actions) {
  return actions.map(([name, run]) => element("button", {
    type: "button",
    class: ["quit", "end", "kick"].includes(name) ? "grave" : null,
    onclick: () => {
      dialog.close();
      run();
    },
  }, word(name)));
}
