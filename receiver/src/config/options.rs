//! The table of every option: its name, what it may be, its default. File, environment, flags, `check-config` and the
//! reference in docs/receiver.md all come out of this one table.

/// What an option may be. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Any text.
    Text,
    /// A file or folder; in a file it is relative to that file, elsewhere to the working folder. The words need no file.
    Path(&'static [&'static str]),
    /// `ADDRESS:PORT`.
    Address,
    /// A whole number.
    Integer(i64, i64),
    /// A number.
    Number(f64, f64),
    /// `true` or `false`.
    Switch,
    /// A list of texts; on the command line and in the environment with commas between them.
    List,
    /// Where networks run.
    Device,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// `section.name`, as in the file.
    pub key: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// The value when nobody says otherwise, written as in the environment; `None`: unset.
    pub default: Option<&'static str>,
    /// What it does, in one sentence.
    pub help: &'static str,
}

impl Opt {
    /// The flag, without its dashes: `listen.client-ca` is `--listen-client-ca`.
    pub fn flag(&self) -> String {
        match self.key {
            // Short, because people must read what they type here.
            "listen.insecure" => "insecure".into(),
            key => key.replace('.', "-"),
        }
    }

    /// The environment variable.
    pub fn env(&self) -> String {
        format!(
            "CIS_RECEIVER_{}",
            self.key.replace(['.', '-'], "_").to_uppercase()
        )
    }

    /// The option of that key.
    pub fn find(key: &str) -> Option<&'static Opt> {
        OPTIONS.iter().find(|o| o.key == key)
    }
}

const fn opt(key: &'static str, kind: Kind, default: Option<&'static str>, help: &'static str) -> Opt {
    Opt {
        key,
        kind,
        default,
        help,
    }
}

use Kind::{Address, Choice, Device, Integer, List, Number, Path, Switch, Text};

