//! Scenarios are read whole, and told in their own words where they are wrong.

use std::time::Duration;

use crate::workload::{Limited, StockPlan};

use super::{Class, FaultKind, Invariant, Problems, Scenario, Spacing, builtin, schema};
use domain::decider::Participant;

const LEAST: &str = "schema = \"doorbuster-loadtest/1\"\n[[phases]]\nrate = \"10/s\"\nover = \"1m\"\n";

fn parse(text: &str) -> Result<Scenario, Problems> {
    Scenario::parse("test", text, None)
}

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(scenario) => panic!("{scenario:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_least_scenario_has_defaults_for_everything_else() {
    let scenario = parse(LEAST).unwrap();
    assert_eq!(scenario.duration(), Duration::from_mins(1));
    assert_eq!(scenario.phases[0].label, "phase 1");
    assert_eq!(scenario.mix.weights, [1, 0, 0, 0]);
    assert_eq!((scenario.spacing, scenario.most_lateness), (Spacing::Poisson, Duration::from_millis(5)));
    assert_eq!(scenario.invariants, Invariant::ALL);
}

#[test]
fn tenants_are_different_names() {
    let with = |tenants: &str| format!("{LEAST}[data]\ntenants = {tenants}\n");
    assert_eq!(parse(&with("[\"eu\", \"us\"]")).unwrap().data.tenants, ["eu", "us"]);
    assert_eq!(parse(LEAST).unwrap().data.tenants, Vec::<String>::new());
    for wrong in ["[]", "[\"eu\", \"eu\"]", "[\"e.u\"]", "[5]", "\"eu\""] {
        assert!(problems(&with(wrong))[0].contains("data.tenants"), "{wrong}");
    }
}

#[test]
fn orders_that_expire_come_once_and_have_some_time() {
    let with = |run: &str, mix: &str| format!("{LEAST}[run]\nexpires = \"{run}\"\n[mix]\n{mix}\n");
    let fine = parse(&with("5s", "standard = 1")).unwrap();
    assert_eq!((fine.expires, parse(LEAST).unwrap().expires), (Some(Duration::from_secs(5)), None));
    assert!(problems(&with("0s", "standard = 1"))[0].contains("run.expires"));
    assert!(problems(&with("5s", "standard = 1\nduplicates = \"1%\""))[0].contains("mix.duplicates"));
}

