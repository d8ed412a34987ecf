//! What can be done to a server. Each scenario is a module of its own; all share members,
//! oracle and summary.

pub(crate) mod journal;

/// Which scenario.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Scenario {
    /// Durable history: the server is killed, and stopped, in the middle of a flood, while its
    /// members come back and say again what was not acknowledged
    Journal(journal::JournalFlags),
}
