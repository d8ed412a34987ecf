//! What runs once for every round: rendering a batch, in each form.
//! `cargo bench -p madang-server`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use madang_protocol::{
    event::{Event, Stamp, Time},
    text::{Lang, LineEnd},
};
use madang_server::{delivery::batch::Batch, delivery::carrier::Carrier, dialect::Form};

fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    let text = Form::text(Lang::Ko, LineEnd::Lf);
    for (name, form, carrier) in [
        ("text", text, Carrier::Lines),
        ("json", Form::JSON, Carrier::Lines),
        ("websocket", text, Carrier::WebSocket),
    ] {
        for events in [1, 512] {
            group.throughput(Throughput::Elements(events));
            group.bench_function(format!("{name}/{events}"), |bencher| {
                let mut batch = Batch::new("lobby".into());
                bencher.iter(|| {
                    drop(batch.drain());
                    for id in 0..events {
                        let (room, user) = ("lobby".into(), "alice".into());
                        let (time, text) = (Time::from_millis(0), "x".repeat(64));
                        let stamp = Stamp { id, time, room };
                        batch.push(Event::Said { stamp, user, text, me: false, teacher: false }, 1);
                    }
                    batch.rendered(form, carrier).clone()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, batch);
criterion_main!(benches);
