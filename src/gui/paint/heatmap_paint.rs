//! Draws heatmaps with `shaders/heatmap.wgsl`: scores go to the GPU when they
//! change, colours, range and opacity are a uniform, so that changing those
//! costs one frame and no computation.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::{PaintCallbackInfo, Rect, Shape};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use eframe::wgpu;

use crate::colormap::Colormap;

const ALL_COLORMAPS: [Colormap; 4] =
    [Colormap::Magma, Colormap::Viridis, Colormap::Cividis, Colormap::Coolwarm];

/// A heatmap to draw.
pub struct HeatmapPaint {
    /// Which of the maps on screen: each keeps its buffers from frame to frame.
    pub slot: usize,
    /// Where the whole map lies, points; it may reach beyond the clip rectangle.
    pub rect: Rect,
    /// `rows * cols` scores, row by row; NaN where there is none.
    pub scores: Arc<Vec<f32>>,
    /// Rows of cells.
    pub rows: usize,
    /// Columns of cells.
    pub cols: usize,
    /// Scores at the two ends of the colour scale.
    pub range: [f32; 2],
    /// In [0, 1].
    pub opacity: f32,
    /// The colours.
    pub colormap: Colormap,
}

impl HeatmapPaint {
    /// As something that egui can paint.
    pub fn into_shape(self) -> Shape {
        Shape::Callback(Callback::new_paint_callback(self.rect, self))
    }

    fn uniform(&self, screen: &ScreenDescriptor) -> HeatmapUniform {
        let (uv_min, uv_max) = visible_uv(self.rect, screen);
        let [r, g, b] = self.colormap.missing();
        HeatmapUniform {
            uv_min,
            uv_max,
            rows: self.rows as u32,
            cols: self.cols as u32,
            lo: self.range[0],
            hi: self.range[1],
            opacity: self.opacity,
            missing: u32::from_le_bytes([r, g, b, 255]),
            cells: cells_of_a_pixel(self.rect, [self.cols, self.rows], screen.pixels_per_point),
        }
    }
}

/// `struct Heatmap` of the shader.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct HeatmapUniform {
    uv_min: [f32; 2],
    uv_max: [f32; 2],
    rows: u32,
    cols: u32,
    lo: f32,
    hi: f32,
    opacity: f32,
    missing: u32,
    cells: [f32; 2],
}

/// The part of `rect` that egui's viewport keeps, in [0, 1]: it is rounded to
/// pixels and cut off at the window's edge.
fn visible_uv(rect: Rect, screen: &ScreenDescriptor) -> ([f32; 2], [f32; 2]) {
    let along = |min: f32, max: f32, side: u32| {
        let [first, last] = [min, max].map(|at| (at * screen.pixels_per_point).round());
        let length = (last - first).max(1.0);
        [first, last].map(|at| (at.clamp(0.0, side as f32) - first) / length)
    };
    let [left, right] = along(rect.min.x, rect.max.x, screen.size_in_pixels[0]);
    let [top, bottom] = along(rect.min.y, rect.max.y, screen.size_in_pixels[1]);
    ([left, top], [right, bottom])
}

/// Columns and rows of cells that one pixel of the screen covers.
fn cells_of_a_pixel(rect: Rect, cells: [usize; 2], pixels_per_point: f32) -> [f32; 2] {
    let pixels = [rect.width(), rect.height()].map(|side| (side * pixels_per_point).max(1.0));
    std::array::from_fn(|axis| cells[axis] as f32 / pixels[axis])
}

/// What all heatmaps of a window share, and the buffers of each.
struct HeatmapRenderer {
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    luts: Vec<wgpu::Buffer>,
    slots: HashMap<usize, Slot>,
}

struct Slot {
    scores: Arc<Vec<f32>>,
    scores_buffer: wgpu::Buffer,
    colormap: Colormap,
    uniform_buffer: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
}

/// Compiles the shader once for this window.
pub fn install(state: &RenderState) {
    let renderer = HeatmapRenderer::new(&state.device, &state.queue, state.target_format);
    state.renderer.write().callback_resources.insert(renderer);
}

