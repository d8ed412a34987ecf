//! Names that are unique among several servers. The cluster provides it.

use madang_protocol::name::NameKey;

/// Where servers claim the names of their sessions. For one server it is enough that its own
/// sessions don't claim the same key at the same time: the [`UserManager`](super::UserManager)
/// sees to that.
pub(crate) trait SharedNames: Send + Sync {
    /// Claims all keys of a name, or none. Blocks for a few seconds at most.
    ///
    /// # Errors
    ///
    /// Why they are not claimed.
    fn claim(&self, keys: &[NameKey]) -> Result<(), NameRefusal>;

    /// Whether no other server has claimed any of these keys; false if that is not known.
    /// Blocks like [`claim`](Self::claim).
    fn are_free(&self, keys: &[NameKey]) -> bool;

    /// Claims keys again that this server has, because that may be lost; returns those that another
    /// server has by now. Blocks like [`claim`](Self::claim).
    fn claim_again(&self, keys: Vec<NameKey>) -> Vec<NameKey>;

    /// Gives keys up. Takes effect before whatever is asked afterwards; never blocks.
    fn release(&self, keys: Vec<NameKey>);
}

/// Why a name was not claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRefusal {
    /// It, or a lookalike, is in use.
    InUse,
    /// The other servers can't be asked.
    Unavailable,
}
