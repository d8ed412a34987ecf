//! How to invite others to a room, as text.

use crate::{duration::show_duration, text::Lang};

/// The answer to `/invite`, in the order in which it is shown. A way in that is missing
/// does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation<'a> {
    /// The link for browsers and for `madang`.
    pub link: Option<&'a str>,
    /// The command for terminals.
    pub madang: &'a str,
    /// The command for people who only have nc, or openssl where lines are encrypted; if
    /// there is a port for lines.
    pub nc: Option<&'a str>,
    /// What they type at the prompt before their name; nothing for the lobby.
    pub join: Option<&'a str>,
    /// Whether every way in is encrypted.
    pub encrypted: bool,
    /// The QR code, in lines.
    pub qr: Option<&'a str>,
    /// The words that open the room, if these were asked for: nothing else is shown then.
    pub words: Option<&'a str>,
    /// For how many more seconds they do.
    pub words_seconds: u64,
}

impl Invitation<'_> {
    /// The lines, without the last line end.
    pub(super) fn text(&self, lang: Lang) -> String {
        if let Some(words) = self.words {
            let span = show_duration(self.words_seconds, lang);
            return match lang {
                Lang::Ko => format!(
                    "  단어: {words} ({span} 동안)\n  들어오는 방법: /방 {words}\n  브라우저에서는 첫 화면의 '초대 단어로 들어가기'를 누르세요."
                ),
                Lang::En => format!(
                    "  words: {words} (for {span})\n  to join: /join {words}\n  in a browser: choose \"Enter with invite words\" on the first screen"
                ),
            };
        }
        let (browser, type_first) = match lang {
            Lang::Ko => ("브라우저", "로그인ID를 물으면 먼저 입력"),
            Lang::En => ("browser", "before your name, type"),
        };
        let mut lines = Vec::new();
        if let Some(link) = self.link {
            lines.push(format!("  {browser}: {link}"));
        }
        lines.push(format!("  madang: {}", self.madang));
        if let Some(nc) = self.nc {
            let program = nc.split(' ').next().unwrap_or(nc);
            lines.push(format!("  {program}: {nc}"));
            // On a line of its own, which is easy to copy.
            lines.extend(self.join.map(|join| format!("    {type_first}: {join}")));
        }
        if !self.encrypted {
            lines.push(self.warning(lang).to_owned());
        }
        if let Some(qr) = self.qr {
            lines.push(qr.to_owned());
        }
        lines.join("\n")
    }

    /// What is not encrypted: all, or what follows an encrypted link.
    fn warning(&self, lang: Lang) -> &'static str {
        let has_encrypted = self.link.is_some_and(|link| link.starts_with("https:"));
        match (lang, has_encrypted) {
            (Lang::Ko, false) => {
                "암호화되지 않은 연결입니다. 다른 사람이 링크와 대화를 볼 수 있습니다."
            }
            (Lang::Ko, true) => "nc 연결은 암호화되지 않습니다. 다른 사람이 대화를 볼 수 있습니다.",
            (Lang::En, false) => {
                "Not encrypted: others on the network can read the link and the messages."
            }
            (Lang::En, true) => "nc is not encrypted: others on the network can read the messages.",
        }
    }
}
