//! The report at `/metrics`: all counters, summed up when they are requested.

use std::{sync::atomic::Ordering, time::SystemTime};

pub(crate) use crate::metrics::exposition::CONTENT_TYPE;
use crate::{
    doors::Door,
    metrics::exposition::{Exposition, Kind},
    shared::Shared,
};

const NANOSECONDS: f64 = 1e9;

/// All metrics in [Prometheus's text format](CONTENT_TYPE).
pub(crate) fn report(shared: &Shared) -> String {
    let mut text = Exposition::default();
    about_the_process(shared, &mut text);
    about_connections(shared, &mut text);
    about_rooms(shared, &mut text);
    about_delivery(shared, &mut text);
    about_journal(shared, &mut text);
    about_cluster(shared, &mut text);
    text.into_text()
}

fn about_the_process(shared: &Shared, text: &mut Exposition) {
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    text.by("madang_build_info", Kind::Gauge, "The server's version.", "version", version);
    let started = shared.metrics.started.duration_since(SystemTime::UNIX_EPOCH);
    text.one(
        "process_start_time_seconds",
        Kind::Gauge,
        "Start time of the server, in seconds since 1970.",
        started.unwrap_or_default().as_secs_f64(),
    );
    if let Some(at) = shared.tls.as_ref().and_then(|tls| tls.certificates.expires_at()) {
        text.one(
            "madang_certificate_not_after_seconds",
            Kind::Gauge,
            "When the certificate in use expires, in seconds since 1970.",
            at as f64,
        );
    }
}

fn about_connections(shared: &Shared, text: &mut Exposition) {
    let counts = shared.connections.doors();
    let of_door = |door: Door| (door.label(), counts.get(&door).copied().unwrap_or_default());
    let doors = Door::ALL.map(of_door);
    text.by(
        "madang_connections",
        Kind::Gauge,
        "Open connections, logged in or not, by door.",
        "door",
        doors.map(|(door, counts)| (door, counts.open)),
    );
    text.by(
        "madang_connections_opened_total",
        Kind::Counter,
        "Connections admitted, by door.",
        "door",
        doors.map(|(door, counts)| (door, counts.opened)),
    );
    text.by(
        "madang_connections_ended_total",
        Kind::Counter,
        "Chat and echo connections that have ended, by reason.",
        "reason",
        shared.metrics.ended.all(),
    );
    text.by(
        "madang_refused_total",
        Kind::Counter,
        "Refused connections, logins and lines by reason, and HTTP requests by status.",
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
        "Names in use, including disconnected clients that may come back.",
        shared.users.present(),
    );
    text.one("madang_members", Kind::Gauge, "Members of all rooms.", members);
    text.by(
        "madang_rooms",
        Kind::Gauge,
        "Rooms by kind; the lobby is public.",
        "kind",
        [("public", public.len()), ("private", private.len())],
    );
    text.histogram(
        "madang_round_events",
        "Events per round of a room.",
        &shared.metrics.round_events,
        1.0,
    );
    text.histogram(
        "madang_round_duration_seconds",
        "Duration of a round: carrying out requests and offering the events to all members.",
        &shared.metrics.round_nanoseconds,
        NANOSECONDS,
    );
}

fn about_journal(shared: &Shared, text: &mut Exposition) {
    let Some(journal) = &shared.journal else { return };
    let gauge = Kind::Gauge;
    text.one(
        "madang_journal_queue_bytes",
        gauge,
        "Bytes that wait to be saved.",
        journal.queue_bytes(),
    );
    text.one(
        "madang_journal_degraded",
        gauge,
        "1 while the disk fails and acknowledgements promise nothing, else 0.",
        usize::from(journal.is_degraded()),
    );
    text.one(
        "madang_journal_holes_total",
        Kind::Counter,
        "Events that could not be saved.",
        journal.lost_events(),
    );
    text.one(
        "madang_journal_lines_total",
        Kind::Counter,
        "Rows saved: events, and the state of rooms and sessions.",
        shared.metrics.committed_rows.load(Ordering::Relaxed),
    );
    text.histogram(
        "madang_journal_commit_seconds",
        "Duration of a commit to disk.",
        &shared.metrics.commit_nanoseconds,
        NANOSECONDS,
    );
}

