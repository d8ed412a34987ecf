//! How questions of other servers are answered: by the hearer where that does not block, and
//! otherwise by a thread of its own, one after the other.

use std::{sync::Arc, thread::JoinHandle, time::Instant};

use crossbeam_channel::{Receiver, Sender, select, unbounded};

use super::{
    connection::PATIENCE,
    control::Control,
    guard::guarded,
    server::{ClusterServer, OwnServer},
    uplink::Sending,
};

/// Answers questions, and has the answers sent.
#[derive(Clone)]
pub(super) struct Answerer {
    pub(super) control: Arc<Control>,
    pub(super) server: OwnServer,
    pub(super) jobs: Sender<Sending>,
}

/// A question, and when it was heard.
pub(super) type SlowQuestion = (Instant, Vec<u8>);

/// Starts the thread; it ends when the sender of `stop` is dropped.
pub(super) fn start_answering(
    answerer: Answerer,
    stop: Receiver<()>,
) -> std::io::Result<(Sender<SlowQuestion>, JoinHandle<()>)> {
    let (slow, questions) = unbounded();
    let thread = std::thread::Builder::new()
        .name("answerer".to_owned())
        .spawn(move || answerer.run(&questions, &stop))?;
    Ok((slow, thread))
}

impl Answerer {
    fn run(self, questions: &Receiver<SlowQuestion>, stop: &Receiver<()>) {
        loop {
            let (heard, message) = select! {
                recv(questions) -> question => match question {
                    Ok(question) => question,
                    Err(_) => return,
                },
                recv(stop) -> _ => return,
            };
            // Otherwise nobody waits for the answer any more.
            if heard.elapsed() < PATIENCE
                && let Some(server) = self.server.get()
            {
                self.answer(&message, &*server);
            }
        }
    }

    /// Answers a question, unless that panics: then the asker says that it is not known what was
    /// done.
    pub(super) fn answer(&self, message: &[u8], server: &dyn ClusterServer) {
        let hear = || self.control.hear(message, |question| server.answer(question));
        if let Some(Some(answered)) = guarded("answering another server", hear) {
            // After the end of the threads nothing is sent.
            let _ = self.jobs.send(Sending::Answer(answered));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::connection::Redis;

    #[test]
    fn a_question_whose_answer_panics_is_not_answered() {
        let redis = Redis::at("redis://localhost", None).expect("an address");
        let control = Control::new(redis, 1);
        let hear = || control.hear(b"2 7 0 0\nwho", |_| panic!("as the test asked"));
        assert!(guarded("answering", hear).is_none());
        let answered = control.hear(b"2 9 0 0\nwho", |_| b"me".to_vec());
        assert!(answered.is_some(), "the next one is answered");
    }
}
