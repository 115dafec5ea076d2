//! Signatures, clocks, rate limits, connections: who gets in.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod member;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isobar_engine::units::{Money, SECOND};
use isobar_sim::{AccountConfig, CoreConfig, HttpAnswer, HttpRequest, KeyKind, NewKey, Tier, generate};
use member::{ROOT, World, captured, config};
use ring::signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair};
use serde_json::json;

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>()).unwrap()
}

/// Signs as the host does: with ring, from the PEM that was handed out.
fn sign(key: &NewKey, kind: KeyKind, text: &str) -> String {
    let der = der(&key.private_pem);
    match kind {
        KeyKind::Ed25519 => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap();
            STANDARD.encode(pair.sign(text.as_bytes()))
        }
        KeyKind::Rsa => {
            let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
            let mut signature = vec![0; pair.public().modulus_len()];
            let random = ring::rand::SystemRandom::new();
            pair.sign(&RSA_PSS_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
            STANDARD.encode(signature)
        }
    }
}

struct Signer {
    world: World,
    key: NewKey,
    kind: KeyKind,
}

impl Signer {
    fn new(kind: KeyKind) -> Self {
        let key = generate(kind).unwrap();
        let account = AccountConfig {
            keys: vec![(key.id.clone(), key.public.clone())],
            cash: Money::dollars(100),
            tier: Tier::Basic,
        };
        Self { world: World::of(&CoreConfig { accounts: vec![account], ..config(0) }), key, kind }
    }

    /// A request for the balance whose clock is off by `skew_s`, changed by `change` before it is sent.
    fn balance(&mut self, skew_s: i64, change: impl FnOnce(&mut HttpRequest)) -> HttpAnswer {
        // The balance has a bucket of one a second.
        self.world.pass(2 * SECOND);
        let path = format!("{ROOT}/portfolio/balance");
        let stamp = ((self.world.now.0 + skew_s * SECOND) / 1_000_000).to_string();
        let signature = sign(&self.key, self.kind, &format!("{stamp}GET{path}"));
        let mut request = HttpRequest::new("GET", &path, self.world.now);
        request.headers.insert("kalshi-access-key".to_owned(), self.key.id.clone());
        request.headers.insert("kalshi-access-timestamp".to_owned(), stamp);
        request.headers.insert("kalshi-access-signature".to_owned(), signature);
        change(&mut request);
        self.world.core.request(self.world.now, &request)
    }
}

#[test]
fn both_kinds_of_keys_are_verified_and_refused_in_the_captured_words() {
    for kind in [KeyKind::Ed25519, KeyKind::Rsa] {
        let mut signer = Signer::new(kind);
        assert_eq!(signer.balance(0, |_| {}).status, 200, "{kind:?}");
        // What the signature covers excludes the query.
        assert_eq!(signer.balance(0, |request| request.query = "subaccount=0".to_owned()).status, 200);
        for seconds in [-10, -5, 5, 10] {
            assert_eq!(signer.balance(seconds, |_| {}).status, 200, "{seconds} s");
        }
        let refused = [
            ("auth__skew_minus30s", signer.balance(-30, |_| {})),
            ("auth__skew_plus5min", signer.balance(300, |_| {})),
            (
                "auth__missing_signature_header",
                signer.balance(0, |request| {
                    request.headers.remove("kalshi-access-signature");
                }),
            ),
            (
                "auth__unknown_key_id",
                signer.balance(0, |request| {
                    let id = "00000000-0000-0000-0000-000000000000".to_owned();
                    request.headers.insert("kalshi-access-key".to_owned(), id);
                }),
            ),
        ];
        for (name, answer) in refused {
            assert_eq!(answer.status, 401, "{name}: {}", answer.body);
            if let Some(captured) = captured(name) {
                assert_eq!(answer.body, captured, "{name}");
            }
        }
        let tampered = signer.balance(0, |request| {
            let text = request.headers["kalshi-access-timestamp"].parse::<i64>().unwrap() + 1;
            request.headers.insert("kalshi-access-timestamp".to_owned(), text.to_string());
        });
        assert_eq!(tampered.status, 401);
        if let Some(captured) = captured("auth__bad_signature") {
            assert_eq!(tampered.body, captured);
        }
    }
}

#[test]
fn a_connection_needs_a_signature_of_its_own_path() {
    let mut signer = Signer::new(KeyKind::Ed25519);
    let now = signer.world.now;
    let stamp = (now.0 / 1_000_000).to_string();
    let mut request = HttpRequest::new("GET", "/trade-api/ws/v2", now);
    assert_eq!(signer.world.core.connect(now, &request).unwrap_err().status, 401);
    request.headers.insert("kalshi-access-key".to_owned(), signer.key.id.clone());
    let signature = sign(&signer.key, signer.kind, &format!("{stamp}GET/trade-api/ws/v2"));
    request.headers.insert("kalshi-access-timestamp".to_owned(), stamp);
    request.headers.insert("kalshi-access-signature".to_owned(), signature);
    assert!(signer.world.core.connect(now, &request).is_ok());
}

#[test]
fn the_eleventh_order_of_a_second_is_too_many_and_a_cancel_is_cheap() {
    let mut accounts = config(1).accounts;
    accounts[0].tier = Tier::Basic;
    let mut world = World::of(&CoreConfig { accounts, connections: 2, ..config(0) });
    let ids: Vec<String> = (0..10).map(|_| world.place(0, "bid", "0.0100", "1.00")).collect();
    let order = world.order("bid", "0.0100", "1.00").to_string();
    let refused = world.send(0, "POST", "/portfolio/events/orders", &order);
    assert_eq!((refused.status, refused.body.as_str()), (429, r#"{"error":"too many requests"}"#));
    world.pass(SECOND / 10);
    for id in &ids[..5] {
        assert_eq!(world.cancel(0, id).0, 200, "ten tokens are five cancels");
    }
    assert_eq!(world.cancel(0, &ids[5]).0, 429);
    let limits = world.get(0, "/account/limits");
    assert_eq!(limits["write"], json!({"bucket_capacity": 100, "refill_rate": 100}));
    assert_eq!((&limits["usage_tier"], &limits["grants"]), (&json!("basic"), &json!([])));
    assert_eq!(world.send(0, "GET", "/portfolio/balance", "").status, 200);
    assert_eq!(world.send(0, "GET", "/portfolio/balance", "").status, 429, "its own bucket of one a second");
    world.listen(0, &["fill"]);
    world.listen(0, &["fill"]);
    let mut request = world.signed(0, "GET", "/ws", "");
    request.path = "/trade-api/ws/v2".to_owned();
    assert_eq!(world.core.connect(world.now, &request).unwrap_err().status, 429);
}

#[test]
fn the_exchanges_clock_can_be_wrong() {
    let mut signer = Signer::new(KeyKind::Ed25519);
    signer.world.core.inject(isobar_sim::Fault::Skew { ms: 60_000 });
    assert_eq!(signer.balance(0, |_| {}).status, 401);
    assert_eq!(signer.balance(60, |_| {}).status, 200);
}
