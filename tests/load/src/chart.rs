//! A comparison as a chart: hand-written SVG, a group of bars for each figure.
//!
//! It works on light and dark pages: text and bars follow the reader's colour scheme, and each
//! bar has its number beside it, so that nothing depends on colour alone.

use std::fmt::Write as _;

use crate::{
    comparison::{Cell, Comparison},
    peer::PeerKind,
    quantity::Quantity,
    workloads::{Better, Figure, Workload},
};

const WIDTH: usize = 760;
const NAME_WIDTH: usize = 120;
const VALUE_WIDTH: usize = 130;
const BAR_HEIGHT: usize = 16;
const BAR_STEP: usize = 22;
const TITLE_STEP: usize = 24;
const GROUP_GAP: usize = 18;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.aside { fill: #59636e; }
.bar { fill: #8c959f; }
.own { fill: #0969da; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; }
.aside { fill: #9198a1; }
.bar { fill: #656c76; }
.own { fill: #4493f8; }
}";

/// One bar: its server, its length as a percentage of the longest, and its number.
struct Bar {
    name: &'static str,
    is_own: bool,
    share: f64,
    value: String,
}

/// The whole chart.
pub(crate) fn chart(comparison: &Comparison) -> String {
    let mut groups = Vec::new();
    for workload in comparison.workloads() {
        for figure in workload.figures() {
            let bars = bars(comparison, workload, figure);
            if !bars.is_empty() {
                groups.push((figure, bars));
            }
        }
    }
    let height: usize =
        groups.iter().map(|(_, bars)| TITLE_STEP + bars.len() * BAR_STEP + GROUP_GAP).sum();
    let mut svg = String::new();
    write_chart(&mut svg, &groups, height + GROUP_GAP).expect("writing to a string does not fail");
    svg
}

fn bars(comparison: &Comparison, workload: Workload, figure: &Figure) -> Vec<Bar> {
    let measured: Vec<_> = comparison
        .servers
        .iter()
        .filter_map(|server| match comparison.cell(workload, figure, server.kind) {
            Cell::Measured(measured) => Some((server, measured)),
            Cell::Failed(_) | Cell::NotDone => None,
        })
        .collect();
    // Threads and descriptors are whole numbers that need no bars; the table has them.
    if measured.iter().any(|(_, measured)| matches!(measured.median, Quantity::Number(_))) {
        return Vec::new();
    }
    let longest = measured.iter().map(|(_, measured)| measured.median.value()).fold(0.0, f64::max);
    measured
        .into_iter()
        .map(|(server, measured)| Bar {
            name: server.name,
            is_own: matches!(
                server.kind,
                PeerKind::Madang | PeerKind::MadangJson | PeerKind::MadangData
            ),
            share: if longest > 0.0 { (measured.median.value() / longest).max(0.0) } else { 0.0 },
            value: format!(
                "{}{}",
                if measured.is_bound_by_tool { "≥ " } else { "" },
                measured.median
            ),
        })
        .collect()
}

fn write_chart(
    svg: &mut String,
    groups: &[(&Figure, Vec<Bar>)],
    height: usize,
) -> std::fmt::Result {
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">"
    )?;
    writeln!(
        svg,
        "<title>Madang and other servers under load</title>\n<style>\n{STYLE}\n</style>"
    )?;
    let mut top = GROUP_GAP;
    for (figure, bars) in groups {
        let better = match figure.better {
            Better::Less => "less is better",
            Better::More => "more is better",
        };
        let baseline = top + BAR_HEIGHT - 3;
        writeln!(
            svg,
            "<text class=\"title\" x=\"0\" y=\"{baseline}\">{} <tspan class=\"aside\">({better})</tspan></text>",
            escape(figure.title)
        )?;
        top += TITLE_STEP;
        for bar in bars {
            write_bar(svg, bar, top)?;
            top += BAR_STEP;
        }
        top += GROUP_GAP;
    }
    writeln!(svg, "</svg>")
}

fn write_bar(svg: &mut String, bar: &Bar, top: usize) -> std::fmt::Result {
    let class = if bar.is_own { "own" } else { "bar" };
    let width = ((WIDTH - NAME_WIDTH - VALUE_WIDTH) as f64 * bar.share).max(1.0);
    let baseline = top + BAR_HEIGHT - 3;
    writeln!(svg, "<text x=\"0\" y=\"{baseline}\">{}</text>", escape(bar.name))?;
    writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{NAME_WIDTH}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>"
    )?;
    let value_at = NAME_WIDTH as f64 + width + 8.0;
    writeln!(svg, "<text x=\"{value_at:.1}\" y=\"{baseline}\">{}</text>", escape(&bar.value))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::flood;

    #[test]
    fn the_longest_bar_is_the_most_and_failures_have_none() {
        let comparison = flood(&[
            (PeerKind::Madang, &[10e6]),
            (PeerKind::Baseline, &[20e6]),
            (PeerKind::Nats, &[]),
        ]);
        let svg = chart(&comparison);
        let bars: Vec<&str> = svg.lines().filter(|line| line.starts_with("<rect")).collect();
        assert_eq!(bars.len(), 4, "{svg}");
        assert!(bars[0].contains("class=\"own\"") && bars[0].contains("width=\"255.0\""), "{svg}");
        assert!(bars[1].contains("class=\"bar\"") && bars[1].contains("width=\"510.0\""), "{svg}");
        assert!(svg.contains("(more is better)") && svg.contains("(less is better)"), "{svg}");
        assert!(!svg.contains("nats"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn text_cannot_break_the_chart() {
        assert_eq!(escape("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
