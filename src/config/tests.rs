use std::collections::BTreeSet;
use std::io::Write;

use super::{Config, DEFAULTS, environment_name, flatten};
use crate::cli::ServeOptions;
use crate::exit::{Exit, Failure};

fn with_file(text: &str) -> Result<Config, Failure> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let options = ServeOptions { config: Some(file.path().to_owned()), ..ServeOptions::default() };
    Config::from_layers(&options, std::iter::empty())
}

fn with_environment(pairs: &[(&str, &str)]) -> Result<Config, Failure> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_layers(&ServeOptions::default(), pairs)
}

#[test]
fn keys_of_the_default_file_are_the_keys_of_the_config() {
    let file = flatten(&DEFAULTS.parse().unwrap());
    let config = flatten(&toml::Table::try_from(Config::default()).unwrap());
    let file: BTreeSet<_> = file.keys().collect();
    let config: BTreeSet<_> = config.keys().collect();
    assert_eq!(file, config, "left: config/default.toml, right: struct Config");
}

#[test]
fn the_defaults_of_the_code_are_the_defaults_of_the_file() {
    let order = domain::order::Policies::default();
    assert_eq!(Config::default().order, order);
    let reservation = toml::Value::try_from(domain::reservation::Policies::default()).unwrap();
    assert_eq!(toml::Value::try_from(Config::default().reservation).unwrap(), reservation);
    assert_eq!(Config::default().stock, domain::stock::Policies::default());
    let counter = domain::counter::Policies::default();
    let of_file = Config::default().counter;
    assert_eq!((of_file.claims_most, of_file.customers_most), (counter.claims_most, counter.customers_most));
    let of_code = toml::Value::try_from(actors::config::NodeConfig::default()).unwrap();
    let of_file = toml::Value::try_from(Config::default().node).unwrap();
    assert_eq!(of_code, of_file);
}

#[test]
fn every_key_of_the_default_file_has_a_comment_with_unit_and_reason() {
    let mut comment = false;
    for line in DEFAULTS.lines() {
        match line.trim() {
            text if text.starts_with('#') => comment = true,
            "" => comment = false,
            text if text.starts_with('[') => {}
            text => assert!(comment, "no comment above {text:?}"),
        }
    }
}

