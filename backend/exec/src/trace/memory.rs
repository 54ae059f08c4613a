//! Reads another process's memory: strings up to their NUL, and blocks of a known size.
//!
//! It knows nothing of what the bytes mean.

use std::io;

/// The longest path the kernel takes, its NUL included.
const PATH_MAX: usize = 4096;
/// No machine has smaller pages; a piece never crosses such a boundary, so it is readable wholly or not at all.
const PAGE: u64 = 4096;

/// The string at `address`, without its NUL. `None` if it is not readable or longer than a path may be: then the
/// kernel refuses it too.
pub(super) fn string(tid: i32, address: u64) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    let mut piece = [0_u8; 256];
    while text.len() < PATH_MAX {
        let Some(here) = address.checked_add(text.len() as u64) else {
            return Ok(None);
        };
        let to_page_end = (PAGE - here % PAGE) as usize;
        let want = to_page_end.min(piece.len());
        let Some(got) = read(tid, here, &mut piece[..want])? else {
            return Ok(None);
        };
        if let Some(end) = piece[..got].iter().position(|&b| b == 0) {
            text.extend_from_slice(&piece[..end]);
            return Ok(Some(text));
        }
        text.extend_from_slice(&piece[..got]);
    }
    Ok(None)
}

/// The `size` bytes at `address`, or `None` if they are not all readable.
pub(super) fn block(tid: i32, address: u64, size: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; size];
    Ok(match read(tid, address, &mut bytes)? {
        Some(got) if got == size => Some(bytes),
        _ => None,
    })
}

/// Reads into `buffer`; `None` if nothing can be read there.
fn read(tid: i32, address: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as usize as *mut libc::c_void, iov_len: buffer.len() };
    loop {
        // SAFETY: the kernel writes only to `local`, which describes `buffer`, borrowed for the call; `remote` is an
        // address in another process, which the kernel checks.
        let got = unsafe { libc::process_vm_readv(tid, &raw const local, 1, &raw const remote, 1, 0) };
        if got > 0 {
            return Ok(Some(got as usize));
        }
        if got == 0 {
            return Ok(None);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // The address is no good, or the process was killed meanwhile.
            Some(libc::EFAULT | libc::ESRCH) => return Ok(None),
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> i32 {
        std::process::id() as i32
    }

    #[test]
    fn strings_longer_than_a_piece_are_whole() {
        let mut text = vec![b'x'; 3000];
        text.push(0);
        let got = string(me(), text.as_ptr() as u64).unwrap().unwrap();
        assert_eq!(got, &text[..3000]);
    }

    #[test]
    fn what_no_path_can_be_is_refused() {
        let text = vec![b'x'; 3 * PATH_MAX];
        assert_eq!(string(me(), text.as_ptr() as u64).unwrap(), None);
        assert_eq!(string(me(), 8).unwrap(), None);
        assert_eq!(string(me(), u64::MAX - 3).unwrap(), None);
        assert_eq!(block(me(), 8, 16).unwrap(), None);
    }
}
