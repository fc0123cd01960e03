//! The host's side of `shaders/similarity.wgsl`: rows that stay on a GPU, their cosines with a query, and
//! the rows that can be among the k nearest.
//!
//! Rows lie in pieces, each small enough for one storage binding. A cosine is within [`BOUND`] of the
//! CPU's, as tests have it for widths of up to 8,192. Neighbours are the CPU's to the bit: it computes again the
//! few rows that [`Similarity::candidates`] leaves, which allows for the largest error that rounding can cause.
//! Tried on software Vulkan only.

use anyhow::{Context, Result, bail, ensure};
use wgpu::util::DeviceExt;

/// How far a cosine may be from the CPU's.
pub const BOUND: f32 = 2e-6;

/// Bytes of a piece's rows, where the device's bindings can be as large.
const PIECE_BYTES: u64 = 128 << 20;
/// Equal parts of [-1, 1] that cosines are counted in.
const BINS: usize = 4096;
/// Workgroups along one axis, at most: what every device can do.
const MOST_GROUPS: u32 = 65_535;
/// Workgroups that walk over the rows to count and collect.
const WALKERS: u32 = 64;

/// `struct Search` of the shader.
#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Uniform {
    rows: u32,
    first: u32,
    words: u32,
    half: u32,
    lower: f32,
    unused: [u32; 3],
}

/// The compiled shader on a device.
pub struct Similarity {
    device: wgpu::Device,
    queue: wgpu::Queue,
    layout: wgpu::BindGroupLayout,
    similar: wgpu::ComputePipeline,
    count: wgpu::ComputePipeline,
    collect: wgpu::ComputePipeline,
    /// Bytes of a piece's rows, at most.
    piece_bytes: u64,
}

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// In half precision, two to a word.
    F16,
    /// In single precision.
    F32,
}

/// Rows on the device.
pub struct Resident {
    width: usize,
    stored: Stored,
    /// Rows that a piece has room for.
    piece_rows: usize,
    pieces: Vec<ResidentPiece>,
    rows: usize,
}

struct ResidentPiece {
    rows: usize,
    vectors: wgpu::Buffer,
    inv_norms: wgpu::Buffer,
    cosines: wgpu::Buffer,
}

impl Resident {
    /// None yet of `most_rows` rows of `width` values.
    pub fn new(similarity: &Similarity, width: usize, stored: Stored, most_rows: usize) -> Self {
        let mut resident = Self { width, stored, piece_rows: 0, pieces: vec![], rows: 0 };
        let fit = similarity.piece_bytes / 4 / resident.words().max(1) as u64;
        let most_rows = most_rows.min(MOST_GROUPS as usize * 256);
        resident.piece_rows = (fit as usize).min(most_rows).max(1);
        resident
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that the pieces of so many rows take.
    pub fn bytes_for(&self, rows: usize) -> u64 {
        let piece = self.piece_rows as u64 * (4 * self.words() as u64 + 8);
        rows.div_ceil(self.piece_rows) as u64 * piece
    }

    /// 32-bit words of a row.
    fn words(&self) -> usize {
        match self.stored {
            Stored::F16 => self.width.div_ceil(2),
            Stored::F32 => self.width,
        }
    }
}

impl Similarity {
    /// Compiles the shader.
    ///
    /// # Errors
    /// A device that cannot run it.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Self> {
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let compiled = Self::compile(device, queue);
        match pollster::block_on(scope.pop()) {
            None => Ok(compiled),
            Some(error) => bail!("the GPU cannot run the shader of the search: {error}"),
        }
    }

    fn compile(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("similarity"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/similarity.wgsl").into()),
        });
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let kinds = [
            wgpu::BufferBindingType::Uniform,
            storage(true),
            storage(true),
            storage(true),
            storage(false),
            storage(false),
            storage(false),
        ];
        let entry = |(binding, ty): (usize, wgpu::BufferBindingType)| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let entries: Vec<_> = kinds.into_iter().enumerate().map(entry).collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("similarity"),
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("similarity"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = |entry_point| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let (similar, count, collect) = (pipeline("similar"), pipeline("count"), pipeline("collect"));
        let limits = device.limits();
        let piece_bytes = PIECE_BYTES.min(limits.max_storage_buffer_binding_size).min(limits.max_buffer_size);
        let (device, queue) = (device.clone(), queue.clone());
        Self { device, queue, layout, similar, count, collect, piece_bytes }
    }

    /// With smaller pieces.
    #[cfg(test)]
    pub fn in_pieces_of(self, piece_bytes: u64) -> Self {
        Self { piece_bytes, ..self }
    }

