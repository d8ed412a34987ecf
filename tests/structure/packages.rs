//! What packages, container and releases are made of: the files they name exist, and the
//! places that repeat a thing agree. `.ci/try-packages` installs the packages themselves.

use std::fs;

use crate::{report, root};

const PACKAGED: [&str; 2] = ["server", "client"];

#[track_caller]
fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value behind `key = "`, `key: "` and the like.
#[track_caller]
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let (_, rest) = text.split_once(key).unwrap_or_else(|| panic!("no {key}"));
    rest.split('"').next().expect("one part at least")
}

/// Source and destination of each file of the Debian package that a manifest describes.
fn assets(manifest: &str) -> Vec<(&str, &str)> {
    let rows = manifest.lines().filter_map(|line| line.trim().strip_prefix("[\""));
    rows.map(|row| {
        let parts: Vec<&str> = row.split('"').step_by(2).collect();
        (parts[0], parts[1])
    })
    .collect()
}

#[test]
fn every_file_of_the_debian_packages_exists_or_is_built() {
    let script = read(".ci/package");
    let mut faults = Vec::new();
    for folder in PACKAGED {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let name = value(&manifest, "name = \"");
        let assets = assets(&manifest);
        assert!(assets.len() >= 6, "{assets:?}");
        for (source, destination) in assets {
            let exists = match source.strip_prefix("target/release/") {
                Some(built) => match built.strip_prefix("pages/") {
                    Some(page) => script.contains(&format!("/{}\"", page.replace(name, "$name"))),
                    None => built == name,
                },
                None => root().join(folder).join(source).is_file(),
            };
            if !exists {
                faults.push(format!("{folder}/Cargo.toml: {source} for {destination}"));
            }
        }
    }
    report(faults, "Name the file by where it is, or have .ci/package print it.");
}

#[test]
fn the_service_starts_the_packaged_program_as_the_packages_user() {
    let unit = read("server/deploy/madang.service");
    let has = |line: &str| unit.lines().any(|it| it == line);
    assert!(has("ExecStart=madang-server") && has("EnvironmentFile=-/etc/default/madang"));
    let user = unit.lines().find_map(|line| line.strip_prefix("User=")).expect("it has a user");
    let of_script = |name: &str| {
        let script = read(&format!("server/deploy/debian/{name}"));
        let line = script.lines().find(|line| line.contains("user --system")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{name} knows no user"))
    };
    assert!(of_script("postinst").split(' ').any(|word| word == user));
    assert!(of_script("postrm").split(' ').any(|word| word == user));
}

#[test]
fn the_container_holds_the_server_only_and_runs_it_without_rights() {
    let file = read("server/deploy/Containerfile");
    let (_, last) = file.rsplit_once("\nFROM ").expect("it has stages");
    let mut lines = last.lines();
    assert_eq!(lines.next(), Some("scratch"));
    assert_eq!(lines.clone().filter(|line| line.starts_with("COPY")).count(), 1, "{last}");
    let user = lines.find_map(|line| line.strip_prefix("USER ")).expect("it has a user");
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number")).collect();
    assert!(ids.len() == 2 && !ids.contains(&0), "{user}");
    // All that the workspace is made of is there to be built.
    let workspace = read("Cargo.toml");
    let (_, members) = workspace.split_once("members = [").expect("it has members");
    let (members, _) = members.split_once(']').expect("the list ends");
    for member in members.split('"').skip(1).step_by(2) {
        let folder = member.split('/').next().expect("one part at least");
        assert!(file.contains(&format!("\nCOPY {folder} {folder}/\n")), "{folder}");
    }
}

#[test]
fn a_release_has_every_file_that_the_readme_offers() {
    let workflow = read(".github/workflows/release.yml");
    for target in [
        "x86_64-unknown-linux-musl",
        "aarch64-unknown-linux-musl",
        "aarch64-apple-darwin",
        "x86_64-apple-darwin",
        "x86_64-pc-windows-gnu",
    ] {
        assert!(workflow.contains(&format!("            target: {target}\n")), "{target}");
    }
    assert!(workflow.contains("runner: [ubuntu-22.04, ubuntu-22.04-arm]"));
    assert!(workflow.contains("bash .ci/package deb") && workflow.contains("SHA256SUMS"));
    let scripts = workflow.split("bash .ci/").skip(1);
    for script in scripts.filter_map(|rest| rest.split_whitespace().next()) {
        assert!(root().join(".ci").join(script).is_file(), "{script}");
    }
}

#[test]
fn one_version_of_rust_is_asked_for_everywhere() {
    let manifest = read("Cargo.toml");
    let version = value(&manifest, "rust-version = \"");
    for workflow in ["ci", "release"] {
        let workflow = read(&format!(".github/workflows/{workflow}.yml"));
        assert_eq!(value(&workflow, "RUST_TOOLCHAIN: \""), version);
    }
    let places = [
        ("server/deploy/Containerfile", format!("FROM rust:{version}-alpine ")),
        ("README.md", format!("{version} or newer")),
        ("README.md", format!("{version} 이상")),
        (".github/CONTRIBUTING.md", format!("Rust {version} or newer")),
    ];
    for (path, text) in places {
        assert!(read(path).contains(&text), "{path} has no {text:?}");
    }
}
