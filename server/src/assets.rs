//! What the web port serves to browsers as it stands: each file by its name, the
//! last segment of the path. Made part of the program when it is built.

/// A file.
pub(crate) struct Asset {
    /// Its name; empty for the page itself.
    pub(crate) name: &'static str,
    /// Its type (RFC 9110 section 8.3).
    pub(crate) content_type: &'static str,
    /// What is in it.
    pub(crate) bytes: &'static [u8],
}

const ASSETS: &[Asset] = &[Asset {
    name: "",
    content_type: "text/plain; charset=utf-8",
    bytes: "Madang (마당): 채팅에는 WebSocket으로 접속하세요. / \
            This port takes chat over WebSocket: madang http://HOST:PORT/\n"
        .as_bytes(),
}];

/// The file of that name.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}