    /// Adds rows: `values`, their bytes as they are stored, `[inv_norms.len(), width]`.
    ///
    /// # Errors
    /// No memory on the device; what was there before stays of use.
    pub fn append(&self, to: &mut Resident, values: &[u8], inv_norms: &[f32]) -> Result<()> {
        let row_bytes = values.len() / inv_norms.len().max(1);
        let mut next = 0;
        while next < inv_norms.len() {
            if to.rows == to.pieces.len() * to.piece_rows {
                let piece = self.new_piece(to)?;
                to.pieces.push(piece);
            }
            let words = to.words();
            let piece = to.pieces.last_mut().context("a piece was just made")?;
            let count = (to.piece_rows - piece.rows).min(inv_norms.len() - next);
            let bytes = &values[next * row_bytes..(next + count) * row_bytes];
            let padded = padded(bytes, row_bytes, 4 * words);
            self.queue.write_buffer(&piece.vectors, (4 * words * piece.rows) as u64, &padded);
            let norms = bytemuck::cast_slice(&inv_norms[next..next + count]);
            self.queue.write_buffer(&piece.inv_norms, 4 * piece.rows as u64, norms);
            piece.rows += count;
            to.rows += count;
            next += count;
        }
        Ok(())
    }

    fn new_piece(&self, of: &Resident) -> Result<ResidentPiece> {
        use wgpu::BufferUsages as Usage;
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = |size, usage| self.buffer(size, usage | Usage::STORAGE);
        let rows = of.piece_rows as u64;
        let piece = ResidentPiece {
            rows: 0,
            vectors: buffer(4 * of.words() as u64 * rows, Usage::COPY_DST),
            inv_norms: buffer(4 * rows, Usage::COPY_DST),
            cosines: buffer(4 * rows, Usage::COPY_SRC),
        };
        let error = pollster::block_on(scope.pop());
        ensure!(error.is_none(), "the GPU has no memory for {} more rows", of.piece_rows);
        Ok(piece)
    }

    fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let size = size.max(4).next_multiple_of(4);
        let label = Some("similarity");
        self.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
    }

    /// The cosine of every row with `query`, `[width]` and at unit length; -2 for a row that takes no part.
    ///
    /// # Errors
    /// A lost device.
    pub fn cosines(&self, rows: &Resident, query: &[f32]) -> Result<Vec<f32>> {
        let shared = self.shared(rows, query, 0);
        let mut all = Vec::with_capacity(rows.rows);
        let uniform = self.uniforms(rows, rows.rows);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for (piece, uniform) in rows.pieces.iter().zip(&uniform) {
            let group = self.bind(piece, uniform, &shared);
            self.pass(&mut encoder, &self.similar, &group, row_groups(piece.rows));
        }
        self.queue.submit([encoder.finish()]);
        for piece in &rows.pieces {
            let bytes = self.read(&piece.cosines, 4 * piece.rows as u64)?;
            all.extend_from_slice(bytemuck::cast_slice(&bytes));
        }
        Ok(all)
    }

    /// Of the first `count` rows some in rising order, among them every one whose cosine to `query` the CPU finds
    /// at least as large as the `k`-th largest that it finds: the `k` nearest, ties included, and few others.
    /// `query` is `[width]` and at unit length.
    ///
    /// # Errors
    /// A lost device.
    pub fn candidates(&self, rows: &Resident, query: &[f32], k: usize, count: usize) -> Result<Vec<usize>> {
        let shared = self.shared(rows, query, rows.rows);
        let mut uniforms = self.uniforms(rows, count);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for (piece, uniform) in rows.pieces.iter().zip(&uniforms) {
            let group = self.bind(piece, uniform, &shared);
            self.pass(&mut encoder, &self.similar, &group, row_groups(piece.rows));
            self.pass(&mut encoder, &self.count, &group, (WALKERS, 1));
        }
        self.queue.submit([encoder.finish()]);
        let bins = self.read(&shared.bins, 4 * BINS as u64)?;
        let lower = lower_bound(bytemuck::cast_slice(&bins), k, rows.width);
        uniforms.iter_mut().for_each(|uniform| uniform.lower = lower);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for (piece, uniform) in rows.pieces.iter().zip(&uniforms) {
            let group = self.bind(piece, uniform, &shared);
            self.pass(&mut encoder, &self.collect, &group, (WALKERS, 1));
        }
        self.queue.submit([encoder.finish()]);
        let count: u32 = bytemuck::pod_read_unaligned(&self.read(&shared.found, 4)?);
        let found = self.read(&shared.found, 4 * (1 + u64::from(count)))?;
        let found: &[u32] = bytemuck::cast_slice(&found);
        let mut found: Vec<usize> = found[1..].iter().map(|row| *row as usize).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// For a search in the first `count` rows.
    fn uniforms(&self, rows: &Resident, count: usize) -> Vec<Uniform> {
        let uniform = |(index, piece): (usize, &ResidentPiece)| {
            let first = index * rows.piece_rows;
            Uniform {
                rows: piece.rows.min(count.saturating_sub(first)) as u32,
                first: first as u32,
                words: rows.words() as u32,
                half: u32::from(rows.stored == Stored::F16),
                ..Uniform::default()
            }
        };
        rows.pieces.iter().enumerate().map(uniform).collect()
    }

    fn shared(&self, rows: &Resident, query: &[f32], room: usize) -> SearchBuffers {
        use wgpu::BufferUsages as Usage;
        let mut padded = query.to_vec();
        padded.resize(2 * rows.words().max(query.len().div_ceil(2)), 0.0);
        let query = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("query"),
            contents: bytemuck::cast_slice(&padded),
            usage: Usage::STORAGE,
        });
        // New buffers are zero.
        let counted = |count: usize| self.buffer(4 * count as u64, Usage::STORAGE | Usage::COPY_SRC);
        SearchBuffers { query, bins: counted(BINS), found: counted(1 + room) }
    }

    fn bind(&self, piece: &ResidentPiece, uniform: &Uniform, shared: &SearchBuffers) -> wgpu::BindGroup {
        let uniform = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("search"),
            contents: bytemuck::bytes_of(uniform),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let buffers = [
            &uniform,
            &shared.query,
            &piece.vectors,
            &piece.inv_norms,
            &piece.cosines,
            &shared.bins,
            &shared.found,
        ];
        let entries = buffers.into_iter().enumerate().map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: buffer.as_entire_binding(),
        });
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("similarity"),
            layout: &self.layout,
            entries: &entries.collect::<Vec<_>>(),
        })
    }

    fn pass(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        pipeline: &wgpu::ComputePipeline,
        group: &wgpu::BindGroup,
        (x, y): (u32, u32),
    ) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }

    /// Waits for the first `bytes` of `buffer`.
    fn read(&self, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>> {
        if bytes == 0 {
            return Ok(vec![]);
        }
        let staging = self.buffer(bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| _ = sender.send(result));
        self.device.poll(wgpu::PollType::wait_indefinitely()).context("the GPU does not answer")?;
        receiver.recv().context("the GPU gave no answer")?.context("the GPU's memory cannot be read")?;
        Ok(staging.get_mapped_range(..).context("the GPU's memory cannot be read")?.to_vec())
    }
}

