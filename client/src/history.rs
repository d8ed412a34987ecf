//! The history: lines of earlier runs, in one file that only the user can read, newest last.
//! Which lines are kept is decided elsewhere.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use madang_terminal::editor::REMEMBERED_LINES;

/// The history file. Everything works without it.
pub(crate) struct History {
    path: Option<PathBuf>,
}

impl History {
    /// This user's history: in `$MADANG_HISTORY` (if that is empty, there is none), else in
    /// `$XDG_STATE_HOME/madang`, else below the home directory.
    pub(crate) fn of_user() -> History {
        let path = match env::var_os("MADANG_HISTORY") {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(PathBuf::from(path)),
            None => state_folder().map(|folder| folder.join("madang").join("history")),
        };
        History { path }
    }

    /// The newest lines, oldest first; none if they can't be read.
    ///
    /// A file that has twice as many lines as are kept is shortened first.
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
            // If that fails, the next run tries again.
            let _ = replace(path, &lines);
        }
        lines
    }

    /// Appends a line in one write, since several clients may share the file.
    pub(crate) fn add(&self, line: &str) {
        let Some(path) = &self.path else {
            return;
        };
        // Talking works without a place for the file.
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

/// Options for a file that only its owner can read.
#[cfg(unix)]
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The same: a folder of a user is that user's only.
#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
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
        // This only removes a leftover of an earlier run.
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
    fn without_a_file_no_line_history_is_kept() {
        let history = History { path: None };
        history.add("line");
        assert_eq!(history.load(), Vec::<String>::new());
    }
}
