//! The scenarios, one module each; all share members, oracle and summary.

pub(crate) mod journal;
pub(crate) mod chaos;
pub(crate) mod cluster;

/// A scenario.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Scenario {
    /// Durable history: the server is killed and stopped in the middle of a flood, and its
    /// members resume and send again what was not acknowledged
    Journal(journal::JournalFlags),
    /// Everything at once: members over all doors, whose connections break in every way, and a
    /// server that is killed, stopped and halted, with a bad disk, clock and network
    Chaos(chaos::ChaosFlags),
    /// Two servers over one Redis: servers and Redis are killed and stand still, and the paths
    /// between them are cut, slow, or lose replies
    Cluster(cluster::ClusterFlags),
}
