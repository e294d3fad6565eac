//! Every key of a scenario: its form, its bounds and its meaning, in one place. Reading, errors and the JSON Schema come from here.

/// The word in `schema`: this format, first edition.
pub const FORMAT: &str = "doorbuster-loadtest/1";

/// The most phases of a scenario.
pub const MOST_PHASES: usize = 32;
/// The most faults.
pub const MOST_FAULTS: usize = 64;
/// The most objectives.
pub const MOST_OBJECTIVES: usize = 32;
/// The most tenants.
pub const MOST_TENANTS: usize = 64;
/// The highest rate, in orders a second.
pub const MOST_RATE: f64 = 1_000_000.0;
/// The most orders of a run.
pub const MOST_ORDERS: f64 = 50_000_000.0;

/// The form of a value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text of at most so many bytes.
    Text(usize),
    /// A whole number in these bounds.
    Whole(u64, u64),
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `200/s` or `0..20k/s`.
    Rate,
    /// `1m30s`.
    Time,
    /// `1ms..20ms`.
    Times,
    /// `0.5%`.
    Share,
    /// `uniform` or `zipf(1.1)`.
    Skew,
    /// At most so many different tokens of a subject: `["eu", "us"]`.
    Names(usize),
    /// A table with these keys.
    Table(&'static Section),
    /// So many tables with these keys.
    Tables(&'static Section, usize),
    /// A table with any keys, dots allowed.
    Settings,
}

impl Kind {
    /// What is expected, in words.
    pub fn expected(self) -> String {
        match self {
            Self::Text(most) => format!("a text of at most {most} bytes"),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Rate => "a rate such as \"200/s\", \"1.5k/s\" or \"0..20k/s\"".to_owned(),
            Self::Time => "a time such as \"250ms\", \"20s\" or \"1m30s\"".to_owned(),
            Self::Times => "a time such as \"5ms\", or two such as \"1ms..20ms\"".to_owned(),
            Self::Share => "a part of a hundred such as \"0.5%\"".to_owned(),
            Self::Skew => "\"uniform\", or \"zipf(1.1)\" with an exponent from 0.1 to 5".to_owned(),
            Self::Names(most) => format!(
                "1 to {most} different names such as [\"eu\", \"us\"], of lower case letters, digits, _ and -"
            ),
            Self::Table(_) => "a table".to_owned(),
            Self::Tables(_, most) => format!("1 to {most} tables"),
            Self::Settings => "a table of configuration keys".to_owned(),
        }
    }
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// Must it be there?
    pub needed: bool,
    /// What it means.
    pub about: &'static str,
}

/// The keys of a table.
#[derive(Debug)]
pub struct Section {
    /// All of them.
    pub fields: &'static [Field],
}

const fn field(key: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { key, kind, needed: false, about }
}

const fn needed(key: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { key, kind, needed: true, about }
}

const NAMES: [&str; 5] = ["loyalty", "payment", "allocation", "fulfillment", "erp"];

/// The whole file.
pub static ROOT: Section = Section {
    fields: &[
        needed("schema", Kind::Choice(&[FORMAT]), "The format of this file."),
        field("name", Kind::Text(80), "Its name in reports; without it, the name of the file."),
        field("about", Kind::Text(2_000), "What it shows."),
        field("run", Kind::Table(&RUN), "How the run is made."),
        needed("phases", Kind::Tables(&PHASE, MOST_PHASES), "The load, one phase after the other."),
        field("mix", Kind::Table(&MIX), "Which orders come, and how often."),
        field("data", Kind::Table(&DATA), "What is bought."),
        field(
            "stock",
            Kind::Table(&STOCK),
            "Stock that Doorbuster keeps itself; without it, the allocation participant decides who gets what.",
        ),
        field(
            "participants",
            Kind::Table(&PARTICIPANTS),
            "How the simulated participants behave while nothing is wrong.",
        ),
        field("faults", Kind::Tables(&FAULT, MOST_FAULTS), "What goes wrong, and when."),
        field("slo", Kind::Tables(&SLO, MOST_OBJECTIVES), "What must hold of the measurements."),
        field(
            "invariants",
            Kind::Table(&INVARIANTS),
            "What must hold of every order; all are on unless set to false.",
        ),
        field(
            "server",
            Kind::Settings,
            "Keys of config/default.toml for the server that is started for the run, such as \"order.erp.most_ms\" = 5000.",
        ),
    ],
};

static RUN: Section = Section {
    fields: &[
        field(
            "seed",
            Kind::Whole(0, u32::MAX as u64),
            "The same number makes the same orders, arrivals and answers; default 1.",
        ),
        field(
            "warmup",
            Kind::Time,
            "Orders that come before this time are judged but not measured; default 0s.",
        ),
        field(
            "patience",
            Kind::Time,
            "How long nothing may move after the last arrival before the run is given up; default 60s.",
        ),
        field(
            "in_flight",
            Kind::Whole(1, 5_000_000),
            "Orders that may be under way; beyond it the generator is late; default 200000.",
        ),
        field(
            "expires",
            Kind::Time,
            "What is not begun so long after it was meant to come is refused, as the header ce-expirytime says; default: no header.",
        ),
        field("arrivals", Kind::Choice(&["poisson", "even"]), "How arrivals lie in time; default poisson."),
        field(
            "max_lateness",
            Kind::Time,
            "If the generator's p99 lateness is more, the run is invalid; default 5ms.",
        ),
        field(
            "time_scale",
            Kind::Whole(1, 3_600),
            "Phases, warm-up and faults take so many times less; rates stay; default 1.",
        ),
        field(
            "sync",
            Kind::Choice(&["default", "always"]),
            "When a nats-server started for the run writes to disk: every two minutes, or before each ack.",
        ),
        field(
            "batches",
            Kind::Switch,
            "Commands and answers share messages where several are ready; default false.",
        ),
    ],
};

static PHASE: Section = Section {
    fields: &[
        needed("rate", Kind::Rate, "Orders a second, or a ramp from one rate to another."),
        needed("over", Kind::Time, "How long."),
        field("label", Kind::Text(40), "Its name in reports; default phase 1, phase 2 …"),
    ],
};

static MIX: Section = Section {
    fields: &[
        field(
            "standard",
            Kind::Whole(0, 1_000_000),
            "Weight of orders that are all alike: three lines, points, one card, one parcel.",
        ),
        field(
            "mixed",
            Kind::Whole(0, 1_000_000),
            "Weight of all sorts: 1-5 lines, several cards, nodes, parcels and currencies.",
        ),
        field(
            "cancelled",
            Kind::Whole(0, 1_000_000),
            "Weight of mixed orders that the customer cancels, in whole or in part.",
        ),
        field(
            "refused",
            Kind::Whole(0, 1_000_000),
            "Weight of mixed orders that a card, points, stock or a wrong total stops.",
        ),
        field("duplicates", Kind::Share, "The part of orders that is submitted twice."),
        field(
            "poison",
            Kind::Share,
            "Messages that are no orders, for each order; each must become one dead letter.",
        ),
    ],
};

static DATA: Section = Section {
    fields: &[
        field("skus", Kind::Whole(1, 1_000_000), "How many different items; default 500."),
        field("skew", Kind::Skew, "How unevenly they are wanted; default uniform."),
        field("hot_sku", Kind::Table(&HOT_SKU), "One item that everybody wants."),
        field(
            "tenants",
            Kind::Names(MOST_TENANTS),
            "Whose orders they are, each about as many; default: those of the tenant main.",
        ),
        field("quantity", Kind::Whole(1, 1_000), "Units of each line; without it, one to nine."),
        field(
            "lines",
            Kind::Whole(1, 50),
            "Lines of each order; without it, three for standard orders and one to five for others.",
        ),
    ],
};

static STOCK: Section = Section {
    fields: &[
        field(
            "hold_at_submit",
            Kind::Whole(0, 1_000_000),
            "Weight of orders whose units are held before they are paid for; the default where no weight is given.",
        ),
        field(
            "use_reservation",
            Kind::Whole(0, 1_000_000),
            "Weight of orders of customers who have held the units before; their time counts from that hold on.",
        ),
        field(
            "allocate_after_commit",
            Kind::Whole(0, 1_000_000),
            "Weight of orders that get their units once they are committed.",
        ),
        field(
            "external_allocation",
            Kind::Whole(0, 1_000_000),
            "Weight of orders whose units the allocation participant gives.",
        ),
        field(
            "nodes",
            Kind::Whole(1, 64),
            "Nodes that ship; an item is kept at five of eight of them; default 3.",
        ),
        field(
            "units",
            Kind::Whole(0, 1_000_000_000),
            "Units of each item, all nodes together; default 3000000. Those of hot_sku are its stock, at all nodes.",
        ),
        field(
            "abandoned",
            Kind::Share,
            "For each order, so many holds that nobody buys: released, or their time passes.",
        ),
        field(
            "facts",
            Kind::Rate,
            "Receipts and adjustments a second; some come twice, some are older than the count.",
        ),
        field("promotion", Kind::Table(&LIMITED), "A promotion of first lines; each unit is a use."),
        field("coupon", Kind::Table(&LIMITED), "A coupon; each order is a use."),
    ],
};

static LIMITED: Section = Section {
    fields: &[
        needed("share", Kind::Share, "The part of orders that wants it."),
        needed(
            "uses",
            Kind::Whole(0, 1_000_000_000),
            "How often it can be used; whoever comes later is rejected.",
        ),
    ],
};

static HOT_SKU: Section = Section {
    fields: &[
        needed("id", Kind::Text(40), "The item."),
        needed("share", Kind::Share, "The part of orders that have it as their first line."),
        field(
            "stock",
            Kind::Whole(0, u32::MAX as u64),
            "How many units there are; then it is out of stock. Without it, always enough.",
        ),
    ],
};

static PARTICIPANTS: Section = Section {
    fields: &[
        field("loyalty", Kind::Table(&BEHAVIOUR), "Points."),
        field("payment", Kind::Table(&BEHAVIOUR), "Cards."),
        field("allocation", Kind::Table(&BEHAVIOUR), "Which node ships what."),
        field("fulfillment", Kind::Table(&BEHAVIOUR), "Warehouses and stores."),
        field("erp", Kind::Table(&BEHAVIOUR), "Books."),
    ],
};

static BEHAVIOUR: Section = Section {
    fields: &[
        field("latency", Kind::Times, "How long an answer takes; default 0ms..2ms."),
        field(
            "declines",
            Kind::Share,
            "How often it refuses for good what it could have done. In steps of 0.1%, as all shares here.",
        ),
        field("duplicates", Kind::Share, "How often it says the same message twice."),
        field("echoes", Kind::Share, "How often it says the same again under another id."),
        field("silences", Kind::Share, "How often it does what was asked and does not answer."),
        field("transients", Kind::Share, "How often the first send is answered by: not applied, try again."),
        field("unknown_outcomes", Kind::Share, "How often the first send is answered by: no idea."),
    ],
};

static FAULT: Section = Section {
    fields: &[
        needed(
            "kind",
            Kind::Choice(&["slow", "down", "declining", "flapping", "restart"]),
            "What happens; restart is kill -9 of the server.",
        ),
        field("participant", Kind::Choice(&NAMES), "Who it befalls; all kinds but restart need it."),
        needed("at", Kind::Time, "When it begins, from the first phase on."),
        field("for", Kind::Time, "How long it lasts; all kinds but restart need it."),
        field("latency", Kind::Times, "How long an answer takes while slow."),
        field("share", Kind::Share, "How often it refuses while declining."),
        field("period", Kind::Time, "While flapping: down for the first half of each period."),
    ],
};

static SLO: Section = Section {
    fields: &[
        needed(
            "metric",
            Kind::Text(60),
            "<leg>.<statistic>: leg ack, accept, commit or complete (e2e), statistic p50 … p99.9 or max. Or throughput, errors.rate, dead_letters, open.",
        ),
        field(
            "op",
            Kind::Choice(&["<", "<=", ">", ">="]),
            "How the measurement must stand to the value; default <=.",
        ),
        needed(
            "value",
            Kind::Text(40),
            "The limit: a time for a leg, a rate for throughput, a share for errors.rate, else a number in quotes.",
        ),
        field("name", Kind::Text(80), "Its name in reports."),
        field("phase", Kind::Text(40), "Only orders of the phase with this label; for legs."),
        field(
            "class",
            Kind::Choice(&["standard", "mixed", "cancelled", "refused"]),
            "Only orders of this class; for legs.",
        ),
        field("abort_after", Kind::Time, "Stop the run once it has not held for so long (exit code 14)."),
    ],
};

static INVARIANTS: Section = Section {
    fields: &[
        field(
            "no_lost",
            Kind::Switch,
            "Every order ends, every event is told once, dead letters are exactly the poison messages and the orders that came too late.",
        ),
        field(
            "exactly_one_terminal",
            Kind::Switch,
            "Every order ends once, legally, and as its receipt says.",
        ),
        field(
            "money_balances",
            Kind::Switch,
            "Captured, voided, points and documents agree with what departed, to the minor unit.",
        ),
        field("no_double_effect", Kind::Switch, "Nothing is done twice at a participant."),
        field(
            "no_oversell",
            Kind::Switch,
            "No unit departs that was not allocated, no item is sold beyond its stock, and nothing stays held for nobody.",
        ),
        field("form_of_contract", Kind::Switch, "Every message has the form of the contract."),
    ],
};
