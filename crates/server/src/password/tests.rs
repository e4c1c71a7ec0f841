//! Passwords, end to end: set, hashed, checked, imported, refused.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Waker},
};

use super::*;

#[tokio::test]
async fn a_password_verifies_against_its_own_hash_only() {
    let hasher = hasher();
    let hash = hasher.hash(password("correct horse battery")).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
    assert_eq!(
        check(&hasher, "correct horse battery", &hash).await,
        (true, false)
    );
    assert_eq!(
        check(&hasher, "correct horse batterz", &hash).await,
        (false, false)
    );
    let again = hasher.hash(password("correct horse battery")).await.unwrap();
    assert_ne!(hash, again, "every hash has its own salt");
}

#[tokio::test]
async fn pw_04_no_password_is_cut_and_the_longest_ones_are_refused() {
    let hasher = hasher();
    let long = "ä".repeat(511) + "xy";
    let hash = hasher.hash(password(&long)).await.unwrap();
    assert_eq!(check(&hasher, &long, &hash).await, (true, false));
    let mut other = long.clone();
    other.replace_range(1023.., "z");
    assert_eq!(
        check(&hasher, &other, &hash).await,
        (false, false),
        "the last byte matters"
    );
    assert!(matches!(
        Password::to_verify(&"x".repeat(1025)),
        Err(PasswordRefused::TooLong)
    ));
    assert!(matches!(
        Password::to_verify(&"x".repeat(1 << 20)),
        Err(PasswordRefused::TooLong)
    ));
}

#[tokio::test]
async fn pw_06_an_account_without_a_password_never_passes() {
    let hasher = hasher();
    for typed in ["", "null", "x", "correct horse battery"] {
        assert_eq!(
            hasher.verify(password(typed), None, true).await.unwrap(),
            Verdict::default()
        );
        for stored in ["", "!", "null", typed, "$argon2id$", "plain$text", "$2b$12$short"] {
            assert_eq!(check(&hasher, typed, stored).await, (false, false), "{stored}");
        }
    }
}

#[tokio::test]
async fn hashes_of_other_systems_verify_and_ask_to_be_replaced() {
    let hasher = hasher();
    for (typed, stored) in FOREIGN {
        assert_eq!(check_importable(stored), Ok(()), "{stored}");
        assert_eq!(check(&hasher, typed, stored).await, (true, true), "{stored}");
        assert_eq!(
            check(&hasher, "another password", stored).await,
            (false, false),
            "{stored}"
        );
    }
}

#[tokio::test]
async fn bytes_that_bcrypt_never_saw_do_not_become_the_password() {
    let hasher = hasher();
    let stored = bcrypt::hash("x".repeat(72), 4).unwrap();
    assert_eq!(check(&hasher, &"x".repeat(72), &stored).await, (true, true));
    assert_eq!(check(&hasher, &"x".repeat(80), &stored).await, (true, false));
}

