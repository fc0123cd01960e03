//! The compiled shader: its buffers and passes, and reading back.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use wgpu::util::DeviceExt;

/// `struct Search` of the shader: a block of rows and what is asked of it.
#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct BlockUniform {
    pub rows: u32,
    pub start: u32,
    pub first: u32,
    pub words: u32,
    pub half: u32,
    pub queries: u32,
    pub room: u32,
    pub margin: f32,
}

/// `struct Asked` of the shader.
#[repr(C)]
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct AskedQuery {
    pub wanted: u32,
    pub lower: f32,
    pub found: u32,
    pub unused: u32,
}

/// How much there is room for.
#[derive(Clone, Copy)]
pub struct WorkingRoom {
    /// Bytes of a piece's rows.
    pub piece_bytes: u64,
    /// Cosines of a block of rows with all queries: 4 bytes each.
    pub cosines: usize,
    /// Rows that are found for all queries together: 8 bytes each.
    pub found: usize,
}

/// What devices have that bind as much as they can be asked to.
const AMPLE: WorkingRoom = WorkingRoom { piece_bytes: 128 << 20, cosines: 4 << 20, found: 4 << 20 };

/// The compiled shader on a device.
pub struct Similarity {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    layout: wgpu::BindGroupLayout,
    pub(super) passes: SimilarityPasses,
    pub(super) room: WorkingRoom,
}

/// The entry points of the shader.
pub(super) struct SimilarityPasses {
    pub similar: wgpu::ComputePipeline,
    pub similar_many: wgpu::ComputePipeline,
    pub count: wgpu::ComputePipeline,
    pub bound: wgpu::ComputePipeline,
    pub collect: wgpu::ComputePipeline,
}

/// What all blocks of a search share.
pub(super) struct SearchBuffers {
    pub queries: wgpu::Buffer,
    pub cosines: wgpu::Buffer,
    pub bins: wgpu::Buffer,
    pub asked: wgpu::Buffer,
    pub found: wgpu::Buffer,
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
            source: wgpu::ShaderSource::Wgsl(include_str!("../../../shaders/similarity.wgsl").into()),
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
        let passes = SimilarityPasses {
            similar: pipeline("similar"),
            similar_many: pipeline("similar_many"),
            count: pipeline("count"),
            bound: pipeline("bound"),
            collect: pipeline("collect"),
        };
        let limits = device.limits();
        let bound_bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let room = WorkingRoom { piece_bytes: AMPLE.piece_bytes.min(bound_bytes), ..AMPLE };
        Self { device: device.clone(), queue: queue.clone(), layout, passes, room }
    }

    /// With less room.
    #[cfg(test)]
    pub fn with_room(self, room: WorkingRoom) -> Self {
        Self { room, ..self }
    }

    pub(super) fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        // What a binding needs that nothing is read of.
        let size = size.max(size_of::<AskedQuery>() as u64).next_multiple_of(4);
        let label = Some("similarity");
        self.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
    }

    pub(super) fn filled<T: bytemuck::NoUninit>(
        &self,
        contents: &[T],
        usage: wgpu::BufferUsages,
    ) -> wgpu::Buffer {
        let (label, contents) = (Some("similarity"), bytemuck::cast_slice(contents));
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label, contents, usage })
    }

    /// All that the shader sees: a block of rows that are stored as `vectors` with `inv_norms`.
    pub(super) fn bind(
        &self,
        block: &BlockUniform,
        [vectors, inv_norms]: [&wgpu::Buffer; 2],
        shared: &SearchBuffers,
    ) -> wgpu::BindGroup {
        let uniform = self.filled(&[*block], wgpu::BufferUsages::UNIFORM);
        let SearchBuffers { queries, cosines, bins, asked, found } = shared;
        let buffers = [&uniform, queries, vectors, inv_norms, cosines, bins, asked, found];
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

    /// Runs so many workgroups.
    pub(super) fn pass(
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

    /// Waits for those `bytes` of `buffer`, one part behind the other.
    pub(super) fn read(&self, buffer: &wgpu::Buffer, bytes: &[Range<u64>]) -> Result<Vec<u8>> {
        let total = bytes.iter().map(|part| part.end - part.start).sum();
        if total == 0 {
            return Ok(vec![]);
        }
        let staging = self.buffer(total, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut place = 0;
        for part in bytes {
            let size = part.end - part.start;
            encoder.copy_buffer_to_buffer(buffer, part.start, &staging, place, size);
            place += size;
        }
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| _ = sender.send(result));
        self.device.poll(wgpu::PollType::wait_indefinitely()).context("the GPU does not answer")?;
        receiver.recv().context("the GPU gave no answer")?.context("the GPU's memory cannot be read")?;
        let all = staging.get_mapped_range(..).context("the GPU's memory cannot be read")?;
        Ok(all[..total as usize].to_vec())
    }
}
