//! The bytes of what we send in batches and in `MessagePack`: participants read them, so a golden file changes only with its
//! version.

use bus::packing::{Packable, encoded, pack};
use bus::ports::Outgoing;
use domain::envelope::Headers;
use domain::messages::body::{Format, json_of};

fn golden(name: &str, written: &[u8]) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(written == bytes, "{name}: a change of the bytes needs a new version");
}

fn command(name: &str, key: &str, body: &str) -> Packable {
    let effect = format!("main:{key}:payment.{name}:1");
    let headers = Headers::new()
        .with("ce-id", format!("{effect}/1"))
        .with("ce-type", format!("retail.payment.{name}.v1"))
        .with("ce-source", "/doorbuster")
        .with("ce-time", "2026-11-27T08:00:00Z")
        .with("content-type", "application/json")
        .with("Key", key)
        .with("Effect-Id", effect.clone())
        .with("Effect-Epoch", "1")
        .with("Idempotency-Key", effect);
    let message = Outgoing {
        subject: format!("retail.v1.cmd.main.payment.{name}.3"),
        headers,
        body: body.to_owned().into(),
    };
    Packable { message, key: key.to_owned(), partition: 3 }
}

fn authorize() -> Packable {
    let body = r#"{"order_id":"o-1001","tender":"t1","amount_minor":7998,"currency":"EUR","token":"tok_9f3","gateway":"psp-a"}"#;
    command("authorize", "o-1001", body)
}

fn void() -> Packable {
    let body = r#"{"order_id":"o-1009","tender":"t\"ü\n","amount_minor":-1,"nothing":null,"flags":[true,false],"large":4294967296}"#;
    command("void", "o-1009", body)
}

#[test]
fn a_command_batch_has_the_bytes_of_the_golden_files() {
    for (format, name) in
        [(Format::Json, "command_batch.v1.json"), (Format::MessagePack, "command_batch.v1.msgpack")]
    {
        let packed = pack(vec![authorize(), void()], format);
        let [(batch, 2)] = &packed[..] else { panic!("{packed:?}") };
        assert_eq!(batch.subject, "retail.v1.cmd.main.payment.batch.3");
        let headers: Vec<_> = batch.headers.iter().collect();
        let expected = [
            ("ce-id", "main:o-1001:payment.authorize:1/1+1"),
            ("ce-type", "retail.payment.batch.v1"),
            ("ce-source", "/doorbuster"),
            ("content-type", format.content_type()),
        ];
        assert_eq!(headers, expected, "{name}");
        golden(name, &batch.body);
    }
}

#[test]
fn a_command_alone_in_message_pack_has_the_bytes_of_the_golden_file() {
    for (item, name) in [(authorize(), "authorize.v1.msgpack"), (void(), "void.v1.msgpack")] {
        let json = item.message.body.clone();
        let alone = encoded(item.message, Format::MessagePack);
        assert_eq!(alone.headers.get("content-type"), Some("application/msgpack"));
        golden(name, &alone.body);
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(value(&json_of(&alone.body).unwrap()), value(&json), "{name}");
    }
}
