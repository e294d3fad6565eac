//! Rules of the repository that no compiler knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const MOST_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` that end in `.extension`, build output and hidden folders left out.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository can be read") {
            let path = entry.expect("an entry of that folder can be read").path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root()).unwrap().to_owned(), text)
    };
    files(root(), "rs").into_iter().map(read).collect()
}

/// The names of all packages that `package` needs at run time.
fn dependencies(package: &str, more: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "tree",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--locked",
            "--offline",
            "--package",
            package,
        ])
        .args(more)
        .output()
        .expect("cargo runs, for it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned);
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn arrows_point_at_the_domain() {
    let absent = |package: &str, more: &[&str], banned: &[&str]| {
        let found = dependencies(package, more);
        assert!(found.contains(package), "the tree of {package} names at least {package}");
        for name in banned {
            assert!(!found.contains(*name), "{package} must not depend on {name}");
        }
    };
    let outside = ["tokio", "actix", "actix-web", "async-nats", "doorbuster-bus", "doorbuster-actors"];
    absent("doorbuster-domain", &["--all-features"], &outside);
    absent(
        "doorbuster-bus",
        &["--all-features"],
        &["actix", "actix-web", "doorbuster-actors", "doorbuster-loadtest"],
    );
    absent("doorbuster-actors", &[], &["async-nats", "actix-web", "doorbuster-loadtest"]);
    absent("doorbuster-loadtest", &[], &["actix", "async-nats", "doorbuster-actors"]);
}

#[test]
fn no_file_is_longer_than_one_thought() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines, allowed are {MOST_LINES}", path.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not hold them itself.
    let banned = ["TO", "FIX"].iter().zip(["DO", "ME"]).map(|(head, tail)| format!("{head}{tail}"));
    let banned: Vec<String> =
        banned.chain(["todo", "unimplemented"].iter().map(|name| format!("{name}!("))).collect();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for word in &banned {
                assert!(!line.contains(word.as_str()), "{}:{}: {word}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        for vague in ["utils", "util", "common", "helpers", "helper", "manager", "misc"] {
            assert_ne!(stem, vague, "{}: name it after what is in it", path.display());
        }
    }
}

#[test]
fn no_thread_sleeps_through_real_time() {
    let banned = ["thread::", "sleep"].concat();
    for (path, text) in sources() {
        assert!(!text.contains(&banned), "{}: wait for a condition, with a bound", path.display());
    }
}

/// Files of tests that may sleep for real, and why.
const POLLERS: [(&str, &str); 4] = [
    ("bus/tests/suite/nats.rs", "its `until` looks at a real server, with a deadline"),
    (
        "tests/suite/overload.rs",
        "it reads the numbers of a real server while it is loaded; what loads it has a bound",
    ),
    (
        "tests/suite/together.rs",
        "it plays senders that wait for company; no test waits for it, and simulations pause the clock",
    ),
    (
        "tests/suite/until.rs",
        "it looks at a real server, with a bound: what all tests of the server wait with",
    ),
];

/// The part of a source that only tests run; none = there is none.
fn of_tests<'a>(path: &Path, text: &'a str) -> Option<&'a str> {
    if path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs") {
        return Some(text);
    }
    text.split_once("\n#[cfg(test)]\nmod tests {").map(|(_, tests)| tests)
}

fn sleeps(text: &str) -> bool {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(is_code).any(|line| line.contains("sleep(") || line.contains("sleep_until("))
}

/// Does it sleep on a clock that runs? On a paused one a sleep takes no time, and ends when nothing else is left to do.
fn sleeps_for_real(text: &str) -> bool {
    let runs_free = |line: &str| {
        let line = line.trim_start();
        let is_paused = line.contains("start_paused = true");
        (line.starts_with("#[tokio::test") && !is_paused) || line.starts_with("#[actix")
    };
    sleeps(text) && (!text.contains("start_paused") || text.lines().any(runs_free))
}

#[test]
fn a_test_that_sleeps_has_a_paused_clock_or_is_a_poller_that_is_named() {
    let mut pollers = BTreeSet::new();
    for (path, text) in sources() {
        if !of_tests(&path, &text).is_some_and(sleeps_for_real) {
            continue;
        }
        let poller = POLLERS.iter().find(|(name, _)| path == Path::new(name));
        let (name, _) = poller.unwrap_or_else(|| {
            panic!("{}: wait for a condition, or pause the clock of all its tests", path.display())
        });
        pollers.insert(*name);
    }
    let named: BTreeSet<&str> = POLLERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(pollers, named, "who sleeps no more is not named any more");
}

