// Cosines of queries with many rows, and from them the rows that can be among each query's nearest.
// `src/kernel/similarity` is the host's side. Rows are float32, or float16 in pairs; sums are float32.

struct Search {
    // Rows of this block; the number of the first of them in its piece, and among all rows.
    rows: u32,
    start: u32,
    first: u32,
    // 32-bit words of a row: one float32, or two float16 of which the last may be padding.
    words: u32,
    half: u32,
    queries: u32,
    // Rows that `found` has room for, for each query.
    room: u32,
    // How far below the least cosine of the nearest another may be and yet be among them.
    margin: f32,
}

// What is known of a query's nearest rows.
struct Asked {
    wanted: u32,
    // No row below is among them.
    lower: f32,
    // Rows that were found, of which `found` holds as many as it has room for.
    found: atomic<u32>,
    unused: u32,
}

// Stands for rows that take no part; below every cosine.
const NONE: f32 = -2.0;
const BINS: u32 = 4096u;

@group(0) @binding(0) var<uniform> search: Search;
// Each at unit length, as many values as a row has with its padding, where there are zeros.
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> vectors: array<u32>;
// One over each row's length; 0 for a zero row, NaN for one that takes no part.
@group(0) @binding(3) var<storage, read> inv_norms: array<f32>;
// Of the block: the rows of the first query, of the next one, ...
@group(0) @binding(4) var<storage, read_write> cosines: array<f32>;
@group(0) @binding(5) var<storage, read_write> bins: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> asked: array<Asked>;
// Rows with the bits of their cosines.
@group(0) @binding(7) var<storage, read_write> found: array<vec2<u32>>;

// A float16 from its bits, subnormal ones too, which devices may take for zero. Infinities and NaNs do
// not matter: such a row takes no part.
fn wide(half: u32) -> f32 {
    let magnitude = half & 0x7fffu;
    let normal = bitcast<f32>((magnitude << 13u) + 0x38000000u);
    let value = select(normal, f32(magnitude) * 5.9604644775390625e-8, magnitude < 0x400u);
    return select(value, -value, (half & 0x8000u) != 0u);
}

// The cosine of a row of the block, from its product with a query.
fn cosine_of(row: u32, product: f32) -> f32 {
    let inv_norm = inv_norms[search.start + row];
    // By bits, as compilers may assume that no float is NaN.
    let missing = (bitcast<u32>(inv_norm) & 0x7fffffffu) > 0x7f800000u;
    return select(clamp(product * inv_norm, -1.0, 1.0), NONE, missing);
}

var<workgroup> partial: array<f32, 64>;

