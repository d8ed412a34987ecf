//! Measured quantities, written for people with three significant digits.

use std::fmt;

use serde::Serialize;

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Quantity {
    PerSecond(f64),
    Micros(f64),
    Seconds(f64),
    Bytes(f64),
    Percent(f64),
    Number(f64),
}

impl Quantity {
    /// The bare number, in the unit of its kind.
    pub(crate) fn value(self) -> f64 {
        match self {
            Quantity::PerSecond(value)
            | Quantity::Micros(value)
            | Quantity::Seconds(value)
            | Quantity::Bytes(value)
            | Quantity::Percent(value)
            | Quantity::Number(value) => value,
        }
    }

    /// The same kind of quantity with another number.
    pub(crate) fn with_value(self, value: f64) -> Self {
        match self {
            Quantity::PerSecond(_) => Quantity::PerSecond(value),
            Quantity::Micros(_) => Quantity::Micros(value),
            Quantity::Seconds(_) => Quantity::Seconds(value),
            Quantity::Bytes(_) => Quantity::Bytes(value),
            Quantity::Percent(_) => Quantity::Percent(value),
            Quantity::Number(_) => Quantity::Number(value),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Quantity::PerSecond(value) if value >= 1e6 => {
                format!("{} M/s", three_digits(value / 1e6))
            }
            Quantity::PerSecond(value) if value >= 1e4 => {
                format!("{} k/s", three_digits(value / 1e3))
            }
            Quantity::PerSecond(value) => format!("{}/s", three_digits(value)),
            Quantity::Micros(value) if value >= 1e6 => format!("{} s", three_digits(value / 1e6)),
            Quantity::Micros(value) if value >= 999.5 => {
                format!("{} ms", three_digits(value / 1e3))
            }
            Quantity::Micros(value) => format!("{} µs", three_digits(value)),
            Quantity::Seconds(value) if value < 0.1 => format!("{} ms", three_digits(value * 1e3)),
            Quantity::Seconds(value) => format!("{} s", three_digits(value)),
            Quantity::Bytes(value) if value.abs() >= 1024.0 * 1024.0 => {
                format!("{} MiB", three_digits(value / 1024.0 / 1024.0))
            }
            Quantity::Bytes(value) => format!("{} KiB", three_digits(value / 1024.0)),
            Quantity::Percent(value) => format!("{} %", three_digits(value)),
            Quantity::Number(value) => format!("{value:.2}"),
        };
        f.pad(&text)
    }
}

fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        for (quantity, text) in [
            (Quantity::PerSecond(0.0), "0.000/s"),
            (Quantity::PerSecond(950.4), "950/s"),
            (Quantity::PerSecond(12_345.0), "12.3 k/s"),
            (Quantity::PerSecond(12_345_678.0), "12.3 M/s"),
            (Quantity::Micros(0.0712), "0.071 µs"),
            (Quantity::Micros(999.4), "999 µs"),
            (Quantity::Micros(999.96), "1.00 ms"),
            (Quantity::Micros(12_300.0), "12.3 ms"),
            (Quantity::Micros(2_500_000.0), "2.50 s"),
            (Quantity::Seconds(0.0123), "12.3 ms"),
            (Quantity::Seconds(9.996), "10.0 s"),
            (Quantity::Bytes(11_264.0), "11.0 KiB"),
            (Quantity::Bytes(-512.0), "-0.500 KiB"),
            (Quantity::Bytes(5.0 * 1024.0 * 1024.0), "5.00 MiB"),
            (Quantity::Percent(99.5), "99.5 %"),
            (Quantity::Number(1.0), "1.00"),
        ] {
            assert_eq!(quantity.to_string(), text);
        }
    }
}
