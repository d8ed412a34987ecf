//! Prometheus's text format, version 0.0.4: help and type of each metric family, then its
//! samples. Names, labels and label values come from the server itself and need no escaping.

use std::fmt::{Arguments, Display, Write as _};

use super::Histogram;

/// The media type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metric families, as text.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

/// The type of a family.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Only increases while the server runs.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Exposition {
    /// Adds a family with one sample.
    pub(crate) fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.begin(name, kind.word(), help);
        self.line(format_args!("{name} {value}"));
    }

    /// Adds a family with one sample per value of a label.
    pub(crate) fn by<V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'static str, V)>,
    ) {
        self.begin(name, kind.word(), help);
        for (of, value) in samples {
            self.line(format_args!("{name}{{{label}=\"{of}\"}} {value}"));
        }
    }

    /// Adds a histogram; `units` of its values are one of the unit in its name.
    pub(crate) fn histogram(&mut self, name: &str, help: &str, values: &Histogram, units: f64) {
        self.begin(name, "histogram", help);
        let mut count = 0;
        for (bound, at_most) in values.at_most() {
            let bound = bound.map_or("+Inf".into(), |bound| (bound as f64 / units).to_string());
            self.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {at_most}"));
            count = at_most;
        }
        self.line(format_args!("{name}_sum {}", values.sum() as f64 / units));
        self.line(format_args!("{name}_count {count}"));
    }

    /// The whole text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn line(&mut self, sample: Arguments<'_>) {
        writeln!(self.text, "{sample}").expect("a String takes all");
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_in_prometheus_format() {
        let mut text = Exposition::default();
        text.one("a_total", Kind::Counter, "How many.", 3);
        text.by("b", Kind::Gauge, "How many now.", "door", [("lines", 1), ("web", 0)]);
        let histogram = Histogram::new(&[1_000_000, 2_500_000_000]);
        histogram.observe(500_000_000);
        text.histogram("c_seconds", "How long.", &histogram, 1e9);
        let expected = "\
            # HELP a_total How many.\n\
            # TYPE a_total counter\n\
            a_total 3\n\
            # HELP b How many now.\n\
            # TYPE b gauge\n\
            b{door=\"lines\"} 1\n\
            b{door=\"web\"} 0\n\
            # HELP c_seconds How long.\n\
            # TYPE c_seconds histogram\n\
            c_seconds_bucket{le=\"0.001\"} 0\n\
            c_seconds_bucket{le=\"2.5\"} 1\n\
            c_seconds_bucket{le=\"+Inf\"} 1\n\
            c_seconds_sum 0.5\n\
            c_seconds_count 1\n";
        assert_eq!(text.into_text(), expected);
    }
}
