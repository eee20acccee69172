//! One network of a bundle as an ONNX Runtime session: opened with its tensors checked against the bundle contract, run
//! with results handed out in place.

use ort::ep::{self, ExecutionProvider as _};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{OutputSelector, RunOptions, Session, SessionInputValue, SessionOutputs};
use ort::value::{Outlet, PrimitiveTensorElementType, TensorElementType, TensorRef, ValueType};

use super::{Device, Runtime, SessionOptions};
use crate::bundle::Bundle;
use crate::{Error, Result};

/// What one side of a tensor must be.
#[derive(Clone, Copy)]
pub(crate) enum Dim {
    /// Varies from run to run; a network that fixes it is accepted and may then refuse a run.
    Any,
    /// This number; a network that leaves it open is accepted and checked at each run.
    Is(usize),
    /// This number, and the network must say so: it tells one layout from another.
    Fixed(usize),
}

/// What a tensor must be.
pub(crate) struct TensorSpec<'a> {
    pub name: &'a str,
    pub element: TensorElementType,
    pub dims: &'a [Dim],
}

/// What an input gets: its shape and its content.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub dims: [usize; 4],
    pub data: Data<'a>,
}

/// Content of an input.
#[derive(Clone, Copy)]
pub(crate) enum Data<'a> {
    Bytes(&'a [u8]),
    Floats(&'a [f32]),
}

/// An opened network.
pub(crate) struct Network {
    file: String,
    session: Session,
    inputs: Vec<String>,
    batched: bool,
}

impl Network {
    /// Opens `file` of the bundle and checks its tensors. It must have these inputs and no others.
    pub fn open(
        runtime: &Runtime,
        bundle: &Bundle,
        file: &str,
        options: &SessionOptions,
        inputs: &[TensorSpec<'_>],
        outputs: &[TensorSpec<'_>],
    ) -> Result<Self> {
        let data = bundle.network(file)?;
        let legal = 1..=SessionOptions::MAX_THREADS;
        if !legal.contains(&options.threads) {
            return Err(Error::range(
                "threads",
                options.threads,
                format!("1..={}", legal.end()),
            ));
        }
        let session = open(runtime, &data, options).map_err(|reason| match options.device {
            Device::Cpu => Error::Network {
                file: file.to_owned(),
                reason,
            },
            device => Error::Device {
                device: device.to_string(),
                reason,
            },
        })?;
        let found = session.inputs();
        if found.len() != inputs.len() {
            return Err(Error::range(
                format!("number of inputs of {file}"),
                found.len(),
                inputs.len().to_string(),
            ));
        }
        for input in inputs {
            check(file, found, input)?;
        }
        for output in outputs {
            check(file, session.outputs(), output)?;
        }
        let batched = found
            .first()
            .is_some_and(|input| !matches!(shape(input.dtype()), Some([0..=1, ..])));
        Ok(Self {
            file: file.to_owned(),
            session,
            inputs: inputs.iter().map(|input| input.name.to_owned()).collect(),
            batched,
        })
    }

    /// Whether one run can take several items.
    pub fn batched(&self) -> bool {
        self.batched
    }

    /// Runs the network on what its inputs are `given`, in the order in which it was opened with them; `visit` reads the outputs in place. Outputs that
    /// `selection` leaves out are not computed.
    pub fn run<R>(
        &mut self,
        given: &[Given<'_>],
        selection: &Selection,
        visit: impl FnOnce(&Outputs<'_>) -> Result<R>,
    ) -> Result<R> {
        let Self {
            file,
            session,
            inputs,
            ..
        } = self;
        let fault = |e: ort::Error| Error::Network {
            file: file.clone(),
            reason: e.to_string(),
        };
        let values = inputs
            .iter()
            .zip(given)
            .map(|(name, given)| Ok((name.as_str(), given.value().map_err(fault)?)))
            .collect::<Result<Vec<_>>>()?;
        let values = session.run_with_options(values, &selection.0).map_err(fault)?;
        visit(&Outputs { file, values })
    }

    /// A choice of outputs, made once and used for many runs.
    pub fn select(&self, names: &[&str]) -> Result<Selection> {
        let fault = |e: ort::Error| Error::Network {
            file: self.file.clone(),
            reason: e.to_string(),
        };
        let selector = names
            .iter()
            .fold(OutputSelector::no_default(), |all, name| all.with(*name));
        Ok(Selection(
            RunOptions::new().map_err(fault)?.with_outputs(selector),
        ))
    }
}

impl<'a> Given<'a> {
    pub fn bytes(dims: [usize; 4], data: &'a [u8]) -> Self {
        let data = Data::Bytes(data);
        Self { dims, data }
    }

    pub fn floats(dims: [usize; 4], data: &'a [f32]) -> Self {
        let data = Data::Floats(data);
        Self { dims, data }
    }

    fn value(&self) -> ort::Result<SessionInputValue<'a>> {
        Ok(match self.data {
            Data::Bytes(data) => TensorRef::from_array_view((self.dims, data))?.into(),
            Data::Floats(data) => TensorRef::from_array_view((self.dims, data))?.into(),
        })
    }
}

/// Which outputs a run computes.
pub(crate) struct Selection(RunOptions<ort::session::HasSelectedOutputs>);

/// The outputs of one run.
pub(crate) struct Outputs<'a> {
    file: &'a str,
    values: SessionOutputs<'a>,
}

impl Outputs<'_> {
    /// The content of an output, whose shape must be `dims` (`None`: any); also returns the shape.
    pub fn tensor<T: PrimitiveTensorElementType>(
        &self,
        name: &str,
        dims: &[Option<usize>],
    ) -> Result<(Vec<usize>, &[T])> {
        let expected = || {
            let sides: Vec<String> = dims
                .iter()
                .map(|dim| dim.map_or_else(|| "?".to_owned(), |d| d.to_string()))
                .collect();
            format!("[{}] of this run", sides.join(", "))
        };
        let fault = |found: String| Error::Tensor {
            file: self.file.to_owned(),
            tensor: name.to_owned(),
            found,
            expected: expected(),
        };
        let value = self.values.get(name).ok_or_else(|| fault("missing".to_owned()))?;
        let (shape, data) = value
            .try_extract_tensor::<T>()
            .map_err(|e| fault(e.to_string()))?;
        let found: Vec<usize> = shape
            .iter()
            .map(|&side| usize::try_from(side).unwrap_or(0))
            .collect();
        let same = found.len() == dims.len()
            && found
                .iter()
                .zip(dims)
                .all(|(found, dim)| dim.is_none_or(|dim| dim == *found));
        if !same || data.len() != found.iter().product::<usize>() {
            return Err(fault(format!("{found:?}")));
        }
        Ok((found, data))
    }
}

fn open(runtime: &Runtime, data: &[u8], options: &SessionOptions) -> Result<Session, String> {
    let text = |e: ort::Error<_>| e.to_string();
    let spinning = if options.spinning { "1" } else { "0" };
    let mut builder = Session::builder(runtime.environment())
        .map_err(|e| e.to_string())?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(text)?
        .with_intra_threads(options.threads.into())
        .map_err(text)?
        .with_inter_threads(1)
        .map_err(text)?
        .with_config_entry("session.intra_op.allow_spinning", spinning)
        .map_err(text)?;
    if let Device::Cuda(index) = options.device {
        // Without this question ONNX Runtime would fall back to the processor, or fail in words that do not help.
        if !ep::CUDA::is_available().unwrap_or(false) {
            return Err(format!("{} was built without CUDA", runtime.library().display()));
        }
        let index = i32::try_from(index).map_err(|e| e.to_string())?;
        let cuda = ep::CUDA::default()
            .with_device_id(index)
            .build()
            .error_on_failure();
        builder = builder.with_execution_providers([cuda]).map_err(text)?;
    }
    builder.commit_from_memory(data).map_err(|e| e.to_string())
}

fn check(file: &str, outlets: &[Outlet], spec: &TensorSpec<'_>) -> Result<()> {
    let fault = |found: String| Error::Tensor {
        file: file.to_owned(),
        tensor: spec.name.to_owned(),
        found,
        expected: describe(spec),
    };
    let outlet = outlets
        .iter()
        .find(|outlet| outlet.name() == spec.name)
        .ok_or_else(|| {
            let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
            fault(format!("missing (there are: {})", names.join(", ")))
        })?;
    let good = matches!(outlet.dtype(), ValueType::Tensor { ty, shape, .. }
    if *ty == spec.element && shape.len() == spec.dims.len()
        && shape.iter().zip(spec.dims).all(|(&found, dim)| match dim {
            Dim::Any => true,
            Dim::Is(side) => found < 0 || usize::try_from(found).is_ok_and(|found| found == *side),
            Dim::Fixed(side) => usize::try_from(found).is_ok_and(|found| found == *side),
        }));
    if good {
        Ok(())
    } else {
        Err(fault(outlet.dtype().to_string()))
    }
}

fn shape(value: &ValueType) -> Option<&[i64]> {
    match value {
        ValueType::Tensor { shape, .. } => Some(shape),
        _ => None,
    }
}

fn describe(spec: &TensorSpec<'_>) -> String {
    let sides: Vec<String> = spec
        .dims
        .iter()
        .map(|dim| match dim {
            Dim::Any => "?".to_owned(),
            Dim::Is(side) | Dim::Fixed(side) => side.to_string(),
        })
        .collect();
    format!("Tensor<{}>({})", spec.element, sides.join(", "))
}
