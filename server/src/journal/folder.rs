//! The `--data` folder: created for its owner only, locked by one server at a time, and refused
//! on network file systems, where SQLite's write-ahead log is not safe.

#[cfg(unix)]
use std::{
    fs,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
};
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

#[cfg(target_os = "linux")]
use super::file_system;

/// The database in the folder.
pub(crate) const DATABASE: &str = "madang.db";

/// Locked while a server uses the folder.
const LOCK: &str = "lock";

/// The folder, locked by this server.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It can't be created, or its files can't be opened.
    #[error("failed to open {path}: {cause}", path = path.display())]
    Io {
        /// The folder, or the file in it.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// Another server has it.
    #[error("another madang-server uses {path}; stop it, or choose another --data folder", path = .0.display())]
    InUse(PathBuf),
    /// It is on another machine.
    #[error(
        "{path} is on a network file system ({kind}), where the database would be damaged; \
         choose a --data folder on a local disk",
        path = path.display()
    )]
    Network {
        /// The folder.
        path: PathBuf,
        /// The file system.
        kind: &'static str,
    },
}

impl Folder {
    /// Locks the folder, and creates it if it does not exist (mode 0700, files 0600).
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub(crate) fn take(path: &Path) -> Result<Folder, FolderError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| FolderError::Io { path, cause }
        };
        #[cfg(target_os = "linux")]
        check_is_local(path)?;
        if !path.is_dir() {
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            builder.mode(0o700);
            builder.recursive(true).create(path).map_err(failed(path))?;
        }
        // On other systems, the parent folder decides who may read it.
        #[cfg(unix)]
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed(path))?;
        let lock_path = path.join(LOCK);
        let lock = create(&lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(&lock_path)(error)),
        }
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

/// Open files, and where they were: what is written to a file that was removed or replaced under way
/// is gone with the process. Elsewhere than on Unix, the system refuses to remove an open file.
#[derive(Debug, Default)]
pub(crate) struct Placed(#[cfg(unix)] Vec<(PathBuf, (u64, u64))>);

impl Placed {
    /// Those of the files that exist.
    #[cfg(unix)]
    pub(crate) fn of(files: impl IntoIterator<Item = PathBuf>) -> Placed {
        let found = |path: PathBuf| identity(&path).map(|identity| (path, identity));
        Placed(files.into_iter().filter_map(found).collect())
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_files: impl IntoIterator<Item = PathBuf>) -> Placed {
        Placed()
    }

    /// Checks that all are where they were.
    ///
    /// # Errors
    ///
    /// Which is not, for the operator.
    pub(crate) fn check(&self) -> Result<(), String> {
        #[cfg(unix)]
        if let Some((path, _)) = self.0.iter().find(|(path, was)| identity(path) != Some(*was)) {
            return Err(format!("{} was removed or replaced; restart the server", path.display()));
        }
        Ok(())
    }
}

/// The device and the number on it of the file that is there now.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Opens a file for its owner only, and creates it if it does not exist.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path)
}

/// Checks where the folder is or, before it exists, where it will be: a refusal leaves nothing
/// behind.
#[cfg(target_os = "linux")]
fn check_is_local(path: &Path) -> Result<(), FolderError> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    match file_system::network_kind_of(there) {
        Ok(Some(kind)) => Err(FolderError::Network { path: path.to_owned(), kind }),
        Ok(None) => Ok(()),
        Err(cause) => Err(FolderError::Io { path: path.to_owned(), cause }),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("madang-folder-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_folder_is_made_for_its_owner_only_and_held_by_one() {
        let path = scratch("held").join("below");
        let folder = Folder::take(&path).expect("a folder");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode(&path) & 0o777, 0o700);
        assert_eq!(mode(&path.join(LOCK)) & 0o777, 0o600);
        assert!(matches!(Folder::take(&path), Err(FolderError::InUse(_))));
        drop(folder);
        Folder::take(&path).expect("free again");
        fs::remove_dir_all(scratch("held")).expect("its own folder");
    }

    #[test]
    fn a_folder_that_others_may_read_is_closed_to_them() {
        let path = scratch("open");
        fs::create_dir(&path).expect("a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own folder");
        let _folder = Folder::take(&path).expect("a folder");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::remove_dir_all(&path).expect("its own folder");
    }

    #[test]
    fn a_file_is_no_folder() {
        let path = scratch("file");
        fs::write(&path, "").expect("a file");
        assert!(matches!(Folder::take(&path), Err(FolderError::Io { .. })));
        fs::remove_file(&path).expect("its own file");
    }
}
