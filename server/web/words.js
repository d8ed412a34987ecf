// The page's own texts, in Korean and in English. The server's messages come in the language that
// was requested.

import { lessonWords } from "./lesson_words.js";
import { practiceWords } from "./practice_words.js";

/** A name as Korean addresses people: with 님, unless it ends in one already. */
function sir(name) {
  // A character that isolates the name may follow it.
  return /님\u2069?$/u.test(name) ? name : `${name}님`;
}

/** Who did something, as the subject of a Korean and of an English sentence; null is the operator. */
const koBy = (name) => (name === null ? "운영자가" : `${sir(name)}이`);
const enBy = (name) => name ?? "The operator";

/** Whom it was done to; null is everyone. */
const koAll = (name) => (name === null ? "모두" : sir(name));
const enAll = (name) => name ?? "everyone";

const count = (n) => n.toLocaleString("en");

/** So many messages are not counted: a gap may reach over ids that were left out. */
const UNCOUNTED = 2 ** 20;

const WORDS = {
  ...lessonWords({ sir, koBy, enBy, count }),
  ...practiceWords(),
  title: ["마당", "Madang"],
  tagline: ["링크 하나로 모여 이야기하세요", "Share a link and start talking"],
  yourName: ["이름", "Your name"],
  anotherName: ["다른 이름 추천받기", "Suggest another name"],
  enterLobby: ["로비로 들어가기", "Enter the lobby"],
  newPrivate: ["비공개 방 만들기", "New private room"],
  newTitle: ["방 이름을 정하세요. 비워 두어도 됩니다.", "Name the room, or leave this empty."],
  haveWords: ["초대 단어로 들어가기", "Enter with invite words"],
  askWords: ["들은 단어 세 개를 적으세요. 예: 파란 고래 우산", "The three words you were told, for example: brave otter lantern"],
  enterByWords: ["들어가기", "Enter"],
  make: ["만들기", "Create"],
  enterInvited: ["초대받은 방으로 들어가기", "Enter the room"],
  invited: ["비공개 방에 초대받았습니다.", "You are invited to a private room."],
  entryHint: ["가입도 설치도 필요 없습니다. 모두 나가면 방은 사라집니다.", "No account, nothing to install. A room disappears when everyone has left."],
  goLobby: ["로비로 가기", "Go to the lobby"],
  reconnecting: ["연결이 끊겨 다시 연결하는 중…", "Connection lost. Reconnecting…"],
  unsent: [(n) => `보낼 메시지 ${n}개가 기다립니다`, (n) => (n === 1 ? "1 message waiting" : `${n} messages waiting`)],
  unreachable: ["서버에 연결할 수 없습니다. 다시 시도하는 중…", "Can't reach the server. Still trying…"],
  refusedPage: [
    "서버가 이 주소에서 연 페이지를 허용하지 않습니다. 서버 운영자가 --public-url 또는 --allow-origin을 설정해야 합니다.",
    "The server doesn't accept pages from this address. Its operator needs to set --public-url or --allow-origin.",
  ],
  replaced: ["다른 창에서 이어서 쓰고 있습니다.", "Continued in another window."],
  continueHere: ["여기서 계속하기", "Continue here"],
  kickedOut: [
    (minutes) => `내보내졌습니다. ${minutes}분 뒤에 다시 들어올 수 있습니다.`,
    (minutes) => `You were removed. You can come back in ${minutes} min.`,
  ],
  banned: ["이 서버에 들어올 수 없습니다.", "You are banned from this server."],
  kickedYou: [(by) => `${koBy(by)} 나를 이 방에서 내보냈습니다.`, (by) => `${enBy(by)} removed you from this room.`],
  roomGone: ["이 방은 사라졌습니다.", "This room is gone."],
  backToLobby: ["로비로 돌아가기", "Back to the lobby"],
  newSession: [
    "연결이 끊긴 동안 세션이 끝나 새로 들어왔습니다. 서버가 다시 시작되었거나 1분 넘게 끊겨 있었습니다.",
    "Your session ended while you were disconnected, so you joined again. The server was restarted, or you were away for more than a minute.",
  ],
  restarted: ["서버가 다시 시작되어 새로 들어왔습니다.", "The server was restarted, so you joined again."],
  movedToLobby: [(room) => `‘${room}’에 돌아갈 수 없어 로비로 왔습니다.`, (room) => `You could not go back to “${room}”, so this is the lobby.`],
  newName: [
    (name) => `쓰던 이름을 다른 사람이 쓰고 있어 새 이름으로 들어왔습니다: ${name}`,
    (name) => `Your name is taken now, so you joined as ${name}.`,
  ],
  roomGoneUnsent: ["방이 사라져 보내지 않았습니다.", "Not sent: that room is gone."],
  removedUnsent: ["그 방에서 나와 보내지 않았습니다.", "Not sent: you are no longer in that room."],
  movedUnsent: ["다른 방에서 쓴 글이라 보내지 않았습니다.", "Not sent: it was written for another room."],
  peopleUnsent: [
    "새로 들어왔으므로 보내지 않았습니다. 같은 이름을 다른 사람이 쓰고 있을 수 있습니다.",
    "Not sent: you joined again, and somebody else may have that name now.",
  ],
  tooBigUnsent: ["너무 길어서 보내지 못했습니다.", "Too long to send."],
  notSent: ["보내지 않음", "not sent"],
  perhapsSent: ["보내졌는지 알 수 없음", "may not have been sent"],
  writeAgain: ["다시 쓰기", "Edit"],
  heldDraft: [
    (from, to) => `‘${from}’에서 쓰던 글입니다. ‘${to}’에 보내려면 한 번 더 누르세요.`,
    (from, to) => `You wrote this in “${from}”. Press again to send it to “${to}”.`,
  ],
  brokenLink: ["잘못된 링크입니다. 링크 전체를 다시 복사하세요.", "This link is incomplete. Copy the whole link again."],
  wasHere: ["조금 전 이 컴퓨터에서 쓰던 이름입니다.", "This name was used on this computer a moment ago."],
  goOn: ["이어서 쓰기", "Keep using it"],
  otherName: ["다른 이름 쓰기", "Use another name"],
  lobby: ["로비", "Lobby"],
  privateRoom: ["비공개 방", "Private room"],
  rooms: ["방", "Rooms"],
  people: ["사람", "People"],
  filterPeople: ["이름으로 찾기", "Find a name"],
  nobodyFound: ["찾는 이름이 없습니다", "No such name"],
  morePeople: [(n) => `그 밖에 ${count(n)}명`, (n) => `and ${count(n)} more`],
  members: [(n) => `${count(n)}명`, (n) => (n === 1 ? "1 person" : `${count(n)} people`)],
  openRoom: ["공개 방 열기", "Open a public room"],
  goHint: ["다른 방을 누르면 이 방에서 나가 그 방으로 갑니다.", "Choose another room to leave this one and go there."],
  menu: ["방과 사람", "Rooms and people"],
  close: ["닫기", "Close"],
  invite: ["초대", "Invite"],
  projector: ["칠판 보기", "Projector view"],
  endProjector: ["칠판 보기 끝내기", "Exit projector view"],
  fullScreen: ["전체 화면", "Full screen"],
  endFullScreen: ["전체 화면 끝내기", "Exit full screen"],
  wallHow: ["카메라로 찍어 들어오세요", "Scan to join"],
  settings: ["더 보기", "More"],
  topic: ["주제", "Topic"],
  setTopic: ["주제 바꾸기", "Change the topic"],
  setTitle: ["방 이름 바꾸기", "Rename the room"],
  save: ["저장", "Save"],
  rename: ["이름 바꾸기", "Change your name"],
  notifications: ["알림 켜기", "Turn on notifications"],
  notificationsOff: ["알림 끄기", "Turn off notifications"],
  sound: ["내 이름이 나오면 소리 내기", "Play a sound for mentions"],
  soundOff: ["소리 끄기", "Turn off the sound"],
  language: ["English", "한국어"],
  quit: ["나가기", "Leave"],
  help: ["명령 목록", "Commands"],
  lock: ["방 잠그기", "Lock the room"],
  unlock: ["잠금 풀기", "Unlock the room"],
  limit: ["정원 정하기", "Limit members"],
  lockedMark: ["잠김", "locked"],
  limitMark: [(n) => `정원 ${n}명`, (n) => `limit ${n}`],
  limitPrompt: ["몇 명까지 들어올 수 있나요?", "How many people at most?"],
  end: ["방 닫기", "Close the room"],
  endSure: ["방을 닫으면 모두 나가게 됩니다. 닫을까요?", "Close the room for everyone?"],
  cancel: ["취소", "Cancel"],
  owner: ["방장", "owner"],
  ownersTools: ["방장 메뉴", "Owner"],
  teacher: ["교사", "teacher"],
  me: ["나", "you"],
  whisper: ["귓속말", "Whisper"],
  whisperTo: [(name) => `${name}에게만`, (name) => `only to ${name}`],
  whisperedTo: [(name) => `${name}에게 귓속말`, (name) => `whispered to ${name}`],
  whispered: ["귓속말", "whispered"],
  endWhisper: ["귓속말 끝내기", "Stop whispering"],
  mention: ["이름 부르기", "Mention"],
  ignore: ["차단하기", "Ignore"],
  unignore: ["차단 풀기", "Stop ignoring"],
  ignoredMark: ["차단함", "ignored"],
  ignoredLine: [(names) => `차단한 사람: ${names}`, (names) => `Ignored: ${names}`],
  nobodyIgnored: ["차단한 사람이 없습니다.", "Nobody is ignored."],
  kick: ["내보내기", "Remove"],
  kickSure: [
    (name) => `${sir(name)}을 내보낼까요? 10분 동안 다시 들어올 수 없습니다.`,
    (name) => `Remove ${name}? They can't come back for 10 minutes.`,
  ],
  mute: ["10분 동안 채팅 금지", "Mute for 10 minutes"],
  unmute: ["채팅 금지 풀기", "Unmute"],
  makeOwner: ["방장 넘기기", "Make owner"],
  awayMark: ["연결 끊김", "disconnected"],
  quietMark: ["알림 없이 참여", "quiet"],
  streamMark: ["보기만", "read only"],
  mutedMark: ["채팅 금지", "muted"],
  message: ["메시지", "Message"],
  say: [(room) => `${room}에 메시지 보내기`, (room) => `Message ${room}`],
  send: ["보내기", "Send"],
  sending: ["보내는 중", "sending"],
  tooLong: [
    (n, most) => `너무 깁니다: ${count(n)}바이트 (최대 ${count(most)}바이트, 한글 약 ${count(Math.floor(most / 3))}자)`,
    (n, most) => `Too long: ${count(n)} bytes (at most ${count(most)}, about ${count(most)} characters of English)`,
  ],
  lettersLeft: [(n) => `약 ${count(n)}자 남음`, (n) => `about ${count(n)} characters left`],
  lettersOver: [(n) => `약 ${count(n)}자 넘음`, (n) => `about ${count(n)} characters too long`],
  toNewest: ["맨 아래로", "Jump to newest"],
  newMessages: [(n) => `새 메시지 ${n}개`, (n) => (n === 1 ? "1 new message" : `${n} new messages`)],
  unreadRoom: ["새 메시지 있음", "new messages"],
  log: ["대화", "Conversation"],
  beginning: ["남아 있는 대화의 처음입니다", "Start of available history"],
  gap: [
    (n) => (n >= UNCOUNTED ? "남아 있지 않은 대화가 있습니다" : `대화 ${count(n)}건은 남아 있지 않습니다`),
    (n) => {
      if (n >= UNCOUNTED) return "Some messages are no longer available";
      return n === 1 ? "1 message is no longer available" : `${count(n)} messages are no longer available`;
    },
  ],
  unsaved: [
    (n) => (n >= UNCOUNTED ? "여기서 저장되지 않은 대화가 있습니다" : `여기서 대화 ${count(n)}건이 저장되지 않았습니다`),
    (n) => {
      if (n >= UNCOUNTED) return "Some messages were not saved here";
      return n === 1 ? "1 message was not saved here" : `${count(n)} messages were not saved here`;
    },
  ],
  privateGap: [
    (n) => `귓속말 ${count(n)}개는 남아 있지 않습니다`,
    (n) => (n === 1 ? "1 whisper is no longer available" : `${count(n)} whispers are no longer available`),
  ],
  loading: ["대화를 불러오는 중…", "Loading messages…"],
  recorded: ["이 방의 대화는 서버에 저장됩니다", "Messages in this room are saved on the server"],
  recordedMark: ["저장됨", "saved"],
  saving: ["서버에 저장하는 중", "being saved on the server"],
  unsafe: ["서버에 저장되지 않았을 수 있음", "may not be saved on the server"],
  search: ["대화 찾기", "Search messages"],
  searchWords: ["찾을 말", "Words to find"],
  searchHint: [
    "낱말이 여러 개이면 모두 들어 있는 메시지를 찾습니다. 초성으로도 찾을 수 있습니다. 예: ㅎㅇ",
    "Finds messages that contain all the words. Put quotation marks around a phrase.",
  ],
  searching: ["찾는 중…", "Searching…"],
  found: [
    (n) => (n === 0 ? "찾는 메시지가 없습니다" : `메시지 ${count(n)}개를 찾았습니다`),
    (n) => (n === 0 ? "No messages found" : n === 1 ? "1 message found" : `${count(n)} messages found`),
  ],
  searchedBack: [(when) => `${when}까지 찾아보았습니다`, (when) => `searched back to ${when}`],
  olderResults: ["이전 메시지에서 더 찾기", "Search older messages"],
  searchLost: ["서버와 연결이 끊겨 찾지 못했습니다.", "The connection to the server was lost."],
  tryAgain: ["다시 찾기", "Try again"],
  notThere: ["그 메시지는 이제 남아 있지 않습니다.", "That message is no longer available."],
  transcript: ["대화 내려받기", "Download the conversation"],
  transcriptHint: [
    "이 방에 저장된 대화를 모두 파일로 내려받습니다. 방에 있는 사람들에게 알려집니다.",
    "Downloads everything saved in this room as a file. The people in the room are told.",
  ],
  transcriptRecent: [
    "이 방의 대화는 저장되지 않으므로, 서버가 기억하는 최근 대화만 파일로 내려받습니다. 방에 있는 사람들에게 알려집니다.",
    "Messages in this room are not saved, so the file has only the recent ones. The people in the room are told.",
  ],
  transcriptHtml: ["읽기 좋은 문서", "Document to read (HTML)"],
  transcriptText: ["텍스트 파일", "Plain text (TXT)"],
  transcriptJson: ["프로그램용 데이터", "Data for programs (JSONL)"],
  announced: ["서버", "server"],
  showWhole: ["모두 보기", "Show all"],
  today: ["오늘", "Today"],
  startTitle: ["방을 만들었습니다. 이제 사람들을 초대하세요.", "Your room is ready. Now invite people."],
  roomName: ["방 이름", "Room name"],
  inviteTitle: ["이 방에 초대하기", "Invite to this room"],
  inviteLobby: ["이 주소를 알려 주세요.", "Share this address."],
  invitePrivate: ["링크가 있는 사람만 들어올 수 있습니다.", "Only people with the link can join."],
  inviteWords: ["말로 알려 줄 단어 보기", "Show words to say aloud"],
  wordsOpen: [
    (words, minutes) => `${words} (${minutes}분 동안 쓸 수 있습니다)`,
    (words, minutes) => `${words} (for ${minutes} minutes)`,
  ],
  link: ["링크", "Link"],
  copy: ["복사", "Copy"],
  copied: ["복사했습니다", "Copied"],
  selected: ["선택했습니다. Ctrl+C로 복사하세요", "Selected: press Ctrl+C"],
  copyCode: ["코드 복사", "Copy code"],
  allLines: [(n) => `전체 ${n}줄 보기`, (n) => `Show all ${n} lines`],
  qrLabel: ["링크의 QR 코드", "QR code of the link"],
  terminal: ["터미널에서 들어오기", "From a terminal"],
  plain: [
    "암호화되지 않은 연결입니다. 같은 네트워크의 다른 사람이 볼 수 있습니다.",
    "Not encrypted: others on the network can read this.",
  ],
  came: [(names) => `${names} 들어왔습니다`, (names) => `${names} joined`],
  went: [(names) => `${names} 나갔습니다`, (names) => `${names} left`],
  names: [(names) => `${sir(names)}이`, (names) => names],
  andOthers: [(names, n) => `${names} 외 ${n}명이`, (names, n) => `${names} and ${n} more`],
  kicked: [(by, who) => `${koBy(by)} ${sir(who)}을 내보냈습니다`, (by, who) => `${enBy(by)} removed ${who}`],
  unkicked: [
    (by, who) => `${koBy(by)} ${sir(who)}이 다시 들어올 수 있게 했습니다`,
    (by, who) => `${enBy(by)} allowed ${who} back in`,
  ],
  operator: ["운영자", "the operator"],
  renamed: [(who, to) => `${sir(who)}이 이름을 바꿨습니다: ${to}`, (who, to) => `${who} is now ${to}`],
  topicSet: [(who, topic) => `${koBy(who)} 정한 주제: ${topic}`, (who, topic) => `${enBy(who)} set the topic: ${topic}`],
  titleSet: [(who, title) => `${koBy(who)} 방 이름을 바꿨습니다: ${title}`, (who, title) => `${enBy(who)} named the room: ${title}`],
  titleCleared: [(who) => `${koBy(who)} 방 이름을 지웠습니다`, (who) => `${enBy(who)} cleared the room's name`],
  topicCleared: [(who) => `${koBy(who)} 주제를 지웠습니다`, (who) => `${enBy(who)} cleared the topic`],
  mutedEvent: [(by, who) => `${koBy(by)} ${koAll(who)}의 채팅을 금지했습니다`, (by, who) => `${enBy(by)} muted ${enAll(who)}`],
  unmutedEvent: [(who) => `${koAll(who)}의 채팅 금지가 풀렸습니다`, (who) => `${who ?? "Everyone"} can speak again`],
  lockedEvent: [(who) => `${koBy(who)} 방을 잠갔습니다`, (who) => `${enBy(who)} locked the room`],
  unlockedEvent: [(who) => `${koBy(who)} 방의 잠금을 풀었습니다`, (who) => `${enBy(who)} unlocked the room`],
  limitedEvent: [(who, n) => `${koBy(who)} 정원을 ${n}명으로 정했습니다`, (who, n) => `${enBy(who)} limited the room to ${n} people`],
  ownerEvent: [(who) => `${sir(who)}이 방장이 되었습니다`, (who) => `${who} is now the owner`],
  transcribedEvent: [
    (who) => `${koBy(who)} 이 방의 대화를 파일로 받았습니다`,
    (who) => `${enBy(who)} got the messages of this room as a file`,
  ],
  restartedEvent: ["서버가 다시 시작되었습니다", "The server restarted"],
  endedEvent: [(who) => `${koBy(who)} 방을 닫았습니다`, (who) => `${enBy(who)} closed the room`],
  whoisLine: [
    (user, room, since) => [user, room, since && `${since}에 접속`].filter(Boolean).join(" · "),
    (user, room, since) => [user, room, since && `connected at ${since}`].filter(Boolean).join(" · "),
  ],
  pong: ["서버가 응답했습니다.", "The server answered."],
  roomLine: [(room, n) => `${room} (${n}명)`, (room, n) => `${room} (${n})`],
};

