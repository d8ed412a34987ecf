//! The notice about bytes that are not UTF-8.

use crate::wide::Wide;

/// In both languages: for a person whose bytes are not UTF-8, only one of them may be readable.
pub(super) fn not_utf8(hint: Utf8Hint) -> String {
    let what_to_do = match hint {
        Utf8Hint::CodePage => " (Windows: chcp 65001)",
        Utf8Hint::Telnet => {
            " (telnet: Ctrl-] 누르고 toggle binary / press Ctrl-], type toggle binary)"
        }
        Utf8Hint::Terminal => " (터미널의 문자 집합 / the terminal's character set: UTF-8)",
        Utf8Hint::None => "",
        Utf8Hint::Wide(wide) => {
            return format!(
                "{wide}입니다. UTF-8로 보내세요 / {wide}, not UTF-8 \
                 (PowerShell: Out-File -Encoding utf8)"
            );
        }
    };
    format!("UTF-8이 아닙니다 / not UTF-8{what_to_do}")
}

/// How to send UTF-8 instead, by the program that the text seems to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utf8Hint {
    /// Probably a Windows console, which has its own code page.
    CodePage,
    /// A telnet client, which clears the eighth bit unless told not to.
    Telnet,
    /// A terminal, which has a setting for it.
    Terminal,
    /// A program, whose author knows what to do.
    None,
    /// Another encoding of Unicode.
    Wide(Wide),
}
