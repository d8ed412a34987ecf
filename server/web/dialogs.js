// Dialogs: a question, actions on a person or on the room, and why the conversation has stopped.

import { byId, element } from "./dom.js";
import { textNodes } from "./row.js";
import { word } from "./words.js";

/** Answers the current question. */
let settle = () => {};

/** Asks for text, or for a yes if `value` is null; answers null for no. */
export function ask(text, value, yes) {
  const dialog = byId("question");
  const field = byId("question-value");
  byId("question-text").textContent = text;
  byId("question-yes").textContent = yes;
  // An action that only needs a yes can't be undone.
  byId("question-yes").classList.toggle("danger", value === null);
  field.hidden = value === null;
  field.value = value ?? "";
  // A question closed a moment ago counts as answered with no.
  settle(null);
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (!dialog.open) settle(dialog.returnValue === "yes" ? field.value.trim() : null);
  };
  dialog.showModal();
  (value === null ? byId("question-yes") : field).focus();
  return new Promise((resolve) => { settle = resolve; });
}

/** Actions on a person. `act` has `whisper`, `mention`, `kick` and `command`. */
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

/** Everything about a room that is shortened elsewhere: `{title, topic, isRecorded}`. `onSet` changes the topic. */
export function showAbout({ title, topic, isRecorded }, label, onSet) {
  const dialog = byId("about");
  byId("about-title").textContent = title;
  byId("about-text").replaceChildren(...textNodes(topic === title ? "" : topic, null));
  byId("about-recorded").hidden = !isRecorded;
  const set = byId("set-topic");
  set.textContent = label;
  set.onclick = () => {
    dialog.close();
    onSet();
  };
  dialog.showModal();
}

/** All actions without a button of their own on the page. */
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

/** Asks for the format of a room's transcript; `onFormat` takes an argument of `/transcript`. */
export function showTranscript({ isSaved }, onFormat) {
  const dialog = byId("transcript");
  byId("transcript-hint").textContent = word(isSaved ? "transcriptHint" : "transcriptRecent");
  const formats = [["transcriptHtml", "html"], ["transcriptText", "txt"], ["transcriptJson", "jsonl"]];
  byId("transcript-formats").replaceChildren(...buttons(dialog, formats.map(([name, format]) => [name, () => onFormat(format)])));
  dialog.showModal();
}

/** Saves a file by its path, which works for one download. */
export function download({ path }) {
  const address = new URL(path.replace(/^\//u, ""), document.baseURI);
  element("a", { href: address.href, download: "" }).click();
}

/** Explains why the chat has stopped here; `action` is `[word, function]` if something helps. */
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
