//! Rows of a bank as columns of a table.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::types::Float16Type;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, PrimitiveArray, RecordBatch, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema};

use super::super::layout::Layout;
use super::super::rows::{OwnedValues, RowBuffer};
use super::super::spec::{BankSpec, Dtype, SpaceSpec};

/// What each row is of.
const OF: [&str; 4] = ["image", "y", "x", "label"];

/// Names of the columns of the spaces: theirs, with `_` for what other programs take for a sign of their own.
pub fn columns(spaces: &[SpaceSpec]) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for (index, space) in spaces.iter().enumerate() {
        let plain: String =
            space.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let is_taken = |name: &str| {
            let taken = OF.iter().copied().chain(names.iter().map(String::as_str));
            taken.into_iter().any(|other| other.eq_ignore_ascii_case(name))
        };
        names.push(if is_taken(&plain) { format!("{plain}_{index}") } else { plain });
    }
    names
}

/// The table of a bank.
pub fn schema(spec: &BankSpec) -> Arc<Schema> {
    let of = OF.iter().map(|name| Field::new(*name, DataType::UInt32, *name == "label"));
    let spaces = spec.spaces.iter().zip(columns(&spec.spaces)).map(|(space, name)| {
        let list = DataType::FixedSizeList(item(spec.dtype), space.width as i32);
        Field::new(name, list, false)
    });
    Arc::new(Schema::new(of.chain(spaces).collect::<Vec<_>>()))
}

/// One value of a vector.
fn item(dtype: Dtype) -> Arc<Field> {
    let kind = match dtype {
        Dtype::F16 => DataType::Float16,
        Dtype::F32 => DataType::Float32,
    };
    Arc::new(Field::new("item", kind, true))
}

/// The rows from `first` on, a buffer for each space.
///
/// # Errors
/// The buffers do not belong together.
pub fn batch(spec: &BankSpec, layout: &Layout, first: usize, buffers: &[RowBuffer]) -> Result<RecordBatch> {
    let rows = first..first + buffers.first().map_or(0, RowBuffer::rows);
    let patches: Vec<_> = rows.clone().map(|row| layout.patch_ref(row)).collect();
    let labels = rows.map(|row| layout.images()[layout.place_of_row(row)].label);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(patches.iter().map(|patch| patch.image))),
        Arc::new(UInt32Array::from_iter_values(patches.iter().map(|patch| patch.y))),
        Arc::new(UInt32Array::from_iter_values(patches.iter().map(|patch| patch.x))),
        Arc::new(labels.collect::<UInt32Array>()),
    ];
    for (space, buffer) in spec.spaces.iter().zip(buffers) {
        let values: ArrayRef = match &buffer.values {
            OwnedValues::F16(values) => Arc::new(PrimitiveArray::<Float16Type>::from(values.clone())),
            OwnedValues::F32(values) => Arc::new(Float32Array::from(values.clone())),
        };
        let list = FixedSizeListArray::try_new(item(spec.dtype), space.width as i32, values, None)?;
        columns.push(Arc::new(list));
    }
    Ok(RecordBatch::try_new(schema(spec), columns)?)
}

/// The values of column `name`, row-major.
///
/// # Errors
/// It is not what [`batch`] makes.
pub fn values(batch: &RecordBatch, name: &str) -> Result<OwnedValues> {
    let column = batch.column_by_name(name).with_context(|| format!("the table has no column {name}"))?;
    let list = column.as_any().downcast_ref::<FixedSizeListArray>();
    let list = list.with_context(|| format!("column {name} of the table is no list of vectors"))?;
    let width = list.value_length() as usize;
    let values = list.values().slice(list.offset() * width, list.len() * width);
    if let Some(values) = values.as_any().downcast_ref::<PrimitiveArray<Float16Type>>() {
        return Ok(OwnedValues::F16(values.values().to_vec()));
    }
    match values.as_any().downcast_ref::<Float32Array>() {
        Some(values) => Ok(OwnedValues::F32(values.values().to_vec())),
        None => bail!("column {name} of the table holds {}; expected float16 or float32", values.data_type()),
    }
}
