//! A comparison as a Markdown page.

use std::fmt::Write as _;

use crate::{
    comparison::{Cell, Comparison},
    workloads::{FLOOD_LINES, LINE_BYTES},
};

/// The whole page; `chart` is the file name of the chart it shows, `raw` of the raw figures.
pub(crate) fn page(comparison: &Comparison, chart: &str, raw: &str) -> String {
    let mut page = String::new();
    write_page(&mut page, comparison, chart, raw).expect("writing to a string does not fail");
    page
}

fn write_page(
    page: &mut String,
    comparison: &Comparison,
    chart: &str,
    raw: &str,
) -> std::fmt::Result {
    let Comparison { date, machine, turns, seconds, runs, .. } = comparison;
    writeln!(page, "# Load, {date}\n\n![The figures as bars]({chart})\n")?;
    write_table(page, comparison)?;
    let reports = || runs.iter().flat_map(|run| &run.reports);
    let held_up = reports().filter(|report| report.is_held_up()).count();
    if held_up > 0 {
        let all = reports().count();
        writeln!(
            page,
            "\n**In {held_up} of {all} runs the machine was busy with something else: measure again.**"
        )?;
    }
    writeln!(
        page,
        "\n\
A figure is the median of {turns} turns of {seconds} s, ± how far off the farthest turn was. ≥: the load
generator was the bottleneck, the server can do better. –: not this server's workload.

- Machine: {}, {} cores, Linux {}, TCP congestion control {}.
- Each server is started anew for each turn, all servers in turn, and held to one core, the load
  generator to another. Lines have {LINE_BYTES} bytes, their end included. A flood has {FLOOD_LINES} lines in
  flight over all speakers, or fewer where a server that passes on what it reads would cut lines.
  Before lines go one at a time, every member has sent one: from then on, TCP delays its acknowledgements.
- Every delivery was checked: a figure is shown only if none was missing, doubled, out of order or
  garbled in any turn.",
        machine.processor, machine.cores, machine.kernel, machine.congestion_control
    )?;
    for server in &comparison.servers {
        let version =
            if server.version.is_empty() { String::new() } else { format!(" {}", server.version) };
        writeln!(page, "- {}{version}: `{}`", server.name, server.command)?;
    }
    for absent in &comparison.absent {
        writeln!(page, "- Absent: {absent}")?;
    }
    writeln!(
        page,
        "- Made with `{}`; it also writes every run to `{raw}`, which is not kept in the repository.",
        comparison.command
    )
}

fn write_table(page: &mut String, comparison: &Comparison) -> std::fmt::Result {
    let names: Vec<&str> = comparison.servers.iter().map(|server| server.name).collect();
    writeln!(page, "| workload | {} | madang reaches |", names.join(" | "))?;
    writeln!(page, "|---|{}---|", "---:|".repeat(names.len()))?;
    for workload in comparison.workloads() {
        for figure in workload.figures() {
            write!(page, "| {} |", figure.title)?;
            for server in &comparison.servers {
                write!(page, " {} |", cell_text(&comparison.cell(workload, figure, server.kind)))?;
            }
            let verdicts: Vec<String> = comparison
                .verdicts(workload, figure)
                .into_iter()
                .map(|verdict| {
                    format!("{} {}", if verdict.is_reached { "✓" } else { "✗" }, verdict.words)
                })
                .collect();
            writeln!(page, " {} |", verdicts.join("<br>"))?;
        }
    }
    write_failures(page, comparison)
}

/// Each reason once, with the workloads that it prevented.
fn write_failures(page: &mut String, comparison: &Comparison) -> std::fmt::Result {
    let mut failures: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for run in &comparison.runs {
        let Some(failure) = &run.failure else { continue };
        let workload = run.workload.name();
        match failures.iter_mut().find(|(server, why, _)| (*server, *why) == (run.server, failure))
        {
            Some((.., workloads)) if workloads.contains(&workload) => {}
            Some((.., workloads)) => workloads.push(workload),
            None => failures.push((run.server, failure, vec![workload])),
        }
    }
    if !failures.is_empty() {
        writeln!(page, "\nFailed:\n")?;
    }
    for (server, failure, workloads) in failures {
        let failure = failure.replace(['<', '>', '|', '\n'], " ");
        writeln!(page, "- {server}, {}: {failure}", workloads.join(", "))?;
    }
    Ok(())
}

fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Measured(measured) => {
            let at_least = if measured.is_bound_by_tool { "≥ " } else { "" };
            let spread = 100.0 * measured.spread();
            let spread = if spread >= 0.5 { format!(" ±{spread:.0} %") } else { String::new() };
            format!("{at_least}{}{spread}", measured.median)
        }
        Cell::Failed(_) => "failed".to_owned(),
        Cell::NotDone => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{comparison::tests::flood, peer::PeerKind};

    #[test]
    fn the_table_has_a_column_for_each_server_and_a_row_for_each_figure() {
        let comparison = flood(&[
            (PeerKind::Madang, &[9e6, 10e6, 11e6]),
            (PeerKind::Baseline, &[12e6]),
            (PeerKind::Nats, &[]),
        ]);
        let page = page(&comparison, "x.svg", "x.json");
        for wanted in [
            "![The figures as bars](x.svg)",
            "| workload | madang | baseline | nats-server | madang reaches |\n|---|---:|---:|---:|---|\n",
            "| flood, 1 speaks, 100 members: deliveries | 10.0 M/s ±10 % | 12.0 M/s | failed | ✗ 0.83 × baseline, wants ≥ 0.90 |\n",
            "| flood, 1 speaks, 100 members: server CPU per delivery | 0.100 µs ±11 % | 0.083 µs | failed |  |\n",
            "- nats-server, flood-1: it  fell  over\n",
            "- Absent: peer: no --peer-command was given\n",
            "- Made with `load compare`; it also writes every run to `x.json`, which is not kept in the repository.",
        ] {
            assert!(page.contains(wanted), "{wanted}\nis not in\n{page}");
        }
    }
}
