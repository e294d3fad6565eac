//! Text in HTML: nothing that a scenario or a message says can become markup.

/// A text between tags or in an attribute.
pub(in crate::run) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// JSON within a script element: no text in it can end the element.
pub(super) fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// A table: heads, then rows of cells that are markup already. The first column is text, the others are numbers.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = heads.iter().map(|head| format!("<th>{}</th>", escaped(head))).collect();
    let body: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row.iter().map(|cell| format!("<td>{cell}</td>")).collect();
            format!("<tr>{}</tr>", cells.concat())
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        head.concat(),
        body.concat()
    )
}

/// Milliseconds with as many digits as one looks at.
pub(super) fn ms(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{embedded, escaped};

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escaped("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
        assert!(!embedded("{\"a\":\"</script>\"}").contains("</"));
        assert_eq!(serde_json::from_str::<String>(&embedded("\"</x>\"")).unwrap(), "</x>");
    }
}
