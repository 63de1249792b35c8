//! Tokens of somebody else's: RS256 and ES256 under a JWKS, and every way to be refused.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::ecdsa::SigningKey;
use p256::pkcs8::EncodePrivateKey;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::app::{TestApp, until};
use crate::refusal::refused;

const ISSUER: &str = "https://id.example.org/";
const LIST: &str = "/api/v2/generations";

/// A key pair of an issuer: what it signs with, and what it publishes.
struct Pair {
    id: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    public: Value,
}

fn rsa(id: &'static str) -> Pair {
    let key = RsaPrivateKey::new(&mut p256::elliptic_curve::rand_core::OsRng, 2048).expect("a key");
    let der = key.to_pkcs1_der().expect("DER");
    let part = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let public = json!({ "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": part(key.n()), "e": part(key.e()) });
    let private = EncodingKey::from_rsa_der(der.as_bytes());
    Pair { id, algorithm: Algorithm::RS256, private, public }
}

fn ec(id: &'static str) -> Pair {
    let key = SigningKey::random(&mut p256::elliptic_curve::rand_core::OsRng);
    let point = key.verifying_key().to_encoded_point(false);
    let part = |bytes: Option<&p256::FieldBytes>| URL_SAFE_NO_PAD.encode(bytes.expect("a point"));
    let public =
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": part(point.x()), "y": part(point.y()) });
    let der = key.to_pkcs8_der().expect("DER");
    let private = EncodingKey::from_ec_der(der.as_bytes());
    Pair { id, algorithm: Algorithm::ES256, private, public }
}

fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let far = jsonwebtoken::get_current_timestamp() + 600;
    let mut claims = json!({ "sub": "auth0|ann", "iss": ISSUER, "aud": "previewd", "exp": far });
    change(&mut claims);
    claims
}

fn header(algorithm: Algorithm, id: Option<&str>) -> Header {
    Header { kid: id.map(str::to_owned), ..Header::new(algorithm) }
}

impl Pair {
    fn sign(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&header(self.algorithm, Some(self.id)), claims, &self.private).expect("signed")
    }
}

fn set(pairs: &[&Pair]) -> String {
    json!({ "keys": pairs.iter().map(|pair| &pair.public).collect::<Vec<_>>() }).to_string()
}

/// A server of a JWKS that counts how often it is asked.
struct Issuer {
    address: String,
    asked: Arc<AtomicUsize>,
    says: Arc<Mutex<String>>,
}

async fn issuer(says: String) -> Issuer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/jwks.json", listener.local_addr().expect("an address"));
    let (asked, says) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(says)));
    let (count, body) = (Arc::clone(&asked), Arc::clone(&says));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await;
            let body = body.lock().expect("free").clone();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    Issuer { address, asked, says }
}

