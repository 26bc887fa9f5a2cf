//! How many TCP segments a socket has received: what the writes of the other side came as.
//!
//! On loopback a segment carries up to 64 KiB, and what is written while nothing waits travels as
//! it was written. So bytes (or events) a segment are those of a write, unless writes are longer
//! than a segment, or wait for the reader and are joined. Asking costs the measured side nothing.

#![expect(unsafe_code, reason = "getsockopt(2) for TCP_INFO has no safe wrapper here")]

use std::io;
use std::mem::{offset_of, size_of};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Where the counter lies in `struct tcp_info` (linux/tcp.h), which libc knows only in part.
#[repr(C)]
struct TcpInfo {
    before: [u8; DATA_SEGS_IN],
    data_segs_in: u32,
}

/// Bytes before `tcpi_data_segs_in`; there since Linux 4.6.
const DATA_SEGS_IN: usize = 152;

/// Segments with data that the socket has received.
pub(crate) fn segments(socket: &TcpStream) -> io::Result<u64> {
    let mut info = TcpInfo { before: [0; DATA_SEGS_IN], data_segs_in: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<TcpInfo>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the kernel writes at most
    // `length` bytes into `info`, which is that long and for which every bit pattern is valid.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    debug_assert_eq!(offset_of!(TcpInfo, data_segs_in), DATA_SEGS_IN);
    debug_assert!(info.before.len() == DATA_SEGS_IN);
    Ok(u64::from(info.data_segs_in))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_write_is_a_segment() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        far.set_nodelay(true).unwrap();
        assert_eq!(segments(&near).unwrap(), 0);
        for written in 1..=20 {
            far.write_all(&[0; 1_000]).unwrap();
            near.read_exact(&mut [0; 1_000]).unwrap();
            assert_eq!(segments(&near).unwrap(), written);
        }
    }
}
