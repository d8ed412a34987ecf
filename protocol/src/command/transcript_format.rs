//! How a transcript is written, as commands name it.

use std::str::FromStr;

/// How a transcript is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TranscriptFormat {
    /// Lines with times, and the days as headings.
    #[default]
    Txt,
    /// A page that needs nothing else.
    Html,
    /// The events as programs get them, one object a line.
    Jsonl,
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {0:?}: txt, html and jsonl are known")]
pub struct UnknownFormat(String);

impl FromStr for TranscriptFormat {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<TranscriptFormat, UnknownFormat> {
        let known = [TranscriptFormat::Txt, TranscriptFormat::Html, TranscriptFormat::Jsonl];
        let named = |format: &TranscriptFormat| format.name().eq_ignore_ascii_case(word);
        known.into_iter().find(named).ok_or_else(|| UnknownFormat(word.into()))
    }
}

impl TranscriptFormat {
    /// Its name, which is also how the name of such a file ends.
    pub fn name(self) -> &'static str {
        match self {
            TranscriptFormat::Txt => "txt",
            TranscriptFormat::Html => "html",
            TranscriptFormat::Jsonl => "jsonl",
        }
    }
}