impl HeatmapRenderer {
    fn new(device: &wgpu::Device, queue: &wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("heatmap"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../../shaders/heatmap.wgsl").into()),
        });
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("heatmap"),
            entries: &[
                layout_entry(0, wgpu::ShaderStages::VERTEX_FRAGMENT, wgpu::BufferBindingType::Uniform),
                layout_entry(
                    1,
                    wgpu::ShaderStages::FRAGMENT,
                    wgpu::BufferBindingType::Storage { read_only: true },
                ),
                layout_entry(2, wgpu::ShaderStages::FRAGMENT, wgpu::BufferBindingType::Uniform),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("heatmap"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("heatmap"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("vs_main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("fs_main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(wgpu::ColorTargetState {
                    format,
                    blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            multiview_mask: None,
            cache: None,
        });
        let luts = ALL_COLORMAPS.map(|colormap| lut_buffer(device, queue, colormap)).into();
        Self { pipeline, layout, luts, slots: HashMap::new() }
    }

    /// Sees to it that the buffers of `paint`'s slot hold its scores.
    fn update(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        paint: &HeatmapPaint,
        uniform: HeatmapUniform,
    ) {
        let fits = |slot: &Slot| {
            slot.colormap == paint.colormap && slot.scores_buffer.size() == buffer_size(&paint.scores)
        };
        let slot = match self.slots.remove(&paint.slot).filter(fits) {
            Some(mut slot) => {
                if !Arc::ptr_eq(&slot.scores, &paint.scores) {
                    queue.write_buffer(&slot.scores_buffer, 0, bytemuck::cast_slice(&paint.scores));
                    slot.scores = paint.scores.clone();
                }
                slot
            }
            None => self.new_slot(device, queue, paint),
        };
        queue.write_buffer(&slot.uniform_buffer, 0, bytemuck::bytes_of(&uniform));
        self.slots.insert(paint.slot, slot);
    }

    fn new_slot(&self, device: &wgpu::Device, queue: &wgpu::Queue, paint: &HeatmapPaint) -> Slot {
        let uniform_buffer =
            new_buffer(device, size_of::<HeatmapUniform>() as u64, wgpu::BufferUsages::UNIFORM);
        let scores_buffer = new_buffer(device, buffer_size(&paint.scores), wgpu::BufferUsages::STORAGE);
        queue.write_buffer(&scores_buffer, 0, bytemuck::cast_slice(&paint.scores));
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("heatmap"),
            layout: &self.layout,
            entries: &[&uniform_buffer, &scores_buffer, &self.luts[paint.colormap as usize]]
                .iter()
                .enumerate()
                .map(|(binding, buffer)| wgpu::BindGroupEntry {
                    binding: binding as u32,
                    resource: buffer.as_entire_binding(),
                })
                .collect::<Vec<_>>(),
        });
        let (scores, colormap) = (paint.scores.clone(), paint.colormap);
        Slot { scores, scores_buffer, colormap, uniform_buffer, bind_group }
    }
}

fn layout_entry(
    binding: u32,
    visibility: wgpu::ShaderStages,
    ty: wgpu::BufferBindingType,
) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}

fn new_buffer(device: &wgpu::Device, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("heatmap"),
        size,
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

fn lut_buffer(device: &wgpu::Device, queue: &wgpu::Queue, colormap: Colormap) -> wgpu::Buffer {
    let buffer = new_buffer(device, 4 * 256, wgpu::BufferUsages::UNIFORM);
    queue.write_buffer(&buffer, 0, bytemuck::cast_slice(colormap.lut()));
    buffer
}

/// Bytes of a buffer for `scores`; an empty map still needs a buffer to bind.
fn buffer_size(scores: &[f32]) -> u64 {
    4 * scores.len().max(1) as u64
}

impl CallbackTrait for HeatmapPaint {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(renderer) = resources.get_mut::<HeatmapRenderer>() {
            renderer.update(device, queue, self, self.uniform(screen));
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(renderer) = resources.get::<HeatmapRenderer>() else { return };
        let Some(slot) = renderer.slots.get(&self.slot) else { return };
        pass.set_pipeline(&renderer.pipeline);
        pass.set_bind_group(0, &slot.bind_group, &[]);
        pass.draw(0..3, 0..1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{pos2, vec2};

    #[test]
    fn a_map_cut_off_at_the_window_shows_the_part_that_is_left() {
        let screen = ScreenDescriptor { size_in_pixels: [200, 100], pixels_per_point: 2.0 };
        let inside = Rect::from_min_size(pos2(10.0, 10.0), vec2(20.0, 20.0));
        assert_eq!(visible_uv(inside, &screen), ([0.0, 0.0], [1.0, 1.0]));
        let over_the_edges = Rect::from_min_size(pos2(-25.0, 25.0), vec2(100.0, 50.0));
        assert_eq!(visible_uv(over_the_edges, &screen), ([0.25, 0.0], [1.0, 0.5]));
    }

    #[test]
    fn a_map_shown_small_has_several_cells_in_a_pixel() {
        let rect = Rect::from_min_size(pos2(10.0, 10.0), vec2(100.0, 50.0));
        assert_eq!(cells_of_a_pixel(rect, [400, 25], 2.0), [2.0, 0.25]);
    }

    #[test]
    fn the_colour_tables_are_bound_by_the_number_of_their_map() {
        for (index, colormap) in ALL_COLORMAPS.into_iter().enumerate() {
            assert_eq!(colormap as usize, index);
        }
    }
}
