//! A room's history in memory: its last events. Selects what new members are shown, what a
//! returning one has missed, and what a request asks for.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use madang_protocol::{
    event::{Event, Time},
    limits::SHOWN_EVENTS,
};

use crate::{
    delivery::batch::Rendered,
    delivery::carrier::Carrier,
    dialect::{Form, HistoryHead, answer::Answer, past},
    metrics::Metrics,
    session::Hidden,
};

/// The maximum number of events.
pub(super) const EVENTS: usize = 200;

/// The maximum size in bytes, each event counted in its longest form.
const EVENT_BYTES: usize = 96 * 1_024;

/// The last events of a room, with increasing ids.
pub(crate) struct History {
    room: Arc<str>,
    events: VecDeque<Kept>,
    bytes: usize,
    /// The id of the last event that was dropped; 0 if none was.
    dropped_to: u64,
    /// Counts the total size of all histories of the server.
    metrics: Arc<Metrics>,
    /// Renderings for new members, valid until the next message.
    shown: [Option<Arc<Rendered>>; Form::COUNT],
    /// Renderings of all events, valid until the next event.
    whole: [Option<Arc<Rendered>>; Form::COUNT],
}

/// An event, and its maximum size in any form.
struct Kept {
    event: Event,
    encoded_bytes: usize,
}

/// Which earlier events are requested: the newest or, if a starting point is given, the first
/// from there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HistorySpan {
    /// Only events with lower ids.
    pub(crate) before: Option<u64>,
    /// Only events with higher ids, the first ones.
    pub(crate) after: Option<u64>,
    /// Only events from this time on, the first ones.
    pub(crate) since: Option<Time>,
    /// At most this many.
    pub(crate) limit: usize,
}

/// A request for earlier events.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HistoryQuery<'a> {
    pub(crate) span: HistorySpan,
    /// The people that the requester ignores.
    pub(crate) hidden: &'a [Hidden],
    /// Whether older events are saved elsewhere.
    pub(crate) is_part: bool,
    /// The earliest time that the requester may read, if there is a limit.
    pub(crate) reach: Option<Time>,
    /// The id of the room's first event.
    pub(crate) opened: u64,
    /// Whether events are missing between those in memory.
    pub(crate) has_gaps: bool,
}

impl HistorySpan {
    /// The newest events, at most this many.
    pub(crate) fn newest(limit: usize) -> HistorySpan {
        HistorySpan { limit, ..HistorySpan::default() }
    }

    /// Whether a starting point is given.
    pub(crate) fn has_beginning(&self) -> bool {
        self.after.is_some() || self.since.is_some()
    }

    fn holds(&self, event: &Event) -> bool {
        self.before.is_none_or(|before| event.id() < before)
            && self.after.is_none_or(|after| event.id() > after)
            && self.since.is_none_or(|since| event.stamp().time >= since)
    }
}

impl History {
    /// An empty history of `room`.
    pub(crate) fn new(room: Arc<str>, metrics: Arc<Metrics>) -> History {
        History {
            room,
            events: VecDeque::new(),
            bytes: 0,
            dropped_to: 0,
            metrics,
            shown: [const { None }; Form::COUNT],
            whole: [const { None }; Form::COUNT],
        }
    }

    /// Adds the events of a round, and drops the oldest beyond the limits.
    pub(crate) fn extend(&mut self, events: impl ExactSizeIterator<Item = (Event, usize)>) {
        let passed_over = events.len().saturating_sub(EVENTS);
        let (mut anything, mut anything_said, before) = (false, false, self.bytes);
        for (at, (event, encoded_bytes)) in events.enumerate() {
            if at < passed_over {
                self.note_dropped_to(event.id());
                continue;
            }
            anything = true;
            anything_said |= event.is_said();
            self.bytes += encoded_bytes;
            self.events.push_back(Kept { event, encoded_bytes });
        }
        while self.events.len() > EVENTS || self.bytes > EVENT_BYTES {
            anything_said |= self.pop();
        }
        if anything_said {
            self.forget_shown();
        }
        if anything {
            self.forget_whole();
        }
        self.count(before);
    }

    /// Counts the change in size since it was `before`.
    fn count(&self, before: usize) {
        let total = &self.metrics.history_bytes;
        match self.bytes.checked_sub(before) {
            Some(more) => total.fetch_add(more, Ordering::Relaxed),
            None => total.fetch_sub(before - self.bytes, Ordering::Relaxed),
        };
    }

