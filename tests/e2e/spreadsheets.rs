//! The attendance table opened by independent programs: Hangul is right, each cell is one cell,
//! and none is a formula.

use std::{fs, path::Path, process::Command, time::Duration};

use madang_protocol::text::Lang;
use madang_tests::{Program, TestFolder};

use crate::{
    lesson::{Program as _, begin, start},
    web::answer,
};

/// How long a program may take, including LibreOffice's first start.
const PATIENCE: Duration = Duration::from_secs(150);

/// Names that a spreadsheet could misread.
const ROSTER: [&str; 11] =
    ["최 영희", "=1+1", "+82", "-1", "@SUM(A1)", "＝1", "a,b", "q\"uote", "  =2", "\t=3", ";x"];

/// Saves the table of a lesson that 하나 and bob attend; returns its first column.
fn save_table(path: &Path) -> Vec<String> {
    let server = start(|config| {
        config.lang = Lang::Ko;
        config.roster = ROSTER.map(str::to_owned).into();
    });
    let mut kim = begin(&server);
    let mut people = ["하나", "bob"].map(|name| server.login(name));
    people[0].send("안녕\n").expect("[하나] 안녕\n");
    kim.command("/attendance");
    let attendance = kim.next("attendance");
    let path_there = attendance["path"].as_str().expect("there is a page");
    let request = format!("GET {path_there} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let downloaded = answer(server.web_address(), &request);
    let (_, table) = downloaded.split_once("\r\n\r\n").expect("it has a body");
    fs::write(path, table).expect("the folder is there");
    let marked =
        ROSTER.map(|name| match name.trim_start().starts_with(['=', '+', '-', '@', '＝']) {
            true => format!("'{name}"),
            false => name.to_owned(),
        });
    ["이름", "bob", "하나"].map(str::to_owned).into_iter().chain(marked).collect()
}

#[test]
#[ignore = "needs python3"]
fn pythons_csv_reads_the_table() {
    const READ: &str = "import csv, json, sys\n\
        rows = list(csv.reader(open(sys.argv[1], encoding='utf-8-sig', newline='')))\n\
        assert all(len(row) == 8 for row in rows), rows\n\
        print(json.dumps([row[0] for row in rows]))\n";
    let folder = TestFolder::new();
    let path = folder.path().join("attendance.csv");
    let expected = save_table(&path);
    let mut python = Command::new("python3");
    let read = Program::start(python.args(["-c", READ]).arg(&path)).expect_success(PATIENCE);
    let names: Vec<String> = serde_json::from_str(&read).expect("JSON");
    let trimmed = |names: &[String]| -> Vec<String> {
        names.iter().map(|name| name.split_whitespace().collect()).collect()
    };
    assert_eq!(trimmed(&names), trimmed(&expected));
}

/// LibreOffice takes 300 MB, and CI does not install it.
#[test]
#[ignore = "needs LibreOffice"]
fn libreoffice_opens_the_table_with_hangul_and_without_a_formula() {
    if Command::new("soffice").arg("--version").output().is_err() {
        println!("LibreOffice is not here: the table was not opened by it");
        return;
    }
    let folder = TestFolder::new();
    let path = folder.path().join("attendance.csv");
    let expected = save_table(&path);
    let mut soffice = Command::new("soffice");
    soffice.arg(format!("-env:UserInstallation=file://{}/profile", folder.path().display()));
    // Separated by commas, quoted with double quotes, in UTF-8.
    soffice.args(["--headless", "--infilter=CSV:44,34,76,1", "--convert-to", "fods", "--outdir"]);
    Program::start(soffice.arg(folder.path()).arg(&path)).expect_success(PATIENCE);
    let opened = fs::read_to_string(folder.path().join("attendance.fods")).expect("it was opened");
    assert!(!opened.contains("table:formula"), "{opened}");
    for name in expected {
        let name = name.trim().replace('"', "&quot;").replace('\'', "&apos;");
        // Blanks at the beginning of a cell have their own notation.
        let shown = name.split_whitespace().next_back().expect("a name");
        assert!(opened.contains(&format!("{shown}</text:p>")), "{name} is not in\n{opened}");
    }
}
