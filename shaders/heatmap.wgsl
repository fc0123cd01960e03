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

// Cells of a pixel along each side at most: what is beyond has no share.
const MOST: f32 = 16.0;

@fragment
fn fs_main(corner: Corner) -> @location(0) vec4<f32> {
    let size = vec2<f32>(f32(heatmap.cols), f32(heatmap.rows));
    let uv = clamp(corner.uv, vec2<f32>(0.0), vec2<f32>(1.0));
    let end = vec2<u32>(max(heatmap.cols, 1u) - 1u, max(heatmap.rows, 1u) - 1u);
    // The part of the map under the pixel, in cells; a point where cells are larger than it.
    let several = heatmap.cells > vec2<f32>(1.0);
    let covered = select(vec2<f32>(0.0), min(heatmap.cells, vec2<f32>(MOST)), several);
    let low = uv * size - 0.5 * covered;
    let high = low + covered;
    let first = min(vec2<u32>(max(low, vec2<f32>(0.0))), end);
    let last = min(vec2<u32>(max(high, vec2<f32>(0.0))), end);

    var sum = 0.0;
    var known = 0.0;
    for (var row = first.y; row <= last.y; row++) {
        for (var col = first.x; col <= last.x; col++) {
            let cell = vec2<f32>(f32(col), f32(row));
            let shared_sides = max(min(cell + 1.0, high) - max(cell, low), vec2<f32>(0.0));
            let sides = select(vec2<f32>(1.0), shared_sides, several);
            let at = row * heatmap.cols + col;
            if at < arrayLength(&scores) {
                let score = scores[at];
                // By bits, as compilers may assume that no float is NaN.
                if (bitcast<u32>(score) & 0x7fffffffu) <= 0x7f800000u {
                    sum += sides.x * sides.y * score;
                    known += sides.x * sides.y;
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
