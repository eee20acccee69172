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
    /// A list of these words.
    Words(&'static [&'static str]),
    /// `SCHEME://HOST[:PORT]` with one of these schemes.
    Url(&'static [&'static str]),
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

use Kind::{Address, Choice, Device, Integer, List, Number, Path, Switch, Text, Url, Words};

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
        "When the queue is full, its oldest frame goes without detections (counted), or the camera waits.",
    ),
    opt(
        "detect.deadline",
        Integer(0, 60_000),
        Some("200"),
        "Milliseconds; with `drop` a frame that has waited so long goes without detections (counted) when a newer one of its camera waits; 0: never.",
    ),
    opt(
        "detect.workers",
        Integer(1, 64),
        Some("1"),
        "Detectors that work at the same time, each a network of its own for frames of all cameras.",
    ),
    opt(
        "detect.batch-size",
        Integer(1, 64),
        Some("1"),
        "Frames, of all cameras, that go through the network together at most.",
    ),
    opt(
        "detect.batch-timeout",
        Integer(0, 1000),
        Some("5"),
        "Milliseconds that a frame waits for others to go with it.",
    ),
    opt(
        "track.enabled",
        Switch,
        Some("true"),
        "Follow objects: track numbers, events, zones and lines.",
    ),
    opt(
        "track.low-threshold",
        Number(0.0, 1.0),
        Some("0.1"),
        "Boxes from this confidence on may go on a track that was seen a frame ago; below detect.threshold they are in no output.",
    ),
    opt(
        "track.high-threshold",
        Number(0.0, 1.0),
        Some("0.4"),
        "Boxes from this confidence on are given to tracks first, and to lost ones too.",
    ),
    opt(
        "track.new-threshold",
        Number(0.0, 1.0),
        Some("0.5"),
        "Boxes from this confidence on, and from detect.threshold, begin a track.",
    ),
    opt(
        "track.confirm-frames",
        Integer(1, 100),
        Some("2"),
        "Frames in which an object is seen before it has a track number and events.",
    ),
    opt(
        "track.lost-seconds",
        Number(0.1, 600.0),
        Some("2.0"),
        "How long an object that is not seen is remembered before it ends.",
    ),
    opt(
        "track.update-seconds",
        Number(0.0, 86_400.0),
        Some("5.0"),
        "Seconds between two update events of an object; 0: one each frame.",
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
        "json.events",
        Path(&["-", "none"]),
        Some("none"),
        "Events of objects go to this file, a line each; `-` is the standard output, `none` nowhere.",
    ),
    opt(
        "mqtt.url",
        Url(&["mqtts", "mqtt"]),
        None,
        "The MQTT 5 broker; mqtts is TLS (port 8883), mqtt is plain (port 1883). Without it there is no MQTT.",
    ),
    opt(
        "mqtt.ca",
        Path(&[]),
        None,
        "Authorities that may sign the broker's certificate, PEM; without it those of the system.",
    ),
    opt(
        "mqtt.certificate",
        Path(&[]),
        None,
        "The receiver's certificate for the broker, PEM.",
    ),
    opt(
        "mqtt.key",
        Path(&[]),
        None,
        "The private key of that certificate, PEM.",
    ),
    opt("mqtt.user", Text, None, "User name for the broker."),
    opt(
        "mqtt.password-file",
        Path(&[]),
        None,
        "File with that user's password.",
    ),
    opt(
        "mqtt.client-id",
        Text,
        None,
        "The receiver's name at the broker; without it a random one.",
    ),
    opt(
        "mqtt.prefix",
        Text,
        Some("cis"),
        "What topics begin with: PREFIX/status, PREFIX/STREAM/events, ...",
    ),
    opt(
        "mqtt.qos",
        Integer(0, 1),
        Some("1"),
        "1: a message is sent until the broker has confirmed it; 0: sent once.",
    ),
    opt(
        "mqtt.detections-per-second",
        Number(0.0, 1000.0),
        Some("0.0"),
        "How many frames of a stream and second have their detections published, at most; 0: none.",
    ),
    opt(
        "mqtt.queue",
        Integer(1, 1 << 16),
        Some("1024"),
        "Messages that may wait for the broker; when full, messages are dropped and counted.",
    ),
    opt(
        "nats.url",
        Url(&["tls", "nats"]),
        None,
        "The NATS server; tls is TLS, nats is plain (port 4222 both). Without it there is no NATS.",
    ),
    opt(
        "nats.ca",
        Path(&[]),
        None,
        "Authorities that may sign the server's certificate, PEM; without it those of the system.",
    ),
    opt(
        "nats.certificate",
        Path(&[]),
        None,
        "The receiver's certificate for the server, PEM.",
    ),
    opt(
        "nats.key",
        Path(&[]),
        None,
        "The private key of that certificate, PEM.",
    ),
    opt(
        "nats.credentials-file",
        Path(&[]),
        None,
        "Credentials (JWT and seed) as `nsc` writes them.",
    ),
    opt("nats.token-file", Path(&[]), None, "File with a token."),
    opt(
        "nats.prefix",
        Text,
        Some("cis"),
        "What subjects begin with: PREFIX.STREAM.events, PREFIX.STREAM.detections.",
    ),
    opt(
        "nats.detections-per-second",
        Number(0.0, 1000.0),
        Some("0.0"),
        "How many frames of a stream and second have their detections published, at most; 0: none.",
    ),
    opt(
        "nats.queue",
        Integer(1, 1 << 16),
        Some("1024"),
        "Messages that may wait for the server; when full, messages are dropped and counted.",
    ),
    opt(
        "webhook.url",
        Url(&["https", "http"]),
        None,
        "Where events are posted, one request each. Without it none are.",
    ),
    opt(
        "webhook.ca",
        Path(&[]),
        None,
        "Authorities that may sign the server's certificate, PEM; without it those of the system.",
    ),
    opt(
        "webhook.token-file",
        Path(&[]),
        None,
        "File with a token, sent as `Authorization: Bearer`.",
    ),
    opt(
        "webhook.secret-file",
        Path(&[]),
        None,
        "File with a secret; the header `X-Cis-Signature` then has the body's HMAC-SHA256.",
    ),
    opt(
        "webhook.events",
        Words(&["new", "update", "end", "enter", "leave", "cross"]),
        Some("new,end,enter,leave,cross"),
        "Kinds of events that are posted.",
    ),
    opt(
        "webhook.timeout",
        Integer(1, 300),
        Some("10"),
        "Seconds that a request may take.",
    ),
    opt(
        "webhook.retries",
        Integer(0, 100),
        Some("5"),
        "How often a request is sent again before its event is given up and counted as failed.",
    ),
    opt(
        "webhook.queue",
        Integer(1, 1 << 16),
        Some("1024"),
        "Events that may wait for the server; when full, events are dropped and counted.",
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
        "cluster.servers",
        List,
        Some("nats://127.0.0.1:4222"),
        "Servers of the broker (NATS with JetStream) for `gateway` and `worker`, nats://HOST:PORT or, with TLS demanded, tls://HOST:PORT.",
    ),
    opt(
        "cluster.ca",
        Path(&[]),
        None,
        "Authority that signed the broker's certificate, PEM; without it those that the system trusts.",
    ),
    opt(
        "cluster.certificate",
        Path(&[]),
        None,
        "The certificate that is shown to the broker, PEM.",
    ),
    opt(
        "cluster.key",
        Path(&[]),
        None,
        "The private key of that certificate, PEM.",
    ),
    opt(
        "cluster.credentials",
        Path(&[]),
        None,
        "Credentials for the broker (a .creds file with JWT and seed).",
    ),
    opt(
        "cluster.token-file",
        Path(&[]),
        None,
        "A file with the token that the broker wants.",
    ),
    opt(
        "cluster.prefix",
        Text,
        Some("cis"),
        "First word of all subjects and streams, so that a broker can serve several clusters: 1 to 32 of a-z, 0-9, `-` and `_`.",
    ),
    opt(
        "cluster.replicas",
        Integer(1, 5),
        Some("1"),
        "Servers of the broker that keep each unit and each result; 3 survive the loss of one.",
    ),
    opt(
        "cluster.units-max-age",
        Integer(10, 2_592_000),
        Some("3600"),
        "Seconds that the broker keeps units: workers may be away that long without a loss.",
    ),
    opt(
        "cluster.units-max-size",
        Integer(1, 1 << 24),
        Some("4096"),
        "MiB of units that the broker keeps; when full it takes no more, and cameras with a spool keep what comes.",
    ),
    opt(
        "cluster.results-max-age",
        Integer(10, 31_536_000),
        Some("86400"),
        "Seconds that the broker keeps results.",
    ),
    opt(
        "cluster.results-max-size",
        Integer(1, 1 << 24),
        Some("4096"),
        "MiB of results that the broker keeps; when full the oldest make room.",
    ),
    opt(
        "cluster.duplicate-window",
        Integer(0, 86_400),
        Some("120"),
        "Seconds in which the broker remembers which frames have a result, for frames that come a second time out of a spool; 0: not at all.",
    ),
    opt(
        "cluster.max-group",
        Integer(1, 100_000),
        Some("300"),
        "Frames after which a gateway asks a camera for a key frame: a worker that takes a camera over decodes that many again at most.",
    ),
    opt(
        "worker.name",
        Text,
        None,
        "The worker's name among the others, 1 to 64 of a-z, A-Z, 0-9, `-` and `_`; without it the host's name and a random number.",
    ),
    opt(
        "worker.heartbeat",
        Integer(50, 60_000),
        Some("1000"),
        "Milliseconds between two signs of life of a worker.",
    ),
    opt(
        "worker.timeout",
        Integer(200, 600_000),
        Some("5000"),
        "Milliseconds of silence after which a worker counts as gone and its cameras go elsewhere; at least three heartbeats.",
    ),
    opt(
        "worker.discover",
        Integer(100, 600_000),
        Some("10000"),
        "Milliseconds between two looks at which cameras the broker has units of; those that connect meanwhile are announced.",
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
        Some("info,onnxruntime=warn,async_nats=warn"),
        "What is logged, and how much of each part, e.g. `warn,cis_link=debug`.",
    ),
];
