// The practice page: a WebSocket that shows each byte of what it sends and receives.

import { byId, element } from "./dom.js";
import { choices } from "./memory.js";
import { chooseLang, lang, putWords, word } from "./words.js";

/** The most frames kept on the page. */
const SHOWN_FRAMES = 100;

/** Frames that no browser sends, by the keys of their buttons. */
const BREAKS = [
  ["breakUnmasked", [0x81, 0x02, 0x68, 0x69]],
  ["breakOpcode", [0x83, 0x80, 0, 0, 0, 0]],
  ["breakReserved", [0xc1, 0x80, 0, 0, 0, 0]],
  ["breakLost", [0x80, 0x80, 0, 0, 0, 0]],
  ["breakPing", [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
  ["breakCut", [0x81, 0x82, 0, 0, 0, 0, 0xec, 0x95]],
  ["breakLong", [0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]],
  ["breakBinary", [0x82, 0x81, 0, 0, 0, 0, 0xff]],
  ["breakNothing", [0x81, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x5f, 0x93]],
];

const HANDSHAKE = [
  "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];

let socket = null;
/** The state of the connection: a text's key and its values. */
let status = ["notConnected"];
/** The last verdict, with the bytes it is about. */
let judged = null;

function address(query) {
  const url = new URL(`echo?${query}`, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

function say(...words) {
  status = words;
  byId("status").textContent = word(...words);
}

function connect() {
  say("connecting");
  turn(true);
  const opened = new WebSocket(address("explain"));
  let wasOpen = false;
  socket = opened;
  byId("frames").replaceChildren();
  byId("no-frames").hidden = false;
  opened.onopen = () => {
    wasOpen = true;
    say("isConnected");
    for (const button of byId("send").querySelectorAll("button")) button.disabled = false;
    byId("text").focus();
  };
  opened.onmessage = ({ data }) => explained(data);
  opened.onclose = ({ code }) => {
    if (wasOpen) say("ended", code);
    else say("cannotConnect");
    turn(false);
  };
}

function turn(isOn) {
  byId("connect").disabled = isOn;
  byId("close").disabled = !isOn;
  if (!isOn) for (const button of byId("send").querySelectorAll("button")) button.disabled = true;
}

/** An explanation; an echo comes after the explanation of its frame. */
function explained(data) {
  const message = typeof data === "string" && data.startsWith("{") ? JSON.parse(data) : null;
  switch (message?.type) {
    case "handshake":
      byId("handshake").hidden = false;
      byId("request").textContent = message.request.join("\n");
      byId("answer").textContent = message.answer.join("\n");
      break;
    case "frame":
      show(frameRow(message, message.from));
      break;
    case "more":
      show(element("li", {}, word("moreFrames", message.frames)));
      break;
    case "close":
      show(element("li", { class: "server end" }, element("strong", {}, word("closedBy", message.code))));
      break;
    default: break;
  }
}

function show(row) {
  const frames = byId("frames");
  frames.append(row);
  while (frames.children.length > SHOWN_FRAMES) frames.firstElementChild.remove();
  byId("no-frames").hidden = true;
}

/** A frame as bytes, with their meaning. */
function frameRow(frame, from) {
  const header = frame.header.split(" ");
  const masked = frame.mask ? 1 : 0;
  const long = header.slice(2, header.length - 4 * masked);
  const first = word("firstByte", frame.fin ? 1 : 0, frame.opcode, frame.name);
  const second = parseInt(header[1], 16) & 0x7f;
  const bytes = [
    [header[0], frame.reserved ? `${first} · ${word("reservedBit")}` : first],
    [header[1], word("secondByte", masked, second)],
    long.length > 0 && [long.join(" "), word("longLength", frame.length)],
    frame.mask && [frame.mask, word("maskKey")],
    frame.payload && [frame.payload, payload(frame)],
  ];
  const parts = bytes.filter(Boolean).map(([hex, text]) => element("div", {}, element("dt", {}, hex), element("dd", {}, text)));
  return element(
    "li", { class: from },
    element("strong", {}, word(from === "server" ? "fromServer" : "fromClient", frame.name)),
    element("dl", { class: "bytes" }, ...parts),
  );
}

/** What the first bytes of the payload mean. */
function payload({ opcode, payload: hex, length }) {
  const bytes = Uint8Array.from(hex.split(" "), (byte) => parseInt(byte, 16));
  if (opcode === 8 && bytes.length >= 2) return word("payload", `${(bytes[0] << 8) | bytes[1]} ${text(bytes.subarray(2))}`);
  return word(bytes.length < length ? "payloadStart" : "payload", text(bytes));
}

/** Bytes as text; incomplete characters and controls are shown as such. */
function text(bytes) {
  return new TextDecoder().decode(bytes).replace(/\p{Cc}/gu, "\ufffd");
}

/** Asks what the server would do with these bytes. */
function tryOut(bytes) {
  const raw = new WebSocket(address("explain&raw"));
  raw.binaryType = "arraybuffer";
  raw.onopen = () => raw.send(Uint8Array.from(bytes));
  raw.onmessage = ({ data }) => {
    const verdict = JSON.parse(data);
    if (verdict.type !== "verdict") return;
    judged = { bytes, verdict };
    tellVerdict();
    raw.close();
  };
  raw.onerror = () => say("cannotConnect");
}

function tellVerdict() {
  if (judged === null) return;
  const { bytes, verdict } = judged;
  const { close, received, frames } = verdict;
  byId("verdict").hidden = false;
  byId("verdict-text").textContent = close
    ? word("verdictCloses", close.code, close.reason)
    : word("verdictGoesOn", received.join(", "));
  byId("verdict-frames").replaceChildren(...frames.map((frame) => frameRow(frame, close ? "end" : "client")));
  byId("for-real").textContent = command(bytes);
}

/** The same with nc. The `printf` of every shell knows octal escapes. */
function command(bytes) {
  const { hostname, port, protocol } = location;
  const host = hostname.replace(/^\[|\]$/gu, "");
  const at = port || (protocol === "https:" ? "443" : "80");
  const head = [`GET ${address("").pathname} HTTP/1.1`, `Host: ${hostname}`, ...HANDSHAKE].map((line) => `${line}\\r\\n`).join("");
  const frame = bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  const program = protocol === "https:" ? `openssl s_client -quiet -connect ${host}:${at}` : `nc ${host} ${at}`;
  return `{ printf '${head}\\r\\n'; sleep 1; printf '${frame}'; sleep 1; } | ${program} | tail -c 40 | od -c`;
}

function relabel() {
  document.documentElement.lang = lang();
  document.title = word("practiceTitle");
  putWords(document);
  byId("breaks").replaceChildren(
    ...BREAKS.map(([key, bytes]) => element("button", { type: "button", id: key, onclick: () => tryOut(bytes) }, word(key))),
  );
  say(...status);
  tellVerdict();
}

byId("connect").addEventListener("click", connect);
byId("close").addEventListener("click", () => socket.close(1000));
byId("send").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(byId("text").value);
});
byId("send-binary").addEventListener("click", () => socket.send(new TextEncoder().encode(byId("text").value)));
byId("language").addEventListener("click", () => {
  choices.lang = lang() === "ko" ? "en" : "ko";
  chooseLang(choices.lang, navigator.languages);
  relabel();
});
chooseLang(choices.lang, navigator.languages);
relabel();
