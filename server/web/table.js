// Tables in the server's texts, such as `/help`: two columns separated by blanks, shown here as a
// grid whose cells wrap.

import { element } from "./dom.js";

/** The two columns of a line. */
const COLUMNS = /^\s*(\S.*?)\s{2,}(\S.*)$/u;

/** The lines of a text: `[first, second]`, or `[whole]` without a second column; null if it is not a table. */
export function rowsOf(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const rows = lines.map((line) => COLUMNS.exec(line)?.slice(1) ?? [line.trim()]);
  const isTable = rows.filter((row) => row.length === 2).length >= 2;
  return isTable ? rows : null;
}

/** The element of such a table; null if the text is not one. */
export function tableOf(text) {
  const rows = rowsOf(text);
  return rows && element("dl", { class: "text table" }, ...rows.flatMap(([first, second]) => (
    second === undefined ? [element("dt", { class: "whole" }, first)] : [element("dt", {}, first), element("dd", {}, second)]
  )));
}