/// Every option, in the order of the reference.
pub const OPTIONS: &[Opt] = &[
    opt(
        "listen.address",
        Address,
        Some("0.0.0.0:4443"),
        "Where cameras connect (QUIC, UDP); port 0 takes a free one.",
    ),
    opt(
        "listen.certificate",
        Path(&[]),
        None,
        "The receiver's certificate chain, PEM.",
    ),
    opt(
        "listen.key",
        Path(&[]),
        None,
        "The private key of that certificate, PEM.",
    ),
    opt(
        "listen.tokens",
        Path(&[]),
        None,
        "Tokens of the cameras, as `cis-receiver keys add-camera` writes them.",
    ),
    opt(
        "listen.client-ca",
        Path(&[]),
        None,
        "Accept cameras whose certificate this authority signed, PEM.",
    ),
    opt(
        "listen.state-folder",
        Path(&[]),
        None,
        "Where it is noted what of the cameras' spools is stored; without it some of that comes twice after a restart.",
    ),
    opt(
        "listen.handshakes-per-second",
        Integer(0, 10_000),
        Some("20"),
        "Handshakes that one address may begin in a second, ten times as many at once; 0: any number.",
    ),
    opt(
        "listen.bytes-per-second",
        Integer(0, 1 << 30),
        Some("0"),
        "Bytes of frames that one camera may send in a second (1024 or more), twice as many at once; 0: any number.",
    ),
    opt(
        "listen.retry",
        Switch,
        Some("true"),
        "A camera's address shows first that it is its own, which costs a round trip; false: only when many connections are in use.",
    ),
    opt(
        "listen.insecure",
        Switch,
        Some("false"),
        "Accept every camera unasked; for trials on a private network.",
    ),
    opt(
        "listen.max-streams",
        Integer(1, 1024),
        Some("64"),
        "Cameras at a time; one more is refused and told why.",
    ),
    opt(
        "listen.max-unit-bytes",
        Integer(1024, 16 << 20),
        Some("1048576"),
        "The largest coded frame that is accepted.",
    ),
    opt(
        "listen.queue",
        Integer(1, 4096),
        Some("64"),
        "Units of one camera that wait to be decoded; when full, the camera is slowed down.",
    ),
    opt(
        "listen.idle-timeout",
        Integer(1, 600),
        Some("15"),
        "Seconds of silence after which a camera counts as gone.",
    ),
    opt(
        "model.folder",
        Path(&[]),
        None,
        "The model bundle; without it the built-in one.",
    ),
    opt("model.device", Device, Some("cpu"), "Where the networks run."),
    opt(
        "model.threads",
        Integer(1, 256),
        Some("1"),
        "Threads of each network.",
    ),
    opt(
        "detect.threshold",
        Number(0.0, 1.0),
        Some("0.3"),
        "Objects below this confidence are left out.",
    ),
    opt(
        "detect.nms-iou",
        Number(0.0, 1.0),
        Some("0.6"),
        "Boxes of one class that overlap more than this are one object.",
    ),
    opt(
        "detect.classes",
        List,
        None,
        "Report these classes alone, by name or number; without it all.",
    ),
    opt(
        "detect.max-objects",
        Integer(1, 1000),
        Some("100"),
        "Objects per frame at most, the surest ones.",
    ),
    opt(
        "detect.queue",
        Integer(1, 256),
        Some("8"),
        "Frames of one camera that may wait for the detector.",
    ),
    opt(
        "detect.when-full",
        Choice(&["drop", "wait"]),
        Some("drop"),
        "A frame that finds the queue full goes without detections (counted), or the camera waits.",
    ),
    opt(
        "json.output",
        Path(&["-", "none"]),
        Some("-"),
        "JSON lines go to this file; `-` is the standard output, `none` nowhere.",
    ),
    opt(
        "json.max-size",
        Integer(1, 1 << 20),
        Some("100"),
        "MiB after which the file is rotated to `FILE.1`, `FILE.2`, ...",
    ),
    opt(
        "json.max-files",
        Integer(0, 1000),
        Some("10"),
        "Rotated files that are kept; the oldest is deleted.",
    ),
    opt(
        "json.queue",
        Integer(1, 1 << 20),
        Some("4096"),
        "Lines that may wait for the disk; when full, lines are dropped and counted.",
    ),
    opt(
        "rtsp.enabled",
        Switch,
        Some("true"),
        "Serve the restored view at rtsp://HOST:PORT/STREAM.",
    ),
    opt(
        "rtsp.address",
        Address,
        Some("0.0.0.0:8554"),
        "Where players connect (RTSP, TCP); port 0 takes a free one.",
    ),
    opt(
        "rtsp.bitrate",
        Integer(50, 100_000),
        Some("2000"),
        "kbit/s of the H.264 that players get.",
    ),
    opt(
        "rtsp.max-clients",
        Integer(1, 1000),
        Some("32"),
        "RTSP sessions at a time.",
    ),
    opt(
        "view.enhance",
        Choice(&["watched", "never", "always"]),
        Some("watched"),
        "When cameras send the enhancement layer, which makes better pictures of more bits: while somebody watches, never, or always (then recordings have it, too).",
    ),
    opt(
        "view.mark",
        Switch,
        Some("true"),
        "Write in the corner of each restored picture that it is generated, and of what.",
    ),
    opt(
        "record.folder",
        Path(&[]),
        None,
        "Record every stream to FOLDER/STREAM/; without it nothing is recorded.",
    ),
    opt(
        "record.segment",
        Integer(0, 86_400),
        Some("3600"),
        "Seconds after which a recording goes on in a new file, at a key frame; 0: by size alone.",
    ),
    opt(
        "record.max-size",
        Integer(1, 1 << 20),
        Some("1024"),
        "MiB after which a recording goes on in a new file, at a key frame.",
    ),
    opt(
        "record.max-age",
        Integer(0, 87_600),
        Some("0"),
        "Hours after which a file is deleted, counted from its end by the receiver's clock; 0: never.",
    ),
    opt(
        "record.max-total",
        Integer(0, 1 << 30),
        Some("0"),
        "MiB of recordings of all streams; the oldest files are deleted first; 0: any.",
    ),
    opt(
        "record.max-stream",
        Integer(0, 1 << 30),
        Some("0"),
        "MiB of recordings of one stream; its oldest files are deleted first; 0: any.",
    ),
    opt(
        "record.sync",
        Choice(&["never", "close", "key"]),
        Some("close"),
        "When a recording is forced to the disk (fsync): never, when a file ends, or at every key frame too.",
    ),
    opt(
        "record.queue",
        Integer(1, 1 << 20),
        Some("4096"),
        "Units that may wait for the disk; when full, the rest of the group is dropped and counted.",
    ),
    opt(
        "clips.folder",
        Path(&[]),
        None,
        "Keep the seconds before and after an object appears in FOLDER/STREAM/; without it there are no clips.",
    ),
    opt(
        "clips.before",
        Integer(0, 300),
        Some("5"),
        "Seconds before an object appears that its clip begins, at the key frame there or before.",
    ),
    opt(
        "clips.after",
        Integer(1, 3600),
        Some("10"),
        "Seconds after an object appeared that its clip ends; whatever appears meanwhile extends it.",
    ),
    opt(
        "clips.max-seconds",
        Integer(1, 7200),
        Some("300"),
        "Seconds after its first object appeared that a clip ends whatever appears; what appears then begins the next one.",
    ),
    opt(
        "clips.classes",
        List,
        None,
        "These classes alone make clips, by name or number; without it all that are reported.",
    ),
    opt(
        "clips.min-confidence",
        Number(0.0, 1.0),
        Some("0.5"),
        "Objects below this confidence make no clips.",
    ),
    opt(
        "clips.max-age",
        Integer(0, 87_600),
        Some("0"),
        "Hours after which a clip is deleted, counted from its end by the receiver's clock; 0: never.",
    ),
    opt(
        "clips.max-total",
        Integer(0, 1 << 30),
        Some("0"),
        "MiB of clips of all streams; the oldest are deleted first; 0: any.",
    ),
    opt(
        "status.interval",
        Integer(0, 86_400),
        Some("10"),
        "Seconds between two status lines of a stream in the log; 0: none.",
    ),
    opt(
        "log.filter",
        Text,
        Some("info,onnxruntime=warn"),
        "What is logged, and how much of each part, e.g. `warn,cis_link=debug`.",
    ),
];
