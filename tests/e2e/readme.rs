//! What the READMEs say is so: the table of commands, the map of the server's folders.

use std::{fs, path::Path};

use madang_protocol::{
    command::{COMMANDS, CommandSpec, Role},
    text::Lang,
};

const WIRE: &str = include_str!("../../protocol/README.md");
const ARCHITECTURE: &str = include_str!("../../server/README.md");

fn row(spec: &CommandSpec) -> String {
    let who: Vec<&str> = spec
        .roles
        .iter()
        .map(|role| match role {
            Role::Member => "everyone",
            Role::Owner => "owner",
            Role::Operator => "operator",
        })
        .collect();
    let usage = spec.usage().replace('|', "\\|");
    let (alias, help) = (spec.alias, spec.help(Lang::En));
    format!("| `{usage}` | `{alias}` | {} | {help} |\n", who.join(", "))
}

#[test]
fn the_wire_lists_every_command_as_the_table_does() {
    let (_, section) = WIRE.split_once("\n## Commands\n").expect("there is a section");
    let (section, _) = section.split_once("\n## ").expect("another follows");
    let head = "| command | 한국어 | who | what it does |\n|---|---|---|---|\n";
    let table: String = COMMANDS.iter().map(row).collect();
    assert!(
        section.contains(&format!("{head}{table}")),
        "expected in protocol/README.md:\n{head}{table}"
    );
}

#[test]
fn the_architecture_page_maps_every_folder_and_file_and_no_other() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src");
    let (_, map) = ARCHITECTURE.split_once("\n## Folder map\n").expect("there is a map");
    let (map, _) = map.split_once("\n## ").expect("another section follows");
    let first_cells = map.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut mapped: Vec<String> = first_cells
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    let mut expected = Vec::new();
    for entry in fs::read_dir(&sources).expect("the sources are there") {
        let entry = entry.expect("it can be read");
        let name = entry.file_name().into_string().expect("names are UTF-8");
        let is_folder = entry.file_type().expect("it has a type").is_dir();
        // The file that goes with a folder is in the folder's row, but for the exceptions.
        let has_folder = sources.join(name.trim_end_matches(".rs")).is_dir();
        if is_folder {
            expected.push(format!("{name}/"));
        } else if !has_folder || mapped.contains(&name) {
            expected.push(name);
        }
    }
    mapped.sort();
    expected.sort();
    assert_eq!(mapped, expected);
}
