//! The report at `/metrics`: everything that is counted, summed now.

use std::{sync::atomic::Ordering, time::SystemTime};

pub(crate) use crate::metrics::exposition::CONTENT_TYPE;
use crate::{
    doors::Door,
    metrics::exposition::{Exposition, Kind},
    shared::Shared,
};

const NANOSECONDS: f64 = 1e9;

/// Everything that is counted, in [Prometheus's text format](CONTENT_TYPE).
pub(crate) fn report(shared: &Shared) -> String {
    let mut text = Exposition::default();
    about_the_process(shared, &mut text);
    about_connections(shared, &mut text);
    about_rooms(shared, &mut text);
    about_delivery(shared, &mut text);
    text.into_text()
}

fn about_the_process(shared: &Shared, text: &mut Exposition) {
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    text.by("madang_build_info", Kind::Gauge, "The server's version.", "version", version);
    let started = shared.metrics.started.duration_since(SystemTime::UNIX_EPOCH);
    text.one(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the server was started, in seconds since 1970.",
        started.unwrap_or_default().as_secs_f64(),
    );
}

fn about_connections(shared: &Shared, text: &mut Exposition) {
    let counts = shared.connections.doors();
    let of_door = |door: Door| (door.label(), counts.get(&door).copied().unwrap_or_default());
    let doors = Door::ALL.map(of_door);
    text.by(
        "madang_connections",
        Kind::Gauge,
        "Open connections by the door they came in at, logged in or not.",
        "door",
        doors.map(|(door, counts)| (door, counts.open)),
    );
    text.by(
        "madang_connections_opened_total",
        Kind::Counter,
        "Connections that were admitted.",
        "door",
        doors.map(|(door, counts)| (door, counts.opened)),
    );
    text.by(
        "madang_connections_ended_total",
        Kind::Counter,
        "Connections for chat and echo that have ended, by the reason.",
        "reason",
        shared.metrics.ended.all(),
    );
    text.by(
        "madang_refused_total",
        Kind::Counter,
        "Connections, logins and lines that were refused, by the reason; requests by the status.",
        "reason",
        shared.metrics.refused.all(),
    );
}

fn about_rooms(shared: &Shared, text: &mut Exposition) {
    let [public, private] = [shared.rooms.public(), shared.rooms.private()];
    let members: usize = public.iter().chain(&private).map(|room| room.status().members).sum();
    text.one(
        "madang_sessions",
        Kind::Gauge,
        "Names in use, those included whose client is away and may come back.",
        shared.users.present(),
    );
    text.one("madang_members", Kind::Gauge, "Members of all rooms together.", members);
    text.by(
        "madang_rooms",
        Kind::Gauge,
        "Rooms, the lobby among the public ones.",
        "kind",
        [("public", public.len()), ("private", private.len())],
    );
    text.histogram(
        "madang_round_events",
        "Events that a room told its members of at once.",
        &shared.metrics.round_events,
        1.0,
    );
    text.histogram(
        "madang_round_duration_seconds",
        "How long a room took to do what was asked of it and to tell its members.",
        &shared.metrics.round_nanoseconds,
        NANOSECONDS,
    );
}

fn about_delivery(shared: &Shared, text: &mut Exposition) {
    let traffic = shared.connections.traffic();
    let mut counter = |name, help, value| text.one(name, Kind::Counter, help, value);
    counter(
        "madang_lines_received_total",
        "Lines, JSON lines and WebSocket messages that came, logins and commands included.",
        traffic.lines,
    );
    counter(
        "madang_deliveries_total",
        "Events of rooms that were handed on, one for each member that was given one.",
        traffic.deliveries,
    );
    counter(
        "madang_skipped_total",
        "Those of them that a slow connection was not sent, but told the number of.",
        traffic.skipped,
    );
    counter(
        "madang_received_bytes_total",
        "Bytes that came, TLS's own aside.",
        traffic.received_bytes,
    );
    counter(
        "madang_sent_bytes_total",
        "Bytes that the system took to send, TLS's own aside.",
        traffic.sent_bytes,
    );
    let backlog = shared.bounds.backlog.load(Ordering::Relaxed);
    let high_water = shared.bounds.high_water.load(Ordering::Relaxed);
    let mut gauge = |name, help, value| text.one(name, Kind::Gauge, help, value);
    gauge(
        "madang_outbox_backlog_bytes",
        "What waits to be sent in all connections together.",
        backlog,
    );
    gauge(
        "madang_outbox_high_water_bytes",
        "The most that has waited for one connection since the start.",
        high_water,
    );
    gauge(
        "madang_history_bytes",
        "What all rooms remember, in bytes, with the renderings that are kept of it.",
        shared.metrics.history_bytes.load(Ordering::Relaxed),
    );
    gauge(
        "madang_drainer_queue",
        "Connections whose socket is full and is waited for.",
        shared.drainer.queue_len(),
    );
}