#[test]
fn no_two_keys_share_a_variable() {
    let keys = flatten(&DEFAULTS.parse().unwrap());
    let names: BTreeSet<_> = keys.keys().map(|key| environment_name(key)).collect();
    assert_eq!(names.len(), keys.len());
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(
        b"[nats]\nurl = \"nats://file:1\"\nroot = \"shop\"\n[order]\ncommit_deadline_ms = 7_000\n",
    )
    .unwrap();
    let options = ServeOptions {
        config: Some(file.path().to_owned()),
        nats: Some("nats://flag:3".to_owned()),
        http: None,
    };
    let environment = [
        ("DOORBUSTER_NATS_URL", "nats://environment:2"),
        ("DOORBUSTER_ORDER_COMMIT_DEADLINE_MS", "8000"),
        ("DOORBUSTER_NATS_SERVER", "/usr/bin/nats-server"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_layers(&options, environment.into_iter()).unwrap();
    assert_eq!(config.nats.url, "nats://flag:3");
    assert_eq!(config.nats.root, "shop");
    assert_eq!(config.order.commit_deadline_ms, 8_000);
    assert_eq!(config.http, Config::default().http);
}

#[test]
fn unknown_keys_are_refused_with_line_and_known_names() {
    let failure = with_file("[nats]\n# mistyped\nurll = \"x\"\n\n[order.payment]\nfirst = 3\n").unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(
        failure.what.contains(":3: unknown key `nats.urll`; known here: root, sync, url"),
        "{}",
        failure.what
    );
    assert!(failure.what.contains(":6: unknown key `order.payment.first`"), "{}", failure.what);
}

#[test]
fn a_value_of_another_type_is_refused_with_its_line() {
    let failure = with_file("[order]\ncommit_deadline_ms = \"30s\"\n").unwrap_err();
    assert!(
        failure.what.ends_with(":2: `order.commit_deadline_ms` must be an integer, found a string"),
        "{}",
        failure.what
    );
    let failure = with_environment(&[("DOORBUSTER_ORDER_COMMIT_DEADLINE_MS", "soon")]).unwrap_err();
    assert!(failure.what.starts_with("DOORBUSTER_ORDER_COMMIT_DEADLINE_MS: "), "{}", failure.what);
}

#[test]
fn broken_toml_is_refused_with_its_line() {
    let failure = with_file("[nats]\nurl = \n").unwrap_err();
    assert!(failure.what.contains(":2: "), "{}", failure.what);
}

#[test]
fn an_unknown_variable_is_refused() {
    let failure = with_environment(&[("DOORBUSTER_NATS_URLL", "x")]).unwrap_err();
    assert!(failure.what.contains("DOORBUSTER_NATS_URLL") && failure.what.contains("DOORBUSTER_NATS_URL,"));
    assert_eq!(failure.exit, Exit::Usage);
}

#[test]
fn values_out_of_range_name_key_value_unit_and_range() {
    let failure = with_environment(&[
        ("DOORBUSTER_HTTP_ADDRESS", "0.0.0.0:8470"),
        ("DOORBUSTER_ORDER_PAYMENT_FIRST_MS", "0"),
    ])
    .unwrap_err();
    assert!(failure.what.contains("http.address = 0.0.0.0:8470"), "{}", failure.what);
    assert!(
        failure.what.contains("order.payment.first_ms = 0 ms: must be from 10 to 30000 ms"),
        "{}",
        failure.what
    );
}

#[test]
fn a_default_policy_that_needs_a_reservation_is_refused_with_the_choice() {
    let failure = with_file("[order.stock]\npolicy = \"use_reservation\"\nfirst_ms = 5\n").unwrap_err();
    let expected = "order.stock.policy = \"use_reservation\": an order without a reservation_id would have nothing to use; \
                    must be \"external_allocation\", \"hold_at_submit\" or \"allocate_after_commit\"";
    assert!(failure.what.contains(expected), "{}", failure.what);
    assert!(
        failure.what.contains("order.stock.first_ms = 5 ms: must be from 10 to 30000 ms"),
        "{}",
        failure.what
    );
}

#[test]
fn events_that_must_be_asked_for_are_named_and_no_others() {
    let config = with_file("[node]\nfurther = [\"stock.moved\"]").unwrap();
    assert!(config.node.further.tells("stock.moved") && !config.node.further.tells("stock.feed"));
    let failure = with_file("[node]\nfurther = [\"stock.reserved\"]").unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    for part in ["stock.reserved", "stock.moved", "reservation.parked"] {
        assert!(failure.what.contains(part), "{part} is missing in {}", failure.what);
    }
}

#[test]
fn a_degraded_mode_that_is_missing_is_named() {
    let mut table: toml::Table = DEFAULTS.parse().unwrap();
    table["degraded_modes"].as_table_mut().unwrap().remove("erp");
    let error = toml::Value::Table(table).try_into::<Config>().unwrap_err();
    assert!(error.message().contains("missing field `erp`"), "{error}");
    let mut table: toml::Table = DEFAULTS.parse().unwrap();
    table["degraded_modes"]["payment"].as_table_mut().unwrap().remove("open");
    let error = toml::Value::Table(table).try_into::<Config>().unwrap_err();
    assert!(error.message().contains("missing field `open`"), "{error}");
}

#[test]
fn a_degraded_mode_that_cannot_be_or_is_no_mode_is_refused_with_the_choice() {
    let failure = with_file("[degraded_modes.erp]\nopen = \"refuse_new\"\n").unwrap_err();
    let expected = "degraded_modes.erp.open = \"refuse_new\": must be \"defer\", since no order is refused for what comes \
                    after its commit";
    assert_eq!(failure.what, expected);
    let failure = with_file("[degraded_modes.payment]\nopen = \"hope\"\n").unwrap_err();
    assert!(
        failure.what.contains("unknown variant `hope`, expected one of `wait`, `defer`, `refuse_new`"),
        "{}",
        failure.what
    );
    assert!(with_file("[degraded_modes.payment]\nopen = \"refuse_new\"\n").is_ok());
}

#[test]
fn the_limits_of_a_participant_are_checked_with_their_ranges() {
    let failure =
        with_file("[node.participants.erp]\nrate_per_second = 1_000\nburst = 5\nprobes = 0\n").unwrap_err();
    for line in [
        "node.participants.erp.probes = 0 commands: must be from 1 to 10000 commands",
        "node.participants.erp.burst = 5 commands: 1000 commands a second cannot be reached with less than 20",
    ] {
        assert!(failure.what.lines().any(|found| found == line), "{}", failure.what);
    }
}

#[test]
fn quotas_are_read_from_file_and_environment_and_wrong_ones_are_named() {
    let config = with_file("[node.flow]\nchannels = [\"web 500 1000 high\", \"* 20 40 low\"]\n").unwrap();
    let read: Vec<String> = config.node.flow.channels.into_iter().map(String::from).collect();
    assert_eq!(read, ["web 500 1000 high", "* 20 40 low"]);
    let config = with_environment(&[("DOORBUSTER_NODE_FLOW_TENANTS", "main 5 10, other 7 7")]).unwrap();
    assert_eq!(config.node.flow.tenants.len(), 2);
    let failure = with_environment(&[("DOORBUSTER_NODE_FLOW_TENANTS", "main 5 10,main 6 10")]).unwrap_err();
    assert!(failure.what.contains("node.flow.tenants: main has two quotas"), "{}", failure.what);
    let failure = with_environment(&[("DOORBUSTER_NODE_FLOW_CHANNELS", "web fast")]).unwrap_err();
    assert!(
        failure.what.contains("web fast") && failure.what.contains("orders a second"),
        "{}",
        failure.what
    );
    let failure = with_environment(&[("DOORBUSTER_NODE_FLOW_MEMORY_BYTES", "1000")]).unwrap_err();
    assert!(failure.what.contains("node.flow.memory_bytes = 1000 bytes"), "{}", failure.what);
}

#[test]
fn beyond_loopback_only_with_a_reason() {
    let outside = ("DOORBUSTER_HTTP_ADDRESS", "0.0.0.0:8470");
    let refused = |pairs: &[(&str, &str)]| with_environment(pairs).unwrap_err().what;
    assert!(refused(&[outside]).contains("control.beyond_loopback"));
    let short = refused(&[outside, ("DOORBUSTER_CONTROL_BEYOND_LOOPBACK", "because")]);
    assert!(short.contains("control.beyond_loopback = \"because\": must be empty"), "{short}");
    let why = ("DOORBUSTER_CONTROL_BEYOND_LOOPBACK", "a proxy that authenticates stands in front");
    let config = with_environment(&[outside, why, ("DOORBUSTER_CONTROL_HOSTS", "orders.example")]).unwrap();
    assert_eq!(config.control.hosts, ["orders.example"]);
    let host = refused(&[("DOORBUSTER_CONTROL_HOSTS", "http://orders.example:1")]);
    assert!(host.contains("without scheme, port and path"), "{host}");
}