async fn trusting(source: &str) -> TestApp {
    TestApp::with(vec![
        ("PREVIEW_JWT_JWKS", source.to_owned()),
        ("PREVIEW_JWT_ISSUER", ISSUER.to_owned()),
        ("PREVIEW_JWT_REFRESH_PAUSE", "1".to_owned()),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_trusted_issuer_are_taken_and_everything_else_is_401() {
    let (signer, other, unknown) = (rsa("rsa-1"), ec("ec-1"), rsa("rsa-1"));
    let issuer = issuer(set(&[&signer, &other])).await;
    let app = trusting(&issuer.address).await;
    let status = async |token: &str| app.stranger().bearer(token).get(LIST).await;
    for pair in [&signer, &other] {
        let answer = status(&pair.sign(&claims(|_| ()))).await;
        assert_eq!(answer.status, 200, "{:?}: {answer:?}", pair.algorithm);
    }
    assert_eq!(app.user("ann").get(LIST).await.status, 200, "our own are taken as before");
    let admin = status(&signer.sign(&claims(|c| c["role"] = json!("admin")))).await;
    assert_eq!(admin.status, 200);
    let without = |claim: &'static str| {
        claims(move |claims| {
            claims.as_object_mut().expect("an object").remove(claim);
        })
    };
    let later = jsonwebtoken::get_current_timestamp() + 300;
    let public_pem_as_secret = signer.public["n"].as_str().expect("a modulus").as_bytes();
    let confused = header(Algorithm::HS256, Some("rsa-1"));
    let confused =
        jsonwebtoken::encode(&confused, &claims(|_| ()), &EncodingKey::from_secret(public_pem_as_secret));
    let whole = signer.sign(&claims(|_| ()));
    let parts: Vec<&str> = whole.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT","kid":"rsa-1"}"#);
    let es_header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT","kid":"rsa-1"}"#);
    let rs512 =
        jsonwebtoken::encode(&header(Algorithm::RS512, Some("rsa-1")), &claims(|_| ()), &signer.private);
    for (what, token) in [
        ("expired", signer.sign(&claims(|c| c["exp"] = json!(1_000_000)))),
        ("not yet valid", signer.sign(&claims(|c| c["nbf"] = json!(later)))),
        ("another audience", signer.sign(&claims(|c| c["aud"] = json!("other")))),
        ("another issuer", other.sign(&claims(|c| c["iss"] = json!("https://evil.example/")))),
        ("no audience", signer.sign(&without("aud"))),
        ("no issuer", signer.sign(&without("iss"))),
        ("no subject", signer.sign(&without("sub"))),
        ("no expiry", signer.sign(&without("exp"))),
        ("an unknown role", signer.sign(&claims(|c| c["role"] = json!("root")))),
        ("a subject that is no name", signer.sign(&claims(|c| c["sub"] = json!("a\nb")))),
        ("an expiry that is no number", signer.sign(&claims(|c| c["exp"] = json!("soon")))),
        ("another key under a known id", unknown.sign(&claims(|_| ()))),
        ("the public key as a secret", confused.expect("signed")),
        ("unsigned", format!("{none}.{}.", parts[1])),
        ("another kind of key", format!("{es_header}.{}.{}", parts[1], parts[2])),
        ("another algorithm of the key", rs512.expect("signed")),
        ("cut", whole[..whole.len() - 4].to_owned()),
    ] {
        let answer = status(&token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        refused(&answer, 401, "token_invalid");
        assert!(!answer.text().contains(&token), "{what} comes back");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_found_and_an_unknown_one_asks_only_so_often() {
    let (first, second) = (ec("one"), ec("two"));
    let issuer = issuer(set(&[&first])).await;
    let app = trusting(&issuer.address).await;
    let get = async |token: String| app.stranger().bearer(token).get(LIST).await.status;
    assert_eq!(get(first.sign(&claims(|_| ()))).await, 200);
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
    let begun = std::time::Instant::now();
    for _ in 0..40 {
        assert_eq!(get(second.sign(&claims(|_| ()))).await, 401);
    }
    let most = 2 + begun.elapsed().as_secs() as usize;
    assert!(issuer.asked.load(Ordering::SeqCst) <= most, "{} times", issuer.asked.load(Ordering::SeqCst));
    *issuer.says.lock().expect("free") = set(&[&first, &second]);
    until(20, || async { (get(second.sign(&claims(|_| ()))).await == 200).then_some(()) }).await;
    // What is no set, or too much, leaves what was known.
    for broken in ["{".to_owned(), format!("{{\"keys\": [], \"x\": \"{}\"}}", "y".repeat(300 * 1024))] {
        *issuer.says.lock().expect("free") = broken;
        let asked = issuer.asked.load(Ordering::SeqCst);
        let stranger = ec("three");
        let tried = || async {
            assert_eq!(get(stranger.sign(&claims(|_| ()))).await, 401);
            (issuer.asked.load(Ordering::SeqCst) > asked).then_some(())
        };
        until(20, tried).await;
        assert_eq!(get(first.sign(&claims(|_| ()))).await, 200);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_from_a_file_as_well() {
    let (first, second) = (ec("one"), ec("two"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), set(&[&first])).expect("written");
    let app = trusting(&file.path().display().to_string()).await;
    let get = async |token: String| app.stranger().bearer(token).get(LIST).await.status;
    assert_eq!(get(first.sign(&claims(|_| ()))).await, 200);
    // Without an id a token is checked with the only key there is for its algorithm.
    let nameless = jsonwebtoken::encode(&header(Algorithm::ES256, None), &claims(|_| ()), &first.private);
    assert_eq!(get(nameless.expect("signed")).await, 200);
    std::fs::write(file.path(), set(&[&second])).expect("written");
    until(20, || async { (get(second.sign(&claims(|_| ()))).await == 200).then_some(()) }).await;
    assert_eq!(get(first.sign(&claims(|_| ()))).await, 401, "what was taken out of the set");
    app.finish().await;
}
