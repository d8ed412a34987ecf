//! What the README says of the commands is what the table of commands says.

use madang_protocol::{
    command::{COMMANDS, CommandSpec, Role},
    text::Lang,
};

const README: &str = include_str!("../../README.md");

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
fn the_readme_lists_every_command_as_the_table_does() {
    let (_, section) = README.split_once("\n## Commands\n").expect("there is a section");
    let (section, _) = section.split_once("\n## ").expect("another follows");
    let head = "| command | 한국어 | who | what it does |\n|---|---|---|---|\n";
    let table: String = COMMANDS.iter().map(row).collect();
    assert!(section.contains(&format!("{head}{table}")), "expected in the README:\n{head}{table}");
}
