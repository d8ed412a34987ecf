//! Names that are proposed where one is in use.

use madang_protocol::name::UserName;

/// The highest number in a name that is proposed.
pub(super) const MOST_PROPOSED: u32 = 20;

/// As much of `stem` as is a name with `end` behind it.
pub(super) fn shortened(stem: &str, end: &str) -> Option<UserName> {
    let shorter = stem.char_indices().rev().map(|(at, _)| &stem[..at]);
    std::iter::once(stem)
        .chain(shorter)
        .find_map(|stem| UserName::parse(&format!("{stem}{end}")).ok())
}