// Of one query: one workgroup for each row.
@compute @workgroup_size(64)
fn similar(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) local: u32) {
    let row = group.y * groups.x + group.x;
    var sum = 0.0;
    if row < search.rows {
        let start = (search.start + row) * search.words;
        for (var word = local; word < search.words; word += 64u) {
            let bits = vectors[start + word];
            if search.half != 0u {
                sum = fma(queries[2u * word], wide(bits & 0xffffu), sum);
                sum = fma(queries[2u * word + 1u], wide(bits >> 16u), sum);
            } else {
                sum = fma(queries[word], bitcast<f32>(bits), sum);
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
        cosines[row] = cosine_of(row, partial[0]);
    }
}

// Of many queries: a matrix product in tiles of 64 rows and 32 queries, 16 values of each at a time. An invocation has
// 4 rows and 4 queries, far from each other, so that those beside it read and write beside it. A value of the tiles
// takes a row of memory that is longer than needed by one, so that invocations that write one do not all meet in a bank.
const TILE_ROWS: u32 = 64u;
const TILE_QUERIES: u32 = 32u;
const DEPTH: u32 = 16u;
const ROWS_APART: u32 = 65u;
const QUERIES_APART: u32 = 33u;

var<workgroup> row_tile: array<f32, 1040>;
var<workgroup> query_tile: array<f32, 528>;

// Brings values from `at` on of rows from `row` on.
fn bring_rows(row: u32, at: u32, local: u32) {
    let words = select(DEPTH, DEPTH / 2u, search.half != 0u);
    let first = select(at, at / 2u, search.half != 0u);
    for (var item = local; item < TILE_ROWS * words; item += 128u) {
        let of_tile = item / words;
        let word = item % words;
        var bits = 0u;
        if row + of_tile < search.rows && first + word < search.words {
            bits = vectors[(search.start + row + of_tile) * search.words + first + word];
        }
        if search.half != 0u {
            row_tile[2u * word * ROWS_APART + of_tile] = wide(bits & 0xffffu);
            row_tile[(2u * word + 1u) * ROWS_APART + of_tile] = wide(bits >> 16u);
        } else {
            row_tile[word * ROWS_APART + of_tile] = bitcast<f32>(bits);
        }
    }
}

// Brings values from `at` on of queries from `query` on, which have `depth` values each.
fn bring_queries(query: u32, at: u32, depth: u32, local: u32) {
    for (var item = local; item < TILE_QUERIES * DEPTH; item += 128u) {
        let of_tile = item / DEPTH;
        let place = item % DEPTH;
        var value = 0.0;
        if query + of_tile < search.queries && at + place < depth {
            value = queries[(query + of_tile) * depth + at + place];
        }
        query_tile[place * QUERIES_APART + of_tile] = value;
    }
}

fn keep(row: u32, query: u32, products: vec4<f32>) {
    if query < search.queries {
        for (var place = 0u; place < 4u; place++) {
            let of_block = row + 16u * place;
            if of_block < search.rows {
                cosines[query * search.rows + of_block] = cosine_of(of_block, products[place]);
            }
        }
    }
}

@compute @workgroup_size(128)
fn similar_many(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first_row = group.x * TILE_ROWS;
    let first_query = group.y * TILE_QUERIES;
    let row = local % 16u;
    let query = local / 16u;
    let depth = select(search.words, 2u * search.words, search.half != 0u);
    var sum_0 = vec4<f32>();
    var sum_1 = vec4<f32>();
    var sum_2 = vec4<f32>();
    var sum_3 = vec4<f32>();
    for (var at = 0u; at < depth; at += DEPTH) {
        bring_rows(first_row, at, local);
        bring_queries(first_query, at, depth, local);
        workgroupBarrier();
        // Added up by themselves first: a long chain of additions rounds more.
        var some_0 = vec4<f32>();
        var some_1 = vec4<f32>();
        var some_2 = vec4<f32>();
        var some_3 = vec4<f32>();
        for (var place = 0u; place < DEPTH; place++) {
            let from_row = place * ROWS_APART + row;
            let from_query = place * QUERIES_APART + query;
            let values = vec4<f32>(row_tile[from_row], row_tile[from_row + 16u], row_tile[from_row + 32u],
                                   row_tile[from_row + 48u]);
            some_0 = fma(values, vec4<f32>(query_tile[from_query]), some_0);
            some_1 = fma(values, vec4<f32>(query_tile[from_query + 8u]), some_1);
            some_2 = fma(values, vec4<f32>(query_tile[from_query + 16u]), some_2);
            some_3 = fma(values, vec4<f32>(query_tile[from_query + 24u]), some_3);
        }
        sum_0 += some_0;
        sum_1 += some_1;
        sum_2 += some_2;
        sum_3 += some_3;
        workgroupBarrier();
    }
    keep(first_row + row, first_query + query, sum_0);
    keep(first_row + row, first_query + query + 8u, sum_1);
    keep(first_row + row, first_query + query + 16u, sum_2);
    keep(first_row + row, first_query + query + 24u, sum_3);
}

// How many cosines of each query lie in each of 4,096 equal parts of [-1, 1], in all blocks so far; those that are
// below its bound do not matter any more.
@compute @workgroup_size(256)
fn count(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let query = at.y;
    let lower = asked[query].lower;
    for (var row = at.x; row < search.rows; row += 256u * groups.x) {
        let cosine = cosines[query * search.rows + row];
        if cosine >= lower {
            let bin = min(u32((cosine + 1.0) * 0.5 * f32(BINS)), BINS - 1u);
            atomicAdd(&bins[query * BINS + bin], 1u);
        }
    }
}

var<workgroup> counted: array<u32, 256>;

// Raises the bound of each query to the highest part of [-1, 1] from which on there are as many rows as are wanted. One
// workgroup for each query.
@compute @workgroup_size(256)
fn bound(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let query = group.x;
    let bins_each = BINS / 256u;
    var sum = 0u;
    for (var bin = 0u; bin < bins_each; bin++) {
        sum += atomicLoad(&bins[query * BINS + local * bins_each + bin]);
    }
    counted[local] = sum;
    workgroupBarrier();
    if local == 0u {
        let wanted = asked[query].wanted;
        var above = 0u;
        var part = 256u;
        while part > 0u && above + counted[part - 1u] < wanted {
            part -= 1u;
            above += counted[part];
        }
        if part > 0u {
            var bin = part * bins_each;
            while above < wanted && bin > 0u {
                bin -= 1u;
                above += atomicLoad(&bins[query * BINS + bin]);
            }
            let edge = f32(bin) * 2.0 / f32(BINS) - 1.0;
            asked[query].lower = max(edge - search.margin, asked[query].lower);
        }
    }
}

// The rows of this block whose cosine is not below the bound, in any order.
@compute @workgroup_size(256)
fn collect(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let query = at.y;
    let lower = asked[query].lower;
    for (var row = at.x; row < search.rows; row += 256u * groups.x) {
        let cosine = cosines[query * search.rows + row];
        if cosine >= lower {
            let place = atomicAdd(&asked[query].found, 1u);
            if place < search.room {
                found[query * search.room + place] = vec2<u32>(search.first + row, bitcast<u32>(cosine));
            }
        }
    }
}
