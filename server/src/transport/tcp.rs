//! Lines over TCP: reads bytes and notes when they arrive. [`framing`] interprets them; what
//! this reveals about the peer is passed to the write side.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::{WireNote, WireTransport},
    notice::Goodbye,
    text::LineEnd,
};

use self::framing::Framer;
use super::{
    Line, PeerEnd, Pieces, ReadOutcome, Received, Transport, WriteSide,
    explainer::{Explainer, ReadSeen},
    input::Input,
};

pub(crate) mod framing;

/// Splits a connection's input into lines, without telnet commands. Peers may end lines or send
/// one packet per line.
pub(crate) struct LineTransport {
    input: Input,
    writes: Arc<dyn WriteSide>,
    framer: Framer,
    /// How long a peer must be silent before its first bytes count as a packet.
    packet_pause: Duration,
    /// The web port, for peers that mistake this port for it.
    web_port: Option<u16>,
    line_end: LineEnd,
    end: Option<PeerEnd>,
    /// If the peer wants to see what it sends.
    explainer: Option<Explainer>,
}

impl LineTransport {
    /// Reads lines from `input`. A peer that is silent for `packet_pause` in the middle of its
    /// first line is taken to send packets.
    pub(crate) fn new(
        input: Input,
        writes: Arc<dyn WriteSide>,
        packet_pause: Duration,
        web_port: Option<u16>,
    ) -> LineTransport {
        let (framer, line_end) = (Framer::new(), LineEnd::Lf);
        let (end, explainer) = (None, None);
        LineTransport { input, writes, framer, packet_pause, web_port, line_end, end, explainer }
    }

    /// Reads once; false at the deadline.
    fn fill(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        if let Some(deadline) = deadline
            && !self.input.wait_readable(deadline)?
        {
            return Ok(false);
        }
        let spare = self.framer.spare();
        let space = spare.len();
        match self.input.read(spare)? {
            Received::Bytes(count) => {
                let continues = count == space
                    && self.framer.tells_reads_apart()
                    && self.input.is_readable()?;
                let before = self.explainer.is_some().then(|| self.framer.waiting().len());
                self.framer.filled(count, continues, Instant::now());
                if let Some(before) = before {
                    self.explain_read(count, before);
                }
            }
            Received::Nothing => {}
            Received::End(end) => self.finish(end),
        }
        Ok(true)
    }

    fn finish(&mut self, end: PeerEnd) {
        self.end = Some(end);
        self.framer.finish();
    }

    /// Tells about a read of `bytes` bytes, where `before` bytes waited already.
    fn explain_read(&mut self, bytes: usize, before: usize) {
        let commands = self.framer.explain_commands();
        let records = self.input.take_records();
        let Some(explainer) = &self.explainer else { return };
        let (waiting, ends) = (self.framer.waiting(), self.framer.line_ends());
        let is_packet = self.framer.ends_with_packet();
        let before = before.min(waiting.len());
        let read = ReadSeen { bytes, waiting, before, ends, is_packet, records };
        let is_shown = self.writes.shows_details(|note| matches!(note, WireNote::Read { .. }));
        let note = explainer.read(read, is_shown);
        [Some(note), commands].into_iter().flatten().for_each(|note| {
            self.writes.clone().explain(note);
        });
    }

    /// Adapts the write side to what the last read revealed about the peer.
    fn adapt(&mut self) -> io::Result<()> {
        if self.framer.unlearns_packets() {
            self.writes.change_pieces(Pieces::Batches);
            if self.explainer.is_some() {
                let framing = self.framer.explain_framing();
                self.writes.clone().explain(WireNote::Framing { framing });
            }
        }
        if self.line_end == LineEnd::Lf && self.framer.is_terminal() {
            self.line_end = LineEnd::CrLf;
            self.writes.end_lines_with(LineEnd::CrLf);
        }
        if self.framer.may_be_packets() {
            let is_silent = !self.input.wait_readable(Instant::now() + self.packet_pause)?;
            self.framer.settle_framing(is_silent);
            if is_silent {
                self.writes.change_pieces(Pieces::Lines);
            }
        }
        Ok(())
    }
}

impl Transport for LineTransport {
    fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        let filled = self.fill(deadline).inspect_err(|_| self.finish(PeerEnd::Lost))?;
        if !filled {
            return Ok(ReadOutcome::TimedOut);
        }
        self.adapt()?;
        Ok(match self.framer.holds_unfinished_line() {
            true => ReadOutcome::Unfinished,
            false => ReadOutcome::Something,
        })
    }

    fn next_line_bytes(&mut self) -> Result<Option<usize>, Goodbye> {
        if self.framer.command_bytes() > 0 {
            return Ok(Some(self.framer.command_bytes()));
        }
        if let Some(foreign) = self.framer.foreign() {
            return Err(Goodbye::Foreign { foreign, web_port: self.web_port });
        }
        self.framer.next_line_bytes().map_err(|_endless| Goodbye::EndlessLine)
    }

    fn take_line(&mut self) -> Option<Line> {
        match self.framer.take_commands() {
            (0, _) => Some(self.framer.take_line()),
            (_, answers) => {
                if !answers.is_empty() {
                    self.writes.clone().send_control(&answers);
                }
                None
            }
        }
    }

    fn peer_end(&self) -> Option<PeerEnd> {
        self.end
    }

    fn become_program(&mut self) {
        self.framer.become_program();
    }

    fn explain(&mut self, explainer: Option<Explainer>) {
        self.framer.watch_commands(explainer.is_some());
        self.input.watch_records(explainer.is_some());
        self.explainer = explainer;
        if self.explainer.is_some() {
            self.writes.clone().explain(WireNote::Connection {
                transport: WireTransport::Tcp,
                encrypted: self.input.is_encrypted(),
                framing: self.framer.explain_framing(),
            });
        }
    }

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }
}
