//! Files that a user names: read whole, and written whole or not at all.
//!
//! A path is the user's, so it may name anything. A pipe or a device may never end, a folder is no text, and a file may be
//! larger than memory: each is refused with a reason in words. What is written stands under its name only when all of
//! it is on the disk.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Most bytes of a config: far above any that a person writes.
pub const CONFIG: u64 = 1 << 20;
/// Most bytes of a trace, of a library and of what else programs wrote.
pub const DATA: u64 = 1 << 30;

/// Why a file cannot be read or written, in words, without its name.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is no folder".to_owned(),
        ErrorKind::StorageFull => "no space is left on the device".to_owned(),
        ErrorKind::WouldBlock => "it is no ordinary file".to_owned(),
        _ => error.to_string(),
    }
}

/// What a path is, if not a file.
fn strange(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some("it is a folder");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("it is a pipe, not a file");
        }
        if kind.is_socket() {
            return Some("it is a socket, not a file");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("it is a device, not a file");
        }
    }
    Some("it is no file")
}

/// Refuses what is no file; does not open it, as opening a pipe waits and opening a device may do something.
fn ordinary(metadata: &io::Result<Metadata>) -> Result<(), String> {
    match metadata {
        Ok(metadata) => strange(metadata).map_or(Ok(()), |what| Err(what.to_owned())),
        Err(error) => Err(reason(error)),
    }
}

/// A file's bytes, of which there may be `most`.
///
/// # Errors
///
/// The reason in words, without the file's name.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    ordinary(&std::fs::metadata(path))?;
    let mut options = OpenOptions::new();
    options.read(true);
    // What became a pipe meanwhile, and what only calls itself a file (`/proc/kmsg`), must not be waited for.
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, 0o4000);
    let file = options.open(path).map_err(|error| reason(&error))?;
    ordinary(&file.metadata())?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| reason(&error))?;
    if bytes.len() as u64 > most {
        return Err(format!("it has more than {most} bytes"));
    }
    Ok(bytes)
}

/// A file's text, of which there may be `most` bytes.
///
/// # Errors
///
/// The reason in words, without the file's name.
pub fn read_text(path: &Path, most: u64) -> Result<String, String> {
    String::from_utf8(read(path, most)?)
        .map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
}

/// Writes a file, or leaves what was there: the bytes go to a new file beside it, which takes its name when they are
/// all on the disk. Devices and pipes are written to as they are.
///
/// # Errors
///
/// The reason in words, without the file's name.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let old = std::fs::metadata(path);
    if let Ok(metadata) = &old
        && let Some(what) = strange(metadata)
    {
        if metadata.is_dir() {
            return Err(what.to_owned());
        }
        let written = OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(bytes));
        return written.map_err(|error| reason(&error));
    }
    // The name may be a link: what it leads to is replaced, not the link.
    let place = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let fresh = beside(&place);
    let permissions = old.ok().map(|metadata| metadata.permissions());
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&fresh)
        .and_then(|file| fill(file, bytes, permissions))
        .and_then(|()| std::fs::rename(&fresh, &place));
    written.map_err(|error| {
        // It may not even be there.
        let _ = std::fs::remove_file(&fresh);
        not_written(&error)
    })
}

/// Whether [`replace`] could begin: for what takes long to make, to be asked before.
///
/// # Errors
///
/// The reason in words, without the file's name.
pub fn writable(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err("it is a folder".to_owned()),
        Ok(metadata) if strange(&metadata).is_some() => return Ok(()),
        _ => {}
    }
    let place = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let fresh = beside(&place);
    let made = OpenOptions::new().write(true).create_new(true).open(&fresh);
    let _ = std::fs::remove_file(&fresh);
    made.map(drop).map_err(|error| not_written(&error))
}

/// Why a new file beside another cannot be made or filled.
fn not_written(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "its folder does not exist".to_owned(),
        ErrorKind::PermissionDenied => "permission denied in its folder".to_owned(),
        _ => reason(error),
    }
}

/// Whether a path is a file that can be read whole: no pipe, no device, no folder.
///
/// # Errors
///
/// The reason in words, without the file's name.
pub fn check(path: &Path) -> Result<(), String> {
    ordinary(&std::fs::metadata(path))
}

/// Writes all bytes, and hears of what fails only at the end.
fn fill(mut file: File, bytes: &[u8], permissions: Option<std::fs::Permissions>) -> io::Result<()> {
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name beside a file that no other process and no other call uses.
fn beside(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{number}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("hz3-file-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn only_files_are_read() {
        let folder = folder("read");
        let file = folder.join("file");
        std::fs::write(&file, "text").expect("a file");
        assert_eq!(read(&file, 4).as_deref(), Ok("text".as_bytes()));
        assert_eq!(read(&file, 3), Err("it has more than 3 bytes".to_owned()));
        assert_eq!(read(&folder, 4), Err("it is a folder".to_owned()));
        assert_eq!(read(&folder.join("none"), 4), Err("no such file".to_owned()));
        assert_eq!(
            read(&file.join("none"), 4),
            Err("a part of its path is no folder".to_owned())
        );
        #[cfg(unix)]
        {
            let pipe = folder.join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status();
            assert!(made.expect("mkfifo starts").success());
            assert_eq!(read(&pipe, 4), Err("it is a pipe, not a file".to_owned()));
            for device in ["/dev/zero", "/dev/null"] {
                assert_eq!(read(Path::new(device), 4), Err("it is a device, not a file".to_owned()));
            }
        }
        std::fs::write(&file, b"ab\xff").expect("a file");
        assert_eq!(read_text(&file, 4), Err("byte 2 is not UTF-8".to_owned()));
        std::fs::remove_dir_all(&folder).expect("it can be removed");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = folder("replace");
        let file = folder.join("file");
        replace(&file, b"one").expect("it can be written");
        replace(&file, b"two").expect("it can be written");
        assert_eq!(read(&file, 9).as_deref(), Ok("two".as_bytes()));
        assert_eq!(
            std::fs::read_dir(&folder).expect("a folder").count(),
            1,
            "nothing is left beside it"
        );
        assert_eq!(
            replace(&folder.join("none/file"), b""),
            Err("its folder does not exist".to_owned())
        );
        assert_eq!(replace(&folder, b""), Err("it is a folder".to_owned()));
        assert_eq!(
            writable(&folder.join("none/file")),
            Err("its folder does not exist".to_owned())
        );
        assert_eq!((writable(&file), writable(&folder.join("new"))), (Ok(()), Ok(())));
        #[cfg(unix)]
        {
            let link = folder.join("link");
            std::os::unix::fs::symlink(&file, &link).expect("a link");
            replace(&link, b"three").expect("it can be written");
            assert!(link.is_symlink());
            assert_eq!(read(&file, 9).as_deref(), Ok("three".as_bytes()));
        }
        #[cfg(target_os = "linux")]
        assert_eq!(
            replace(Path::new("/dev/full"), b"x"),
            Err("no space is left on the device".to_owned())
        );
        std::fs::remove_dir_all(&folder).expect("it can be removed");
    }
}
