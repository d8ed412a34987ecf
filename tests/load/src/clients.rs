//! The members: their connections, and the one loop that reads and writes them all.
//!
//! One thread, one epoll, one read buffer. A member that is read costs a system call and what
//! its bytes cost to parse; nothing is allocated for a delivery. What the members hear goes to
//! an [`Observer`]; questions that a protocol answers by itself are answered here.

use std::{mem, net::SocketAddr, os::fd::OwnedFd, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use rustix::{
    event::{
        Timespec,
        epoll::{self, EventData, EventFlags},
    },
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, connect, recv,
        send, shutdown, socket_with, sockopt,
    },
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create,
        timerfd_settime,
    },
};

use crate::{
    clock::{Clock, Nanos},
    member::{Member, State},
    observer::{News, Observer},
    parser::{Parsed, Parser},
    protocol::Protocol,
    text::{Said, Wording},
};

/// Large enough that a flood takes few reads, small enough to stay in a core's second cache.
const READ_BYTES: usize = 256 * 1024;

/// The maximum length of an unfinished line.
const LONGEST_LINE_BYTES: usize = 64 * 1024;

const EVENTS_AT_ONCE: usize = 1024;

/// The events of every member's socket, edge-triggered, so that a socket that has been read
/// costs the next wait nothing.
const WATCHED: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

/// The epoll token of the alarm. Members are numbered from 0.
const ALARM: u64 = u64::MAX;

/// Shorter waits use the alarm, which is exact; epoll's own timeout is in milliseconds.
const SHORT_WAIT: Nanos = 50_000_000;

/// Events after which a socket is read to its end, because no further event will come.
const ENDS: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

/// The result of a read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Nothing,
    /// Everything that was there.
    All,
    /// As much as the buffer holds: there may be more.
    Full,
}

/// All members of a run.
pub(crate) struct Clients {
    address: SocketAddr,
    protocol: &'static dyn Protocol,
    wording: Wording,
    parser: Parser,
    /// The bytes before a text, by room.
    headers: Vec<Vec<u8>>,
    members: Vec<Member>,
    epoll: OwnedFd,
    alarm: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    clock: Clock,
}