/// What all pieces of a search share.
struct SearchBuffers {
    query: wgpu::Buffer,
    bins: wgpu::Buffer,
    found: wgpu::Buffer,
}

/// A least cosine on the GPU below which none of the `k` best on the CPU lie.
fn lower_bound(bins: &[u32], k: usize, width: usize) -> f32 {
    let mut seen = 0;
    for (bin, count) in bins.iter().enumerate().rev() {
        seen += *count as usize;
        if seen >= k {
            return bin as f32 * 2.0 / BINS as f32 - 1.0 - 2.0 * largest_error(width);
        }
    }
    -1.0
}

/// How far a cosine may be from the CPU's at most. A sum of n products, of vectors at unit length, is off by at
/// most n / 2^24, n the longest chain of additions: here 1/64 of a row and the workgroup's six, there at most
/// 1/16 of it and the lanes' sixteen; the rest is for the norm, and for finding a bin.
fn largest_error(width: usize) -> f32 {
    (width as f32 / 64.0 + width as f32 / 16.0 + 48.0) / (1 << 24) as f32
}

/// One workgroup for each of `rows`, as a rectangle.
fn row_groups(rows: usize) -> (u32, u32) {
    let rows = rows as u32;
    (rows.clamp(1, MOST_GROUPS), rows.div_ceil(MOST_GROUPS).max(1))
}

/// Rows of `from` bytes as rows of `to` bytes, zeros behind each.
fn padded(bytes: &[u8], from: usize, to: usize) -> std::borrow::Cow<'_, [u8]> {
    if from == to {
        return bytes.into();
    }
    let mut out = vec![0; bytes.len() / from * to];
    for (row, out) in bytes.chunks_exact(from).zip(out.chunks_exact_mut(to)) {
        out[..from].copy_from_slice(row);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_leaves_the_k_best() {
        let mut bins = [0; BINS];
        (bins[4095], bins[4000], bins[7]) = (3, 5, 100);
        for (k, bin) in [(3, 4095), (4, 4000), (9, 7)] {
            let lower = lower_bound(&bins, k, 512);
            let edge = bin as f32 * 2.0 / BINS as f32 - 1.0;
            assert!(lower < edge - 1e-5 && lower > edge - 1e-4, "{lower} for {edge}");
        }
        assert_eq!(lower_bound(&bins, 200, 512), -1.0);
    }

    #[test]
    fn rows_of_an_odd_width_are_padded() {
        assert_eq!(*padded(&[1, 2, 3, 4], 2, 4), [1, 2, 0, 0, 3, 4, 0, 0]);
        assert_eq!(row_groups(1), (1, 1));
        assert_eq!(row_groups(70_000), (65_535, 2));
    }
}
