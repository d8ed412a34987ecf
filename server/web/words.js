// The page's own words, in Korean and in English. What the server says comes in the
// language it was asked for.

const WORDS = {
  title: ["마당", "Madang"],
  tagline: ["링크 하나로 모이는 마당", "A courtyard to talk in, one link away"],
  yourName: ["이름", "Your name"],
  anotherName: ["다른 이름", "Another name"],
  enterLobby: ["로비로 들어가기", "Enter the lobby"],
  newPrivate: ["비공개 방 만들기", "New private room"],
  enterInvited: ["초대받은 방으로 들어가기", "Enter the room"],
  invited: ["비공개 방에 초대받았습니다.", "You are invited to a private room."],
  entryHint: ["가입도 설치도 없습니다. 방은 모두 나가면 사라집니다.", "Nothing to sign up for or install. A room is gone when everyone has left."],
  goLobby: ["로비로 가기", "Go to the lobby"],
  connecting: ["연결하는 중…", "Connecting…"],
  reconnecting: ["연결이 끊겨 다시 연결하는 중…", "Connection lost, trying again…"],
  unsent: [(n) => `보낼 말 ${n}개가 기다립니다`, (n) => `${n} unsent`],
  unreachable: ["서버에 닿지 않습니다. 계속 시도하는 중…", "The server can't be reached. Still trying…"],
  refusedPage: [
    "서버가 이 주소의 페이지를 받아 주지 않습니다. 운영자가 --public-url 또는 --allow-origin을 정해야 합니다.",
    "The server takes no chat from a page at this address: its operator has to set --public-url or --allow-origin.",
  ],
  replaced: ["다른 창에서 이어졌습니다.", "Continued in another window."],
  continueHere: ["여기서 계속하기", "Continue here"],
  kickedOut: [
    (minutes) => `운영자가 내보냈습니다. ${minutes}분 뒤에 다시 들어올 수 있습니다.`,
    (minutes) => `The operator removed you; you may come in again in ${minutes} min.`,
  ],
  banned: ["이 서버에 들어올 수 없습니다.", "You are banned from this server."],
  kickedYou: [(by) => `${by}님이 이 방에서 내보냈습니다.`, (by) => `${by} removed you from this room.`],
  roomGone: ["이 방은 이제 없습니다.", "This room is gone."],
  backToLobby: ["로비로 돌아가기", "Back to the lobby"],
  newSession: [
    "연결이 끊긴 사이에 세션이 끝나 새로 들어왔습니다. 서버가 다시 시작되었거나 1분 넘게 끊겨 있었습니다.",
    "Your session ended while you were disconnected, so you joined again. The server was restarted, or you were away for more than a minute.",
  ],
  restarted: ["서버가 다시 시작되어 새로 들어왔습니다.", "The server was restarted, so you joined again."],
  movedToLobby: [(room) => `‘${room}’에 돌아갈 수 없어 로비로 왔습니다.`, (room) => `You could not go back to “${room}”; this is the lobby.`],
  newName: [(name) => `쓰던 이름을 지금은 쓸 수 없어 ${name} 이름으로 들어왔습니다.`, (name) => `Your name is in use now, so you joined as ${name}.`],
  roomGoneUnsent: ["그 방이 사라져 보내지 않았습니다.", "That room is gone; not sent."],
  removedUnsent: ["이제 그 방에 있지 않아 보내지 않았습니다.", "Not sent: you are not in that room any more."],
  movedUnsent: ["다른 방에서 쓴 글이라 보내지 않았습니다.", "Not sent: it was written for another room."],
  peopleUnsent: [
    "새로 들어왔으므로 보내지 않았습니다. 같은 이름을 다른 사람이 쓰고 있을 수 있습니다.",
    "Not sent: you joined again, and somebody else may have that name now.",
  ],
  tooBigUnsent: ["너무 커서 보내지 못했습니다.", "Too big to be sent."],
  notSent: ["보내지 않음", "not sent"],
  perhapsSent: ["보내졌는지 알 수 없음", "may not have been sent"],
  writeAgain: ["다시 쓰기", "Edit"],
  heldDraft: [
    (from, to) => `‘${from}’에서 쓰던 글입니다. ‘${to}’에 보내려면 한 번 더 누르세요.`,
    (from, to) => `You wrote this in “${from}”. Press again to send it to “${to}”.`,
  ],
  brokenLink: ["이 링크는 깨졌습니다. 링크 전체를 다시 복사하세요.", "This link is broken. Copy all of it again."],
  wasHere: ["조금 전 이 컴퓨터에서 쓰던 이름입니다.", "This name was used on this computer a moment ago."],
  goOn: ["이어서 쓰기", "Keep using it"],
  otherName: ["다른 이름 쓰기", "Use another name"],
  lobby: ["로비", "Lobby"],
  privateRoom: ["비공개 방", "Private room"],
  rooms: ["방", "Rooms"],
  people: ["사람", "People"],
  members: [(n) => `${n}명`, (n) => (n === 1 ? "1 person" : `${n} people`)],
  openRoom: ["공개 방 열기", "Open a public room"],
  menu: ["방과 사람", "Rooms and people"],
  close: ["닫기", "Close"],
  invite: ["초대", "Invite"],
  projector: ["칠판 보기", "Projector"],
  endProjector: ["칠판 보기 끝내기", "End projector view"],
  wallHow: ["휴대폰으로 비추면 바로 들어옵니다", "Point a phone here to come in"],
  settings: ["더 보기", "More"],
  topic: ["주제", "Topic"],
  setTopic: ["주제 정하기", "Set a topic"],
  save: ["저장", "Save"],
  rename: ["이름 바꾸기", "Change name"],
  notifications: ["알림 켜기", "Turn on notifications"],
  notificationsOff: ["알림 끄기", "Turn off notifications"],
  language: ["English", "한국어"],
  quit: ["나가기", "Leave"],
  help: ["명령", "Commands"],
  lock: ["방 잠그기", "Lock the room"],
  unlock: ["잠금 풀기", "Unlock the room"],
  limit: ["정원 정하기", "Limit members"],
  lockedMark: ["잠김", "locked"],
  limitMark: [(n) => `정원 ${n}명`, (n) => `at most ${n}`],
  limitPrompt: ["몇 명까지", "At most"],
  end: ["방 닫기", "Close the room"],
  endSure: ["정말 모두에게 방을 닫을까요?", "Close the room for everyone?"],
  cancel: ["취소", "Cancel"],
  owner: ["방장", "owner"],
  ownersTools: ["방장", "Owner"],
  me: ["나", "you"],
  whisper: ["귓속말", "Whisper"],
  whisperTo: [(name) => `${name}에게만`, (name) => `only to ${name}`],
  whisperedTo: [(name) => `${name}에게 귓속말`, (name) => `whispered to ${name}`],
  whispered: ["귓속말", "whispered"],
  endWhisper: ["귓속말 끝내기", "Stop whispering"],
  mention: ["이름 부르기", "Mention"],
  ignore: ["이 사람의 말 가리기", "Hide what they say"],
  unignore: ["다시 보기", "Show what they say"],
  kick: ["내보내기", "Remove"],
  mute: ["10분 동안 말 막기", "Mute for 10 minutes"],
  unmute: ["말하게 하기", "Let speak"],
  makeOwner: ["방장 넘기기", "Make owner"],
  mutedMark: ["말 막힘", "muted"],
  hiddenMark: ["가림", "hidden"],
  message: ["메시지", "Message"],
  say: [(room) => `${room}에 말하기`, (room) => `Say something in ${room}`],
  send: ["보내기", "Send"],
  sending: ["보내는 중", "sending"],
  tooLong: [(n, most) => `너무 깁니다: ${n}바이트 (최대 ${most})`, (n, most) => `Too long: ${n} bytes, at most ${most}`],
  toNewest: ["맨 아래로", "To the newest"],
  newMessages: [(n) => `새 메시지 ${n}개`, (n) => (n === 1 ? "1 new message" : `${n} new messages`)],
  log: ["대화", "Conversation"],
  beginning: ["여기서부터 기억합니다", "This is as far as the memory goes"],
  gap: [(n) => `${n}건은 남아 있지 않습니다`, (n) => `${n} events are not kept any more`],
  privateGap: [(n) => `귓속말 ${n}개는 남아 있지 않습니다`, (n) => `${n} whispers are not kept any more`],
  announced: ["서버", "server"],
  today: ["오늘", "Today"],
  inviteTitle: ["이 방에 초대하기", "Invite to this room"],
  inviteLobby: ["이 주소를 알려 주세요.", "Tell others this address."],
  invitePrivate: ["링크를 가진 사람만 들어옵니다.", "Only those who hold the link come in."],
  link: ["링크", "Link"],
  copy: ["복사", "Copy"],
  copied: ["복사했습니다", "Copied"],
  selected: ["선택했습니다. Ctrl+C로 복사하세요", "Selected: press Ctrl+C"],
  qrLabel: ["링크의 QR 코드", "QR code of the link"],
  terminal: ["터미널에서", "From a terminal"],
  plain: [
    "암호화되지 않습니다. 같은 네트워크에서 읽힐 수 있습니다.",
    "Not encrypted: whoever is on the path can read along.",
  ],
  came: [(names) => `${names} 들어옴`, (names) => `${names} came`],
  went: [(names) => `${names} 나감`, (names) => `${names} left`],
  andOthers: [(names, n) => `${names} 외 ${n}명`, (names, n) => `${names} and ${n} more`],
  kicked: [(by, who) => `${by}님이 ${who}님을 내보냈습니다`, (by, who) => `${by} removed ${who}`],
  unkicked: [
    (by, who) => `${by}님이 ${who}님을 다시 들어올 수 있게 했습니다`,
    (by, who) => `${by} lets ${who} in again`,
  ],
  operator: ["운영자", "the operator"],
  renamed: [(who, to) => `${who} → ${to}`, (who, to) => `${who} is now ${to}`],
  topicSet: [(who, topic) => `${who}님이 정한 주제: ${topic}`, (who, topic) => `${who} set the topic: ${topic}`],
  topicCleared: [(who) => `${who}님이 주제를 지웠습니다`, (who) => `${who} cleared the topic`],
  mutedEvent: [(by, who) => `${by}님이 ${who}님의 말을 막았습니다`, (by, who) => `${by} muted ${who}`],
  unmutedEvent: [(who) => `${who}님이 다시 말할 수 있습니다`, (who) => `${who} may speak again`],
  lockedEvent: [(who) => `${who}님이 방을 잠갔습니다`, (who) => `${who} locked the room`],
  unlockedEvent: [(who) => `${who}님이 방의 잠금을 풀었습니다`, (who) => `${who} unlocked the room`],
  limitedEvent: [(who, n) => `${who}님이 정원을 ${n}명으로 정했습니다`, (who, n) => `${who} limited the room to ${n}`],
  ownerEvent: [(who) => `${who}님이 방장이 되었습니다`, (who) => `${who} owns the room now`],
  endedEvent: [(who) => `${who}님이 방을 닫았습니다`, (who) => `${who} closed the room`],
  whoisLine: [
    (user, room, since) => `${user}${room ? ` · ${room}` : ""} · ${since}부터`,
    (user, room, since) => `${user}${room ? ` · ${room}` : ""} · since ${since}`,
  ],
  pong: ["퐁", "pong"],
  roomLine: [(room, n) => `${room} (${n}명)`, (room, n) => `${room} (${n})`],
};

const LANGS = ["ko", "en"];

let index = 0;

/** The language of the page: `ko` or `en`. */
export function lang() {
  return LANGS[index];
}

/** Chooses the language that was chosen before, or the browser's. */
export function chooseLang(chosen, preferred) {
  const wanted = LANGS.includes(chosen) ? chosen : preferred.find((it) => /^(ko|en)\b/u.test(it))?.slice(0, 2);
  index = Math.max(0, LANGS.indexOf(wanted ?? "en"));
}

/** The words of that key, with what belongs in them. */
export function word(key, ...details) {
  const words = WORDS[key][index];
  return typeof words === "function" ? words(...details) : words;
}

/** Puts the words in where the document asks for them by `data-word` and `data-label`. */
export function putWords(root) {
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of root.querySelectorAll("[data-label]")) {
    const label = word(element.dataset.label);
    element.setAttribute("aria-label", label);
    if (element.matches("button")) element.title = label;
    if (element.matches("input")) element.placeholder = label;
  }
}

/** The keys of all words, for tests. */
export const KEYS = Object.keys(WORDS);
