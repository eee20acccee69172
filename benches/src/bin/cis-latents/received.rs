//! `received`: what a receiver restores its pictures from, frame by frame, to train the restoration with.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use cis_codec::{
    BundleId, Decoder, Limits, Shape, Transform,
    frame::{DETECTION, ENHANCEMENT},
    steady::Received,
};

use crate::code::{each_unit, read_prior};
use crate::dump;

#[derive(clap::Args)]
pub struct Arguments {
    /// Bundle id of the stream
    #[arg(long)]
    bundle: BundleId,
    /// Folder of that bundle
    #[arg(long)]
    folder: PathBuf,
    /// Names what is written: NAME.y.f32, the latents of the view, and NAME.z.f32, those of the enhancement layer (zeros where a frame has none), each with its .json
    #[arg(long, short, value_name = "NAME")]
    output: PathBuf,
    /// .cis file with both layers
    input: PathBuf,
}

/// Both layers of a stream, as `cisdecode` reads them.
struct Receiver {
    features: Decoder,
    layer: Decoder,
    view: Received,
}

/// What one picture is restored from.
struct Frame {
    y: Vec<f32>,
    z: Option<Vec<f32>>,
}

impl Receiver {
    fn new(bundle: &BundleId, folder: &Path) -> Result<Self> {
        let prior = |name| read_prior(Some(&folder.join(name)));
        let path = folder.join("transform.bin");
        let transform = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let transform =
            Transform::from_bytes(&transform).with_context(|| format!("in {}", path.display()))?;
        let limits = Limits::default();
        let layer = Decoder::of_layer(ENHANCEMENT, bundle.clone(), prior("enhance-prior.bin")?, limits);
        Ok(Self {
            features: Decoder::new(bundle.clone(), prior("prior.bin")?, limits),
            layer: layer.drawing(Arc::new(transform)),
            view: Received::default(),
        })
    }

    /// A unit of the features begins a frame, one of the layer is of the frame before.
    fn read(&mut self, unit: &[u8], layer: u8, frames: &mut Vec<Frame>) -> Result<Shape> {
        if layer == DETECTION {
            let frame = self.features.decode(unit)?;
            self.view.follow(frame.latents, &frame.header);
            let y = self.view.latents().to_vec();
            frames.push(Frame { y, z: None });
            return Ok(frame.header.shape);
        }
        let shape = self.layer.decode(unit)?.header.shape;
        let frame = frames
            .last_mut()
            .context("a unit of the layer before any frame")?;
        self.layer.dequantize(frame.z.insert(Vec::new()));
        Ok(shape)
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let stream =
        fs::read(&arguments.input).with_context(|| format!("cannot read {}", arguments.input.display()))?;
    let mut receiver = Receiver::new(&arguments.bundle, &arguments.folder)?;
    let (mut frames, mut shapes) = (Vec::new(), [Shape::default(); 2]);
    each_unit(&stream, |unit, layer| {
        shapes[usize::from(layer != DETECTION)] = receiver.read(unit, layer, &mut frames)?;
        Ok(())
    })?;
    let [y, z] = shapes;
    ensure!(
        !z.is_empty(),
        "{} has no enhancement layer",
        arguments.input.display()
    );
    let name = |layer: &str| {
        let mut name = arguments.output.clone().into_os_string();
        name.push(format!(".{layer}.f32"));
        PathBuf::from(name)
    };
    let absent = vec![0.0; z.len()];
    let layers = frames
        .iter()
        .flat_map(|frame| frame.z.as_ref().unwrap_or(&absent));
    dump::write(
        &name("y"),
        y,
        frames.len(),
        frames.iter().flat_map(|frame| &frame.y).copied(),
    )?;
    dump::write(&name("z"), z, frames.len(), layers.copied())?;
    println!("{} frames", frames.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use cis_codec::{Encoder, Prior, Size, encode, fuzz, quant, steady::Steady};
    use serde_json::json;

    use super::*;

    const Y: Shape = Shape {
        channels: 5,
        width: 3,
        height: 2,
    };
    const Z: Shape = Shape {
        channels: 6,
        width: 6,
        height: 4,
    };

    fn latents(shape: Shape, index: u64) -> Vec<f32> {
        (0..shape.len() as u64)
            .map(|at| ((at * 7919 + index * 104_729) % 97) as f32 / 8.0 - 6.0)
            .collect()
    }

    fn input(latents: &[f32], shape: Shape, index: u64) -> encode::Input<'_> {
        encode::Input {
            latents,
            shape,
            source: Size {
                width: 96,
                height: 64,
            },
            pts_ns: index * 100_000_000,
            capture_utc_ns: 0,
            force_key: false,
            vectors: &[],
        }
    }

    fn read(path: PathBuf) -> Vec<f32> {
        let bytes = fs::read(path).unwrap();
        let value = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        bytes.chunks_exact(4).map(value).collect()
    }

    #[test]
    fn both_layers_are_what_the_encoder_says_that_the_receiver_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["prior.bin", "enhance-prior.bin"] {
            fs::write(path(name), Prior::default().to_bytes()).unwrap();
        }
        fs::write(path("transform.bin"), fuzz::transform(Z.channels).to_bytes()).unwrap();
        let config = encode::Config::new("test".parse().unwrap());
        let mut features = Encoder::new(config.clone(), Arc::default()).unwrap();
        let config = encode::Config {
            layer: ENHANCEMENT,
            ..config
        };
        let mut layer = Encoder::new(config, Arc::default())
            .unwrap()
            .predicting(fuzz::transform(Z.channels));
        let (mut stream, mut steady, mut view, mut enhanced) =
            (Vec::new(), Steady::default(), Vec::new(), Vec::new());
        for index in 0..6 {
            let packet = features.encode(&input(&latents(Y, index), Y, index)).unwrap();
            let mut values = vec![0.0; Y.len()];
            quant::dequantize(&features.reconstruction().q, packet.header.qindex, &mut values);
            let step = quant::step(packet.header.qindex);
            view.extend_from_slice(steady.follow(&values, step, packet.header.key));
            stream.extend_from_slice(&packet.data);
            if index == 0 {
                enhanced.resize(Z.len(), 0.0);
                continue;
            }
            let packet = layer.encode(&input(&latents(Z, index), Z, index)).unwrap();
            stream.extend_from_slice(&packet.data);
            layer.dequantize(&mut values);
            enhanced.extend_from_slice(&values);
        }
        fs::write(path("stream.cis"), &stream).unwrap();
        let mut arguments = Arguments {
            bundle: "test".parse().unwrap(),
            folder: folder.path().to_owned(),
            output: path("out"),
            input: path("stream.cis"),
        };
        run(&arguments).unwrap();
        assert_eq!(read(path("out.y.f32")), view);
        assert_eq!(read(path("out.z.f32")), enhanced);
        assert!(enhanced[Z.len()..].iter().any(|&value| value != 0.0));
        let about: serde_json::Value =
            serde_json::from_slice(&fs::read(path("out.z.json")).unwrap()).unwrap();
        assert_eq!(about, json!({"frames": 6, "channels": 6, "h": 4, "w": 6}));
        fs::write(path("short.cis"), &stream[..stream.len() - 1]).unwrap();
        arguments.input = path("short.cis");
        let error = format!("{:#}", run(&arguments).unwrap_err());
        assert!(error.contains("the file ends inside the unit at byte"), "{error}");
    }
}