    /// Drops the older half of its bytes.
    pub(crate) fn forget_half(&mut self) {
        let before = self.bytes;
        while self.bytes > before / 2 {
            self.pop();
        }
        self.forget_renderings();
        self.count(before);
    }

    /// Drops all events, or those of one person.
    pub(crate) fn forget_said(&mut self, name: Option<&str>) {
        let before = self.bytes;
        self.events.retain(|kept| {
            let is_forgotten = match (name, &kept.event) {
                (None, _) => true,
                (Some(name), event) => event.user() == Some(name),
            };
            self.bytes -= if is_forgotten { kept.encoded_bytes } else { 0 };
            !is_forgotten
        });
        self.forget_renderings();
        self.count(before);
    }

    /// Drops the cached renderings for new members.
    pub(crate) fn forget_renderings(&mut self) {
        self.forget_shown();
        self.forget_whole();
    }

    fn forget_shown(&mut self) {
        uncount(&self.metrics, &mut self.shown);
    }

    fn forget_whole(&mut self) {
        uncount(&self.metrics, &mut self.whole);
    }

    /// Drops the oldest event; returns whether it was a message.
    fn pop(&mut self) -> bool {
        let Some(Kept { event, encoded_bytes }) = self.events.pop_front() else { return false };
        self.bytes -= encoded_bytes;
        self.note_dropped_to(event.id());
        event.is_said()
    }

    /// What to show a new member: the last `count` messages, up to the end of `current`, the
    /// events since. Leaves out people that the member ignores (for people), and what happened
    /// before `reach`.
    pub(crate) fn shown(
        &mut self,
        current: &[Event],
        count: usize,
        reach: Option<Time>,
        hidden: &[Hidden],
        form: Form,
        carrier: Carrier,
    ) -> Arc<Rendered> {
        // Programs apply the ignore list themselves.
        let hidden = if form.is_for_programs() { &[] } else { hidden };
        let usual = count == SHOWN_EVENTS
            && hidden.is_empty()
            && self.events.front().is_none_or(|oldest| is_within(reach, &oldest.event))
            && !current.iter().any(Event::is_said);
        let place = form.index(carrier);
        if let Some(shown) = self.shown[place].as_ref().filter(|_| usual) {
            return shown.clone();
        }
        let is_shown = |event: &&Event| {
            event.is_said() && is_within(reach, event) && !Hidden::hides_past(hidden, event)
        };
        let events = past::newest(self.newest_first(current).filter(is_shown).take(count));
        let parts = form.shown_parts(&self.room, &events);
        let shown = Arc::new(Rendered::of_parts(self.room.clone(), parts, form, carrier));
        if usual {
            let bytes = shown.all_bytes().len();
            self.metrics.history_bytes.fetch_add(bytes, Ordering::Relaxed);
            self.shown[place] = Some(shown.clone());
        }
        shown
    }

    /// The number of messages from that id on, up to the end of `current`.
    pub(crate) fn count_said_from(&self, current: &[Event], first: u64) -> usize {
        let recent = self.newest_first(current).take_while(|event| event.id() >= first);
        recent.filter(|event| event.is_said()).count()
    }

    /// All events, at least one, in their original rendering.
    pub(crate) fn whole(&mut self, form: Form, carrier: Carrier) -> Arc<Rendered> {
        let History { room, events, whole, metrics, .. } = self;
        whole[form.index(carrier)]
            .get_or_insert_with(|| {
                let events = events.iter().map(|kept| &kept.event);
                let rendered = Arc::new(Rendered::new(room.clone(), events, form, carrier));
                let bytes = rendered.all_bytes().len();
                metrics.history_bytes.fetch_add(bytes, Ordering::Relaxed);
                rendered
            })
            .clone()
    }

    /// The range of events after `last`; empty if there are none.
    pub(crate) fn after(&self, last: u64) -> Range<u32> {
        let end = u32::try_from(self.events.len()).expect("few are kept");
        // The ids increase, but not always by one: a restart leaves a gap.
        let start = self.events.partition_point(|kept| kept.event.id() <= last);
        // At most `end`, which fits.
        start as u32..end
    }

    /// The id of the oldest event in memory or in `current`.
    pub(crate) fn oldest(&self, current: &[Event]) -> Option<u64> {
        self.events.front().map(|kept| &kept.event).or(current.first()).map(Event::id)
    }

    /// Notes that the room's events up to this one are not in memory.
    pub(crate) fn note_dropped_to(&mut self, id: u64) {
        self.dropped_to = self.dropped_to.max(id);
    }

