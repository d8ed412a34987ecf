// The texts of the practice page, in Korean and in English; `words.js` has the rest.

const CODES = {
  1000: ["정상 종료", "normal end"],
  1001: ["서버 종료", "server is stopping"],
  1002: ["프로토콜 위반", "protocol error"],
  1003: ["받지 않는 종류의 데이터", "unsupported kind of data"],
  1007: ["UTF-8이 아닌 글", "text that is not UTF-8"],
  1009: ["너무 큰 메시지", "message too big"],
};

/** The meaning of a Close code (RFC 6455 section 7.4.1), in one language. */
const meaning = (code, index) => CODES[code]?.[index] ?? String(code);

/** The texts. */
export function practiceWords() {
  return {
    practiceTitle: ["웹소켓 연습", "WebSocket practice"],
    practiceHint: [
      "연결하고 보내 보면 오가는 바이트가 그대로 보입니다. 로그인도 방도 없습니다.",
      "Connect and send: the page shows every byte, both ways. There is no login and no room.",
    ],
    practiceConnect: ["1. 연결", "1. Connect"],
    connectNow: ["연결하기", "Connect"],
    closeNow: ["끊기", "Close"],
    notConnected: ["연결되지 않았습니다", "not connected"],
    connecting: ["연결하는 중…", "connecting…"],
    isConnected: ["연결되었습니다", "connected"],
    ended: [
      (code) => `연결이 끝났습니다: ${code}, ${meaning(code, 0)}`,
      (code) => `closed: ${code}, ${meaning(code, 1)}`,
    ],
    cannotConnect: ["연결할 수 없습니다. 서버가 켜져 있는지 확인하세요.", "Can't connect. Check that the server is running."],
    sentByBrowser: ["브라우저의 요청", "The browser's request"],
    answeredByServer: ["서버의 응답", "The server's response"],
    handshakeHint: [
      "Sec-WebSocket-Accept는 Sec-WebSocket-Key에 정해진 글자열을 붙여 SHA-1과 base64로 계산한 값입니다. 서버가 웹소켓을 안다는 증거입니다.",
      "Sec-WebSocket-Accept is computed from Sec-WebSocket-Key and a fixed string, by SHA-1 and base64. It proves that the server knows WebSocket.",
    ],
    practiceSend: ["2. 보내기", "2. Send"],
    practiceText: ["보낼 글", "Text to send"],
    sendText: ["보내기", "Send"],
    sendBinary: ["바이너리로 보내기", "Send as binary"],
    practiceFrames: ["3. 프레임", "3. Frames"],
    noFrames: ["아직 없습니다.", "None yet."],
    fromClient: [(name) => `브라우저 → 서버: ${name}`, (name) => `browser → server: ${name}`],
    fromServer: [(name) => `서버 → 브라우저: ${name}`, (name) => `server → browser: ${name}`],
    firstByte: [
      (fin, opcode, name) => `FIN ${fin} · 종류 ${opcode} (${name})`,
      (fin, opcode, name) => `FIN ${fin} · opcode ${opcode} (${name})`,
    ],
    reservedBit: ["예약 비트가 켜짐", "reserved bit set"],
    secondByte: [
      (mask, length) => `MASK ${mask} · 길이 ${length}`,
      (mask, length) => `MASK ${mask} · length ${length}`,
    ],
    longLength: [(length) => `길이 ${length}`, (length) => `length ${length}`],
    maskKey: ["마스크 키", "masking key"],
    payload: [(text) => `내용: ${text}`, (text) => `payload: ${text}`],
    payloadStart: [(text) => `내용의 처음: ${text}`, (text) => `payload begins: ${text}`],
    moreFrames: [(n) => `프레임이 ${n}개 더 있습니다`, (n) => `${n} more frames`],
    closedBy: [
      (code) => `서버가 연결을 닫습니다: ${code}, ${meaning(code, 0)}`,
      (code) => `The server closes the connection: ${code}, ${meaning(code, 1)}`,
    ],
    practiceBreak: ["4. 일부러 틀리기", "4. Break it on purpose"],
    breakHint: [
      "브라우저는 틀린 프레임을 보낼 수 없습니다. 그래서 아래 버튼을 누르면 그 바이트를 서버에 보내고, 서버가 직접 해석해 본 결과를 알려 줍니다. 실제 연결이 아니라 모의실험입니다.",
      "A browser can't send a broken frame. These buttons hand its bytes to the server, which runs them through its own parser and says what would have happened. This is a simulation, not a real connection.",
    ],
    breakUnmasked: ["마스크 없음", "No mask"],
    breakOpcode: ["없는 종류 (3)", "Unknown opcode (3)"],
    breakReserved: ["예약 비트", "Reserved bit"],
    breakLost: ["시작 없는 이어짐", "Nothing to continue"],
    breakPing: ["126바이트 핑", "Ping of 126 bytes"],
    breakCut: ["잘린 한글", "Half a syllable"],
    breakLong: ["너무 큰 메시지", "Message too big"],
    breakBinary: ["바이너리", "Binary"],
    breakNothing: ["올바른 프레임", "A good frame"],
    verdictCloses: [
      (code, reason) => `닫힙니다: ${code} (${reason}), ${meaning(code, 0)}`,
      (code, reason) => `It would be closed: ${code} (${reason}), ${meaning(code, 1)}`,
    ],
    verdictGoesOn: [(received) => `문제없습니다. 받은 것: ${received}`, (received) => `Nothing wrong. Received: ${received}`],
    forReal: ["실제로 해 보기 (macOS, Linux 터미널)", "For real (in a terminal on macOS or Linux)"],
    backToChat: ["채팅으로 가기", "Go to the chat"],
  };
}
