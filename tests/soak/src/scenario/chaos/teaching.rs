//! What the teacher does: polls, and removing people from public rooms.

use std::time::Duration;

use crate::random::Random;

/// How often the teacher does something, on average.
pub(crate) const EVERY: Duration = Duration::from_secs(4);

/// The commands to give next; first of all, with the code, those that make a teacher and begin a
/// lesson. Those that do not fit the moment are refused, which changes nothing.
pub(crate) fn next(
    random: &mut Random,
    code: Option<&str>,
    pupil: Option<String>,
    in_public: bool,
) -> Vec<String> {
    if let Some(code) = code {
        return vec![format!("/teach {code}"), "/lesson Chaos".into()];
    }
    match random.between(0, 3) {
        0 | 1 => vec!["/poll Lunch? / rice / soup".into()],
        2 => vec!["/poll end".into()],
        _ => {
            let kick = pupil.filter(|_| in_public).map(|name| format!("/kick {name}"));
            kick.into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_teacher_begins_a_lesson_and_then_does_everything_in_time() {
        let mut random = Random::new(7);
        let begun = next(&mut random, Some("12345678"), None, true);
        assert_eq!(begun, ["/teach 12345678", "/lesson Chaos"]);
        let given: Vec<String> =
            (0..100).flat_map(|_| next(&mut random, None, Some("m3.1".into()), true)).collect();
        for wanted in ["/poll Lunch? / rice / soup", "/poll end", "/kick m3.1"] {
            assert!(given.iter().any(|line| line == wanted), "{wanted}");
        }
        let mut elsewhere =
            (0..100).flat_map(|_| next(&mut random, None, Some("m3.1".into()), false));
        assert!(!elsewhere.any(|line| line.starts_with("/kick")));
    }
}