    /// The id of the last event that was dropped; 0 if none was. Those that were forgotten because
    /// somebody asked for that are not counted.
    pub(crate) fn dropped_to(&self) -> u64 {
        self.dropped_to
    }

    /// All events, up to the end of `current`.
    pub(crate) fn remembered(&self, current: &[Event]) -> Vec<Event> {
        self.oldest_first(current).cloned().collect()
    }

    /// Answers a request for earlier events: programs get all of them, people get messages with
    /// times, without those of people they ignore.
    pub(crate) fn answer(
        &self,
        current: &[Event],
        asked: HistoryQuery<'_>,
        nonce: Option<&str>,
        answer: &mut Answer,
    ) {
        let HistoryQuery { span, hidden, is_part, reach, opened, has_gaps } = asked;
        let is_for_programs = answer.is_for_programs();
        let is_meant = |event: &&Event| {
            is_for_programs || (event.is_said() && !Hidden::hides_past(hidden, event))
        };
        let in_span =
            |event: &&Event| is_within(reach, event) && span.holds(event) && is_meant(event);
        let newest_first = || self.newest_first(current);
        let events = match span.has_beginning() {
            true => past::first(self.oldest_first(current).filter(in_span).take(span.limit)),
            false => past::newest(newest_first().filter(in_span).take(span.limit)),
        };
        let first = events.first().map(|event| event.id());
        let first = first.or(span.after.map(|after| after.saturating_add(1))).or(span.before);
        let is_older = |event: &Event| first.is_none_or(|first| event.id() < first);
        let earliest = !is_part && !newest_first().any(is_older);
        let gone_to =
            self.dropped_to.min(span.before.map_or(u64::MAX, |before| before.saturating_sub(1)));
        let is_gone = earliest && !span.has_beginning() && opened <= gone_to;
        let gone = is_gone.then_some((opened, gone_to));
        let gaps = (!has_gaps).then_some(&[][..]);
        let head = HistoryHead { earliest, nonce, gaps, gone, ..HistoryHead::of(&self.room) };
        answer.history(head, events.into_iter().rev());
    }

