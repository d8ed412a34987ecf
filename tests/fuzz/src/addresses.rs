//! Addresses and origins: the hops before a proxy, ranges, web pages, and the client's addresses.

use std::net::IpAddr;

use madang::address::Address;
use madang_protocol::address_range::AddressRange;
use madang_server::{
    fuzzing::person_behind,
    transport::http::origin::{Origin, PublicUrl},
};

use crate::cost::bounded;

/// Checks a text.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    bounded(text.len(), 4_000, 64, || check_texts(&text));
    let hops: Vec<&str> = text.split(',').collect();
    check_hops(&hops);
}

fn check_texts(text: &str) {
    if let Ok(range) = text.parse::<AddressRange>() {
        let shown = range.to_string();
        assert_eq!(shown.parse(), Ok(range), "{shown}");
    }
    // The flag that a refusal names allows the origin.
    if let Ok(origin) = text.parse::<Origin>() {
        let shown = origin.to_string();
        assert_eq!(shown.parse(), Ok(origin), "{shown}");
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"'\"\\$`&;|<>*()".contains(&byte);
        assert!(shown.bytes().all(is_plain), "{shown} needs quoting");
    }
    if let Ok(url) = text.parse::<PublicUrl>() {
        let shown = url.to_string();
        assert_eq!(shown.parse(), Ok(url), "{shown}");
    }
    if let Ok(address) = text.parse::<Address>() {
        assert!(!address.to_string().contains(char::is_control), "{address}");
    }
}

/// Nobody can choose their own address: everything to the left of the first untrusted address,
/// seen from the right, is ignored.
fn check_hops(hops: &[&str]) {
    const PROXY: &str = "10.1.2.3";
    const STRANGER: &str = "203.0.113.9";
    let [proxy, stranger] = [PROXY, STRANGER].map(|it| it.parse::<IpAddr>().expect("an address"));
    assert_eq!(person_behind(stranger, hops), stranger);
    let person = person_behind(proxy, hops);
    let forged = [&[STRANGER, PROXY], hops].concat();
    let person_of_forged = person_behind(proxy, &forged);
    let is_trusted = person_behind(person, &[STRANGER]) != person;
    assert!(is_trusted || person_of_forged == person, "{person} and {person_of_forged}");
}