const LANGS = ["ko", "en"];

/** The arguments of `/lang`. */
const CALLED = { ko: "ko", korean: "ko", 한국어: "ko", en: "en", english: "en", 영어: "en" };

let index = 0;

/** The language of the page: `ko` or `en`. */
export function lang() {
  return LANGS[index];
}

/** The language that an argument of `/lang` names; undefined if it names none. */
export function languageCalled(called) {
  return CALLED[called.normalize("NFC").toLowerCase()];
}

/** Chooses the remembered language, or the browser's. */
export function chooseLang(chosen, preferred) {
  const wanted = LANGS.includes(chosen) ? chosen : preferred.find((it) => /^(ko|en)\b/u.test(it))?.slice(0, 2);
  index = Math.max(0, LANGS.indexOf(wanted ?? "en"));
}

/** The text of that key, with its values. */
export function word(key, ...details) {
  const words = WORDS[key][index];
  return typeof words === "function" ? words(...details) : words;
}

/** Fills in the texts that the document asks for by `data-word` and `data-label`. */
export function putWords(root) {
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of root.querySelectorAll("[data-label]")) {
    const label = word(element.dataset.label);
    element.setAttribute("aria-label", label);
    if (element.matches("button")) element.title = label;
    if (element.matches("input")) element.placeholder = label;
  }
}

/** The keys of all texts, for tests. */
export const KEYS = Object.keys(WORDS);
