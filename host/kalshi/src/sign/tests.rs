//! Signatures against another implementation (OpenSSL), life of those made ahead, and secrecy. The keys of `testdata` belong
//! to no account.

use super::*;
use crate::gateway::Link;
use crate::rest::Rest;
use ring::signature::{ED25519, KeyPair, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use std::time::{Duration, Instant};

const ED25519_PEM: &str = include_str!("../../testdata/keys/ed25519.pem");
const RSA_PKCS1_PEM: &str = include_str!("../../testdata/keys/rsa_pkcs1.pem");
const RSA_PKCS8_PEM: &str = include_str!("../../testdata/keys/rsa_pkcs8.pem");
const EC_PEM: &str = include_str!("../../testdata/keys/ec.pem");
/// The example of PROTOCOL.md 1.2.
const TEXT: &[u8] = b"1781159348123GET/trade-api/v2/portfolio/balance";
const NOW: Timestamp = Timestamp(1_781_159_348_123_456_789);
const BALANCE: &str = "/trade-api/v2/portfolio/balance";
/// What `openssl pkeyutl -sign -rawin` and `openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32` gave.
const OPENSSL_ED25519: &str =
    "22Md1t/q5pNAPFoQr0VSQrdKUjaXPQFaI0RzaQwJ0sBHBQYpnqV+UqDat0Bscd+7MWZ4RkO7q1d35yEe3VHfDg==";
const OPENSSL_RSA: &str = "LbdBCtQAgvU5NAWh2olHEsLcFi0bvLsBqdRDL4DzlwhPJjCI+gM9aB7V3Kkb2QBmfgobD/87JWEVqffpV3jh0P5TDxAeHr+BzBcBAvm2gj5Le4fa8rekxoavnSg5n1ix1hZyA1PID4N4clAJcNcFuGaaazvs4BmyFyPsdWoz69jwnML7qFE22tEtv50xHsPv5A71Zbq0VF0CqTFKXlC5aXPDok2lyCYqqHIJxjaOtfawbc62ZtvoOy9t+cuSVzzMIxAzrxDmOe9XRCtfzxvYWLGIpg1oKVDLHHE5Qg4DdVrxPiQLggWs5ShFTyR2PRx1jt2wk8Sc+ll5sRLbpO/Ggg==";

fn credentials(pem: &str) -> Credentials {
    Credentials::from_pem("6b3f2c1e-0000-4000-8000-000000000000", pem.as_bytes()).expect("a key")
}

fn signature(headers: &Headers) -> Vec<u8> {
    STANDARD.decode(headers.pairs()[2].1).expect("Base64")
}

#[test]
fn an_ed25519_signature_is_the_one_that_openssl_makes() {
    let key = credentials(ED25519_PEM);
    assert_eq!(key.algorithm(), Algorithm::Ed25519);
    let headers = key.sign(NOW, "GET", BALANCE);
    assert_eq!(headers.pairs()[1], ("KALSHI-ACCESS-TIMESTAMP", "1781159348123"));
    assert_eq!(headers.pairs()[2].1, OPENSSL_ED25519);
    assert_eq!(key.sign(NOW, "GET", &format!("{BALANCE}?subaccount=0")), headers, "a query is not signed");
    assert_ne!(key.sign(NOW, "POST", BALANCE).pairs()[2], headers.pairs()[2]);
}

#[test]
fn an_rsa_signature_is_of_the_kind_that_openssl_makes() {
    for pem in [RSA_PKCS1_PEM, RSA_PKCS8_PEM] {
        let key = credentials(pem);
        assert_eq!(key.algorithm(), Algorithm::Rsa);
        let Key::Rsa(pair) = &key.key else { panic!("an RSA key") };
        let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, pair.public().as_ref());
        public.verify(TEXT, &STANDARD.decode(OPENSSL_RSA).expect("Base64")).expect("the same kind of signature");
        public.verify(TEXT, &signature(&key.sign(NOW, "GET", BALANCE))).expect("a good signature");
        assert!(public.verify(TEXT, &signature(&key.sign(NOW, "PUT", BALANCE))).is_err());
    }
}

#[test]
fn the_algorithm_follows_from_the_key_and_not_from_the_label() {
    assert!(ED25519_PEM.starts_with("-----BEGIN PRIVATE KEY") && RSA_PKCS8_PEM.starts_with("-----BEGIN PRIVATE KEY"));
    assert_ne!(credentials(ED25519_PEM).algorithm(), credentials(RSA_PKCS8_PEM).algorithm());
    let one_line = ED25519_PEM.trim_end().replace('\n', "\\n");
    let signed = credentials(&one_line).sign(NOW, "GET", BALANCE);
    let Key::Ed25519(pair) = &credentials(ED25519_PEM).key else { panic!("an Ed25519 key") };
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    public.verify(TEXT, &signature(&signed)).expect("the same key, its lines spelled with backslashes");
}

