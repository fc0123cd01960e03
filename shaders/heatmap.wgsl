// Draws a heatmap over an egui paint callback's viewport: every cell one colour
// of the table, nearest cell, no smoothing; where a pixel covers several cells,
// the colour of their mean. Colours are those of
// `src/colormap.rs`, gamma-encoded (egui's target is a non-sRGB format), and
// premultiplied by the opacity: blend with One, OneMinusSrcAlpha.

struct Heatmap {
    // The part of the heatmap that the viewport shows, in [0, 1] from the top
    // left. egui cuts a viewport off at the window's edge, so this is not
    // always the whole.
    uv_min: vec2<f32>,
    uv_max: vec2<f32>,
    rows: u32,
    cols: u32,
    // Scores at the two ends of the colour table.
    lo: f32,
    hi: f32,
    // 1 hides the picture below, 0 shows only the picture.
    opacity: f32,
    // Packed RGBA of cells without a score (NaN).
    missing: u32,
    // Columns and rows of cells in one pixel of the screen; below 1 where cells are larger.
    cells: vec2<f32>,
}

@group(0) @binding(0) var<uniform> heatmap: Heatmap;
// rows x cols, row by row.
@group(0) @binding(1) var<storage, read> scores: array<f32>;
// 256 packed RGBA colours, four to a vector.
@group(0) @binding(2) var<uniform> lut: array<vec4<u32>, 64>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) uv: vec2<f32>,
}

// One triangle that covers the viewport: corners (0, 0), (2, 0), (0, 2) in viewport uv.
@vertex
fn vs_main(@builtin(vertex_index) index: u32) -> Corner {
    let at = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    var corner: Corner;
    corner.position = vec4<f32>(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0);
    corner.uv = mix(heatmap.uv_min, heatmap.uv_max, at);
    return corner;
}

// Points of a pixel that are looked at along each side at most.
const MOST: u32 = 16u;

@fragment
fn fs_main(corner: Corner) -> @location(0) vec4<f32> {
    let size = vec2<f32>(f32(heatmap.cols), f32(heatmap.rows));
    let uv = clamp(corner.uv, vec2<f32>(0.0), vec2<f32>(1.0));
    let last = vec2<u32>(max(heatmap.cols, 1u) - 1u, max(heatmap.rows, 1u) - 1u);
    // Along each side twice as many points as the pixel covers cells, spread evenly over it.
    let number = clamp(vec2<u32>(ceil(2.0 * heatmap.cells)), vec2<u32>(1u), vec2<u32>(MOST));
    let covered = select(vec2<f32>(0.0), heatmap.cells, heatmap.cells > vec2<f32>(1.0));
    let first = uv * size - 0.5 * covered;
    let step = covered / vec2<f32>(number);

    var sum = 0.0;
    var known = 0.0;
    for (var row = 0u; row < number.y; row++) {
        for (var col = 0u; col < number.x; col++) {
            let point = first + (vec2<f32>(f32(col), f32(row)) + 0.5) * step;
            let cell = min(vec2<u32>(max(point, vec2<f32>(0.0))), last);
            let at = cell.y * heatmap.cols + cell.x;
            if at < arrayLength(&scores) {
                let score = scores[at];
                // By bits, as compilers may assume that no float is NaN.
                if (bitcast<u32>(score) & 0x7fffffffu) <= 0x7f800000u {
                    sum += score;
                    known += 1.0;
                }
            }
        }
    }
    var packed = heatmap.missing;
    if known > 0.0 {
        let t = clamp((sum / known - heatmap.lo) / (heatmap.hi - heatmap.lo), 0.0, 1.0);
        let entry = u32(t * 255.0 + 0.5);
        packed = lut[entry >> 2u][entry & 3u];
    }
    return vec4<f32>(unpack4x8unorm(packed).rgb * heatmap.opacity, heatmap.opacity);
}
