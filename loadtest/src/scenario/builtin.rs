//! The scenarios that come with the program; their files are in `loadtest/scenarios/`.

/// A scenario of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        &[$(Builtin { name: $name, text: include_str!(concat!("../../scenarios/", $name, ".toml")) }),*]
    };
}

/// All of them.
pub const ALL: &[Builtin] = builtin![
    "steady",
    "flash_sale",
    "hot_sku",
    "slow_loyalty",
    "erp_down_one_hour",
    "poison",
    "restart_mid_run",
    "soak",
    "shopify-2025",
];

/// The one with this name; `-` and `_` are the same.
pub fn named(name: &str) -> Option<Builtin> {
    let alike = |name: &str| name.replace('_', "-");
    ALL.iter().copied().find(|builtin| alike(builtin.name) == alike(name))
}
