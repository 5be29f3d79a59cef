//! Reads at a position of a file, which threads share.

use std::fs::File;

/// Fills `bytes` from `offset` on without moving the file's position, so that threads share it.
#[cfg(unix)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` from `offset` on; every read names its position, so threads share the file.
#[cfg(windows)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let position = offset + done as u64;
        match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], position)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => done += count,
        }
    }
    Ok(())
}
