// The actions of the page's buttons: most send the server a command, some ask first.

import { ask, showAbout, showPerson, showTranscript } from "./dialogs.js";
import { roomTitle } from "./rooms.js";
import { lang, word } from "./words.js";

/**
 * The actions, by the names that the views use. `command` gives the server a line; `speakIn`
 * changes the language of the page and of the server's messages.
 */
export function actions(state, composer, command, speakIn) {
  const act = {
    command,
    join: (place) => command(`/join ${place}`),
    async make() {
      const title = await ask(word("newTitle"), "", word("make"));
      if (title !== null) command(`/new ${title}`.trim());
    },
    person: (name) => showPerson(state, name, act),
    whisper: (name) => composer.whisper(name),
    mention: (name) => composer.insert(`@${name} `),
    retype: ({ typed }) => composer.retype(typed),
    about(topic = state.topic) {
      const label = word(state.isPrivate ? "setTitle" : "setTopic");
      showAbout({ title: roomTitle(state, state.room), topic, isRecorded: state.isRecorded }, label, act.topic);
    },
    async topic() {
      const topic = await ask(word(state.isPrivate ? "roomName" : "topic"), state.topic, word("save"));
      if (topic !== null) act.setTopic(topic);
    },
    setTopic(topic) {
      if (topic !== state.topic) command(`/topic ${topic || "-"}`);
    },
    async kick(name) {
      if ((await ask(word("kickSure", name), null, word("kick"))) !== null) command(`/kick ${name}`);
    },
    async rename() {
      const name = await ask(word("rename"), state.user, word("save"));
      if (name && name !== state.user) command(`/nick ${name}`);
    },
    async limit() {
      const most = await ask(word("limitPrompt"), String(state.limit ?? 30), word("save"));
      if (most) command(`/limit ${most}`);
    },
    async end() {
      if ((await ask(word("endSure"), null, word("end"))) !== null) command("/end");
    },
    transcript: () => showTranscript(state, (format) => command(`/transcript ${format}`)),
    language: () => speakIn(lang() === "ko" ? "en" : "ko"),
    quit: () => command("/quit"),
  };
  return act;
}