impl Clients {
    /// No members yet.
    pub(crate) fn new(
        address: SocketAddr,
        protocol: &'static dyn Protocol,
        wording: Wording,
        rooms: usize,
        clock: Clock,
    ) -> Result<Self> {
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).context("failed to create an epoll")?;
        let alarm = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )
        .context("failed to create a timer")?;
        epoll::add(&epoll, &alarm, EventData::new_u64(ALARM), EventFlags::IN)
            .context("failed to watch the timer")?;
        let text_bytes = wording.text_bytes();
        Ok(Self {
            address,
            protocol,
            parser: Parser::new(wording.clone(), protocol),
            wording,
            headers: (0..rooms).map(|room| protocol.header(room, text_bytes)).collect(),
            members: Vec::new(),
            epoll,
            alarm,
            events: Vec::with_capacity(EVENTS_AT_ONCE),
            buffer: vec![0; READ_BYTES],
            clock,
        })
    }

    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Starts connecting one more member, which logs in while the loop runs.
    pub(crate) fn admit(&mut self) -> Result<()> {
        let index = self.members.len();
        let failed = || self.connect_failed();
        let family =
            if self.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None).with_context(failed)?;
        sockopt::set_tcp_nodelay(&socket, true).with_context(failed)?;
        match connect(&socket, &self.address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error).with_context(failed),
        }
        epoll::add(&self.epoll, &socket, EventData::new_u64(index as u64), WATCHED)
            .with_context(failed)?;
        self.members.push(Member::new(socket, index % self.headers.len()));
        Ok(())
    }

    fn connect_failed(&self) -> String {
        let Self { address, members, .. } = self;
        format!(
            "failed to connect member {} to {address}; start the server first, or give --address",
            members.len()
        )
    }

    /// Queues a line of this member for [`Clients::flush`].
    pub(crate) fn say(&mut self, member: usize, said: Said) {
        let Member { room, unsent, .. } = &mut self.members[member];
        self.protocol.say(*room, said, &self.wording, unsent);
    }

    /// Whether a member's bytes still wait for its socket.
    pub(crate) fn is_full(&self, member: usize) -> bool {
        !self.members[member].unsent.is_empty()
    }

    /// Sends a member's queued bytes, or as many as its socket takes; the loop sends the rest.
    pub(crate) fn flush(&mut self, member: usize) -> Result<()> {
        let Member { socket, state, unsent, .. } = &mut self.members[member];
        if unsent.is_empty() {
            return Ok(());
        }
        match send(&*socket, unsent, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) if sent == unsent.len() => unsent.clear(),
            Ok(sent) => drop(unsent.drain(..sent)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // The server's last words come before the end, and the reading side reports them.
            Err(Errno::PIPE | Errno::CONNRESET) if *state == State::LeavePhase => unsent.clear(),
            Err(error) => {
                return Err(error).with_context(|| format!("failed to send as member {member}"));
            }
        }
        Ok(())
    }

    /// Stops reading from this member's socket.
    pub(crate) fn stall(&mut self, member: usize) -> Result<()> {
        self.members[member].state = State::Stalled;
        epoll::delete(&self.epoll, &self.members[member].socket).context("failed to stall a member")
    }

    /// Says goodbye as this member, and closes its half of the connection.
    pub(crate) fn leave(&mut self, member: usize) -> Result<()> {
        let quit = self.protocol.quit();
        let Member { socket, state, unsent, .. } = &mut self.members[member];
        if *state == State::Stalled {
            epoll::add(&self.epoll, &*socket, EventData::new_u64(member as u64), WATCHED)
                .context("failed to watch a member")?;
        }
        *state = State::LeavePhase;
        unsent.extend_from_slice(quit);
        self.flush(member)?;
        match shutdown(&self.members[member].socket, Shutdown::Write) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("failed to leave as member {member}")),
        }
    }

    /// Waits until `deadline` for bytes to arrive, and passes everything to `observer`.
    ///
    /// # Errors
    ///
    /// When the server refuses a member, or ends the connection of one that has not left.
    pub(crate) fn poll(&mut self, deadline: Nanos, observer: &mut impl Observer) -> Result<()> {
        let timeout = self.timeout(deadline)?;
        let mut events = mem::take(&mut self.events);
        events.clear();
        let waited =
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout));
        match waited {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("failed to wait for the members"),
        }
        for event in &events {
            let (flags, data) = (event.flags, event.data.u64());
            if data == ALARM {
                let mut rings = [0; 8];
                // Nothing to read means that the alarm was set again in the meantime.
                let _ = rustix::io::read(&self.alarm, &mut rings);
                continue;
            }
            let member = data as usize;
            if flags.contains(EventFlags::OUT) {
                self.writable(member, observer)?;
            }
            if flags.intersects(ENDS) {
                while self.read(member, observer)? != Read::Nothing {}
            } else if flags.contains(EventFlags::IN) {
                while self.read(member, observer)? == Read::Full {}
            }
        }
        self.events = events;
        Ok(())
    }

    /// How long epoll may wait; sets the alarm if that has to be exact.
    fn timeout(&self, deadline: Nanos) -> Result<Timespec> {
        let wait = deadline.saturating_sub(self.clock.now());
        if wait > 0 && wait < SHORT_WAIT {
            let timer = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec { tv_sec: 0, tv_nsec: wait as i64 },
            };
            timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &timer)
                .context("failed to set the timer")?;
        }
        let wait = Duration::from_nanos(wait).min(Duration::from_millis(100));
        Ok(Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) })
    }

    fn writable(&mut self, index: usize, observer: &mut impl Observer) -> Result<()> {
        let member = &mut self.members[index];
        if member.state == State::Connecting {
            if let Err(error) = sockopt::socket_error(&member.socket).unwrap_or_else(Err) {
                return Err(error).with_context(|| {
                    format!(
                        "failed to connect to {}; start the server first, or give --address",
                        self.address
                    )
                });
            }
            member.begin(self.protocol, index, observer);
        }
        self.flush(index)
    }

    fn read(&mut self, index: usize, observer: &mut impl Observer) -> Result<Read> {
        let protocol = self.protocol;
        let member = &mut self.members[index];
        if matches!(member.state, State::Connecting | State::Gone) {
            return Ok(Read::Nothing);
        }
        let kept = member.carry.len();
        self.buffer[..kept].copy_from_slice(&member.carry);
        let received = match recv(&member.socket, &mut self.buffer[kept..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => {
                self.ended(index, "closed", observer)?;
                return Ok(Read::Nothing);
            }
            Ok((received, _)) => received,
            Err(Errno::AGAIN) => return Ok(Read::Nothing),
            // Nothing was read, and there may be more.
            Err(Errno::INTR) => return Ok(Read::Full),
            Err(Errno::CONNRESET) => {
                self.ended(index, "reset", observer)?;
                return Ok(Read::Nothing);
            }
            Err(error) => {
                return Err(error).with_context(|| format!("failed to read as member {index}"));
            }
        };
        let is_full = kept + received == self.buffer.len();
        let read = self.clock.now();
        let header = &self.headers[member.room];
        let mut bytes = &self.buffer[..kept + received];
        while let Some((parsed, used)) = self.parser.next(protocol, header, bytes) {
            bytes = &bytes[used..];
            match parsed {
                Parsed::Said(lines) => observer.said(index, lines, read),
                Parsed::Garbled(_) => observer.garbled(index),
                Parsed::Line(line) => member.hear(protocol, index, line, observer)?,
            }
        }
        if member.answer_prompt(protocol, index, bytes) {
            bytes = b"";
        }
        if bytes.len() > LONGEST_LINE_BYTES {
            bail!(
                "member {index} was sent {} bytes without a line end: is this --protocol right?",
                bytes.len()
            );
        }
        member.carry.clear();
        member.carry.extend_from_slice(bytes);
        self.flush(index)?;
        Ok(if is_full { Read::Full } else { Read::All })
    }

    fn ended(&mut self, index: usize, how: &str, observer: &mut impl Observer) -> Result<()> {
        let member = &mut self.members[index];
        if member.state != State::LeavePhase {
            let last = String::from_utf8_lossy(&member.carry);
            let last = if last.is_empty() { String::new() } else { format!(" after {last:?}") };
            return Err(anyhow!("the server {how} the connection of member {index}{last}"));
        }
        member.state = State::Gone;
        epoll::delete(&self.epoll, &member.socket).context("failed to remove a member")?;
        observer.told(index, News::Ended);
        Ok(())
    }
}
