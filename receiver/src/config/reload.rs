//! Which options may change while the receiver runs, and which need a restart.

use super::options::OPTIONS;

/// The options that SIGHUP takes over. Files that other options name (certificates, tokens) are read anew besides.
pub const RELOADABLE: &[&str] = &[
    "detect.threshold",
    "detect.nms-iou",
    "detect.classes",
    "detect.max-objects",
    "rtsp.bitrate",
    "view.mark",
    "web.certificate",
    "web.key",
    "web.users",
    "web.bitrate",
    "health.stall-after",
    "status.interval",
    "log.filter",
];

/// The options that differ and need a restart.
pub fn needs_restart(before: &toml::Table, after: &toml::Table) -> Vec<&'static str> {
    let value = |table: &toml::Table, key: &str| {
        let (section, name) = key.split_once('.')?;
        table.get(section)?.get(name).cloned()
    };
    OPTIONS
        .iter()
        .map(|opt| opt.key)
        .filter(|key| !RELOADABLE.contains(key) && value(before, key) != value(after, key))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::Opt;

    #[test]
    fn changes_that_need_a_restart_are_named() {
        for key in RELOADABLE {
            assert!(Opt::find(key).is_some(), "{key} is no option");
        }
        let before = "[detect]\nthreshold = 0.3\nqueue = 8\n[log]\nformat = 'text'"
            .parse()
            .unwrap();
        let after = "[detect]\nthreshold = 0.4\nqueue = 9\n[json]\nqueue = 1\n[log]\nformat = 'text'"
            .parse()
            .unwrap();
        assert_eq!(needs_restart(&before, &after), ["detect.queue", "json.queue"]);
        assert!(needs_restart(&after, &after).is_empty());
    }
}
