// What stands between a page and a server, to cut them off: what the tests of lost
// connections share.
import net from "node:net";

/** Passes everything on, until it is told to stand still or to cut. */
export class Proxy {
  #sockets = new Set();
  /** `open`, `deaf` (takes, and passes nothing on) or `refusing`. */
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

/** What a browser tells a page that it shows again. */
export const wake = (page) => page.evaluate(() => {
  dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  document.dispatchEvent(new Event("visibilitychange"));
  dispatchEvent(new Event("online"));
});
