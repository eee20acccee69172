//! Writes metrics, with their names, units and words.

use cis_link::Times;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use std::fmt::Error;
use std::time::Duration;

/// Where metrics are written.
pub struct Page<'a, 'e>(pub &'a mut DescriptorEncoder<'e>);

impl Page<'_, '_> {
    /// A count, one value for each set of labels.
    pub fn counter<'l, const N: usize>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        values: impl IntoIterator<Item = ([(&'static str, &'l str); N], f64)>,
    ) -> Result<(), Error> {
        let values = values.into_iter();
        let values = values.map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(name, unit, help, MetricType::Counter, values)
    }

    /// A value of the moment, one for each set of labels.
    pub fn gauge<'l, const N: usize>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        values: impl IntoIterator<Item = ([(&'static str, &'l str); N], f64)>,
    ) -> Result<(), Error> {
        let values = values.into_iter();
        let values = values.map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(name, unit, help, MetricType::Gauge, values)
    }

    /// Times in seconds, one histogram for each set of labels.
    pub fn histogram<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'static str, &'l str); N], impl EncodeMetric)>,
    ) -> Result<(), Error> {
        self.family(name, Some(&Unit::Seconds), help, MetricType::Histogram, values)
    }

    fn family<'l, const N: usize>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = ([(&'static str, &'l str); N], impl EncodeMetric)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, unit, kind)?;
        for (labels, value) in values {
            value.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// Times that somebody else has put into buckets.
pub struct Counted(pub Times);

impl EncodeMetric for Counted {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
        let Self(times) = self;
        let bound = |bound: Option<Duration>| bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64());
        let buckets: Vec<_> = times
            .buckets()
            .map(|(most, count)| (bound(most), count))
            .collect();
        encoder.encode_histogram::<NoLabelSet>(times.sum().as_secs_f64(), times.count(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
