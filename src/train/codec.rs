//! Optimiser buffers and probe vectors as safetensors.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use super::optimizer::OptimizerState;
use crate::files;

/// Vectors of the probe patches at one step.
///
/// # Shapes
/// - each space: `(width, values)`, values `[patches, width]`, row-major
pub type ProbeVectors = BTreeMap<String, (usize, Vec<f32>)>;

/// One array for each buffer of each parameter.
pub fn optimizer_bytes(state: &OptimizerState) -> anyhow::Result<Vec<u8>> {
    let named = state.iter().flat_map(|(id, buffers)| {
        buffers.iter().enumerate().map(move |(i, b)| (format!("buffer{i}.{id}"), b))
    });
    let views = named.map(|(name, values)| {
        Ok((name, TensorView::new(Dtype::F32, vec![values.len()], bytemuck::cast_slice(values))?))
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    files::tensors_to_bytes(views, BTreeMap::new())
}

/// The reverse of [`optimizer_bytes`]. The error names the key, or the parameter as `name_of` its id.
pub fn optimizer_from_bytes(bytes: &[u8], name_of: impl Fn(u64) -> String) -> anyhow::Result<OptimizerState> {
    let file = files::tensors_from_bytes(bytes)?.file;
    let mut entries = vec![];
    for (name, view) in file.iter() {
        let place = name.strip_prefix("buffer").and_then(|rest| rest.split_once('.'));
        let place = place.and_then(|(i, id)| Some((i.parse::<usize>().ok()?, id.parse::<u64>().ok()?)));
        let (buffer, id) = place.with_context(|| format!("unknown key \"{name}\""))?;
        ensure!(view.dtype() == Dtype::F32, "{name} is {:?}; expected F32", view.dtype());
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        entries.push((buffer, id, values.collect::<Vec<f32>>()));
    }
    entries.sort_by_key(|(buffer, id, _)| (*buffer, *id));
    let mut state = OptimizerState::new();
    for (buffer, id, values) in entries {
        let buffers = state.entry(id).or_default();
        ensure!(
            buffers.len() == buffer,
            "of {}, buffer {buffer} is there, buffer {} is not",
            name_of(id),
            buffers.len()
        );
        buffers.push(values);
    }
    Ok(state)
}

/// One float16 array for each space.
pub fn probe_bytes(vectors: &ProbeVectors) -> anyhow::Result<Vec<u8>> {
    let halves: BTreeMap<&String, (usize, Vec<f16>)> = vectors
        .iter()
        .map(|(space, (width, values))| (space, (*width, values.iter().map(|&v| f16::from_f32(v)).collect())))
        .collect();
    let views = halves.iter().map(|(space, (width, values))| {
        let shape = vec![values.len() / (*width).max(1), *width];
        Ok((space.as_str(), TensorView::new(Dtype::F16, shape, bytemuck::cast_slice(values))?))
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    files::tensors_to_bytes(views, BTreeMap::new())
}

/// The reverse of [`probe_bytes`]. The error names the space.
pub fn probe_from_bytes(bytes: &[u8]) -> anyhow::Result<ProbeVectors> {
    let file = files::tensors_from_bytes(bytes)?.file;
    let read = |(name, view): (&str, TensorView<'_>)| {
        let &[_, width] = view.shape() else { bail!("{name} has {} axes; expected 2", view.shape().len()) };
        ensure!(view.dtype() == Dtype::F16, "{name} is {:?}; expected F16", view.dtype());
        let values = view.data().as_chunks::<2>().0.iter().map(|&half| f16::from_le_bytes(half).to_f32());
        Ok((name.to_string(), (width, values.collect())))
    };
    file.iter().map(read).collect()
}
