//! What files take of a disk, and what it has left.

use std::fs::Metadata;
use std::path::Path;

/// Bytes of the disk that a file takes; parts of it that were never written take none.
#[cfg(unix)]
pub fn bytes_on_disk(meta: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // In units of 512 bytes, whatever the disk's own.
    meta.blocks().saturating_mul(512)
}

#[cfg(not(unix))]
pub fn bytes_on_disk(meta: &Metadata) -> u64 {
    meta.len()
}

/// Bytes that the disk of `folder`, which is there, has left for this user; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut said = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero, and `said` has room for what is written.
    let failed = unsafe { libc::statvfs(path.as_ptr(), said.as_mut_ptr()) } != 0;
    if failed {
        return None;
    }
    // SAFETY: the call succeeded, and has written all of it.
    let said = unsafe { said.assume_init() };
    Some(said.f_bavail.saturating_mul(said.f_frsize))
}

#[cfg(not(target_os = "linux"))]
pub fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_hole_takes_nothing_and_a_disk_says_what_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hole");
        std::fs::File::create(&path).unwrap().set_len(1 << 24).unwrap();
        assert!(bytes_on_disk(&path.metadata().unwrap()) < 1 << 20);
        std::fs::write(&path, vec![1; 1 << 20]).unwrap();
        assert!(bytes_on_disk(&path.metadata().unwrap()) <= 1 << 21);
        assert!(free_bytes(folder.path()).unwrap() > 0);
        assert_eq!(free_bytes(&folder.path().join("nothing")), None);
    }
}