#[test]
fn absurd_or_unknown_hashes_cannot_be_imported() {
    let digest = "nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E";
    for bad in [
        format!("$argon2id$v=19$m=4194304,t=2,p=1$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$argon2id$v=19$m=262144,t=4294967295,p=1$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$argon2id$v=19$m=99999999999,t=1,p=1$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$argon2id$v=19$m=64,t=1,p=99$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$argon2id$v=19$m=64,t=1,p=1$QUI${digest}"),
        format!("$argon2id$v=19$m=64,t=1,p=1,data=AAAA$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$argon2id$v=20$m=64,t=1,p=1$aM15713r3Xsvxbi31lqr1Q${digest}"),
        "$argon2id$v=19$m=64,t=1,p=1$aM15713r3Xsvxbi31lqr1Q$QUJD".to_owned(),
        "$argon2id$v=19$m=64,t=1,p=1$aM15713r3Xsvxbi31lqr1Q$".to_owned(),
        "$2b$31$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u".to_owned(),
        "$2b$15$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u".to_owned(),
        "$2x$12$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u".to_owned(),
        format!("$scrypt$ln=63,r=8,p=1$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$scrypt$ln=300,r=8,p=1$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$scrypt$ln=20,r=32,p=16$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$scrypt$ln=14,r=4294967295,p=4294967295$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$pbkdf2-sha256$i=4000000000$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$pbkdf2-sha256$i=1$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("$pbkdf2-sha256$i=600000,l=20$aM15713r3Xsvxbi31lqr1Q${digest}"),
        format!("pbkdf2_sha256$600000$${digest}"),
        format!("$md5$aM15713r3Xsvxbi31lqr1Q${digest}"),
        "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
        "$".repeat(400),
        "$argon2id$v=19$m=64,t=1,p=1$é$é".to_owned(),
        String::new(),
    ] {
        assert!(check_importable(&bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn pw_07_a_full_queue_turns_callers_away_and_says_when_to_return() {
    let hasher = Hasher::new(PasswordConfig {
        threads: 1,
        queue: 2,
        memory_kib: 65_536,
        ..small()
    })
    .unwrap();
    let mut waiting: Vec<_> = (0..8)
        .map(|_| Box::pin(hasher.verify(password("a login"), None, true)))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let refused = waiting
        .iter_mut()
        .filter_map(|call| match call.as_mut().poll(&mut context) {
            std::task::Poll::Ready(answer) => Some(answer.unwrap_err()),
            std::task::Poll::Pending => None,
        });
    let refused: Vec<_> = refused.collect();
    assert!(
        refused.len() >= 5,
        "one at work and two in the queue: {}",
        refused.len()
    );
    assert!(refused.iter().all(|overloaded| overloaded.retry_after > 0));
}

#[tokio::test]
async fn who_hangs_up_is_not_worked_for() {
    let hasher = Hasher::new(PasswordConfig {
        threads: 1,
        queue: 1000,
        memory_kib: 65_536,
        ..small()
    })
    .unwrap();
    for _ in 0..1000 {
        let call = pin!(hasher.verify(password("a login"), None, true));
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // A full queue of people who wait would refuse this one.
    assert_eq!(
        hasher.verify(password("a login"), None, true).await,
        Ok(Verdict::default())
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn hashing_threads_step_back_behind_the_others() {
    let hasher = hasher();
    hasher.hash(password("anything")).await.unwrap();
    let nice = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let (_, rest) = stat.split_once("(password-hash) ")?;
        rest.split(' ').nth(16).map(str::to_owned)
    });
    assert!(nice.into_iter().any(|nice| nice == "10"));
    let own = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    assert_eq!(own.rsplit_once(") ").unwrap().1.split(' ').nth(16), Some("0"));
}

#[test]
fn new_passwords_are_measured() {
    let policy = Policy::new(3, None).unwrap();
    let code = |typed: &str, about: &[&str]| policy.accept(typed, about).map_err(|refused| refused.code());
    assert_eq!(code("short", &[]).unwrap_err(), "password_too_short");
    assert_eq!(code(&"long".repeat(300), &[]).unwrap_err(), "password_too_long");
    assert_eq!(code("password1", &[]).unwrap_err(), "password_too_weak");
    assert!(code("correct horse battery", &[]).is_ok());
    assert!(code("wolpertinger", &[]).is_ok());
    assert_eq!(
        code("wolpertinger", &["w.wolpertinger@example.com"]).unwrap_err(),
        "password_too_weak"
    );
    assert!(Policy::new(0, None).unwrap().accept("password1", &[]).is_ok());
}

#[test]
fn a_refusal_quotes_nothing_of_the_password() {
    let refused = Policy::new(3, None)
        .unwrap()
        .accept("qwertyuiop", &[])
        .unwrap_err();
    assert!(!refused.to_string().contains("qwerty"), "{refused}");
    assert_eq!(format!("{:?}", password("qwertyuiop")), "Password(***)");
}

#[test]
fn breached_passwords_are_refused_in_any_case() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"tr0ub4dor&3\r\ngr\xfcn\n\nsommersprosse im winter").unwrap();
    let policy = Policy::new(0, Some(file.path())).unwrap();
    let outcome = |typed: &str| policy.accept(typed, &[]).map(drop);
    assert_eq!(outcome("Tr0ub4dor&3"), Err(PasswordRefused::Breached));
    assert_eq!(outcome("Sommersprosse im Winter"), Err(PasswordRefused::Breached));
    assert_eq!(outcome("Tr0ub4dor&4"), Ok(()));
}

#[test]
fn what_is_no_list_of_passwords_is_refused_with_its_name() {
    let missing = Policy::new(3, Some("/nowhere/list.txt".as_ref())).unwrap_err();
    assert!(
        missing.to_string().starts_with("/nowhere/list.txt: "),
        "{missing}"
    );
    let endless = BreachedList::read(io::BufReader::new(io::repeat(b'x'))).unwrap_err();
    assert_eq!(endless.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn the_two_spellings_of_an_accent_are_one_password() {
    let hasher = hasher();
    let hash = hasher.hash(password("cafe\u{301} cafe\u{301}")).await.unwrap();
    assert_eq!(check(&hasher, "caf\u{e9} caf\u{e9}", &hash).await, (true, false));
}

#[test]
fn impossible_parameters_are_refused_at_the_start() {
    assert!(matches!(
        Hasher::new(PasswordConfig {
            memory_kib: 1,
            ..small()
        }),
        Err(HasherError::Parameters(_))
    ));
}

fn small() -> PasswordConfig {
    PasswordConfig {
        memory_kib: 64,
        iterations: 1,
        threads: 2,
        ..PasswordConfig::default()
    }
}

fn hasher() -> Hasher {
    Hasher::new(small()).unwrap()
}

fn password(typed: &str) -> Password {
    Password::to_verify(typed).unwrap()
}

async fn check(hasher: &Hasher, typed: &str, stored: &str) -> (bool, bool) {
    let verdict = hasher
        .verify(password(typed), Some(stored.to_owned()), true)
        .await
        .unwrap();
    (verdict.matches, verdict.rehash)
}

/// Made by Python's `hashlib` and `crypt`, and by the argon2 reference implementation.
const FOREIGN: [(&str, &str); 11] = [
    (
        "hunter two",
        "$2b$05$abcdefghijklmnopqrstuuclKJv12lQopM.01cyk8YHc1itkjMlDG",
    ),
    (
        "hunter two",
        "$2y$05$abcdefghijklmnopqrstuuclKJv12lQopM.01cyk8YHc1itkjMlDG",
    ),
    (
        "hunter two",
        "$2a$05$abcdefghijklmnopqrstuuclKJv12lQopM.01cyk8YHc1itkjMlDG",
    ),
    (
        "hunter two",
        "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$nW6AWS2XK0Y7TeKkQiCd9qGWtnqDDDhYfHDj1PllkfQ",
    ),
    (
        "hunter two",
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0c2FsdA$3ZxKvFQBcQ2thdWyRvSAUQmtc8h25MAkek9ZOymcbcE",
    ),
    (
        "hunter two",
        "$pbkdf2-sha256$1000$c2FsdHNhbHRzYWx0c2FsdA$3ZxKvFQBcQ2thdWyRvSAUQmtc8h25MAkek9ZOymcbcE",
    ),
    (
        "hunter two",
        "$pbkdf2-sha512$1000$c2FsdHNhbHRzYWx0c2FsdA$mK6a/IwgBbM3Xn2dt0qt2aTb0M9rcH3XQLFnAQBT3/Q9vXhmxf/xMUI59BcIMGrFlJnpAn4o0gO5zyGtlUCiXA",
    ),
    (
        "hunter two",
        "pbkdf2_sha256$1000$seasalt2$kL9DHawBusA/3drgS15iyfo/wOFV8F8ji18OB0/RIok=",
    ),
    // The examples of the argon2 reference implementation, versions 1.3 and 1.0.
    (
        "password",
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
    ),
    (
        "password",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ),
    (
        "password",
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    ),
];

#[tokio::test]
async fn pw_03_the_right_password_of_an_account_that_may_not_be_used_is_no() {
    let hasher = hasher();
    let stored = hasher.hash(password("a long enough passphrase")).await.unwrap();
    for (usable, expected) in [(true, true), (false, false)] {
        let typed = password("a long enough passphrase");
        let verdict = hasher.verify(typed, Some(stored.clone()), usable).await.unwrap();
        assert_eq!(verdict.matches, expected);
    }
}
