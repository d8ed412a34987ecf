//! The files of `server/web`, served by name (the last segment of the path). They are compiled
//! into the program.

use std::sync::LazyLock;

use madang_protocol::command;

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const JSON: &str = "application/json";

/// A file.
#[derive(Clone, Copy)]
pub(crate) struct Asset {
    /// The file name; empty for the page itself.
    pub(crate) name: &'static str,
    /// The media type (RFC 9110 section 8.3).
    pub(crate) content_type: &'static str,
    /// The content.
    pub(crate) bytes: &'static [u8],
}

/// A file of this type in `server/web`.
macro_rules! file {
    ($content_type:expr, $file:literal) => {
        file!($content_type, $file, as $file)
    };
    ($content_type:expr, $file:literal, as $name:literal) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../web/", $file)),
        }
    };
}

const FILES: &[Asset] = &[
    file!(HTML, "index.html", as ""),
    file!(HTML, "practice.html", as "echo"),
    file!(PICTURE, "icon.svg"),
    file!(STYLE, "look.css"),
    file!(STYLE, "room.css"),
    file!(STYLE, "search.css"),
    file!(STYLE, "lesson.css"),
    file!(STYLE, "practice.css"),
    file!(SCRIPT, "main.js"),
    file!(SCRIPT, "connection.js"),
    file!(SCRIPT, "login.js"),
    file!(SCRIPT, "state.js"),
    file!(SCRIPT, "timeline.js"),
    file!(SCRIPT, "classroom.js"),
    file!(SCRIPT, "lesson.js"),
    file!(SCRIPT, "lesson_row.js"),
    file!(SCRIPT, "lesson_wall.js"),
    file!(SCRIPT, "lesson_words.js"),
    file!(SCRIPT, "practice.js"),
    file!(SCRIPT, "practice_words.js"),
    file!(SCRIPT, "pupil.js"),
    file!(SCRIPT, "teacher.js"),
    file!(SCRIPT, "past.js"),
    file!(SCRIPT, "saving.js"),
    file!(SCRIPT, "unsent.js"),
    file!(SCRIPT, "undelivered.js"),
    file!(SCRIPT, "entry.js"),
    file!(SCRIPT, "head.js"),
    file!(SCRIPT, "start.js"),
    file!(SCRIPT, "log.js"),
    file!(SCRIPT, "row.js"),
    file!(SCRIPT, "wire_row.js"),
    file!(SCRIPT, "phrase.js"),
    file!(SCRIPT, "times.js"),
    file!(SCRIPT, "search.js"),
    file!(SCRIPT, "query.js"),
    file!(SCRIPT, "table.js"),
    file!(SCRIPT, "text.js"),
    file!(SCRIPT, "links.js"),
    file!(SCRIPT, "code.js"),
    file!(SCRIPT, "highlight.js"),
    file!(SCRIPT, "sugar-high.js"),
    file!(SCRIPT, "composer.js"),
    file!(SCRIPT, "speech.js"),
    file!(SCRIPT, "size.js"),
    file!(SCRIPT, "commands.js"),
    file!(SCRIPT, "answers.js"),
    file!(SCRIPT, "visible.js"),
    file!(SCRIPT, "keys.js"),
    file!(SCRIPT, "side.js"),
    file!(SCRIPT, "rooms.js"),
    file!(SCRIPT, "people.js"),
    file!(SCRIPT, "invite.js"),
    file!(SCRIPT, "qr.js"),
    file!(SCRIPT, "clipboard.js"),
    file!(SCRIPT, "wall.js"),
    file!(SCRIPT, "actions.js"),
    file!(SCRIPT, "dialogs.js"),
    file!(SCRIPT, "attention.js"),
    file!(SCRIPT, "sound.js"),
    file!(SCRIPT, "memory.js"),
    file!(SCRIPT, "names.js"),
    file!(SCRIPT, "words.js"),
    file!(SCRIPT, "dom.js"),
];

/// The commands for members, for the page's completion.
static COMMAND_TABLE: LazyLock<Vec<u8>> = LazyLock::new(command::table_as_json);

/// The file with this name.
pub(crate) fn find(name: &str) -> Option<Asset> {
    match name {
        "commands.json" => {
            Some(Asset { name: "commands.json", content_type: JSON, bytes: &COMMAND_TABLE })
        }
        _ => FILES.iter().find(|asset| asset.name == name).copied(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served_and_asks_for_nothing_else() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        for file in fs::read_dir(&folder).expect("the page's folder") {
            let file = file.expect("it is readable").path();
            let name = file.file_name().and_then(|name| name.to_str()).expect("a plain name");
            // Pictures, and the README of the page.
            if file.is_dir() || name == "README.md" {
                continue;
            }
            let asset = match name {
                "index.html" => find(""),
                "practice.html" => find("echo"),
                name => find(name),
            };
            let asset = asset.expect(name);
            let text = str::from_utf8(asset.bytes).expect("it is text");
            for before in [" src=\"", " href=\"", " from \"./", " fetch(\""] {
                for (at, _) in text.match_indices(before) {
                    let rest = &text[at + before.len()..];
                    let wanted = &rest[..rest.find('"').expect("it ends")];
                    let is_known = ["healthz", "./"].contains(&wanted) || find(wanted).is_some();
                    assert!(is_known, "{name} asks for {wanted}");
                }
            }
        }
    }

    #[test]
    fn the_page_obeys_its_content_security_policy() {
        let page = str::from_utf8(find("").expect("the page").bytes).expect("it is text");
        for forbidden in [" style=", "<style", " onclick=", "javascript:", "://"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script type=\"module\" src=").count()
        );
        for file in FILES.iter().filter(|file| file.content_type == SCRIPT) {
            let text = str::from_utf8(file.bytes).expect("it is text");
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
            {
                assert!(!text.contains(forbidden), "{}: {forbidden}", file.name);
            }
        }
    }
}