#[test]
fn a_sleep_is_found_where_it_takes_real_time() {
    let nap = ["    tokio::time::sle", "ep(SECOND).await;\n"].concat();
    for (before, found) in [
        ("#[tokio::test(start_paused = true)]\n", false),
        ("builder.start_paused(true);\n", false),
        ("#[tokio::test]\n", true),
        ("#[tokio::test(start_paused = true)]\nfn a() {}\n#[tokio::test]\n", true),
        ("#[tokio::test(start_paused = true)]\nfn a() {}\n#[actix_web::test]\n", true),
        ("", true),
    ] {
        assert_eq!(sleeps_for_real(&format!("{before}{nap}")), found, "{before}");
        assert!(!sleeps_for_real(&format!("{before}//{nap}")), "{before}");
    }
    let source = format!("fn work() {{\n{nap}}}\n");
    assert_eq!(of_tests(Path::new("src/work.rs"), &source), None);
    let source = format!("fn work() {{}}\n\n#[cfg(test)]\nmod tests {{\n{nap}}}\n");
    assert!(of_tests(Path::new("src/work.rs"), &source).is_some_and(sleeps_for_real));
}

#[test]
fn every_invariant_is_cited_by_a_test() {
    let architecture = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let section = architecture
        .split("\n## Invariants\n")
        .nth(1)
        .expect("docs/architecture.md has a section Invariants");
    let section = section.split("\n## ").next().unwrap();
    let names: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|name| name.contains('-') && !name.starts_with('-'))
        .collect();
    assert!(names.len() >= 10, "found only {names:?}");
    let sources = sources();
    for name in names {
        let citation = format!("invariant: {name}");
        assert!(sources.iter().any(|(_, text)| text.contains(&citation)), "no test cites `{citation}`");
    }
}

#[test]
fn what_flow_control_promises_is_shown_by_tests_that_are_there() {
    let promises = std::fs::read_to_string(root().join("docs/flow-control.md")).unwrap();
    let promises = promises.split("\n## Bounds\n").next().unwrap();
    let sources = sources();
    let mut count = 0;
    for row in promises.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")) {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in shown_by.split(", ").map(|name| name.trim_matches('`')) {
            assert!(sources.iter().any(|(_, text)| has_test(text, name)), "no test is called {name}: {row}");
            count += 1;
        }
    }
    assert!(count >= 40, "found only {count}");
}

/// Is there a test of this name, and is it run? Its attributes stand on the lines just above it.
fn has_test(text: &str, name: &str) -> bool {
    let of_name =
        |line: &str| line.split_once("fn ").is_some_and(|(_, rest)| rest.starts_with(&format!("{name}(")));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let attributes = || lines[..at].iter().rev().take_while(|above| above.starts_with("#["));
        of_name(line)
            && attributes().any(|attribute| attribute.contains("test]") || attribute.contains("::test("))
            && !attributes().any(|attribute| attribute[2..].starts_with("ignore"))
    })
}

#[test]
fn only_what_is_run_counts_as_a_test() {
    assert!(
        has_test("#[test]\n#[expect(x)]\n    fn it() {", "it")
            && has_test("#[actix::test]\nasync fn it() {", "it")
    );
    let word = "ignore";
    let passed_over = format!("#[test]\n#[{word}]");
    for attributes in ["", "#[cfg(x)]", &passed_over] {
        assert!(!has_test(&format!("{attributes}\nfn it() {{"), "it"), "{attributes}");
    }
    assert!(!has_test("#[test]\nfn it_is() {", "it"));
}

#[test]
fn every_bound_that_is_told_of_has_its_key_and_its_metric() {
    // invariant: bounded-everything
    let page = std::fs::read_to_string(root().join("docs/flow-control.md")).unwrap();
    let bounds = page.split("\n## Bounds\n").nth(1).expect("docs/flow-control.md has a section Bounds");
    let keys = std::fs::read_to_string(root().join("config/default.toml")).unwrap();
    let telemetry = sources().into_iter().filter(|(path, _)| path.starts_with("src/telemetry"));
    let telemetry: String = telemetry.map(|(_, text)| text).collect();
    let names =
        |cell: &str| cell.split(", ").map(|name| name.trim_matches('`').to_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<&str>> = bounds
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| what"))
        .map(|row| row.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    for row in &rows {
        let [what, key, _, metric] = row[..] else { panic!("{row:?} has not four cells") };
        for key in names(key) {
            let last = key.rsplit('.').next().unwrap();
            let section = key.strip_suffix(".*").map(|section| format!("[{section}]"));
            let line = section.unwrap_or_else(|| format!("{last} = "));
            assert!(keys.lines().any(|found| found.starts_with(&line)), "{what}: no key {key}");
        }
        for metric in names(metric) {
            assert!(telemetry.contains(&format!("\"{metric}\"")), "{what}: no metric {metric}");
        }
    }
    assert!(rows.len() >= 12, "found only {}", rows.len());
}

#[test]
fn links_between_documents_lead_somewhere() {
    for path in files(root(), "md") {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let file = link.split('#').next().unwrap();
            let target = path.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link} leads nowhere", path.display());
        }
    }
}

#[test]
fn the_continuous_check_is_the_test_command() {
    let text = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    let commands: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect();
    assert_eq!(commands, ["exec \"$(dirname \"$0\")/../test\""]);
}