#[test]
fn what_is_no_key_is_refused_with_a_reason() {
    let refused = |pem: &str| Credentials::from_pem("id", pem.as_bytes()).expect_err("no key");
    assert!(matches!(refused(EC_PEM), KeyError::Unusable(_)));
    assert!(matches!(refused("hello"), KeyError::Unusable("no PEM of a private key")));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    assert_eq!(refused(encrypted), KeyError::Unusable("it is encrypted"));
    assert_eq!(refused(&RSA_PKCS1_PEM.replacen("MII", "###", 1)), KeyError::Unusable("damaged Base64"));
    for id in ["", "a b", "a\nb", "ü"] {
        assert_eq!(Credentials::from_pem(id, ED25519_PEM.as_bytes()).expect_err("no id"), KeyError::Id);
    }
}

#[test]
fn a_key_is_read_from_a_file_and_a_missing_source_is_named() {
    let file = KeySource::File(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/keys/ed25519.pem").into());
    assert_eq!(Credentials::load("id", &file).expect("a key").algorithm(), Algorithm::Ed25519);
    let missing = |source| Credentials::load("id", &source).expect_err("nothing there").to_string();
    assert!(missing(KeySource::File("/nowhere/key.pem".into())).contains("/nowhere/key.pem"));
    assert!(missing(KeySource::Variable("ISOBAR_NO_SUCH_KEY".into())).contains("ISOBAR_NO_SUCH_KEY"));
    assert!(missing(KeySource::Credential("kalshi".into())).contains("kalshi"));
}

/// Every type that holds a key or a signature, in both spellings of `Debug`, and every error about a key.
#[test]
fn nothing_that_is_printed_shows_a_key_or_a_signature() {
    let key = Arc::new(credentials(ED25519_PEM));
    let headers = key.sign(NOW, "GET", BALANCE);
    let mut ahead =
        Presigned::new(Arc::clone(&key), "GET", BALANCE.into(), 2_000_000_000, Reuse::WithinLife).expect("a thread");
    let taken = wait(&mut ahead, NOW);
    assert_eq!(taken, headers);
    let damaged = Credentials::from_pem("id", ED25519_PEM.replace('=', "").replace("MC", "MD").as_bytes());
    let link =
        Link::new("http://localhost/trade-api/v2", Duration::from_secs(1), Arc::clone(&key), 1, Reuse::WithinLife);
    let rest = Rest::new("http://localhost/trade-api/v2", Duration::from_secs(1)).expect("an address");
    let rest = rest.with_key(Arc::clone(&key), || NOW);
    let shown = [
        format!("{link:?} {link:#?}"),
        format!("{rest:?} {rest:#?}"),
        format!("{key:?} {key:#?}"),
        format!("{headers:?} {headers:#?}"),
        format!("{ahead:?} {ahead:#?}"),
        damaged.map_or_else(|error| format!("{error} {error:?}"), |key| format!("{key:?}")),
    ];
    let secret = ED25519_PEM.lines().nth(1).expect("the body of the key");
    for text in &shown {
        assert!(!text.contains(&secret[secret.len() - 12..]) && !text.contains(OPENSSL_ED25519), "{text}");
        assert!(!text.contains("6b3f2c1e"), "the id of the key: {text}");
    }
}

/// Takes a signature as soon as the signer has made one.
fn wait(ahead: &mut Presigned, now: Timestamp) -> Headers {
    let started = Instant::now();
    loop {
        ahead.refresh(now);
        match ahead.take(now) {
            Some(headers) => return headers,
            None => assert!(started.elapsed() < Duration::from_secs(20), "no signature was made"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_signature_made_ahead_is_never_older_than_its_life() {
    const LIFE: i64 = 2_000_000_000;
    let key = Arc::new(credentials(RSA_PKCS8_PEM));
    let mut ahead = Presigned::new(key, "POST", BALANCE.into(), LIFE, Reuse::WithinLife).expect("a thread");
    assert_eq!(ahead.take(NOW), None, "nothing was asked for yet");
    let first = wait(&mut ahead, NOW);
    assert_eq!(ahead.take(NOW.plus(LIFE)), Some(first.clone()), "one serves all requests within its life");
    assert_eq!(ahead.take(NOW.plus(LIFE + 1)), None);
    let later = NOW.plus(LIFE);
    let second = wait(&mut ahead, later);
    assert_ne!(second, first);
    assert_eq!(ahead.take(NOW), None, "a signature from the future is none: the clock was set back");
}

#[test]
fn signatures_for_single_use_are_kept_in_stock() {
    const LIFE: i64 = 2_000_000_000;
    let key = Arc::new(credentials(ED25519_PEM));
    let mut ahead = Presigned::new(key, "POST", BALANCE.into(), LIFE, Reuse::Never { stock: 3 }).expect("a thread");
    wait(&mut ahead, NOW);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!([ahead.take(NOW).is_some(), ahead.take(NOW).is_some(), ahead.take(NOW).is_some()], [true, true, false]);
}
