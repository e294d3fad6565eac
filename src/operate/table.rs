//! Lines of text for people.

use std::io::Write;

use serde_json::Value;

/// Prints a line on stdout.
pub(super) fn line(text: impl std::fmt::Display) {
    // Whoever closed stdout does not want to read it; the exit code still says how it went.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A value of the API as a person reads it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Columns as wide as what is in them, the first row being their names.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    let mut text = lines.next().unwrap_or_default();
    for line in lines {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{table, text};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["name", "cap"], vec!["orders", "5"]]
            .map(|row| row.into_iter().map(str::to_owned).collect());
        assert_eq!(table(&rows), "name    cap\norders  5");
    }

    #[test]
    fn nothing_is_a_dash() {
        assert_eq!(
            [json!(null), json!([]), json!(["a", "b"]), json!(7)].map(|it| text(&it)),
            ["-", "-", "a, b", "7"]
        );
    }
}
