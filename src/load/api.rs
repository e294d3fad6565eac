//! A running server over HTTP: is it ready, and does it know the orders of a run?

use std::time::Duration;

use loadtest::contract::Naming;
use loadtest::run::{Ending, Summary};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::trouble::Trouble;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Orders that are looked up after a run, spread over all of them.
const SAMPLE: u64 = 100;
/// Phases in which an order has ended.
const ENDS: [&str; 4] = ["completed", "closed", "cancelled", "rejected"];

/// A server that takes work says so.
pub(super) async fn ready(api: &str) -> Result<(), Trouble> {
    match get(api, "/readyz").await {
        Ok((200, _)) => Ok(()),
        Ok((status, _)) => Err(unready(api, &format!("/readyz answers {status}"))),
        Err(cause) => Err(unready(api, &cause.to_string())),
    }
}

fn unready(api: &str, what: &str) -> Trouble {
    let remedy =
        "start `doorbuster serve`, wait until /readyz answers 200, and give its address as http://host:port";
    Trouble::new(Ending::Unreachable, format!("{api}: {what}"), remedy)
}

/// The part of an order that is looked at.
#[derive(Deserialize)]
struct Order {
    phase: String,
}

/// Looks up a sample of the orders of a run in which all have ended: each must be known, and ended there, too.
pub(super) async fn agree(api: &str, run: &str, naming: &Naming, summary: &mut Summary) {
    let orders = summary.orders.submitted;
    let sample = orders.min(SAMPLE);
    for place in 0..sample {
        let order = format!("{run}-{}", place * orders / sample);
        let tenant = naming.tenant_of(&order);
        let found = get(api, &format!("/api/v1/orders/{order}?tenant={tenant}")).await;
        let wrong = match found {
            Ok((200, body)) => match serde_json::from_str::<Order>(&body) {
                Ok(found) if ENDS.contains(&found.phase.as_str()) => None,
                Ok(found) => Some(format!("its phase over HTTP is {}", found.phase)),
                Err(cause) => Some(format!("it cannot be read over HTTP: {cause}")),
            },
            // Nothing is remembered of an order that was turned away.
            Ok((404, _)) if summary.orders.turned_away > 0 => None,
            Ok((status, _)) => Some(format!("HTTP answers {status}")),
            Err(cause) => Some(format!("HTTP does not answer: {cause}")),
        };
        summary.verdict.checks += 1;
        if let Some(what) = wrong {
            violated(summary, &order, &what);
        }
    }
}

fn violated(summary: &mut Summary, order: &str, what: &str) {
    let verdict = &mut summary.verdict;
    verdict.clean = false;
    verdict.violations_total += 1;
    let count = verdict.by_check.entry("http-agrees".to_owned()).or_default();
    *count += 1;
    let is_first = *count == 1;
    let text = format!("http-agrees: {order}: {what}");
    verdict.violations.push(text.clone());
    if is_first {
        summary.also(Ending::InvariantViolated, text);
    }
}

/// GET: status and body.
async fn get(api: &str, path: &str) -> std::io::Result<(u16, String)> {
    let address = api.strip_prefix("http://").unwrap_or(api).trim_end_matches('/');
    let asked = async {
        let mut connection = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(ANSWER_WITHIN, asked).await.map_err(|_| std::io::ErrorKind::TimedOut)??;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
}
