//! Pieces of notices that both languages have in common.

use crate::address_range::AddressRange;

/// Puts `prefix` before each line, so that none can pass for somebody else's.
pub(super) fn prefixed(prefix: &str, text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| format!("{prefix}{line}")).collect();
    lines.join("\n")
}

/// Which part of all addresses a range holds: `1/4`.
pub(super) fn share(range: &AddressRange) -> String {
    format!("1/{}", 1_u32 << range.prefix_bits().min(31))
}

/// The version of a range's addresses.
pub(super) fn version(range: &AddressRange) -> &'static str {
    if range.is_ipv4() { "IPv4" } else { "IPv6" }
}
