//! `cis-latents`: codes, decodes and learns from dumped latents, without GStreamer or networks.

mod code;
mod dump;
mod golden;
mod golden_moving;
mod prior;
mod rate;
mod received;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Codes, decodes and learns from dumped latents", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Learn the initial state of the entropy coder
    Prior(prior::Arguments),
    /// Code float latents and report sizes as JSON
    Encode(code::EncodeArguments),
    /// Decode a .cis file into integers and report its frames as JSON
    Decode(code::DecodeArguments),
    /// How well rate control keeps to its target
    Rate(rate::Arguments),
    /// What a receiver restores pictures from, frame by frame
    Received(received::Arguments),
    /// Write the golden vectors of the codec
    Golden(golden::Arguments),
    /// Write those of prediction along the motion (version 4)
    GoldenMoving(golden::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Prior(arguments) => prior::run(&arguments),
        Command::Encode(arguments) => code::encode(&arguments),
        Command::Decode(arguments) => code::decode(&arguments),
        Command::Rate(arguments) => rate::run(&arguments),
        Command::Received(arguments) => received::run(&arguments),
        Command::Golden(arguments) => golden::run(&arguments),
        Command::GoldenMoving(arguments) => golden_moving::run(&arguments.output),
    }
}
