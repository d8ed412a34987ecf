//! How a room that several machines share forgets what was said: each of them where its log says so,
//! in memory and in an archive, and then for whoever opens the room later.

use madang_protocol::name::UserName;

use super::executor::Executor;

impl Executor {
    /// Forgets what was said until now, or what one person said.
    pub(super) fn forget(&mut self, name: Option<&UserName>) {
        // What was heard before is in the history then.
        self.tell();
        self.history.forget_said(name.map(UserName::as_str));
        if let Some(recording) = &mut self.recording {
            recording.forget(&self.state, name);
        }
        if let Some(logged) = &mut self.logged {
            logged.forgets = true;
        }
    }

    /// Keeps the state after an entry that had something forgotten, and nothing of what led there:
    /// each machine does so, because the one that asked for it may be gone.
    pub(super) fn keep_only_state(&mut self) {
        let snapshot = self.snapshot();
        self.logged().log.forget_before(snapshot);
    }
}
