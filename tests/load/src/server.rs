//! A server that this program starts, and stops when it is dropped.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{limits, process_stats::Process};

/// How long a server may take to listen, and to end after the signal.
const PATIENCE: Duration = Duration::from_secs(10);

/// The cores of the server and of this program, so that neither takes the other's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    /// Another one for the server.
    pub(crate) more: Option<usize>,
    pub(crate) tool: usize,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// From its start until it listened.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts `command`, a program and its arguments, and waits until it listens at `address`.
    ///
    /// With `cores`, the server is restricted to its core and this thread to its own.
    ///
    /// # Errors
    ///
    /// If the program can't be run, ends, or does not listen within 10 s.
    pub(crate) fn start(
        command: &[String],
        address: SocketAddr,
        cores: Option<Cores>,
    ) -> Result<Self> {
        let Some((program, arguments)) = command.split_first() else {
            bail!("no server was named")
        };
        if is_listening(address)? {
            bail!("something listens at {address} already; stop it or give another --address");
        }
        // The child inherits the core, and so do all its threads.
        if let Some(cores) = cores {
            let servers: Vec<usize> = cores.more.into_iter().chain([cores.server]).collect();
            limits::stay_on(&servers)?;
        }
        let begin = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("failed to start `{program}`"));
        if let Some(cores) = cores {
            limits::stay_on(&[cores.tool])?;
        }
        let mut server = Self { child: child?, started_in: Duration::ZERO };
        while !is_listening(address)? {
            if let Some(status) = server.child.try_wait().context("failed to ask for the server")? {
                bail!("`{program}` ended before it listened at {address}: {status}");
            }
            if begin.elapsed() > PATIENCE {
                bail!("`{program}` does not listen at {address}");
            }
            thread::sleep(Duration::from_millis(1));
        }
        server.started_in = begin.elapsed();
        Ok(server)
    }

    /// The process.
    pub(crate) fn process(&self) -> Result<Process> {
        Process::with_pid(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether anything listens at this port.
///
/// This asks the system, not the server: some servers take any connection for a member, and
/// fail when it is gone.
fn is_listening(address: SocketAddr) -> Result<bool> {
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = File::open(path).with_context(|| format!("failed to read `{path}`"))?;
        // Listening sockets come first; there may be ten thousand others.
        let lines =
            BufReader::new(table).lines().skip(1).map_while(|line| listening_port(&line.ok()?));
        for port in lines {
            if port == address.port() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The local port in a line of `/proc/net/tcp` if its socket listens.
fn listening_port(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _remote, state) = (words.next()?, words.next()?, words.next()?);
    let (_, port) = local.rsplit_once(':')?;
    if state == "0A" { u16::from_str_radix(port, 16).ok() } else { None }
}

/// A loopback address at which nothing listens now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .context("failed to find a free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_s_port_is_read() {
        for (line, port) in [
            ("   0: 0100007F:2331 00000000:0000 0A 00000000:00000000 00:00000000", Some(9009)),
            ("   1: 00000000000000000000000000000000:1F90 0:0000 0A 0", Some(8080)),
            ("   2: 0100007F:2331 0100007F:8000 01 00000000:00000000", None),
            ("   3: 0100007F", None),
            ("", None),
        ] {
            assert_eq!(listening_port(line), port, "{line}");
        }
    }

    #[test]
    fn only_open_ports_are_reported_as_listening() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(is_listening(address).unwrap());
        drop(listener);
        assert!(!is_listening(address).unwrap());
    }
}
