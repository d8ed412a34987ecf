// Watches whether a message moves while somebody reads it, and scrolls.

/** The texts of the messages in the document, in order. */
export const inDocument = (page) => page.locator("#rows .row.said .text").allTextContents();

/**
 * Watches from now on, picture by picture, the first message that can be seen: each that
 * moves though nobody scrolls is kept in `window.movedRows`. `window.scroll` scrolls.
 */
export function watchRows(page) {
  return page.evaluate(() => {
    const box = document.querySelector("#log");
    const rows = () => [...document.querySelectorAll("#rows .row.said")];
    const topOf = (row) => row.getBoundingClientRect().top;
    const textOf = (row) => row.querySelector(".text").textContent;
    let watched = null;
    window.movedRows = [];
    window.pictures = 0;
    const look = () => {
      window.pictures += 1;
      if (watched) {
        const row = rows().find((it) => textOf(it) === watched.text);
        const moved = row ? topOf(row) - watched.top : NaN;
        if (!(Math.abs(moved) <= 1)) window.movedRows.push(`${watched.text}: ${moved} px`);
      }
      const top = box.getBoundingClientRect().top;
      const first = rows().find((it) => it.getBoundingClientRect().bottom > top);
      watched = first ? { text: textOf(first), top: topOf(first) } : null;
      requestAnimationFrame(look);
    };
    window.scroll = (by) => {
      box.scrollTop += by;
      watched = null;
    };
    look();
  });
}

/** Scrolls up until the message with that text is in the document. */
export async function scrollUpTo(page, text, { step = 1_500, seen = new Set() } = {}) {
  for (let count = 0; count < 2_000; count += 1) {
    const texts = await inDocument(page);
    for (const each of texts) seen.add(each);
    if (texts.includes(text)) return seen;
    await page.evaluate((step) => new Promise((resolve) => {
      window.scroll(-step);
      requestAnimationFrame(() => requestAnimationFrame(resolve));
    }), step);
  }
  throw new Error(`${text} is not there`);
}
