//! Benchmarks of what runs for every line: decode, parse, render, sanitize.
//! `cargo bench -p madang-protocol`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use madang_protocol::{
    command::Input,
    event::{Event, Stamp, Time, write_json_line},
    limits::CARRIER_BYTES,
    line::LineDecoder,
    request::Request,
    sanitize::sanitize_line,
    telnet::Telnet,
    text::{Lang, LineEnd, write_event},
};

const ASCII: &str = "the quick brown fox jumps over the lazy dog, again and again...";
const HANGUL: &str = "다람쥐 헌 쳇바퀴에 타고파, 오늘도 마당에 모였네";
const HOSTILE: &str = "\u{1b}[31mred\u{1b}[0m \u{202e}drow\u{202c} e\u{301}\u{9b}1mx";

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, line) in [("ascii", ASCII), ("hangul", HANGUL)] {
        let bytes = format!("{line}\n").repeat(CARRIER_BYTES / (line.len() + 1)).into_bytes();
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            let (mut decoder, mut telnet) = (LineDecoder::default(), Telnet::default());
            let mut answers = Vec::new();
            bencher.iter(|| {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let spare = decoder.spare();
                    let count = spare.len().min(rest.len());
                    spare[..count].copy_from_slice(&rest[..count]);
                    telnet.filter(&mut spare[..count], &mut answers);
                    decoder.filled(count);
                    rest = &rest[count..];
                    while let Ok(Some(line)) = decoder.next_line() {
                        black_box(line);
                    }
                }
            });
        });
    }
    group.finish();
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, line) in [("text", ASCII), ("command", "/lang en"), ("unknown", "/hlep")] {
        group.bench_function(name, |bencher| bencher.iter(|| Input::parse(black_box(line))));
    }
    let say = format!(r#"{{"type":"say","text":"{ASCII}","nonce":"c1"}}"#);
    group.bench_function("say", |bencher| bencher.iter(|| Request::parse(black_box(&say))));
    group.finish();
}

fn render(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    let stamp = Stamp {
        id: 1_795_380_874_462_193,
        time: Time::from_millis(1_795_373_940_123),
        room: "lobby".into(),
    };
    let event =
        Event::Said {
            stamp, user: "다람쥐".into(), text: ASCII.into(), me: false, teacher: false
        };
    let mut out = Vec::new();
    group.bench_function("text", |bencher| {
        bencher.iter(|| {
            out.clear();
            write_event(black_box(&event), Lang::Ko, LineEnd::Lf, &mut out);
        });
    });
    group.bench_function("json", |bencher| {
        bencher.iter(|| {
            out.clear();
            write_json_line(black_box(&event), &mut out);
        });
    });
    group.finish();
}

fn sanitize(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sanitize");
    for (name, line) in [("ascii", ASCII), ("hangul", HANGUL), ("hostile", HOSTILE)] {
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| sanitize_line(black_box(line))));
    }
    group.finish();
}

criterion_group!(benches, decode, parse, render, sanitize);
criterion_main!(benches);
