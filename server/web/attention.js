// Draws attention to a page in the background: the number of unread messages in its title, and
// sound and notifications if they are enabled.

import { choices } from "./memory.js";
import { word } from "./words.js";

export class Attention {
  #unread = 0;
  #title = "";
  #sound;

  constructor(sound) {
    this.#sound = sound;
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("focus", () => this.#seen());
  }

  /** Whether this page may show notifications: browsers allow them only over https. */
  get possible() {
    return isSecureContext && "Notification" in globalThis && Notification.permission !== "denied";
  }

  get on() {
    return this.possible && Notification.permission === "granted" && choices.notify === "on";
  }

  async toggle() {
    if (this.on) choices.notify = "off";
    else if ((await Notification.requestPermission()) === "granted") choices.notify = "on";
  }

  /** The current room. */
  setTitle(title) {
    this.#title = title;
    this.#show();
  }

  /** A message has arrived. */
  news(entry) {
    if (entry.own || !["said", "whisper", "announced"].includes(entry.kind)) return;
    const isCall = entry.mention || entry.kind === "whisper";
    if (isCall) this.#sound.play();
    if (document.hasFocus() && !document.hidden) return;
    this.#unread += 1;
    this.#show();
    if (this.on && isCall) {
      const notification = new Notification(entry.user, { body: entry.text.slice(0, 200), tag: "madang", icon: "icon.svg" });
      notification.onclick = () => { window.focus(); notification.close(); };
    }
  }

  #seen() {
    if (document.hidden) return;
    this.#unread = 0;
    this.#show();
  }

  #show() {
    const unread = this.#unread > 0 ? `(${this.#unread}) ` : "";
    const title = this.#title ? `${this.#title} · ${word("title")}` : word("title");
    document.title = unread + title;
  }
}
