//! The configuration as a user meets it: by the binary, with file, environment and flags.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use cis_receiver::config::options::{Kind, OPTIONS, Opt};
use std::process::{Command, Output};

/// What every configuration needs before it is complete.
const COMPLETE: &[(&str, &str)] = &[
    ("listen.tokens", "tokens.toml"),
    ("listen.certificate", "server.pem"),
    ("listen.key", "server.key"),
];

/// Three legal values of an option, none of them its default.
fn values(opt: &Opt) -> [String; 3] {
    let own = |texts: [&str; 3]| texts.map(String::from);
    match opt.kind {
        Kind::Device => own(["cuda:1", "cuda:2", "cuda:3"]),
        Kind::Text => own(["one", "two", "three"]),
        Kind::Path(_) => own(["/a/one", "/a/two", "/a/three"]),
        Kind::Address => own(["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"]),
        Kind::Integer(low, high) => [low, high, low + (high - low) / 2].map(|n| n.to_string()),
        Kind::Number(low, high) => [low, high, (low + high) / 2.0].map(|n| format!("{n:?}")),
        Kind::Switch => own(["true", "false", "true"]),
        Kind::List => own(["cat,dog", "car", "person,bus"]),
        Kind::Words(words) => [words[0].into(), words[1].into(), words[..2].join(",")],
        Kind::Url(schemes) => ["one", "two:99", "[::1]:5"].map(|host| format!("{}://{host}", schemes[0])),
        Kind::Choice(words) => {
            let at = |n: usize| words[n % words.len()].to_string();
            [at(0), at(1), at(2)]
        }
        _ => panic!("{}: a kind without values for this test", opt.key),
    }
}

/// The value as it stands in a TOML file.
fn toml_of(opt: &Opt, text: &str) -> String {
    match opt.kind {
        Kind::Integer(..) | Kind::Number(..) | Kind::Switch => text.into(),
        Kind::List | Kind::Words(_) => format!("{:?}", text.split(',').collect::<Vec<_>>()),
        _ => format!("{text:?}"),
    }
}

fn file(lines: &[(&str, String)]) -> String {
    lines
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect()
}

