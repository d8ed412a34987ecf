//! The result of a run: as JSON for programs, and as a page for people.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use indicatif::HumanCount;
use serde::Serialize;
use serde_json::Value;

use crate::oracle::Faults;

/// The result of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) scenario: &'static str,
    pub(crate) date: String,
    /// The commit of the sources, if they are available.
    pub(crate) commit: String,
    pub(crate) server: String,
    pub(crate) machine: String,
    pub(crate) command: String,
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    /// What was done to the server, as labels and numbers.
    pub(crate) done: Vec<(String, String)>,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// Why the run ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
}

/// What was counted and what was wrong.
#[derive(Debug, Serialize)]
pub(crate) struct Tally {
    #[serde(skip)]
    headline: String,
    /// The counters, as labels and numbers.
    #[serde(skip)]
    rows: Vec<(String, String)>,
    counts: Value,
    faults: Value,
    #[serde(skip)]
    fault_count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<String>,
}

impl Tally {
    /// The result of an oracle.
    pub(crate) fn new(
        headline: String,
        rows: Vec<(String, String)>,
        counts: &impl Serialize,
        faults: &Faults,
    ) -> Result<Tally> {
        let (fault_count, examples) = (faults.count(), faults.examples.clone());
        let faults = Faults { examples: Vec::new(), ..faults.clone() };
        let [counts, faults] = [serde_json::to_value(counts), serde_json::to_value(faults)]
            .map(|value| value.context("failed to write JSON"));
        Ok(Tally { headline, rows, counts: counts?, faults: faults?, fault_count, examples })
    }
}

impl Summary {
    /// Whether every promise was kept and the run was complete.
    pub(crate) fn is_right(&self) -> bool {
        self.tally.fault_count == 0 && self.ended.is_none()
    }

    /// The summary as Markdown.
    pub(crate) fn page(&self) -> String {
        let Summary { scenario, date, commit, server, machine, command, seed, minutes, .. } = self;
        let verdict = if self.is_right() { "✓" } else { "✗" };
        let Tally { headline, rows, examples, .. } = &self.tally;
        let rows: String = self
            .done
            .iter()
            .chain(rows)
            .map(|(what, count)| format!("| {what} | {count} |\n"))
            .collect();
        let mut page = format!(
            "# Soak, {scenario}, {date}\n\n\
             **{verdict} {headline}**\n\n\
             | | |\n|---|---:|\n{rows}\n\
             - {server}, commit {commit}; {machine}; {minutes:.1} minutes.\n\
             - Seed {seed}; made with `{command}`.\n",
        );
        for example in examples {
            page.push_str(&format!("- Wrong: {example}\n"));
        }
        if let Some(why) = &self.ended {
            page.push_str(&format!("- Ended early: {why}\n"));
        }
        page
    }

    /// Writes the page and the JSON file into a folder.
    pub(crate) fn write(&self, into: &Path, name: &str) -> Result<()> {
        fs::create_dir_all(into).with_context(|| format!("failed to make `{}`", into.display()))?;
        let json = serde_json::to_string_pretty(self).context("failed to write JSON")? + "\n";
        for (end, text) in [("md", self.page()), ("json", json)] {
            let path = into.join(format!("{name}.{end}"));
            fs::write(&path, text)
                .with_context(|| format!("failed to write `{}`", path.display()))?;
        }
        Ok(())
    }
}

/// A number with its digits in groups of three.
pub(crate) fn group(number: u64) -> String {
    HumanCount(number).to_string()
}

/// The commit of the sources in the current folder.
pub(crate) fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    told.ok().filter(|told| !told.is_empty()).unwrap_or_else(|| "unknown".into())
}

/// Processor, cores and kernel of this machine.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("a processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

/// The command line of this program, without the program's path.
pub(crate) fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("soak {}", arguments.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (5_000_000, "5,000,000")] {
            assert_eq!(group(number), text);
        }
    }

    fn tally(faults: Faults) -> Tally {
        let rows = vec![("lines".into(), "5,000".into())];
        Tally::new("5,000 lines.".into(), rows, &5_000, &faults).expect("it is JSON")
    }

    #[test]
    fn the_page_lists_faults() {
        let mut summary = Summary {
            scenario: "journal",
            date: "2026-11-28 10:00 UTC".into(),
            commit: "abc".into(),
            server: "madang-server 0.1.0".into(),
            machine: "a machine".into(),
            command: "soak journal".into(),
            seed: 7,
            minutes: 1.25,
            done: vec![("kills".into(), "3".into())],
            tally: tally(Faults::default()),
            ended: None,
        };
        let page = summary.page();
        assert!(
            page.contains("**✓ 5,000 lines.**") && page.contains("| lines | 5,000 |"),
            "{page}"
        );
        assert!(page.contains("| kills | 3 |\n") && page.contains("Seed 7;"), "{page}");
        summary.tally =
            tally(Faults { lost: 1, examples: vec!["s1 7".into()], ..Faults::default() });
        let page = summary.page();
        assert!(!summary.is_right() && page.contains("**✗ 5,000 lines.**"), "{page}");
        assert!(page.contains("- Wrong: s1 7\n"), "{page}");
        summary.tally = tally(Faults::default());
        summary.ended = Some("time".into());
        assert!(!summary.is_right() && summary.page().contains("- Ended early: time\n"));
    }
}
