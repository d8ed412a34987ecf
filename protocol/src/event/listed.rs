//! Lists of events in a message, from a server that may be newer.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::Event;

/// The events of a list that this version knows. The others are passed over, as each would be by
/// itself.
pub(super) fn known_events<'de, 'a, D>(deserializer: D) -> Result<Vec<Cow<'a, Event>>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Listed {
        Known(Event),
        Unknown(IgnoredAny),
    }
    let listed = Vec::<Listed>::deserialize(deserializer)?;
    let known = listed.into_iter().filter_map(|listed| match listed {
        Listed::Known(event) => Some(Cow::Owned(event)),
        Listed::Unknown(_) => None,
    });
    Ok(known.collect())
}
