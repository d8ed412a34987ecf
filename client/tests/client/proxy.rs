//! A proxy between a client and a server. It cuts connections on request, and records what
//! clients send.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

pub(crate) struct Proxy {
    pub(crate) address: String,
    /// Both ends of every connection since the last cut.
    open: Arc<Mutex<Vec<TcpStream>>>,
    /// Everything that clients have sent, read by read.
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Proxy {
    /// Forwards every connection to `server`.
    pub(crate) fn start(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let open = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&open);
        let sent = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&sent);
        // This thread ends with the test process.
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(server).expect("the server listens");
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let record = Some(Arc::clone(&recorded));
                for (from, to, record) in [(&client, &server, record), (&server, &client, None)] {
                    let (mut from, mut to) = (clone(from), clone(to));
                    kept.push(clone(&from));
                    thread::spawn(move || {
                        let mut buffer = [0; 4_096];
                        while let Ok(count @ 1..) = from.read(&mut buffer) {
                            if let Some(record) = &record {
                                let mut record =
                                    record.lock().unwrap_or_else(PoisonError::into_inner);
                                record.push(buffer[..count].to_vec());
                            }
                            if to.write_all(&buffer[..count]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        Proxy { address, open, sent }
    }

    /// The clients' reads so far: the same as the server's, unless the server is slower than this
    /// proxy.
    pub(crate) fn sent(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    /// Cuts all connections, whatever is on its way, and returns how many there were.
    pub(crate) fn cut(&self) -> usize {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = open.len();
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        ends / 2
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("there are descriptors")
}
