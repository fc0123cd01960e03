// Cosines of one query with many rows, and from them the rows that can be among the k nearest.
// `src/kernel/similarity.rs` is the host's side. Rows are float32, or float16 in pairs; sums are float32.

struct Search {
    // Rows of this piece, and the number of the first of them.
    rows: u32,
    first: u32,
    // 32-bit words of a row: one float32, or two float16 of which the last may be padding.
    words: u32,
    half: u32,
    // Least cosine that `collect` takes.
    lower: f32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

// Stands for rows that take no part; below every cosine.
const NONE: f32 = -2.0;
const BINS: f32 = 4096.0;

@group(0) @binding(0) var<uniform> search: Search;
// At unit length, with zeros behind it.
@group(0) @binding(1) var<storage, read> query: array<f32>;
@group(0) @binding(2) var<storage, read> vectors: array<u32>;
// One over each row's length; 0 for a zero row, NaN for one that takes no part.
@group(0) @binding(3) var<storage, read> inv_norms: array<f32>;
@group(0) @binding(4) var<storage, read_write> cosines: array<f32>;
@group(0) @binding(5) var<storage, read_write> bins: array<atomic<u32>>;
// The number of rows found, then the rows.
@group(0) @binding(6) var<storage, read_write> found: array<atomic<u32>>;

// A float16 from its bits, subnormal ones too, which devices may take for zero. Infinities and NaNs do
// not matter: such a row takes no part.
fn wide(half: u32) -> f32 {
    let magnitude = half & 0x7fffu;
    let normal = bitcast<f32>((magnitude << 13u) + 0x38000000u);
    let value = select(normal, f32(magnitude) * 5.9604644775390625e-8, magnitude < 0x400u);
    return select(value, -value, (half & 0x8000u) != 0u);
}

var<workgroup> partial: array<f32, 64>;

// One workgroup for each row.
@compute @workgroup_size(64)
fn similar(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) local: u32) {
    let row = group.y * groups.x + group.x;
    var sum = 0.0;
    if row < search.rows {
        let start = row * search.words;
        for (var word = local; word < search.words; word += 64u) {
            let bits = vectors[start + word];
            if search.half != 0u {
                sum = fma(query[2u * word], wide(bits & 0xffffu), sum);
                sum = fma(query[2u * word + 1u], wide(bits >> 16u), sum);
            } else {
                sum = fma(query[word], bitcast<f32>(bits), sum);
            }
        }
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var reach = 32u; reach > 0u; reach >>= 1u) {
        if local < reach {
            partial[local] += partial[local + reach];
        }
        workgroupBarrier();
    }
    if local == 0u && row < search.rows {
        // By bits, as compilers may assume that no float is NaN.
        let missing = (bitcast<u32>(inv_norms[row]) & 0x7fffffffu) > 0x7f800000u;
        cosines[row] = select(clamp(partial[0] * inv_norms[row], -1.0, 1.0), NONE, missing);
    }
}

// How many cosines lie in each of 4,096 equal parts of [-1, 1].
@compute @workgroup_size(256)
fn count(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var row = at.x; row < search.rows; row += 256u * groups.x) {
        let cosine = cosines[row];
        if cosine >= -1.0 {
            atomicAdd(&bins[min(u32((cosine + 1.0) * 0.5 * BINS), 4095u)], 1u);
        }
    }
}

// The rows whose cosine is at least `lower`, in any order.
@compute @workgroup_size(256)
fn collect(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var row = at.x; row < search.rows; row += 256u * groups.x) {
        let cosine = cosines[row];
        if cosine >= -1.0 && cosine >= search.lower {
            atomicStore(&found[1u + atomicAdd(&found[0], 1u)], search.first + row);
        }
    }
}
