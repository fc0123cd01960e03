//! Which vision transformer a set of arrays is, by their names and shapes, and its weights under our names.

use anyhow::{Context, Result, bail, ensure};

use super::hints::Hints;
use super::naming::Habits;
use super::networks::Layers;
use crate::kernel::Activation;
use crate::model::origin::{ACTIVATION, HEADS};
use crate::model::vit::{Mlp, Pooling, Positions, VitConfig, rotary_periods};
use crate::model::weights::{Array, Weights};

/// A transformer that was recognised.
pub struct RecognisedVit {
    /// What it is.
    pub config: VitConfig,
    /// What of it a configuration says.
    pub believed: Vec<String>,
    /// What of it nobody said.
    pub assumed: Vec<String>,
}

/// Widths of networks whose heads are not of 64 values, with their blocks and heads; all without a gate.
const OTHER_HEADS: [(usize, usize, usize); 5] =
    [(1152, 27, 16), (1280, 32, 16), (1408, 40, 16), (1536, 40, 16), (1664, 48, 16)];
/// The same of one with a gate and learned positions: Virchow.
const GATED: (usize, usize, usize) = (1280, 32, 16);
/// DINOv3's largest has a gate and wider heads too.
const LARGEST: (usize, usize) = (4096, 32);

/// Parts of timm's names of networks whose arrays are named like others', and what tells them apart.
const OTHER_BLOCKS: [(&str, &str); 3] = [
    ("_rpn_", "its blocks normalise what they add, not what comes in"),
    ("vit_pe_", "it has learned and rotary positions at once; one of them is read"),
    ("_rope_", "it has other rotary positions than DINOv3"),
];

/// The shape of the network.
///
/// # Errors
/// Layers that such a network does not have, or lacks; says which.
pub fn config(layers: &Layers<'_>, hints: &Hints, habits: &Habits) -> Result<RecognisedVit> {
    let [width, channels, patch, other] = shape(layers, "patch_embed.proj.weight")?;
    ensure!(channels == 3, "the patches have {channels} channels; expected 3 (RGB)");
    ensure!(width > 0 && patch > 0, "patch_embed.proj.weight is empty");
    ensure!(patch == other, "patches of {patch} x {other} pixels; expected squares");
    let has = |name: &str| layers.get(name).is_some();
    let depth = (0..).take_while(|block| has(&format!("blocks.{block}.norm1.weight"))).count();
    ensure!(depth > 0, "blocks.0.norm1.weight is missing: a block normalises what comes in");
    let other = OTHER_BLOCKS.iter().find(|(part, _)| hints.architecture().contains(part));
    ensure!(other.is_none(), "{}: {}", hints.architecture(), other.map_or("", |(_, words)| words));
    ensure_plain(layers)?;
    let mlp = mlp(layers, hints, habits)?;
    let (mut believed, mut assumed) = (vec![], vec![]);
    let said = hints.heads();
    believed.extend(said.map(|heads| format!("{heads} {HEADS}")));
    let heads = said.unwrap_or_else(|| {
        let heads = usual_heads((width, depth), mlp.gated, has("pos_embed"), habits);
        let reason = if heads == (width / 64).max(1) {
            "width / 64"
        } else {
            "as such networks of that width have them"
        };
        assumed.push(format!("{heads} {HEADS} ({reason})"));
        heads
    });
    let class_token = has("cls_token");
    let pooling = match hints.is_mean() {
        _ if has("attn_pool.latent") => Pooling::Attention,
        _ if has("fc_norm.weight") && !has("norm.weight") => Pooling::NormedMean,
        Some(true) => Pooling::Mean,
        _ if class_token => Pooling::Class,
        _ => Pooling::Mean,
    };
    let registers =
        layers.get("reg_token").map_or(0, |tokens| tokens.shape().iter().rev().nth(1).copied().unwrap_or(1));
    let pre_norm = has("norm_pre.weight");
    // All CLIP's have this one, under whatever names.
    let usual_epsilon = if pre_norm { 1e-5 } else { habits.epsilon };
    let is_of_language = pre_norm || pooling == Pooling::Attention;
    if is_of_language && hints.activation()?.is_none() && !mlp.gated {
        assumed.push(format!("{} {ACTIVATION}", mlp.activation.title()));
    }
    let positions = positions(layers, hints, habits, (class_token, registers, width / heads.max(1)))?;
    // Names alone do not tell DINO's file of one network from timm's.
    let is_timms = matches!(positions, Positions::Learned { class: true, antialias: true, .. });
    if is_timms && registers == 0 && !pre_norm && hints.architecture().is_empty() {
        assumed.push(
            "positions at another input as timm makes them (DINO's own file has the same names)".into(),
        );
    }
    let config = VitConfig {
        width,
        depth,
        heads,
        patch,
        mlp,
        class_token,
        registers,
        positions,
        pre_norm,
        layer_scale: has("blocks.0.ls1.gamma"),
        epsilon: hints.epsilon().unwrap_or(usual_epsilon),
        pooling,
    };
    Ok(RecognisedVit { config, believed, assumed })
}