/// `check-config` on that file text, environment and flags.
fn check(text: &str, env: &[(String, String)], flags: &[String]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receiver.toml");
    std::fs::write(&path, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cis-receiver"));
    for opt in OPTIONS {
        command.env_remove(opt.env());
    }
    command
        .arg("check-config")
        .arg("--config")
        .arg(path)
        .args(flags)
        .envs(env.iter().cloned())
        .output()
        .unwrap()
}

/// The configuration that is printed. The files that it names are not there, which is told behind it.
fn effective(output: &Output, opt: &Opt) -> String {
    assert_ne!(
        output.status.code(),
        Some(2),
        "{}: {}",
        opt.key,
        String::from_utf8_lossy(&output.stderr)
    );
    let table: toml::Table = String::from_utf8_lossy(&output.stdout).parse().unwrap();
    let (section, field) = opt.key.split_once('.').unwrap();
    table[section][field].to_string()
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What must be set when an option is, whatever its value.
const COMPANIONS: &[(&str, &[(&str, &str)])] = &[
    ("mqtt.certificate", &[("mqtt.key", "'k'")]),
    ("mqtt.key", &[("mqtt.certificate", "'c'")]),
    ("mqtt.password-file", &[("mqtt.user", "'u'")]),
    ("nats.certificate", &[("nats.key", "'k'")]),
    ("nats.key", &[("nats.certificate", "'c'")]),
    (
        "web.address",
        &[
            ("web.users", "'users.toml'"),
            ("web.certificate", "'web.pem'"),
            ("web.key", "'web.key'"),
        ],
    ),
    ("web.certificate", &[("web.key", "'web.key'")]),
    ("web.key", &[("web.certificate", "'web.pem'")]),
    (
        "track.low-threshold",
        &[("track.high-threshold", "1"), ("track.new-threshold", "1")],
    ),
    (
        "track.high-threshold",
        &[("track.low-threshold", "0"), ("track.new-threshold", "1")],
    ),
    (
        "track.new-threshold",
        &[("track.low-threshold", "0"), ("track.high-threshold", "0")],
    ),
];

/// A complete configuration in which `opt` is free to be set.
fn others(opt: &Opt, set: &str) -> Vec<(&'static str, String)> {
    let insecure = opt.key == "listen.insecure" && set == "true";
    let companions = COMPANIONS.iter().filter(|(key, _)| *key == opt.key);
    let companions =
        companions.flat_map(|(_, all)| all.iter().map(|(key, value)| (*key, (*value).to_owned())));
    COMPLETE
        .iter()
        .filter(|(key, _)| *key != opt.key && !(insecure && *key == "listen.tokens"))
        .map(|(key, value)| (*key, format!("{value:?}")))
        .chain(companions)
        .collect()
}

#[test]
fn flags_win_over_environment_over_file_option_by_option() {
    for opt in OPTIONS {
        let [in_file, in_env, in_flag] = values(opt);
        let with = |set: &str| {
            let mut lines = others(opt, set);
            lines.push((opt.key, toml_of(opt, &in_file)));
            file(&lines)
        };
        let env = [(opt.env(), in_env.clone())];
        let flag = [format!("--{}={in_flag}", opt.flag())];
        assert_eq!(
            effective(&check(&with(&in_file), &[], &[]), opt),
            toml_of(opt, &in_file),
            "{} in file",
            opt.key
        );
        assert_eq!(
            effective(&check(&with(&in_env), &env, &[]), opt),
            toml_of(opt, &in_env),
            "{} in env",
            opt.key
        );
        assert_eq!(
            effective(&check(&with(&in_flag), &env, &flag), opt),
            toml_of(opt, &in_flag),
            "{} flag",
            opt.key
        );
    }
}

#[test]
fn defaults_are_those_of_the_table() {
    let lines: Vec<_> = COMPLETE.iter().map(|(k, v)| (*k, format!("{v:?}"))).collect();
    let output = check(&file(&lines), &[], &[]);
    for opt in OPTIONS {
        if let Some(default) = opt.default {
            assert_eq!(effective(&output, opt), toml_of(opt, default), "{}", opt.key);
        }
    }
}

#[test]
fn unknown_fields_are_refused_with_name_and_line() {
    let text = error(&check(
        "[listen]\ninsecure = true\n\n[rtsp]\nbitrat = 5\n",
        &[],
        &[],
    ));
    assert!(
        text.contains("line 5") && text.contains("`rtsp.bitrat`") && text.contains("bitrate"),
        "{text}"
    );
    let text = error(&check("[rtps]\nbitrate = 500\n", &[], &[]));
    assert!(
        text.contains("line 1") && text.contains("`rtps`") && text.contains("rtsp"),
        "{text}"
    );
    let text = error(&check("", &[], &["--rtsp-bitrat=5".into()]));
    assert!(text.contains("--rtsp-bitrat"), "{text}");
    let text = error(&check("[listen\n", &[], &[]));
    assert!(text.contains("line 1"), "{text}");
}

#[test]
fn values_out_of_range_are_refused_with_value_and_range_wherever_they_stand() {
    for opt in OPTIONS {
        let bad: &[&str] = match opt.kind {
            Kind::Integer(low, high) => &[&(low - 1).to_string(), &(high + 1).to_string()],
            Kind::Number(low, high) => &[&format!("{:?}", low - 0.5), &format!("{:?}", high + 0.5), "nan"],
            Kind::Address => &["\"localhost\""],
            Kind::Device => &["\"tpu\"", "\"cuda:256\""],
            Kind::Choice(_) => &["\"sometimes\""],
            Kind::Switch => &["\"perhaps\""],
            Kind::Url(_) => &["\"ftp://one\"", "\"one\"", "\"mqtts://user:secret@one\""],
            Kind::Words(_) => &["\"never\""],
            Kind::Text | Kind::Path(_) => &["\"\""],
            _ => continue,
        };
        for bad in bad {
            let found = bad.trim_matches('"');
            let legal = format!("legal: {}", opt.kind);
            let told = |text: String, place: &str| {
                for part in [opt.key, found, legal.as_str(), place] {
                    assert!(
                        text.to_lowercase().contains(&part.to_lowercase()),
                        "{}: no {part:?} in {text:?}",
                        opt.key
                    );
                }
            };
            told(
                error(&check(&format!("\n{} = {bad}\n", opt.key), &[], &[])),
                "line 2",
            );
            told(error(&check("", &[(opt.env(), found.into())], &[])), &opt.env());
            told(
                error(&check("", &[], &[format!("--{}={found}", opt.flag())])),
                &opt.flag(),
            );
        }
    }
}

#[test]
fn nobody_could_authenticate() {
    let text = error(&check("[listen]\ncertificate = \"a\"\nkey = \"b\"\n", &[], &[]));
    assert!(
        text.contains("listen.tokens") && text.contains("--insecure"),
        "{text}"
    );
    let text = error(&check("[listen]\ninsecure = true\ntokens = \"t\"\n", &[], &[]));
    assert!(
        text.contains("listen.insecure") && text.contains("listen.tokens"),
        "{text}"
    );
}

#[test]
fn paths_in_a_file_start_at_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("receiver.toml");
    std::fs::write(
        &path,
        "[listen]\ntokens='t.toml'\ncertificate='/etc/c.pem'\nkey='k.pem'\n[json]\noutput='-'\n",
    )
    .unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let config = cis_receiver::config::Config::from_toml(&text, &path).unwrap();
    assert_eq!(config.listen.tokens, Some(dir.path().join("t.toml")));
    assert_eq!(config.listen.certificate, Some("/etc/c.pem".into()));
    assert_eq!(config.json.output, std::path::PathBuf::from("-"));
}

#[test]
fn a_misspelt_environment_variable_is_refused_and_named() {
    let output = check(
        "",
        &[("CIS_RECEIVER_LISTEN_ADRESS".into(), "0.0.0.0:1".into())],
        &[],
    );
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("unknown environment variable CIS_RECEIVER_LISTEN_ADRESS"),
        "{text}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_everything_in_place_is_well() {
    let dir = tempfile::tempdir().unwrap();
    cis_link::keys::init(dir.path(), &["localhost".into()]).unwrap();
    cis_link::keys::add_camera(dir.path(), &"gate-1".parse().unwrap()).unwrap();
    let path = dir.path().join("receiver.toml");
    let check = |more: &str| {
        let listen = "[listen]\ncertificate = 'server.pem'\nkey = 'server.key'\ntokens = 'tokens.toml'\n";
        std::fs::write(&path, format!("{listen}{more}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cis-receiver"));
        let output = command
            .arg("check-config")
            .arg("--config")
            .arg(&path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    };
    assert_eq!(check(""), (Some(0), String::new()));
    for (more, named) in [
        ("[web]\nusers = 'nobody.toml'\n", "web.users"),
        (
            "[web]\ncertificate = 'tokens.toml'\nkey = 'server.key'\n",
            "web.certificate",
        ),
        ("[model]\nfolder = 'nothing'\n", "nothing"),
        ("[log]\nfilter = 'info=debug=warn'\n", "log.filter"),
        ("[detect]\nclasses = ['unicorn']\n", "unicorn"),
        ("[clips]\nclasses = ['dragon']\n", "dragon"),
        (
            "[mqtt]\nurl = 'mqtts://localhost'\nca = 'absent.pem'\n",
            "absent.pem",
        ),
        (
            "[mqtt]\nurl = 'mqtt://localhost'\nuser = 'cis'\npassword-file = 'absent'\n",
            "mqtt.password-file",
        ),
        (
            "[nats]\nurl = 'nats://localhost'\ncredentials-file = 'tokens.toml'\n",
            "nats.credentials-file",
        ),
        (
            "[webhook]\nurl = 'http://localhost/'\nsecret-file = 'absent'\n",
            "webhook.secret-file",
        ),
    ] {
        let (code, told) = check(more);
        assert!(matches!(code, Some(1 | 2)), "{code:?}");
        assert!(told.contains(named), "{told}");
    }
    std::fs::remove_file(dir.path().join("tokens.toml")).unwrap();
    assert!(check("").1.contains("tokens.toml"));
}

#[test]
fn an_error_says_its_cause_once() {
    let dir = tempfile::tempdir().unwrap();
    let init = || {
        Command::new(env!("CARGO_BIN_EXE_cis-receiver"))
            .args(["keys", "init", "--name", "localhost", "--dir"])
            .arg(dir.path())
            .output()
            .unwrap()
    };
    assert!(init().status.success());
    let again = init();
    assert_eq!(again.status.code(), Some(1));
    let text = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(text.contains("ca.pem"), "{text}");
    assert_eq!(text.matches("exists").count(), 1, "{text}");
}

#[test]
fn zones_and_lines_are_printed_and_what_is_wrong_with_them_is_told() {
    let complete: Vec<_> = COMPLETE.iter().map(|(k, v)| (*k, format!("{v:?}"))).collect();
    let complete = file(&complete);
    let zone = "[[zone]]\nstream = \"gate-1\"\nname = \"door\"\npolygon = [[0, 0], [1, 0.5], [0.25, 1]]\n";
    let line = "[[line]]\nstream = \"gate-1\"\nname = \"door\"\npoints = [[0.0, 0.5], [1.0, 0.5]]\n";
    let output = check(&format!("{complete}{zone}{line}"), &[], &[]);
    // The files that it names are not there, which is another matter.
    assert_ne!(output.status.code(), Some(2), "{output:?}");
    let table: toml::Table = String::from_utf8_lossy(&output.stdout).parse().unwrap();
    assert_eq!(table["zone"][0]["polygon"][1][1].as_float(), Some(0.5));
    assert_eq!(table["line"][0]["name"].as_str(), Some("door"));

    let at =
        |text: &str, line: &str| complete.lines().count() + text.lines().position(|l| l == line).unwrap() + 1;
    for (text, place, parts) in [
        (
            zone.replace("0.5", "1.5"),
            "polygon = [[0, 0], [1, 1.5], [0.25, 1]]",
            ["zone.polygon", "[1, 1.5]", "0.0..=1.0"],
        ),
        (
            zone.replace(", [0.25, 1]", ""),
            "polygon = [[0, 0], [1, 0.5]]",
            ["zone.polygon", "2 points", "3..=64"],
        ),
        (
            zone.replace("gate-1", "gate/1"),
            "stream = \"gate/1\"",
            ["zone.stream", "gate/1", "ASCII letters"],
        ),
        (
            zone.replace("name", "nam"),
            "nam = \"door\"",
            ["zone.nam", "unknown", "stream, name, polygon"],
        ),
        (
            line.replace("[1.0, 0.5]", "[0.0, 0.5]"),
            "points = [[0.0, 0.5], [0.0, 0.5]]",
            ["line.points", "[0, 0.5]", "two different"],
        ),
        (
            line.replace("points = [[0.0, 0.5], [1.0, 0.5]]", "points = 7"),
            "points = 7",
            ["line.points", "`7`", "2 different points"],
        ),
        (
            line.replace("name = \"door\"\n", ""),
            "[[line]]",
            ["line.name", "missing", ""],
        ),
        (
            zone.replace("[[zone]]", "[zone]"),
            "[zone]",
            ["zone", "[[zone]]", "two brackets"],
        ),
    ] {
        let told = error(&check(&format!("{complete}{text}"), &[], &[]));
        let line = format!("line {}:", at(&text, place));
        for part in parts.iter().copied().chain([line.as_str()]) {
            assert!(told.contains(part), "no {part:?} in {told:?}");
        }
    }
    let told = error(&check(&format!("{complete}{zone}{zone}"), &[], &[]));
    assert!(
        told.contains("zone.name") && told.contains("`door` is there twice"),
        "{told}"
    );
    let told = error(&check(
        &format!("{complete}track.enabled = false\n{zone}"),
        &[],
        &[],
    ));
    assert!(told.contains("track.enabled"), "{told}");
}

#[test]
fn outputs_that_do_not_go_together_are_refused() {
    let complete: Vec<_> = COMPLETE.iter().map(|(k, v)| (*k, format!("{v:?}"))).collect();
    for (more, parts) in [
        ("mqtt.certificate = 'c'\n", ["mqtt.certificate", "mqtt.key"]),
        ("mqtt.password-file = 'p'\n", ["mqtt.password-file", "mqtt.user"]),
        (
            "nats.token-file = 't'\nnats.credentials-file = 'c'\n",
            ["nats.token-file", "nats.credentials-file"],
        ),
        ("mqtt.prefix = 'a/+/b'\n", ["mqtt.prefix", "a/+/b"]),
        ("mqtt.prefix = 'a//b'\n", ["mqtt.prefix", "a//b"]),
        ("nats.prefix = 'a.>'\n", ["nats.prefix", "a.>"]),
        ("json.events = '-'\n", ["json.events", "json.output"]),
        (
            "track.low-threshold = 0.7\n",
            ["track.low-threshold is 0.7", "track.high-threshold 0.4"],
        ),
    ] {
        let told = error(&check(&format!("{}{more}", file(&complete)), &[], &[]));
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
}