#[test]
fn every_scenario_of_the_program_is_valid_and_says_what_it_shows() {
    for builtin in builtin::ALL {
        let scenario = Scenario::parse(builtin.name, builtin.text, None)
            .unwrap_or_else(|problems| panic!("{}:\n{problems}", builtin.name));
        assert_eq!(scenario.name, builtin.name);
        assert!(!scenario.about.is_empty() && !scenario.objectives.is_empty(), "{}", builtin.name);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let is_toml = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let tomls: Vec<std::path::PathBuf> = paths.filter(is_toml).collect();
    assert_eq!(tomls.len(), builtin::ALL.len(), "{tomls:?}");
    assert_eq!(builtin::named("flash-sale").map(|found| found.name), Some("flash_sale"));
}

#[test]
fn all_mistakes_are_told_at_once_with_line_field_value_and_remedy() {
    let text = "schema = \"doorbuster-loadtest/1\"\n\
                [run]\nwramup = \"5s\"\nseed = -1\n\
                [[phases]]\nrate = \"fast\"\nover = \"1m\"\n\
                [[slo]]\nmetric = \"commit.p99\"\nvalue = \"50\"\n\
                [[faults]]\nkind = \"slow\"\nat = \"5s\"\nparticipant = \"erq\"\n";
    let told = problems(text);
    let expected = [
        "line 3: run.wramup: unknown key; did you mean warmup?",
        "line 4: run.seed = -1: expected a whole number from 0 to 4294967295",
        "line 6: phases[1].rate = \"fast\": expected a rate such as \"200/s\", \"1.5k/s\" or \"0..20k/s\"",
        "line 10: slo[1].value = 50: expected a time such as \"50ms\"",
        "line 14: faults[1].participant = \"erq\": expected one of loyalty, payment, allocation, fulfillment, erp",
    ];
    for line in expected {
        assert!(told.iter().any(|told| told == line), "{line}\nis not in\n{}", told.join("\n"));
    }
    assert!(
        told.iter().any(|told| told.contains("faults[1].latency: is missing; slow needs it")),
        "{told:?}"
    );
}

#[test]
fn what_does_not_fit_together_is_told() {
    let with = |more: &str| problems(&format!("{LEAST}{more}")).join("\n");
    assert!(
        with("[[faults]]\nkind = \"restart\"\nat = \"2m\"\n").contains("before the last phase ends (1m)")
    );
    assert!(
        with("[[faults]]\nkind = \"restart\"\nat = \"1s\"\nperiod = \"2s\"\n")
            .contains("no meaning for restart")
    );
    assert!(with("[run]\nwarmup = \"1m\"\n").contains("shorter than all phases"));
    assert!(with("[mix]\nstandard = 0\n").contains("all weights are 0"));
    assert!(with("[participants.erp]\nsilences = \"0.05%\"\n").contains("in steps of 0.1%"));
    assert!(
        with("[[slo]]\nmetric = \"commit.p99\"\nvalue = \"1s\"\nphase = \"peak\"\n")
            .contains("no phase has this label")
    );
    assert!(
        with("[[slo]]\nmetric = \"open\"\nvalue = \"0\"\nclass = \"mixed\"\n")
            .contains("no meaning for open")
    );
    assert!(with("[data]\nhot_sku = { id = \"OUT-1\", share = \"5%\" }\n").contains("not OUT- or SHORT-"));
    assert!(problems(&LEAST.replace("10/s", "0/s")).join("").contains("no order would come"));
    assert!(problems("not toml").join("").starts_with("line 1: TOML: "));
    assert!(problems("").join("\n").contains("phases: is missing"));
}

#[test]
fn time_scale_shortens_phases_and_faults_and_leaves_rates() {
    let text = format!(
        "{LEAST}[[faults]]\nkind = \"down\"\nparticipant = \"erp\"\nat = \"30s\"\nfor = \"20s\"\n[run]\ntime_scale = 2\n"
    );
    let scenario = parse(&text).unwrap();
    assert_eq!(scenario.duration(), Duration::from_secs(30));
    assert_eq!(scenario.faults[0].kind, FaultKind::Down(Participant::Erp));
    assert_eq!(
        (scenario.faults[0].at, scenario.faults[0].lasts),
        (Duration::from_secs(15), Duration::from_secs(10))
    );
    let faster = Scenario::parse("test", &text, Some(10)).unwrap();
    assert_eq!((faster.duration(), faster.phases[0].ramp.from), (Duration::from_secs(6), 10.0));
}

#[test]
fn settings_of_the_server_may_have_dots() {
    let scenario =
        parse(&format!("{LEAST}[server]\n\"order.erp.most_ms\" = 5_000\nnode.idle_after_ms = 200\n"))
            .unwrap();
    assert_eq!(scenario.server["order.erp.most_ms"], "5000");
    assert_eq!(scenario.server["node.idle_after_ms"], "200");
}

#[test]
fn stock_is_kept_only_if_it_is_asked_for_and_has_defaults() {
    assert_eq!(parse(LEAST).unwrap().stock, None);
    let plain = parse(&format!("{LEAST}[stock]\n")).unwrap().stock.unwrap();
    assert_eq!(plain, StockPlan::PLENTY);
    let text = "[data]\nlines = 5\nquantity = 2\n[stock]\nallocate_after_commit = 3\nexternal_allocation = 1\nnodes = 8\nunits = 40\n\
                abandoned = \"5%\"\nfacts = \"20/s\"\ncoupon = { share = \"10%\", uses = 7 }\n";
    let scenario = parse(&format!("{LEAST}{text}")).unwrap();
    assert_eq!((scenario.data.lines, scenario.data.quantity), (Some(5), Some(2)));
    let stock = scenario.stock.unwrap();
    assert_eq!((stock.policies, stock.nodes, stock.units), ([0, 0, 3, 1], 8, 40));
    assert_eq!(stock.coupon, Some(Limited { share: 0.1, uses: 7 }));
    assert!((stock.facts_per_second - 20.0).abs() < 1e-9 && stock.promotion.is_none());
}

#[test]
fn stock_that_makes_no_sense_is_told() {
    let text = "[stock]\nhold_at_submit = 0\nfacts = \"1..9/s\"\npromotion = { share = \"1%\" }\nnods = 3\n";
    let told = problems(&format!("{LEAST}{text}")).join("\n");
    for expected in ["unknown key; did you mean nodes?", "stock.promotion.uses: is missing"] {
        assert!(told.contains(expected), "{told}");
    }
    let text = "[stock]\nhold_at_submit = 0\nfacts = \"1..9/s\"\n";
    let told = problems(&format!("{LEAST}{text}")).join("\n");
    assert!(told.contains("all weights are 0") && told.contains("facts come evenly"), "{told}");
}

#[test]
fn classes_have_their_places() {
    for (place, class) in Class::ALL.into_iter().enumerate() {
        assert_eq!(class.place(), place);
    }
}

/// `UPDATE_GOLDEN=1` writes the file anew.
#[test]
fn the_schema_beside_the_scenarios_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/scenario.schema.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), made, "{}", path.display());
}