/// Heads of each block where nothing says them.
fn usual_heads((width, depth): (usize, usize), gated: bool, learned: bool, habits: &Habits) -> usize {
    let is_known = |known: &&(usize, usize, usize)| (known.0, known.1) == (width, depth);
    let known = match gated {
        false => OTHER_HEADS.iter().find(is_known),
        true => Some(&GATED).filter(|known| learned && is_known(known)),
    };
    let of_family = habits.heads.iter().find(|known| known.0 == width);
    match (known, of_family) {
        (Some((_, _, heads)), _) | (None, Some((_, heads))) => *heads,
        _ if width == LARGEST.0 => LARGEST.1,
        _ => (width / 64).max(1),
    }
}

/// Checks that it does nothing that only some of its names tell: others would be there, and fit.
///
/// # Errors
/// It is one of the networks that are named like these and computed otherwise: says which.
fn ensure_plain(layers: &Layers<'_>) -> Result<()> {
    let has = |name: &str| layers.get(name).is_some();
    let learned = has("pos_embed");
    ensure!(
        !(has("norm_pre.weight") && has("attn_pool.latent")),
        "it has a norm before its blocks and a pool with a query of its own, as Perception Encoder, whose rotary positions \
         beside the learned ones are not computed"
    );
    ensure!(
        !(learned && (has("blocks.0.mlp.gate.weight") || has("blocks.0.attn.q_bias"))),
        "it has a gate or a bias of queries and learned positions, as EVA-02, whose rotary positions beside them are not \
         computed"
    );
    ensure!(
        has("blocks.0.norm1.bias"),
        "blocks.0.norm1.bias is missing: layer normalisation has one, RMS normalisation, which is not computed, has none"
    );
    Ok(())
}

/// Whether the rotary positions of DINOv3's own file are rounded, as its periods there say.
///
/// # Errors
/// They are of another kind.
fn is_rounded(layers: &Layers<'_>, head: usize, base: f64) -> Result<bool> {
    let Some(stored) = layers.get("rope.periods") else { return Ok(false) };
    let stored = stored.array().context("rope_embed.periods")?.values;
    let is = |rounded: bool| {
        let periods = rotary_periods(head, base, rounded);
        periods.len() == stored.len() && periods.iter().zip(&stored).all(|(a, b)| (a - b).abs() <= 1e-5 * a)
    };
    ensure!(
        is(false) || is(true),
        "rope_embed.periods are {stored:?}; expected {} from 1 to nearly {base}, in float32 or rounded to bfloat16",
        head / 4
    );
    Ok(!is(false))
}

fn shape<const D: usize>(layers: &Layers<'_>, name: &str) -> Result<[usize; D]> {
    let array = layers.get(name).with_context(|| format!("{name} is missing"))?;
    let shape = array.shape();
    shape.try_into().ok().with_context(|| format!("{name} has shape {shape:?}; expected {D} dimensions"))
}

fn mlp(layers: &Layers<'_>, hints: &Hints, habits: &Habits) -> Result<Mlp> {
    let [_, hidden] = shape(layers, "blocks.0.mlp.fc2.weight")?;
    let rows = layers.get("blocks.0.mlp.fc1.weight").and_then(|array| array.shape().first().copied());
    let gated = layers.get("blocks.0.mlp.gate.weight").is_some() || rows == Some(2 * hidden);
    let said = hints.activation()?;
    let activation = if gated { Activation::Silu } else { said.unwrap_or(habits.activation) };
    Ok(Mlp { hidden, activation, gated })
}

