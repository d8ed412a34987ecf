//! Checks a message: the server refuses what fails, and a client can check before sending.

use crate::{
    invisible::is_blank,
    limits::{LINE_BYTES, MESSAGE_BYTES, MESSAGE_LINES},
    notice::Notice,
    sanitize::sanitize_message,
    text::{most_rendered_bytes, rendered_bytes},
};

/// The message in `text`, of one line or several: sanitized, without trailing line ends.
///
/// # Errors
///
/// The notice for its sender; [`Notice::NothingSaid`] if no character of it is visible.
pub fn check_message(text: &str) -> Result<String, Notice<'static>> {
    if text.len() > MESSAGE_BYTES {
        return Err(Notice::MessageTooLong { bytes: text.len() });
    }
    // Most messages are shorter than a line may be.
    if text.len() > LINE_BYTES
        && let Some(line) = text.split('\n').find(|line| line.len() > LINE_BYTES)
    {
        return Err(Notice::LineTooLong { bytes: line.len() });
    }
    let text = text.trim_end_matches(['\r', '\n']);
    let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1;
    if lines > MESSAGE_LINES {
        return Err(Notice::TooManyLines { lines });
    }
    let text = sanitize_message(text);
    if is_blank(&text) {
        return Err(Notice::NothingSaid);
    }
    Ok(text.into_owned())
}

/// The bytes that a sanitized message takes for each member, with the name `user` and
/// `overhead` around each of its lines.
///
/// # Errors
///
/// [`Notice::RenderedTooLong`] if that is out of proportion to the message's own length.
pub fn check_rendered(user: &str, text: &str, overhead: usize) -> Result<usize, Notice<'static>> {
    let bytes = rendered_bytes(user, text, overhead);
    let limit = most_rendered_bytes(text.len());
    if bytes > limit { Err(Notice::RenderedTooLong { bytes, limit }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SAID_OVERHEAD;

    #[test]
    fn a_message_is_refused_by_the_first_bound_it_passes() {
        #[track_caller]
        fn check(text: &str, expected: Result<&str, Notice<'static>>) {
            assert_eq!(check_message(text), expected.map(str::to_owned));
        }
        check("hi\x1b[31m\n\n", Ok("hi"));
        check("\u{200b} \n\u{3000}", Err(Notice::NothingSaid));
        let long = "x".repeat(LINE_BYTES + 1);
        check(&long, Err(Notice::LineTooLong { bytes: LINE_BYTES + 1 }));
        check(
            &"x\n".repeat(MESSAGE_LINES + 1),
            Err(Notice::TooManyLines { lines: MESSAGE_LINES + 1 }),
        );
        let bytes = MESSAGE_BYTES + 1;
        check(&"x".repeat(bytes), Err(Notice::MessageTooLong { bytes }));
    }

    #[test]
    fn a_name_before_every_empty_line_is_out_of_proportion() {
        assert_eq!(check_rendered("bob", "hi", SAID_OVERHEAD), Ok(64));
        let empty = "\n".repeat(200);
        assert_eq!(
            check_rendered("bob", &empty, SAID_OVERHEAD),
            Err(Notice::RenderedTooLong { bytes: 201 * 64, limit: 2_048 + 20 * 200 })
        );
    }
}
