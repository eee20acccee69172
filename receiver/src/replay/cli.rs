//! The sub-commands `redetect` and `export`.

use super::export::{Export, Quality};
use super::part::{Moment, Part};
use super::redetect::Redetect;
use super::{Source, Task};
use crate::config::Error;
use cis_inference::runtime::Device;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;

/// Both, for the program's command line.
pub fn commands() -> [Command; 2] {
    let redetect = Command::new("redetect")
        .about("Looks for objects in recordings anew, with any bundle that has the same front, and writes them as JSON lines.")
        .arg(output("JSON lines go to this file; `-` is the standard output"))
        .arg(
            Arg::new("stream")
                .long("stream")
                .value_name("NAME")
                .help("What the lines name as their stream [default: what the files are named by]"),
        );
    let export = Command::new("export")
        .about("Makes an MP4 file of recordings, its pictures generated from them, with boxes around objects.")
        .arg(output("The MP4 file"))
        .arg(
            Arg::new("boxes")
                .long("boxes")
                .action(ArgAction::SetTrue)
                .conflicts_with("no-boxes")
                .help("Look for objects and draw boxes around them (the default)"),
        )
        .arg(
            Arg::new("no-boxes")
                .long("no-boxes")
                .action(ArgAction::SetTrue)
                .help("Do not look for objects"),
        )
        .arg(
            Arg::new("quality")
                .long("quality")
                .value_name("WORD")
                .value_parser(PossibleValuesParser::new(["features", "enhanced"]))
                .default_value("enhanced")
                .help("Make pictures of the features alone, or of the enhancement layer, too, where the recording has it"),
        );
    [with_source(redetect), with_source(export)]
}

fn output(help: &'static str) -> Arg {
    Arg::new("output")
        .long("output")
        .value_name("PATH")
        .required(true)
        .allow_hyphen_values(true)
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

fn with_source(command: Command) -> Command {
    let moment = |id: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("MOMENT")
            .value_parser(str::parse::<Moment>)
            .help(help)
    };
    let share = |id: &'static str, default: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("NUMBER")
            .value_parser(share)
            .default_value(default)
            .help(help)
    };
    command
        .arg(
            Arg::new("files")
                .value_name("FILE.cis")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help("Recordings; several are joined, in the order of their capture times"),
        )
        .arg(
            Arg::new("bundle")
                .long("bundle")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("The model bundle [default: the built-in one]"),
        )
        .arg(moment("from", "Where to begin: seconds, MM:SS or HH:MM:SS after the first frame, or a capture time such as 2026-11-23T20:17:32Z"))
        .arg(moment("to", "Where to end, likewise; what is there is left out"))
        .arg(share("threshold", "0.3", "Objects below this confidence are left out"))
        .arg(share("nms-iou", "0.6", "Boxes of one class that overlap more than this are one object"))
        .arg(
            Arg::new("classes")
                .long("classes")
                .value_name("A,B,...")
                .default_value("")
                .hide_default_value(true)
                .help("Look for these classes alone, by name or number"),
        )
        .arg(
            Arg::new("max-objects")
                .long("max-objects")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32).range(1..=1000))
                .default_value("100")
                .help("Objects per frame at most, the surest ones"),
        )
        .arg(
            Arg::new("device")
                .long("device")
                .value_name("cpu|cuda:N")
                .value_parser(device)
                .default_value("cpu")
                .help("Where the networks run"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("NUMBER")
                .value_parser(value_parser!(u16).range(1..=256))
                .default_value("1")
                .help("Threads of each network"),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Write over a file that is there"),
        )
}

fn device(text: &str) -> Result<String, cis_inference::Error> {
    text.parse::<Device>().map(|_| text.to_owned())
}

fn share(text: &str) -> Result<f32, String> {
    let value = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
    value.ok_or_else(|| "legal: a number 0.0..=1.0".into())
}

/// What one of the two was asked for.
pub fn parse(name: &str, matches: &ArgMatches) -> Result<Task, Error> {
    let moment = |id: &str| matches.get_one::<Moment>(id).copied();
    let text = |id: &str| matches.get_one::<String>(id).cloned();
    let share = |id: &str| matches.get_one::<f32>(id).copied().unwrap_or_default();
    let path = |id: &str| matches.get_one::<PathBuf>(id).cloned();
    let source = Source {
        files: matches.get_many("files").into_iter().flatten().cloned().collect(),
        part: Part::new(moment("from"), moment("to")).map_err(Error::Conflict)?,
        bundle: path("bundle"),
        device: text("device").unwrap_or_default(),
        threads: matches.get_one("threads").copied().unwrap_or(1),
        threshold: share("threshold"),
        nms_iou: share("nms-iou"),
        classes: text("classes").unwrap_or_default(),
        max_objects: matches.get_one("max-objects").copied().unwrap_or(1),
    };
    let (output, force) = (path("output").unwrap_or_default(), matches.get_flag("force"));
    Ok(match name {
        "export" => Task::Export(Export {
            source,
            output,
            force,
            boxes: !matches.get_flag("no-boxes"),
            quality: match text("quality").as_deref() {
                Some("features") => Quality::Features,
                _ => Quality::Enhanced,
            },
        }),
        _ => Task::Redetect(Redetect {
            source,
            output,
            force,
            stream: text("stream"),
        }),
    })
}