    /// All events, oldest first.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> + Clone {
        self.events.iter().map(|kept| &kept.event)
    }

    fn oldest_first<'a>(&'a self, current: &'a [Event]) -> impl Iterator<Item = &'a Event> {
        self.events.iter().map(|kept| &kept.event).chain(current)
    }

    fn newest_first<'a>(&'a self, current: &'a [Event]) -> impl Iterator<Item = &'a Event> {
        current.iter().rev().chain(self.events.iter().rev().map(|kept| &kept.event))
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.forget_renderings();
        self.metrics.history_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Whether an event is recent enough to be read.
fn is_within(reach: Option<Time>, event: &Event) -> bool {
    reach.is_none_or(|reach| event.stamp().time >= reach)
}

/// Drops cached renderings, and no longer counts them.
fn uncount(metrics: &Metrics, cached: &mut [Option<Arc<Rendered>>; Form::COUNT]) {
    let dropped = cached.iter_mut().filter_map(Option::take);
    let bytes: usize = dropped.map(|rendered| rendered.all_bytes().len()).sum();
    if bytes > 0 {
        metrics.history_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use madang_protocol::{
        event::{Stamp, Time},
        notice::Notice,
        text::{Lang, LineEnd},
    };

    use super::*;

    const TEXT: Form = Form::text(Lang::En, LineEnd::Lf);

    fn event(id: u64, text: Option<&str>) -> Event {
        let stamp = Stamp { id, time: Time::from_millis(0), room: "lobby".into() };
        let user = "bob".into();
        match text {
            Some(text) => Event::Said { stamp, user, text: text.into(), me: false, teacher: false },
            None => Event::Joined { stamp, user, stream: false },
        }
    }

    /// The same event at another time.
    fn at(time: Time, event: Event) -> Event {
        match event {
            Event::Said { stamp, user, text, me, teacher } => {
                Event::Said { stamp: Stamp { time, ..stamp }, user, text, me, teacher }
            }
            event => event,
        }
    }

    fn history(events: Vec<Event>) -> History {
        let mut history = History::new("lobby".into(), Arc::default());
        history.extend(with_sizes(events));
        history
    }

    fn with_sizes(events: Vec<Event>) -> impl ExactSizeIterator<Item = (Event, usize)> {
        events.into_iter().map(|event| {
            let bytes = event.encoded_bytes();
            (event, bytes)
        })
    }

    fn shown(history: &mut History, current: &[Event], count: usize, form: Form) -> String {
        let shown = history.shown(current, count, None, &[], form, Carrier::Lines);
        String::from_utf8(shown.bytes(&(0..shown.len())).to_vec()).expect("UTF-8")
    }

    #[test]
    fn new_members_are_shown_only_the_last_messages() {
        let mut events: Vec<Event> = (0..30).map(|id| event(id, Some(&format!("l{id}")))).collect();
        events.push(event(30, None));
        let mut history = history(events);
        let text = shown(&mut history, &[], SHOWN_EVENTS, TEXT);
        let earlier = |lines| Notice::Earlier { lines }.text(Lang::En);
        assert!(text.starts_with(&(earlier(20) + "\n[bob] l10\n")), "{text}");
        assert!(text.ends_with("[bob] l29\n"), "{text}");

        let current = [event(31, Some("now")), event(32, None)];
        let text = shown(&mut history, &current, 2, TEXT);
        assert_eq!(text, earlier(2) + "\n[bob] l29\n[bob] now\n");
        // The rendering cached for others is not the one shown here.
        let text = shown(&mut history, &[], SHOWN_EVENTS, TEXT);
        assert!(text.ends_with("[bob] l29\n"), "{text}");
        assert_eq!(shown(&mut history, &[], 0, TEXT), "");

        history.extend(with_sizes(current.into()));
        let text = shown(&mut history, &[], SHOWN_EVENTS, TEXT);
        assert!(text.ends_with("[bob] l29\n[bob] now\n"), "{text}");
    }

    #[test]
    fn events_out_of_reach_are_never_shown_or_cached() {
        let mut history = history((1..=3).map(|id| event(id, Some(&format!("l{id}")))).collect());
        history.events[2].event = at(Time::from_millis(5_000), event(3, Some("l3")));
        let earlier = |lines| Notice::Earlier { lines }.text(Lang::En);
        let all = &*(earlier(3) + "\n[bob] l1\n[bob] l2\n[bob] l3\n");
        let recent = &*(earlier(1) + "\n[bob] l3\n");
        let beginning = Time::from_millis(0);
        for (reach, expected) in [
            (None, all),
            (Some(Time::from_millis(5_000)), recent),
            (Some(beginning), all),
            (Some(Time::from_millis(5_001)), ""),
        ] {
            let shown = history.shown(&[], SHOWN_EVENTS, reach, &[], TEXT, Carrier::Lines);
            assert_eq!(shown.bytes(&(0..shown.len())), expected.as_bytes(), "{reach:?}");
            let asked = HistoryQuery { span: HistorySpan::newest(9), reach, ..Default::default() };
            let mut answer = Answer::new(TEXT);
            history.answer(&[], asked, None, &mut answer);
            let answer = String::from_utf8(answer.into_bytes()).expect("UTF-8");
            for line in ["l1", "l2", "l3"] {
                assert_eq!(answer.contains(line), expected.contains(line), "{reach:?}: {answer}");
            }
        }
    }

    #[test]
    fn events_and_bytes_of_the_history_are_limited() {
        let mut many = history((0..1_000).map(|id| event(id, None)).collect());
        assert_eq!((many.events.len(), many.oldest(&[])), (EVENTS, Some(800)));
        many.extend(with_sizes((1_000..1_010).map(|id| event(id, None)).collect()));
        assert_eq!((many.events.len(), many.oldest(&[])), (EVENTS, Some(810)));

        let long = "x".repeat(16 * 1_024);
        let mut large = history((0..100).map(|id| event(id, Some(&long))).collect());
        assert!(large.bytes <= EVENT_BYTES && large.events.len() == 5, "{}", large.events.len());
        assert!(large.bytes >= large.events.iter().map(|kept| kept.encoded_bytes).sum());
        // Quotes take twice their bytes, and each empty line takes a name.
        for text in ["\"".repeat(16 * 1_024), "\n".repeat(499)] {
            large.extend(with_sizes((100..200).map(|id| event(id, Some(&text))).collect()));
            for form in [TEXT, Form::JSON] {
                let whole = large.whole(form, Carrier::Lines);
                let bytes = whole.bytes(&(0..whole.len())).len();
                assert!(bytes <= EVENT_BYTES, "{bytes} bytes of {form:?}");
            }
        }
    }

    #[test]
    fn an_answer_says_what_is_missing_in_it_and_before_it() {
        #[track_caller]
        fn check(history: &History, asked: HistoryQuery<'_>, gaps: &str, gone: &str) {
            let mut answer = Answer::new(Form::JSON);
            history.answer(&[], HistoryQuery { opened: 5, ..asked }, None, &mut answer);
            let bytes = answer.into_bytes();
            let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let message: serde_json::Value = serde_json::from_slice(first).expect("JSON");
            let told = ["gaps", "gone"].map(|field| message[field].to_string());
            assert_eq!(told, [gaps, gone], "{asked:?}");
        }
        let asked = |span| HistoryQuery { span, ..HistoryQuery::default() };
        let newest = HistorySpan::newest(300);
        let events = |ids: Range<u64>| ids.map(|id| event(id, Some("x"))).collect::<Vec<_>>();
        // Ids were left out, and nothing is missing.
        let mut history = History::new("lobby".into(), Arc::default());
        history.extend(with_sizes(events(5..105)));
        history.extend(with_sizes(events(9_000..9_100)));
        check(&history, asked(newest), "[]", "null");
        // Whoever knows of gaps that memory does not know leaves it to the ids.
        let with_gaps = HistoryQuery { has_gaps: true, ..asked(newest) };
        check(&history, with_gaps, "null", "null");
        // The first were forgotten.
        history.extend(with_sizes(events(9_100..9_150)));
        check(&history, asked(newest), "[]", r#"{"from":5,"to":54}"#);
        check(&history, asked(HistorySpan::newest(10)), "[]", "null");
        let before = |id| asked(HistorySpan { before: Some(id), ..newest });
        check(&history, before(70), "[]", r#"{"from":5,"to":54}"#);
        check(&history, before(20), "[]", r#"{"from":5,"to":19}"#);
        check(&history, before(5), "[]", "null");
        check(&history, before(0), "[]", "null");
        check(&history, asked(HistorySpan { after: Some(60), ..newest }), "[]", "null");
        let elsewhere = HistoryQuery { is_part: true, ..asked(newest) };
        check(&history, elsewhere, "[]", "null");
        // More at once than it remembers.
        let mut at_once = History::new("lobby".into(), Arc::default());
        at_once.extend(with_sizes(events(5..10)));
        at_once.extend(with_sizes(events(10..310)));
        check(&at_once, asked(newest), "[]", r#"{"from":5,"to":109}"#);
        // All before the ids that were left out.
        history.extend(with_sizes(events(9_150..9_200)));
        check(&history, asked(newest), "[]", r#"{"from":5,"to":104}"#);
    }

    #[test]
    fn the_history_is_counted_with_its_renderings() {
        let mut history = history((0..50).map(|id| event(id, Some("hi"))).collect());
        let metrics = history.metrics.clone();
        let total = || metrics.history_bytes.load(Ordering::Relaxed);
        let bytes = history.bytes;
        assert_eq!(total(), bytes);
        let shown = shown(&mut history, &[], SHOWN_EVENTS, TEXT).len();
        for _ in 0..2 {
            let whole = history.whole(Form::JSON, Carrier::Lines).all_bytes().len();
            assert_eq!(total(), bytes + shown + whole, "each is kept once");
        }
        history.forget_renderings();
        assert_eq!(total(), bytes);
        let _ = history.whole(TEXT, Carrier::Lines);
        history.forget_half();
        assert_eq!((total(), history.bytes), (bytes / 2, bytes / 2));
        assert_eq!(history.oldest(&[]), Some(25));
        history.extend(with_sizes(vec![event(50, None)]));
        assert!(total() > bytes / 2);
        drop(history);
        assert_eq!(total(), 0);
    }

    #[test]
    fn nobody_is_shown_more_than_64_kib() {
        let quotes = "\"".repeat(4_000);
        let lines = format!("{}\n", "x".repeat(20)).repeat(499);
        let empty = "\n".repeat(499);
        for text in [quotes, lines, empty] {
            let mut history = history((0..100).map(|id| event(id, Some(&text))).collect());
            for form in [TEXT, Form::JSON] {
                let bytes = shown(&mut history, &[], 1_000, form).len();
                assert!((1_000..=64 * 1_024).contains(&bytes), "{bytes} bytes of {form:?}");
                let mut answer = Answer::new(form);
                let span = HistorySpan::newest(usize::MAX);
                let all = HistoryQuery { span, ..HistoryQuery::default() };
                history.answer(&[], all, Some(&"n".repeat(64)), &mut answer);
                let bytes = answer.into_bytes().len();
                assert!((1_000..=64 * 1_024).contains(&bytes), "{bytes} bytes of {form:?}");
            }
        }
    }

    #[test]
    fn events_after_an_id_are_found() {
        let history = history((100..110).map(|id| event(id, None)).collect());
        assert_eq!(history.after(99), 0..10);
        assert_eq!(history.after(3), 0..10);
        assert_eq!(history.after(104), 5..10);
        assert_eq!(history.after(109), 10..10);
        assert_eq!(history.after(u64::MAX), 10..10);
        assert_eq!(History::new("x".into(), Arc::default()).after(7), 0..0);
    }

    #[test]
    fn a_span_has_its_newest_or_first_events() {
        let mut history = History::new("lobby".into(), Arc::default());
        history.extend(with_sizes((1..=6).map(|id| event(id, Some("x"))).collect()));
        let current = [event(7, Some("x")), event(8, None)];
        let check = |span: HistorySpan, is_part: bool, ids: &[u64], earliest: bool| {
            let mut answer = Answer::new(Form::JSON);
            let asked = HistoryQuery { span, is_part, ..HistoryQuery::default() };
            history.answer(&current, asked, None, &mut answer);
            let bytes = answer.into_bytes();
            let message: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
            let found: Vec<_> = message["events"].as_array().expect("a list").iter().collect();
            let found: Vec<_> = found.iter().filter_map(|event| event["id"].as_u64()).collect();
            assert_eq!((&*found, message["earliest"] == true), (ids, earliest), "{span:?}");
        };
        let newest = HistorySpan::newest;
        check(newest(9), false, &[1, 2, 3, 4, 5, 6, 7, 8], true);
        check(newest(9), true, &[1, 2, 3, 4, 5, 6, 7, 8], false);
        check(newest(2), false, &[7, 8], false);
        check(HistorySpan { before: Some(4), ..newest(2) }, false, &[2, 3], false);
        check(HistorySpan { before: Some(3), ..newest(2) }, false, &[1, 2], true);
        check(HistorySpan { before: Some(1), ..newest(2) }, false, &[], true);
        check(HistorySpan { after: Some(5), ..newest(2) }, false, &[6, 7], false);
        check(HistorySpan { after: Some(0), ..newest(2) }, false, &[1, 2], true);
        check(HistorySpan { after: Some(8), ..newest(2) }, false, &[], false);
        check(HistorySpan { after: Some(u64::MAX), ..newest(2) }, false, &[], false);
        check(HistorySpan { after: Some(2), before: Some(5), ..newest(9) }, false, &[3, 4], false);
        let never = Some(Time::from_millis(1));
        check(HistorySpan { since: never, ..newest(9) }, false, &[], false);
    }

    #[test]
    fn messages_of_events_are_short_enough_for_every_client() {
        let long = "\"".repeat(16 * 1_024);
        let mut history = history((0..15).map(|id| event(id, Some(&long))).collect());
        let text = shown(&mut history, &[], SHOWN_EVENTS, Form::JSON);
        assert!(text.lines().all(|line| line.len() < 64 * 1_024));
        history.extend(with_sizes((15..30).map(|id| event(id, Some("short"))).collect()));
        let text = shown(&mut history, &[], SHOWN_EVENTS, Form::JSON);
        let (last, others) = text
            .lines()
            .collect::<Vec<_>>()
            .split_last()
            .map(|(l, o)| (*l, o.to_vec()))
            .expect("lines");
        assert!(others.iter().all(|line| line.contains("\"more\":true")));
        assert!(last.contains("\"more\":false"));
    }

    #[test]
    fn people_get_times_and_programs_whole_events() {
        let history = history(vec![event(1, Some("a")), event(2, None), event(3, Some("b"))]);
        let mut answer = Answer::new(TEXT);
        history.answer(
            &[],
            HistoryQuery { span: HistorySpan::newest(10), ..HistoryQuery::default() },
            None,
            &mut answer,
        );
        let text = String::from_utf8(answer.into_bytes()).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with(" [bob] a") && lines[0].contains(':'), "{text}");

        let mut answer = Answer::new(Form::JSON);
        let span = HistorySpan { before: Some(3), limit: 10, ..HistorySpan::default() };
        let before = HistoryQuery { span, ..HistoryQuery::default() };
        history.answer(&[], before, Some("n"), &mut answer);
        let text = String::from_utf8(answer.into_bytes()).expect("UTF-8");
        assert!(text.contains("\"joined\"") && !text.contains("\"b\""), "{text}");
        assert!(text.contains("\"nonce\":\"n\""), "{text}");
    }
}
