// The projector view: the conversation in big type for the back row, with the invitation beside
// it.

import { byId } from "./dom.js";
import { word } from "./words.js";

export class Wall {
  #onChange;

  /** `onChange` is called whenever it is shown or hidden. */
  constructor(onChange) {
    this.#onChange = onChange;
    byId("show-wall").addEventListener("click", () => this.show(true));
    byId("end-wall").addEventListener("click", () => this.show(false));
    byId("full-screen").hidden = !document.fullscreenEnabled;
    byId("full-screen").addEventListener("click", () => this.#fill(!document.fullscreenElement));
    document.addEventListener("fullscreenchange", () => this.relabel());
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.isShown) this.show(false);
    });
  }

  get isShown() {
    return document.body.classList.contains("on-wall");
  }

  show(isShown) {
    document.body.classList.toggle("on-wall", isShown);
    byId("wall").hidden = !isShown;
    if (!isShown && document.fullscreenElement) this.#fill(false);
    byId(isShown ? "end-wall" : "show-wall").focus();
    this.#onChange();
  }

  relabel() {
    byId("full-screen").textContent = word(document.fullscreenElement ? "endFullScreen" : "fullScreen");
  }

  async #fill(isFull) {
    try {
      if (isFull) await document.documentElement.requestFullscreen();
      else await document.exitFullscreen();
    } catch {
      // The browser may refuse; the view works without full screen.
    }
  }
}
