//! Lines of earlier runs, kept in one file of the user's own: a line each, newest
//! last. What is not to be kept is decided elsewhere.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use madang_terminal::editor::REMEMBERED_LINES;

/// The file, and what stands in it; nothing of it is needed to talk.
pub(crate) struct History {
    path: Option<PathBuf>,
}

impl History {
    /// The history of this user: in `$MADANG_HISTORY` (empty: none is kept), else in
    /// `$XDG_STATE_HOME/madang`, else below the home directory.
    pub(crate) fn of_user() -> History {
        let path = match env::var_os("MADANG_HISTORY") {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(PathBuf::from(path)),
            None => state_folder().map(|folder| folder.join("madang").join("history")),
        };
        History { path }
    }

    /// The newest lines, oldest first; none where they can't be read.
    ///
    /// A file that has grown to twice what is remembered is cut first.
    pub(crate) fn load(&self) -> Vec<String> {
        let Some(path) = &self.path else {
            return Vec::new();
        };
        let Ok(file) = File::open(path) else {
            return Vec::new();
        };
        let mut lines: Vec<String> = BufReader::new(file)
            .lines()
            .map_while(Result::ok)
            .map(|line| unescape(&line))
            .collect();
        if lines.len() > 2 * REMEMBERED_LINES {
            lines.drain(..lines.len() - REMEMBERED_LINES);
            // It is cut another time if it can't be now.
            let _ = replace(path, &lines);
        }
        lines
    }

    /// Adds a line at the end, in one write: several clients may share the file.
    pub(crate) fn add(&self, line: &str) {
        let Some(path) = &self.path else {
            return;
        };
        // Who has no place for a file still talks.
        let _ = append(path, line);
    }
}

#[cfg(not(windows))]
fn state_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local").join("state")))
}

#[cfg(windows)]
fn state_folder() -> Option<PathBuf> {
    env::var_os("LOCALAPPDATA").map(PathBuf::from)
}

/// Options for a file that is nobody else's to read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = private().append(true).create(true).open(path)?;
    file.write_all(format!("{}\n", escape(line)).as_bytes())
}

fn replace(path: &Path, lines: &[String]) -> io::Result<()> {
    let mut beside: OsString = path.into();
    beside.push(format!(".{}", std::process::id()));
    let mut file = private().write(true).create_new(true).open(&beside)?;
    let text: String = lines.iter().map(|line| format!("{}\n", escape(line))).collect();
    file.write_all(text.as_bytes()).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        // Nothing but a left-over is lost with it.
        let _ = fs::remove_file(&beside);
    })
}

fn escape(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescape(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = env::temp_dir().join(format!("madang-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn lines_come_back_as_they_were() {
        let folder = Folder::new("history");
        let history = History { path: Some(folder.0.join("new").join("history")) };
        assert_eq!(history.load(), Vec::<String>::new());
        let lines = ["안녕", "two\nlines", r"a\nb\", ""];
        for line in lines {
            history.add(line);
        }
        assert_eq!(history.load(), lines);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.0.join("new").join("history");
            let mode = fs::metadata(path).expect("it was written").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_long_file_is_cut_to_its_newest_lines() {
        let folder = Folder::new("long-history");
        let path = folder.0.join("history");
        let lines: String = (0..=2 * REMEMBERED_LINES).map(|line| format!("{line}\n")).collect();
        fs::write(&path, lines).expect("a file");
        let history = History { path: Some(path.clone()) };
        let loaded = history.load();
        assert_eq!(loaded.len(), REMEMBERED_LINES);
        assert_eq!(loaded.last(), Some(&(2 * REMEMBERED_LINES).to_string()));
        let kept = fs::read_to_string(path).expect("it is there");
        assert_eq!(kept.lines().count(), REMEMBERED_LINES);
    }

    #[test]
    fn without_a_place_nothing_is_kept() {
        let history = History { path: None };
        history.add("line");
        assert_eq!(history.load(), Vec::<String>::new());
    }
}