fn about_cluster(shared: &Shared, text: &mut Exposition) {
    let Some(cluster) = &shared.cluster else { return };
    let (counted, gauge) = (&shared.metrics.cluster, Kind::Gauge);
    let mut one = |name, kind, help, value| text.one(name, kind, help, value);
    one(
        "madang_cluster_servers",
        gauge,
        "Servers of the cluster, with this one.",
        cluster.size().1 as f64,
    );
    one(
        "madang_cluster_linked",
        gauge,
        "1 while this server reaches Redis, else 0.",
        f64::from(cluster.is_linked()),
    );
    one(
        "madang_cluster_fenced",
        gauge,
        "1 once the other servers have taken this one for dead, else 0.",
        f64::from(cluster.is_fenced()),
    );
    one(
        "madang_cluster_lag_seconds",
        gauge,
        "Age of the last entry when this server heard it, by Redis's clock.",
        counted.lag().as_secs_f64(),
    );
    one(
        "madang_cluster_refills_total",
        Kind::Counter,
        "Entries read from the rooms' logs because their announcement was missed.",
        counted.refilled() as f64,
    );
    one(
        "madang_cluster_full_logs_total",
        Kind::Counter,
        "How often an entry had to wait, because Redis holds as much of its room's log as it may.",
        counted.full() as f64,
    );
    one(
        "madang_cluster_held_speakers",
        gauge,
        "Connections that wait because much waits for Redis.",
        counted.held_speakers() as f64,
    );
    text.histogram(
        "madang_cluster_append_seconds",
        "Time until Redis has taken what a room appends to its log.",
        &counted.append_nanoseconds,
        NANOSECONDS,
    );
    text.histogram(
        "madang_cluster_hear_seconds",
        "Time until a room hears what it has appended, and carries it out.",
        &counted.hear_nanoseconds,
        NANOSECONDS,
    );
}

fn about_delivery(shared: &Shared, text: &mut Exposition) {
    let traffic = shared.connections.traffic();
    let mut counter = |name, help, value| text.one(name, Kind::Counter, help, value);
    counter(
        "madang_lines_received_total",
        "Lines, JSON lines and WebSocket messages received, including logins and commands.",
        traffic.lines,
    );
    counter(
        "madang_deliveries_total",
        "Events delivered, counted once per member.",
        traffic.deliveries,
    );
    counter(
        "madang_skipped_total",
        "Events skipped because a connection was slow; it was told how many.",
        traffic.skipped,
    );
    counter(
        "madang_received_bytes_total",
        "Bytes received, without TLS overhead.",
        traffic.received_bytes,
    );
    counter("madang_sent_bytes_total", "Bytes sent, without TLS overhead.", traffic.sent_bytes);
    let backlog = shared.bounds.backlog.load(Ordering::Relaxed);
    let high_water = shared.bounds.high_water.load(Ordering::Relaxed);
    let mut gauge = |name, help, value| text.one(name, Kind::Gauge, help, value);
    gauge("madang_outbox_backlog_bytes", "Bytes queued in all connections.", backlog);
    gauge(
        "madang_outbox_high_water_bytes",
        "Most bytes queued in one connection since the start.",
        high_water,
    );
    gauge(
        "madang_history_bytes",
        "Bytes of history in all rooms, including cached renderings.",
        shared.metrics.history_bytes.load(Ordering::Relaxed),
    );
    gauge(
        "madang_drainer_queue",
        "Connections that wait for a full socket.",
        shared.drainer.queue_len(),
    );
}
