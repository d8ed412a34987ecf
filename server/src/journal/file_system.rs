//! Which file systems of Linux keep their files on another machine: there, neither the locks nor
//! the shared memory of SQLite's write-ahead log can be relied on.

use std::{fs, io, path::Path};

use rustix::fs::{major, minor, stat, statfs};

/// By the number that `statfs` tells (`statfs(2)`, and `linux/magic.h`).
const NETWORK: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB 2"),
    (0x564c, "NCP"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x7375_7245, "Coda"),
    (0x0bd0_0bd0, "Lustre"),
    (0x1983_0326, "BeeGFS"),
    (0x4750_4653, "GPFS"),
    (0x2003_0528, "OrangeFS"),
    (0x786f_4256, "VirtualBox"),
    (0xbacb_acbc, "VMware"),
];

/// The number of all file systems that a program carries out (FUSE): some are on this machine, such
/// as NTFS.
const FUSE: u32 = 0x6573_5546;

/// These by the type that the table of mounts tells.
const NETWORK_FUSE: &[(&str, &str)] = &[
    ("fuse.sshfs", "SSHFS"),
    ("fuse.glusterfs", "GlusterFS"),
    ("fuse.ceph", "Ceph"),
    ("fuse.ceph-fuse", "Ceph"),
    ("fuse.juicefs", "JuiceFS"),
    ("fuse.mfs", "MooseFS"),
    ("fuse.rclone", "rclone"),
    ("fuse.s3fs", "S3"),
    ("fuse.goofys", "S3"),
    ("fuse.gcsfuse", "Cloud Storage"),
    ("fuse.blobfuse", "Blob Storage"),
    ("fuse.blobfuse2", "Blob Storage"),
    ("fuse.davfs", "WebDAV"),
    ("fuse.davfs2", "WebDAV"),
    ("fuse.curlftpfs", "FTP"),
    ("fuse.smbnetfs", "SMB"),
    ("fuse.gvfsd-fuse", "GVfs"),
    ("fuse.kio-fuse", "KIO"),
    ("fuse.vmhgfs-fuse", "VMware"),
];

/// The network file system that a folder is on, if it is on one.
///
/// # Errors
///
/// The system's.
pub(super) fn network_kind_of(folder: &Path) -> io::Result<Option<&'static str>> {
    let number = statfs(folder)?.f_type as u32;
    if number != FUSE {
        return Ok(network_kind(number));
    }
    let device = stat(folder)?.st_dev;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(network_fuse_kind(&mounts, &format!("{}:{}", major(device), minor(device))))
}

fn network_kind(number: u32) -> Option<&'static str> {
    NETWORK.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
}

/// The same of a device, such as `0:52`, by the table of mounts (`proc_pid_mountinfo(5)`).
fn network_fuse_kind(mounts: &str, device: &str) -> Option<&'static str> {
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    let kind = mount.split_once(" - ")?.1.split(' ').next()?;
    NETWORK_FUSE.iter().find(|(known, _)| *known == kind).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        #[track_caller]
        fn check(number: u32, expected: Option<&str>) {
            assert_eq!(network_kind(number), expected, "{number:#x}");
        }
        for (number, kind) in [
            (0x6969, "NFS"),
            (0x517b, "SMB"),
            (0xff53_4d42, "CIFS"),
            (0xfe53_4d42, "SMB 2"),
            (0x5346_414f, "AFS"),
            (0x00c3_6400, "Ceph"),
            (0x0102_1997, "9P"),
        ] {
            check(number, Some(kind));
        }
        // ext4, XFS, Btrfs, ZFS, F2FS, tmpfs, overlayfs, NTFS, exFAT, eCryptfs
        for number in [
            0xef53,
            0x5846_5342,
            0x9123_683e,
            0x2fc1_2fc1,
            0xf2f5_2010,
            0x0102_1994,
            0x794c_7630,
            0x7366_746e,
            0x2011_bab0,
            0xf15f,
        ] {
            check(number, None);
        }
    }

    #[test]
    fn a_program_s_file_system_is_known_by_its_type_in_the_table_of_mounts() {
        const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
91 27 0:52 / /home/kim/remote\\040files rw,nosuid shared:7 master:2 - fuse.sshfs kim@host: rw
92 27 0:53 / /media/usb rw - fuseblk /dev/sdb1 rw,user_id=0
93 27 0:54 / /home/kim/clear rw - fuse.gocryptfs /home/kim/cipher rw
94 27 0:55 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
";
        for (device, expected) in [
            ("0:52", Some("SSHFS")),
            ("0:53", None),
            ("0:54", None),
            ("0:55", Some("GVfs")),
            ("8:1", None),
            ("0:5", None),
            ("9:9", None),
        ] {
            assert_eq!(network_fuse_kind(MOUNTS, device), expected, "{device}");
        }
    }

    #[test]
    fn this_machine_s_folders_are_its_own() {
        assert_eq!(network_kind_of(&std::env::temp_dir()).expect("a folder"), None);
    }
}
