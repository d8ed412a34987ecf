// Two soft tones for mentions. Off by default.

import { choices } from "./memory.js";

/** The tones in Hz, one after the other, and the length of each in seconds. */
const TONES = [659, 880];
const TONE_SECONDS = 0.14;
const VOLUME = 0.12;

/** If several mentions come at once, only one is heard. */
const PAUSE_MS = 2_000;

export class Sound {
  #context = null;
  #played = -Infinity;

  constructor() {
    // Browsers play nothing before somebody has touched the page.
    for (const touch of ["pointerdown", "keydown"]) {
      addEventListener(touch, () => { if (this.on) this.#open(); }, { capture: true, passive: true });
    }
  }

  get possible() {
    return "AudioContext" in globalThis;
  }

  get on() {
    return this.possible && choices.sound === "on";
  }

  /** Turns it on, with a sample, or off. */
  async toggle() {
    choices.sound = this.on ? "off" : "on";
    this.#played = -Infinity;
    await this.#open();
    this.play();
  }

  /** Plays the tones if they are enabled and the browser allows it. */
  play() {
    if (!this.on || performance.now() - this.#played < PAUSE_MS) return;
    const context = this.#context;
    if (context?.state !== "running") return;
    this.#played = performance.now();
    TONES.forEach((tone, index) => {
      const begin = context.currentTime + index * TONE_SECONDS;
      const [oscillator, gain] = [context.createOscillator(), context.createGain()];
      oscillator.frequency.value = tone;
      gain.gain.setValueAtTime(0, begin);
      gain.gain.linearRampToValueAtTime(VOLUME, begin + 0.02);
      gain.gain.linearRampToValueAtTime(0, begin + TONE_SECONDS);
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(begin);
      oscillator.stop(begin + TONE_SECONDS);
    });
  }

  /** Wakes the browser's sound, which only a touch of the page may do. */
  async #open() {
    try {
      this.#context ??= new AudioContext();
      await this.#context.resume();
    } catch {
      // Without an audio device, nothing is played.
    }
  }
}
