// A proxy between page and server that can cut them off, for the tests of lost connections.
import net from "node:net";

/** Forwards everything, until it is told to stop or to cut. */
export class Proxy {
  #sockets = new Set();
  /** `open`, `deaf` (accepts bytes and forwards none) or `refusing`. */
  mode = "open";

  constructor(url) {
    this.target = new URL(url);
  }

  async start() {
    this.server = net.createServer((near) => {
      if (this.mode === "refusing") return near.destroy();
      const far = net.connect(this.target.port, this.target.hostname);
      for (const [from, to] of [[near, far], [far, near]]) {
        this.#sockets.add(from);
        from.on("data", (data) => { if (this.mode === "open") to.write(data); });
        from.on("error", () => {});
        from.on("close", () => { this.#sockets.delete(from); to.destroy(); });
      }
    });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.server.address().port}/`;
  }

  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop() {
    this.cut();
    this.server.close();
  }
}

/** The events for a page that is shown again. */
export const wake = (page) => page.evaluate(() => {
  dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  document.dispatchEvent(new Event("visibilitychange"));
  dispatchEvent(new Event("online"));
});
