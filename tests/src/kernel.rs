//! Facts that only the kernel knows: how much the other side of a connection has read, and in
//! how many segments something arrived.

#[cfg(target_os = "linux")]
pub(crate) use linux::{has_been_read, read_bytes, sent_segments};

/// On other systems than Linux, this is not known. Bytes sent in pieces may be read as one
/// there, so tests about pieces prove less.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has_been_read(
    _from: std::net::SocketAddr,
    _to: std::net::SocketAddr,
) -> std::io::Result<bool> {
    Ok(true)
}

/// As above.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sent_segments(
    _from: std::net::SocketAddr,
    _to: std::net::SocketAddr,
) -> std::io::Result<Option<u32>> {
    Ok(None)
}

/// As above.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read_bytes(
    _from: std::net::SocketAddr,
    _to: std::net::SocketAddr,
) -> std::io::Result<Option<u64>> {
    Ok(None)
}

/// Asks by netlink (sock_diag(7)), since `/proc/net/tcp` takes long to read where
/// many connections are or were.
#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io::{self, ErrorKind, Read, Write},
        net::{IpAddr, SocketAddr},
    };

    use socket2::{Domain, Protocol, Socket, Type};

    const AF_NETLINK: i32 = 16;
    const NETLINK_SOCK_DIAG: i32 = 4;
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLMSG_ERROR: u16 = 2;
    const NLM_F_REQUEST: u16 = 1;
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    const IPPROTO_TCP: u8 = 6;
    const TCP_LISTEN: u8 = 10;

    /// Asks for the attribute `INET_DIAG_INFO`, which is a `struct tcp_info`.
    const WITH_INFO: u8 = 1 << (INET_DIAG_INFO - 1);
    const INET_DIAG_INFO: u16 = 2;

    /// `struct nlmsghdr` and `struct inet_diag_req_v2`.
    const REQUEST_BYTES: u32 = 16 + 56;

    /// Offsets in the answer (`struct nlmsghdr`, `struct inet_diag_msg`).
    const KIND: usize = 4;
    const STATE: usize = 17;
    const UNREAD: usize = 72;
    const UNACKNOWLEDGED: usize = 76;
    const ATTRIBUTES: usize = 88;

    /// Offsets of `tcpi_total_retrans`, `tcpi_bytes_received` and `tcpi_data_segs_out` in `struct
    /// tcp_info`.
    const RETRANSMITTED: usize = 100;
    const RECEIVED: usize = 128;
    const DATA_SEGMENTS_OUT: usize = 156;

    /// Whether everything sent from `from` to `to` has been read; also true if one side is
    /// gone.
    ///
    /// Looks twice, because the two sides can't be read at the same moment: bytes that were
    /// acknowledged at the first look had arrived before the second.
    pub(crate) fn has_been_read(from: SocketAddr, to: SocketAddr) -> io::Result<bool> {
        let here = look_up(from, to)?;
        if here.is_some_and(|found| found.unacknowledged > 0) {
            return Ok(false);
        }
        Ok(look_up(to, from)?.is_none_or(|found| found.unread == 0))
    }

    /// How many segments with data were sent from `from` to `to`, not counting retransmissions;
    /// `None` if the connection is gone.
    ///
    /// One write may be sent in several segments; on the loopback interface, separate writes
    /// are never joined.
    pub(crate) fn sent_segments(from: SocketAddr, to: SocketAddr) -> io::Result<Option<u32>> {
        Ok(look_up(from, to)?.and_then(|found| found.sent_segments))
    }

    /// How many bytes of what was sent from `from` to `to` have been read; `None` if the
    /// connection is gone.
    pub(crate) fn read_bytes(from: SocketAddr, to: SocketAddr) -> io::Result<Option<u64>> {
        let read = |found: Found| Some(found.received_bytes? - u64::from(found.unread));
        Ok(look_up(to, from)?.and_then(read))
    }

    /// What the kernel reports about a socket.
    struct Found {
        /// Bytes.
        unacknowledged: u32,
        /// Bytes.
        unread: u32,
        received_bytes: Option<u64>,
        sent_segments: Option<u32>,
    }

    /// Looks up the socket that is connected from `local` to `remote`.
    fn look_up(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<Found>> {
        let protocol = Some(Protocol::from(NETLINK_SOCK_DIAG));
        let mut netlink = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, protocol)?;
        netlink.write_all(&request(local, remote))?;
        let mut answer = [0; 1_024];
        let length = netlink.read(&mut answer)?;
        let u16_at = |at: usize| u16::from_ne_bytes([answer[at], answer[at + 1]]);
        let u32_at = |at: usize| {
            u32::from_ne_bytes([answer[at], answer[at + 1], answer[at + 2], answer[at + 3]])
        };
        if u16_at(KIND) == NLMSG_ERROR {
            let error = io::Error::from_raw_os_error(u32_at(16).cast_signed().wrapping_neg());
            return if error.kind() == ErrorKind::NotFound { Ok(None) } else { Err(error) };
        }
        if length < UNACKNOWLEDGED + 4 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        // If the connection is gone, the kernel finds the listener at its address.
        if answer[STATE] == TCP_LISTEN {
            return Ok(None);
        }
        let mut attribute = ATTRIBUTES;
        let (mut sent_segments, mut received_bytes) = (None, None);
        while attribute + 4 <= length {
            let (size, kind) = (u16_at(attribute), u16_at(attribute + 2));
            if kind == INET_DIAG_INFO && usize::from(size) >= 4 + DATA_SEGMENTS_OUT + 4 {
                let info = attribute + 4;
                sent_segments =
                    Some(u32_at(info + DATA_SEGMENTS_OUT) - u32_at(info + RETRANSMITTED));
                let received = answer[info + RECEIVED..][..8].try_into().expect("eight bytes");
                received_bytes = Some(u64::from_ne_bytes(received));
            }
            attribute += usize::from(size).next_multiple_of(4).max(4);
        }
        Ok(Some(Found {
            unacknowledged: u32_at(UNACKNOWLEDGED),
            unread: u32_at(UNREAD),
            received_bytes,
            sent_segments,
        }))
    }

    fn request(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
        let mut request = Vec::new();
        request.extend(REQUEST_BYTES.to_ne_bytes());
        request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request.extend(NLM_F_REQUEST.to_ne_bytes());
        request.extend([0; 8]); // sequence, port
        let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
        request.extend([family, IPPROTO_TCP, WITH_INFO, 0]);
        request.extend(u32::MAX.to_ne_bytes()); // any state
        request.extend(local.port().to_be_bytes());
        request.extend(remote.port().to_be_bytes());
        for address in [local.ip(), remote.ip()] {
            match address {
                IpAddr::V4(v4) => {
                    request.extend(v4.octets());
                    request.extend([0; 12]);
                }
                IpAddr::V6(v6) => request.extend(v6.octets()),
            }
        }
        request.extend([0; 4]); // any interface
        request.extend([0xff; 8]); // no cookie
        request
    }
}
