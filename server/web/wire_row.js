// What the server explains of this person's own connection (`/wire on`), as quiet lines in a
// block. Which fields there are is in the protocol's page, under `wire`.

import { element } from "./dom.js";
import { lang } from "./words.js";

const count = (n) => n.toLocaleString("en");
const many = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;

const FRAMING = {
  lines: ["줄은 LF나 CR LF로 끝납니다", "a line ends with LF or CR LF"],
  carriage_returns: ["줄은 CR로 끝납니다", "a line ends with CR"],
  packets: ["한 번 읽은 것이 한 줄입니다", "each read is a line"],
  messages: ["프레임이 몇 개든 메시지 하나가 말 한마디입니다", "each message is one, whatever its frames"],
};

/** The two texts of a note, Korean and English. */
function textsOf(note) {
  switch (note.what) {
    case "connection": {
      const tls = note.encrypted ? ["TLS로 암호화한 ", ", encrypted by TLS"] : ["", ""];
      const framing = FRAMING[note.framing] ?? ["", ""];
      return [`${tls[0]}웹소켓 연결입니다. ${framing[0]}`, `WebSocket${tls[1]}; ${framing[1]}`];
    }
    case "read": {
      const { reads, bytes, records } = note;
      const sizes = records?.map(count).join(" + ");
      return [
        `서버가 ${reads > 1 ? `${reads}번에 걸쳐 ` : ""}${count(bytes)}바이트를 읽었습니다${sizes ? `. TLS 레코드는 ${sizes}바이트입니다` : ""}`,
        `the server read ${many(bytes, "byte")}${reads > 1 ? ` in ${reads} reads` : ""}${sizes ? `; TLS records of ${sizes} bytes` : ""}`,
      ];
    }
    case "frame": {
      const { fin, opcode, name, mask, length, payload, more = 0 } = note;
      const from = note.from === "client" ? ["내 프레임", "your frame"] : ["나에게 온 프레임", "frame to you"];
      const masked = mask ? [`마스크 ${mask}`, `mask ${mask}`] : ["마스크 없음", "no mask"];
      const start = payload ? ` ${textOf(payload)}` : "";
      return [
        `${from[0]}: ${fin ? "FIN, " : ""}opcode ${opcode}(${name}), ${masked[0]}, ${count(length)}바이트${start}${more ? `. 그 밖에 ${more}개가 더 있습니다` : ""}`,
        `${from[1]}: ${fin ? "FIN, " : ""}opcode ${opcode} (${name}), ${masked[1]}, ${many(length, "byte")}${start}${more ? `; and ${many(more, "other")}` : ""}`,
      ];
    }
    case "wait":
      return [
        `속도 제한 때문에 ${note.waits > 1 ? `${note.waits}번에 걸쳐 ` : ""}${note.milliseconds}ms를 기다렸습니다`,
        `the rate limit made you wait ${note.milliseconds} ms${note.waits > 1 ? `, ${note.waits} times` : ""}`,
      ];
    case "told": {
      const { rounds, lines, bytes, members, calls } = note;
      return [
        `방에서 ${members}명에게 ${rounds > 1 ? `${rounds}번에 걸쳐` : "한 번에"} ${count(lines)}줄(${count(bytes)}바이트)을 보냈습니다. 나에게는 시스템 호출 ${calls}번으로 보냈습니다`,
        `${many(rounds, "round")} for ${many(members, "member")}: ${many(lines, "line")}, ${many(bytes, "byte")}, sent to you in ${many(calls, "system call")}`,
      ];
    }
    case "queue": {
      const { bytes, limit, milliseconds, skipped = 0, dropped = 0 } = note;
      return [
        `읽는 속도가 느려 최대 ${count(bytes)}바이트(한도 ${count(limit)})가 밀렸습니다. ${milliseconds}ms 만에 모두 보냈습니다`
          + (skipped ? `. 알림 ${count(skipped)}개를 건너뛰었습니다` : "") + (dropped ? `. 이런 설명 ${count(dropped)}줄을 버렸습니다` : ""),
        `you read too slowly: up to ${count(bytes)} of ${count(limit)} bytes waited; all sent after ${milliseconds} ms`
          + (skipped ? `; ${many(skipped, "event")} skipped` : "") + (dropped ? `; ${many(dropped, "line")} like this dropped` : ""),
      ];
    }
    default: return [note.what, note.what];
  }
}

/** Bytes in hexadecimal digits as text; nothing if they are none. */
function textOf(payload) {
  const bytes = Uint8Array.from(payload.split(" "), (digits) => Number.parseInt(digits, 16));
  try {
    return JSON.stringify(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return payload;
  }
}

/** The block for some notes. */
export function wireBlock(notes) {
  const lines = notes.map((note) => textsOf(note)[lang() === "ko" ? 0 : 1]);
  return element("p", { class: "text" }, lines.join("\n"));
}