fn positions(
    layers: &Layers<'_>,
    hints: &Hints,
    habits: &Habits,
    (class_token, registers, head): (bool, usize, usize),
) -> Result<Positions> {
    let Some(array) = layers.get("pos_embed") else {
        ensure!(habits.rotary, "pos_embed is missing: positions are learned or, in DINOv3, rotary");
        let base = hints.rotary_base().unwrap_or(100.0);
        return Ok(Positions::Rotary { base, rounded: is_rounded(layers, head, base)? });
    };
    let count = match *array.shape() {
        [1, count, _] | [count, _] => count,
        ref other => bail!("pos_embed has shape {other:?}; expected 1, positions, width"),
    };
    let square = |count: usize| {
        let side = count.isqrt();
        (count > 0 && side * side == count).then_some([side, side])
    };
    let beside = |prefix: usize| count.checked_sub(prefix).and_then(square);
    let (grid, class) = match (square(count), beside(1)) {
        (_, Some(grid)) if class_token => (grid, true),
        (Some(grid), _) => (grid, false),
        // Those of the tokens before the patches become part of these.
        _ if class_token && let Some(grid) = beside(1 + registers) => (grid, false),
        _ => bail!(
            "pos_embed has {count} positions; expected those of a square grid, and at most one more or as many as there are \
             tokens before the patches"
        ),
    };
    let Habits { offset, antialias, corners, .. } = *habits;
    Ok(Positions::Learned { grid, class, offset, antialias, corners })
}

/// The side at which the network is usually fed.
pub fn usual_input(config: &VitConfig, habits: &Habits) -> u32 {
    let of_grid = match config.positions {
        Positions::Learned { grid, .. } => Some((grid[0] * config.patch) as u32),
        Positions::Rotary { .. } => None,
    };
    habits.input.or(of_grid).unwrap_or(224)
}

/// Weights under our names, from those as the families have them: queries, keys and values in one, gate and value in
/// one, and a bias that is not there is one of zeros.
///
/// # Errors
/// Parts that do not fit together.
pub fn complete(mut weights: Weights, config: &VitConfig) -> Result<Weights> {
    let width = config.width;
    for (name, dims) in [("cls_token", 1), ("reg_token", config.registers), ("pos_embed", 0)] {
        if let Some(array) = weights.get_mut(name) {
            let rows = if dims == 0 { array.values.len() / width } else { dims };
            ensure!(array.values.len() == rows * width, "{name} has shape {:?}", array.shape);
            array.shape = vec![1, rows, width];
        }
    }
    if let Positions::Learned { grid, class: false, .. } = config.positions {
        add_prefix_positions(&mut weights, grid[0] * grid[1], width);
    }
    weights.remove("rope.periods");
    if config.pooling == Pooling::NormedMean {
        for field in ["weight", "bias"] {
            let moved = weights.remove(&format!("fc_norm.{field}"));
            weights.extend(moved.map(|array| (format!("norm.{field}"), array)));
        }
    }
    let biased = |weights: &mut Weights, layer: String| {
        let rows = weights.get(&format!("{layer}.weight")).and_then(|array| array.shape.first().copied());
        if let Some(rows) = rows {
            weights.entry(format!("{layer}.bias")).or_insert_with(|| zeros(rows));
        }
    };
    for index in 0..config.depth {
        let block = format!("blocks.{index}");
        let parts = ["q", "k", "v"].map(|part| format!("{block}.attn.{part}"));
        join(&mut weights, &parts, &format!("{block}.attn.qkv"))?;
        masked(&mut weights, &format!("{block}.attn.qkv"));
        bias_of_two(&mut weights, &format!("{block}.attn"));
        let (gate, up, first) =
            (format!("{block}.mlp.gate"), format!("{block}.mlp.up"), format!("{block}.mlp.fc1"));
        let parts = if config.mlp.gated { vec![gate, up] } else { vec![up] };
        join(&mut weights, &parts, &first)?;
        for layer in ["norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"] {
            biased(&mut weights, format!("{block}.{layer}"));
        }
    }
    if config.pooling == Pooling::Attention {
        split_pool(&mut weights, width)?;
    }
    for layer in ["patch_embed.proj", "norm", "norm_pre"] {
        biased(&mut weights, layer.into());
    }
    Ok(weights)
}

