//! Files that anyone with the link can download once, for a limited time.

use std::{sync::Arc, time::Instant};

use super::talk_file::Talk;
use crate::{commands::chat::DOWNLOAD_TIME, session::token::TokenHash, sync::Mutex};

/// How many files may wait for one requester, and in all; beyond that, the oldest go.
const MOST_OF_ONE: usize = 4;
const MOST: usize = 256;

/// The files that wait to be downloaded.
#[derive(Default)]
pub(crate) struct Downloads(Mutex<Vec<Offered>>);

struct Offered {
    token: TokenHash,
    /// The number of the requester's session; none for the operator.
    by: Option<u64>,
    since: Instant,
    download: Download,
}

/// A file.
#[derive(Clone)]
pub(crate) enum Download {
    /// The table of attendance.
    Attendance(Arc<[u8]>),
    /// A room's conversation, which is written during the download.
    Talk(Arc<Talk>),
}

impl Download {
    /// The last segment of its path but one.
    fn folder(&self) -> &'static str {
        match self {
            Download::Attendance(_) => "attendance",
            Download::Talk(_) => "transcript",
        }
    }

    /// The name under which it is saved.
    pub(crate) fn file_name(&self) -> &str {
        match self {
            Download::Attendance(_) => "attendance.csv",
            Download::Talk(talk) => &talk.file_name,
        }
    }

    /// Its type (RFC 9110 section 8.3).
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Download::Attendance(_) => "text/csv",
            Download::Talk(talk) => talk.content_type(),
        }
    }

    /// Whether it still exists: what only a room remembers ends with the room.
    fn exists(&self) -> bool {
        match self {
            Download::Attendance(_) => true,
            Download::Talk(talk) => talk.exists(),
        }
    }
}

impl Downloads {
    /// Whether this is the last segment but one of a download's path.
    pub(crate) fn has_folder(folder: &str) -> bool {
        matches!(folder, "attendance" | "transcript")
    }

    /// Offers a file; returns its path, which ends in 128 random bits.
    pub(crate) fn offer(&self, by: Option<u64>, download: Download, now: Instant) -> String {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("a system that has started has random bits");
        let text = format!("{:032x}", u128::from_ne_bytes(bits));
        let path = format!("/{}/{text}", download.folder());
        let mut all = self.0.lock();
        all.retain(|offered| offered.is_there(now));
        let is_theirs = |offered: &Offered| offered.by == by;
        if all.iter().filter(|offered| is_theirs(offered)).count() >= MOST_OF_ONE {
            let first = all.iter().position(is_theirs).expect("there are some");
            all.remove(first);
        }
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(Offered { token: TokenHash::of(&text), by, since: now, download });
        path
    }

    /// Looks up the file of a path's last two segments, without taking it.
    pub(crate) fn look(&self, folder: &str, token: &str, now: Instant) -> Option<Download> {
        let token = TokenHash::of(token);
        let all = self.0.lock();
        let found = all.iter().find(|offered| offered.is(folder, token, now))?;
        Some(found.download.clone())
    }

    /// Takes the same file.
    pub(crate) fn take(&self, folder: &str, token: &str, now: Instant) -> Option<Download> {
        let token = TokenHash::of(token);
        let mut all = self.0.lock();
        let place = all.iter().position(|offered| offered.is(folder, token, now))?;
        Some(all.remove(place).download)
    }
}

impl Offered {
    fn is(&self, folder: &str, token: TokenHash, now: Instant) -> bool {
        self.token == token && self.download.folder() == folder && self.is_there(now)
    }

    fn is_there(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < DOWNLOAD_TIME && self.download.exists()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::time::Duration;

    use super::*;

    fn table(bytes: &[u8]) -> Download {
        Download::Attendance(bytes.into())
    }

    fn token(path: &str) -> &str {
        path.strip_prefix("/attendance/").expect("it is a table's")
    }

    #[test]
    fn a_file_is_there_once_and_for_ten_minutes() {
        let (downloads, now) = (Downloads::default(), Instant::now());
        let path = downloads.offer(Some(1), table(b"a,b"), now);
        let token = token(&path);
        assert_eq!(token.len(), 32);
        let looked = |folder, token, at| downloads.look(folder, token, at).is_some();
        assert!(looked("attendance", token, now) && looked("attendance", token, now));
        for (folder, token, at) in [
            ("attendance", "", now),
            ("attendance", &token[1..], now),
            ("transcript", token, now),
            ("attendance", token, now + Duration::from_secs(600)),
        ] {
            assert!(!looked(folder, token, at), "{folder} {token}");
            assert!(downloads.take(folder, token, at).is_none(), "{folder} {token}");
        }
        let taken = downloads.take("attendance", token, now);
        assert!(matches!(taken, Some(Download::Attendance(bytes)) if *bytes == *b"a,b"));
        assert!(!looked("attendance", token, now));
        assert!(downloads.take("attendance", token, now).is_none());
    }

    #[test]
    fn files_do_not_pile_up_and_one_requester_pushes_out_no_other() {
        let (downloads, now) = (Downloads::default(), Instant::now());
        let kept = downloads.offer(Some(1), table(b""), now);
        let paths: Vec<String> =
            (0..=MOST_OF_ONE).map(|_| downloads.offer(None, table(b""), now)).collect();
        let is_there = |path: &str| downloads.look("attendance", token(path), now).is_some();
        assert!(is_there(&kept));
        let there: Vec<bool> = paths.iter().map(|path| is_there(path)).collect();
        assert_eq!(there, [false, true, true, true, true]);
        (2..2 + MOST as u64).for_each(|by| drop(downloads.offer(Some(by), table(b""), now)));
        assert_eq!(downloads.0.lock().len(), MOST);
        assert!(!is_there(&kept));
    }
}
