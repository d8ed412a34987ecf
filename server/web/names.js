// Guest names: an id for each visitor, made in the page.

const WORDS = {
  ko: [
    ["고요한", "느긋한", "다정한", "맑은", "반가운", "산뜻한", "새벽", "씩씩한", "은은한", "잔잔한",
      "포근한", "푸른", "하얀", "햇살", "향긋한", "환한"],
    ["감나무", "고양이", "나비", "다람쥐", "달팽이", "두루미", "민들레", "반달", "부엉이", "사슴",
      "소나무", "수달", "제비", "참새", "토끼", "호랑이"],
  ],
  en: [
    ["amber", "brave", "bright", "calm", "clear", "dawn", "gentle", "golden", "kind", "mellow",
      "mild", "quiet", "silver", "sunny", "swift", "warm"],
    ["badger", "crane", "deer", "fern", "finch", "fox", "hare", "heron", "lark", "maple", "moth",
      "otter", "owl", "pine", "robin", "wren"],
  ],
};

/** A name that is probably free; with a number if `tries` were not. */
export function guestName(lang, tries = 0) {
  const [first, second] = WORDS[lang];
  const [a, b, number] = crypto.getRandomValues(new Uint16Array(3));
  const name = `${first[a % first.length]}-${second[b % second.length]}`;
  return tries > 0 ? `${name}-${number % 1_000}` : name;
}