/// Adds the positions of the class token and the registers, which come before those of a grid of so many places, to
/// them.
fn add_prefix_positions(weights: &mut Weights, places: usize, width: usize) {
    let Some(mut positions) = weights.remove("pos_embed") else { return };
    let prefix = (positions.values.len() / width.max(1)).saturating_sub(places);
    let mut of_prefix = positions.values.drain(..prefix * width);
    for name in ["cls_token", "reg_token"] {
        let token = weights.get_mut(name).filter(|_| prefix > 0);
        let values = token.into_iter().flat_map(|token| token.values.iter_mut());
        values.zip(&mut of_prefix).for_each(|(value, position)| *value += position);
    }
    drop(of_prefix);
    positions.shape[1] = places.min(positions.values.len() / width.max(1));
    weights.insert("pos_embed".into(), positions);
}

fn zeros(count: usize) -> Array {
    Array { shape: vec![count], values: vec![0.0; count] }
}

/// Puts layers into one, rows below rows; where some have a bias, the others' are zeros.
fn join(weights: &mut Weights, parts: &[String], whole: &str) -> Result<()> {
    let found: Vec<Option<Array>> =
        parts.iter().map(|part| weights.remove(&format!("{part}.weight"))).collect();
    let mut biases: Vec<Option<Array>> =
        parts.iter().map(|part| weights.remove(&format!("{part}.bias"))).collect();
    if found.iter().all(Option::is_none) {
        return Ok(());
    }
    let mut joined: Option<Array> = None;
    let mut bias = vec![];
    let has_bias = biases.iter().any(Option::is_some);
    for (index, array) in found.into_iter().enumerate() {
        let part = &parts[index];
        let array = array.with_context(|| format!("{part}.weight is missing"))?;
        let rows = *array.shape.first().context("a layer without outputs")?;
        bias.extend(biases[index].take().map_or_else(|| vec![0.0; rows], |bias| bias.values));
        match &mut joined {
            None => joined = Some(array),
            Some(joined) => {
                ensure!(
                    joined.shape[1..] == array.shape[1..],
                    "{part}.weight has shape {:?}, which does not fit to {:?}",
                    array.shape,
                    joined.shape
                );
                joined.shape[0] += rows;
                joined.values.extend(array.values);
            }
        }
    }
    weights.extend(joined.map(|joined| (format!("{whole}.weight"), joined)));
    if has_bias {
        weights.insert(format!("{whole}.bias"), Array { shape: vec![bias.len()], values: bias });
    }
    Ok(())
}

/// Puts DINOv3's mask of a bias, which is zero for the keys, into the bias.
fn masked(weights: &mut Weights, layer: &str) {
    let mask = weights.remove(&format!("{layer}.bias_mask"));
    if let (Some(mask), Some(bias)) = (mask, weights.get_mut(&format!("{layer}.bias"))) {
        bias.values.iter_mut().zip(mask.values).for_each(|(bias, mask)| *bias *= mask);
    }
}

/// Puts the biases of queries and values, where keys have none, into one.
fn bias_of_two(weights: &mut Weights, attention: &str) {
    let [q, v] = ["q_bias", "v_bias"].map(|part| weights.remove(&format!("{attention}.{part}")));
    if let (Some(q), Some(v)) = (q, v) {
        let values = [&q.values[..], &vec![0.0; q.values.len()], &v.values].concat();
        let bias = Array { shape: vec![values.len()], values };
        weights.insert(format!("{attention}.qkv.bias"), bias);
    }
}

/// Queries, and keys with values, of a pool that has them in one, as PyTorch's own attention does.
fn split_pool(weights: &mut Weights, width: usize) -> Result<()> {
    for field in ["weight", "bias"] {
        let Some(all) = weights.remove(&format!("attn_pool.qkv.{field}")) else { continue };
        let row = all.values.len() / (3 * width).max(1);
        ensure!(all.values.len() == 3 * width * row, "the pool's attention has shape {:?}", all.shape);
        let (q, kv) = all.values.split_at(width * row);
        for (name, values, rows) in [("q", q, width), ("kv", kv, 2 * width)] {
            let shape = if field == "weight" { vec![rows, row] } else { vec![rows] };
            weights.insert(format!("attn_pool.{name}.{field}"), Array { shape, values: values.to_vec() });
        }
    }
    Ok(())
}
