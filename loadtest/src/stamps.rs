//! When bytes arrived at a socket, by the kernel's clock: not when somebody came to read them.
//!
//! A reader of thousands of sockets takes as long as the server that wrote them. With the kernel's
//! time stamps it may sleep meanwhile, which leaves the server all cores, and ask afterwards.

#![expect(unsafe_code, reason = "recvmsg(2) with SO_TIMESTAMPNS has no safe wrapper here")]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Has the kernel note when bytes arrive (socket(7)).
pub(crate) fn stamp(socket: &TcpStream) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the kernel reads `length`
    // bytes of `on`, which is that long.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads what is there: how many bytes, and when the last of them arrived, since 1970. `None` when
/// nothing is.
pub(crate) fn read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<(usize, Duration)>> {
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = [0_u64; CONTROL_WORDS];
    // SAFETY: all fields are numbers and pointers, for which zeros are valid.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<[u64; CONTROL_WORDS]>();
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the message names `buffer`
    // and `control` with their lengths, and both live until after the call.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let Ok(got) = usize::try_from(got) else {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    };
    // SAFETY: the kernel has filled in `message`, whose control buffer is aligned for its header.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message).as_ref() };
    let stamped = header.filter(|header| {
        header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS
    });
    let Some(header) = stamped else {
        return Err(io::Error::other("the kernel doesn't say when bytes arrived"));
    };
    // SAFETY: a control message of this type holds a timespec; it may stand unaligned.
    let time: libc::timespec =
        unsafe { libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned() };
    let seconds = u64::try_from(time.tv_sec).map_err(io::Error::other)?;
    let nanos = u32::try_from(time.tv_nsec).map_err(io::Error::other)?;
    Ok(Some((got, Duration::new(seconds, nanos))))
}

/// Room for a control message with a timespec: a header of 16 bytes and 16 of time.
const CONTROL_WORDS: usize = 8;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::process::rest;

    #[test]
    fn the_stamp_is_of_the_arrival_not_of_the_reading() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stamp(&near).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut buffer = [0; 100];
        assert_eq!(read(&near, &mut buffer).unwrap(), None);
        let before = UNIX_EPOCH.elapsed().unwrap();
        far.write_all(b"text").unwrap();
        let after = UNIX_EPOCH.elapsed().unwrap();
        rest(Duration::from_millis(5));
        let (count, when) = read(&near, &mut buffer).unwrap().unwrap();
        assert_eq!(count, 4);
        assert!(before <= when && when <= after, "{before:?} {when:?} {after:?}");
    }
}
