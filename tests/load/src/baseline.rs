//! The baseline: the cheapest possible server, which relays bytes without parsing them.
//!
//! One thread, one epoll; one `recv`, then one `send` of the same bytes to each connection.
//! Every chat server has to make these system calls, so anything it costs beyond them is its
//! own work.
//!
//! Nothing is lost: bytes that a socket does not take wait in an unbounded queue. A line that
//! spans two reads (64 KiB) may have another line in its middle.

use std::{
    io::Write as _,
    net::SocketAddr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{Context, Result};
use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, bind,
        getsockname, listen, recv, send, socket_with, sockopt,
    },
};

use crate::limits;

const READ_BYTES: usize = 64 * 1024;
const BACKLOG: i32 = 4096;
const EVENTS_AT_ONCE: usize = 1024;

struct Connection {
    socket: OwnedFd,
    waiting: Vec<u8>,
}

struct Baseline {
    epoll: OwnedFd,
    /// Indexed by descriptor, so that an event finds its connection, and sending goes through
    /// them in order.
    connections: Vec<Option<Connection>>,
    /// Connections found closed while something was sent to everyone.
    gone: Vec<usize>,
}

/// Serves until the process ends.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    limits::allow_descriptors(0)?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let failed = || format!("failed to listen at {address}");
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = socket_with(family, SocketType::STREAM, flags, None).with_context(failed)?;
    sockopt::set_socket_reuseaddr(&listener, true).with_context(failed)?;
    bind(&listener, &address).with_context(failed)?;
    listen(&listener, BACKLOG).with_context(failed)?;
    let bound =
        SocketAddr::try_from(getsockname(&listener).with_context(failed)?).with_context(failed)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "baseline: listening at {bound}")
        .and_then(|()| stdout.flush())
        .context("failed to print the address")?;

    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("failed to create an epoll")?;
    let listener_key = listener.as_raw_fd() as usize;
    epoll::add(&epoll, &listener, EventData::new_u64(listener_key as u64), EventFlags::IN)
        .context("failed to watch the listener")?;
    let mut baseline = Baseline { epoll, connections: Vec::new(), gone: Vec::new() };
    let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        events.clear();
        match epoll::wait(&baseline.epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("failed to wait for the connections"),
        }
        for event in &events {
            let (flags, data) = (event.flags, event.data.u64());
            let key = data as usize;
            if key == listener_key {
                baseline.accept(&listener)?;
                continue;
            }
            if flags.contains(EventFlags::OUT) {
                baseline.send_waiting(key);
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                baseline.pass_on(key, &mut buffer);
            }
        }
    }
}

impl Baseline {
    fn accept(&mut self, listener: &OwnedFd) -> Result<()> {
        loop {
            let socket = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => return Err(error).context("failed to accept"),
            };
            let key = socket.as_raw_fd() as usize;
            if sockopt::set_tcp_nodelay(&socket, true).is_err()
                || epoll::add(&self.epoll, &socket, EventData::new_u64(key as u64), EventFlags::IN)
                    .is_err()
            {
                continue;
            }
            if self.connections.len() <= key {
                self.connections.resize_with(key + 1, || None);
            }
            self.connections[key] = Some(Connection { socket, waiting: Vec::new() });
        }
    }

    /// Reads once, and sends what came to everyone.
    fn pass_on(&mut self, key: usize, buffer: &mut [u8]) {
        let Some(Some(connection)) = self.connections.get(key) else { return };
        let received = match recv(&connection.socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((received, _)) if received > 0 => received,
            Err(Errno::AGAIN | Errno::INTR) => return,
            _ => {
                self.connections[key] = None;
                return;
            }
        };
        let bytes = &buffer[..received];
        for (key, connection) in self.connections.iter_mut().enumerate() {
            let Some(connection) = connection else { continue };
            if !connection.waiting.is_empty() {
                connection.waiting.extend_from_slice(bytes);
                continue;
            }
            match send(&connection.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) if sent == received => {}
                Ok(sent) => wait_for(&self.epoll, key, connection, &bytes[sent..]),
                Err(Errno::AGAIN | Errno::INTR) => wait_for(&self.epoll, key, connection, bytes),
                Err(_) => self.gone.push(key),
            }
        }
        for key in self.gone.drain(..) {
            self.connections[key] = None;
        }
    }

    fn send_waiting(&mut self, key: usize) {
        let Some(Some(connection)) = self.connections.get_mut(key) else { return };
        match send(
            &connection.socket,
            &connection.waiting,
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        ) {
            Ok(sent) => drop(connection.waiting.drain(..sent)),
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(_) => {
                self.connections[key] = None;
                return;
            }
        }
        if connection.waiting.is_empty() {
            watch(&self.epoll, key, connection, EventFlags::IN);
        }
    }
}

fn wait_for(epoll: &OwnedFd, key: usize, connection: &mut Connection, rest: &[u8]) {
    connection.waiting.extend_from_slice(rest);
    watch(epoll, key, connection, EventFlags::IN | EventFlags::OUT);
}

fn watch(epoll: &OwnedFd, key: usize, connection: &Connection, flags: EventFlags) {
    // It fails only for a socket that is gone, and the next read notices that.
    let _ = epoll::modify(epoll, &connection.socket, EventData::new_u64(key as u64), flags);
}
