use super::*;
use crate::TokenHash;

#[test]
fn everything_is_made_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("keys");
    init(&dir, &["rx.example".into(), "192.0.2.7".into(), "::1".into()]).unwrap();
    let before = std::fs::read(dir.join("ca.key")).unwrap();
    let error = init(&dir, &["rx.example".into()]).unwrap_err().to_string();
    assert!(error.contains("ca.pem"), "{error}");
    assert_eq!(std::fs::read(dir.join("ca.key")).unwrap(), before);
    for name in ["ca.pem", "server.pem"] {
        assert!(
            std::fs::read_to_string(dir.join(name))
                .unwrap()
                .contains("BEGIN CERTIFICATE")
        );
    }
}

#[test]
fn a_token_is_in_its_file_and_its_hash_in_the_table() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tokens.toml"), "# ours").unwrap();
    let streams: Vec<StreamName> = ["gate-1", "gate.2"].map(|name| name.parse().unwrap()).into();
    for stream in &streams {
        let token = add_camera(dir.path(), stream).unwrap();
        let read = Token::from_file(&dir.path().join(format!("{stream}.token"))).unwrap();
        assert_eq!(read.as_str(), token.as_str());
        let tokens = Tokens::from_file(&dir.path().join("tokens.toml")).unwrap();
        assert!(tokens.admits(stream, token.as_str().as_bytes()));
        assert_eq!(
            token.hash().to_string(),
            TokenHash::of(token.as_str().as_bytes()).to_string()
        );
    }
    let error = add_camera(dir.path(), &streams[0]).unwrap_err().to_string();
    assert!(error.contains("gate-1"), "{error}");
    let table = std::fs::read_to_string(dir.path().join("tokens.toml")).unwrap();
    assert!(
        table.starts_with("# ours\n") && table.lines().count() == 3,
        "{table}"
    );
}

#[test]
fn names_that_no_certificate_can_carry() {
    let dir = tempfile::tempdir().unwrap();
    assert!(init(dir.path(), &[]).is_err());
    let error = init(dir.path(), &["two words".into()]).unwrap_err().to_string();
    assert!(error.contains("two words"), "{error}");
    assert!(!dir.path().join("ca.pem").exists());
    init(dir.path(), &["rx.example".into()]).unwrap();
    for stream in ["ca", "server", "gate-"] {
        assert!(
            add_camera_certificate(dir.path(), &stream.parse().unwrap()).is_err(),
            "{stream}"
        );
    }
    add_camera_certificate(dir.path(), &"gate-1".parse().unwrap()).unwrap();
}

#[cfg(unix)]
#[test]
fn secrets_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &["localhost".into()]).unwrap();
    let stream = "gate-1".parse().unwrap();
    add_camera(dir.path(), &stream).unwrap();
    add_camera_certificate(dir.path(), &stream).unwrap();
    for secret in ["ca.key", "server.key", "gate-1.token", "gate-1.key"] {
        let mode = std::fs::metadata(dir.path().join(secret))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
}
