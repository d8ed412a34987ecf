//! An event as a row of the table, and back.

use std::{borrow::Cow, sync::Arc};

use madang_protocol::{
    event::{Event, Stamp, Time},
    sanitize::{sanitize_label, sanitize_message},
};
use rusqlite::Row;
use serde_json::{Map, Value};

use super::search::fold_text;

/// The kind of a `/me` message.
const ME: &str = "me";
const SAID: &str = "said";

/// The other fields of a teacher's message.
const TEACHER: &str = r#"{"teacher":true}"#;

/// The columns of an event besides its position.
pub(super) struct Columns<'a> {
    pub(super) kind: Cow<'a, str>,
    pub(super) user: Option<Cow<'a, str>>,
    pub(super) text: Option<Cow<'a, str>>,
    /// The text in its searchable form, if that differs.
    pub(super) folded: Option<String>,
    /// The other fields, as JSON.
    pub(super) rest: Option<String>,
}

impl<'a> From<&'a Event> for Columns<'a> {
    fn from(event: &'a Event) -> Columns<'a> {
        let searched = |text: &str| match fold_text(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(folded) => Some(folded),
        };
        if let Event::Said { user, text, me, teacher, .. } = event {
            return Columns {
                kind: (if *me { ME } else { SAID }).into(),
                user: Some((&**user).into()),
                folded: searched(text),
                text: Some(text.into()),
                rest: teacher.then(|| TEACHER.to_owned()),
            };
        }
        let Ok(Value::Object(mut fields)) = serde_json::to_value(event) else {
            unreachable!("an event is an object");
        };
        let mut take = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let kind = take("type").expect("an event has a type");
        let (user, text) = (take("user"), take("text"));
        ["id", "time", "room"].iter().for_each(|name| drop(fields.remove(*name)));
        Columns {
            kind: kind.into(),
            folded: text.as_deref().and_then(searched),
            user: user.map(Cow::from),
            text: text.map(Cow::from),
            rest: (!fields.is_empty()).then(|| Value::Object(fields).to_string()),
        }
    }
}

/// The columns that [`event`] reads, in its order.
pub(super) const EVENT: &str =
    "event.id, event.time, event.kind, event.user, event.text, event.rest";

/// The event of a row that starts with the columns of [`EVENT`]; `None` if this version does
/// not know it. Its texts are sanitized again: a byte on the disk may have changed.
pub(super) fn event(row: &Row<'_>, room: &Arc<str>) -> rusqlite::Result<Option<Event>> {
    let id = row.get::<_, i64>(0)? as u64;
    let time = Time::from_millis(row.get(1)?);
    let kind = row.get_ref(2)?.as_str()?;
    let stamp = Stamp { id, time, room: room.clone() };
    if kind == SAID || kind == ME {
        let user = (&*sanitize_label(row.get_ref(3)?.as_str()?)).into();
        let text = sanitize_message(row.get_ref(4)?.as_str()?).into_owned();
        let me = kind == ME;
        let teacher = row.get_ref(5)?.as_str_or_null()? == Some(TEACHER);
        return Ok(Some(Event::Said { stamp, user, text, me, teacher }));
    }
    let rest = row.get_ref(5)?.as_str_or_null()?;
    let mut fields: Map<String, Value> = match rest.map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(fields)) => fields,
        Some(Err(_)) => return Ok(None),
    };
    fields.insert("type".into(), kind.into());
    for (name, column) in [("user", 3), ("text", 4)] {
        if let Some(value) = row.get_ref(column)?.as_str_or_null()? {
            fields.insert(name.into(), value.into());
        }
    }
    fields.values_mut().for_each(sanitize);
    fields.insert("id".into(), id.into());
    fields.insert("time".into(), stamp.time.to_string().into());
    fields.insert("room".into(), (&**room).into());
    Ok(serde_json::from_value(Value::Object(fields)).ok())
}

/// Sanitizes every text in a field.
fn sanitize(field: &mut Value) {
    match field {
        Value::String(text) => {
            if let Cow::Owned(fit) = sanitize_message(text) {
                *text = fit;
            }
        }
        Value::Array(fields) => fields.iter_mut().for_each(sanitize),
        Value::Object(fields) => fields.values_mut().for_each(sanitize),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
