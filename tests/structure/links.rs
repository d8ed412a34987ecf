//! Links between the project's documents lead to files and headings that exist.

use std::{collections::BTreeSet, path::Path};

use crate::{Source, report, root, sources};

/// Links that lead out of the repository, to the site that hosts it.
const ELSEWHERE: [&str; 3] = ["http://", "https://", "../../releases"];

/// The anchor of a heading: lower case, and a hyphen for each blank.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || [' ', '-', '_'].contains(&c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(page: &Source) -> BTreeSet<String> {
    let headings = page.text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// The targets of a document's links, including pictures.
fn targets(page: &Source) -> impl Iterator<Item = &str> {
    page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let pages = sources(
        &["README.md", "CHANGELOG.md", ".github", "server", "client", "protocol", "tests"],
        &["md"],
    );
    let mut faults = Vec::new();
    for page in &pages {
        for target in targets(page) {
            if ELSEWHERE.iter().any(|start| target.starts_with(start)) {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(&page.path).parent().expect("it is in a folder");
            let path = if file.is_empty() { page.path.clone().into() } else { folder.join(file) };
            let leads = match std::fs::read_to_string(root().join(&path)) {
                _ if heading.is_empty() => root().join(&path).exists(),
                Ok(text) => {
                    let path = path.to_string_lossy().into_owned();
                    anchors(&Source { path, text }).contains(heading)
                }
                Err(_) => false,
            };
            if !leads {
                faults.push(format!("{}: {target}", page.path));
            }
        }
    }
    report(faults, "Link to a file by its path from the page, and to a heading by its anchor.");
}

#[test]
fn anchors_are_as_a_site_makes_them() {
    assert_eq!(anchor("`history` (answer)"), "history-answer");
    assert_eq!(anchor("빠른 시작"), "빠른-시작");
}
