//! Weights by name: reading them out of an encoder, setting them, and drawing fresh ones.
//!
//! Names and layouts are torchvision's (`layer1.0.conv1.weight`, `[out, in, h, w]`), a transformer's timm's, with the
//! projector's layers numbered as in a `torch.nn.Sequential` (`projector.0.weight`).

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients, Tensor, TensorData};
use rand_distr::{Distribution, Normal, Uniform};
use rand_pcg::Pcg64;

use crate::words::name_list;

/// One array of weights: its shape and its values, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// All values, row-major.
    pub values: Vec<f32>,
}

/// All weights of a module by their PyTorch names.
pub type Weights = BTreeMap<String, Array>;

/// What did not match when weights were set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mismatch {
    /// Names that the module needs and the weights lack.
    pub missing: Vec<String>,
    /// Names that the weights hold and the module does not know.
    pub unexpected: Vec<String>,
}

/// The PyTorch name of a parameter at `path` within an encoder or predictor.
fn torch_name(path: &[String]) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        // Of either kind; both have names of their own.
        ["backbone", _, rest @ ..] => rest.join("."),
        // Linear, BN and ReLU of layer i stand at 3i, 3i + 1 and 3i + 2.
        [mlp @ ("projector" | "predictor"), "layers", layer, kind, rest @ ..] => {
            let place = 3 * layer.parse::<usize>().unwrap_or(0) + usize::from(*kind == "bn");
            format!("{mlp}.{place}.{}", rest.join("."))
        }
        other => other.join("."),
    }
}

/// The same parameter has the same id in every process, so that an optimiser's
/// saved state finds it again.
fn stable_id(name: &str) -> ParamId {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ParamId::from(fnv)
}

/// What an optimiser's saved state calls the parameter of that name.
pub fn id_of(name: &str) -> u64 {
    stable_id(name).val()
}

/// Number of learned values, as others count them: running statistics are none.
pub fn count_parameters<M: Module>(module: &M) -> usize {
    let mut counter = ParameterCounter { path: vec![], count: 0 };
    module.visit(&mut counter);
    counter.count
}

struct ParameterCounter {
    path: Vec<String>,
    count: usize,
}

impl ModuleVisitor for ParameterCounter {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.path.last().is_some_and(|name| name.starts_with("running_")) {
            self.count += param.val().dims().iter().product::<usize>();
        }
    }
}

/// Reads all weights out of a module.
pub fn collect<M: Module>(module: &M) -> Weights {
    let mut collector = Collector { path: vec![], weights: BTreeMap::new() };
    module.visit(&mut collector);
    collector.weights
}

/// The flat gradient of each parameter of a module that has one, by its name, in the module's order.
pub fn gradients<M: Module>(module: &M, from: &Gradients) -> Vec<(String, Tensor<1>)> {
    let mut visitor = NamedGradients { path: vec![], from, found: vec![] };
    module.visit(&mut visitor);
    visitor.found
}

struct NamedGradients<'a> {
    path: Vec<String>,
    from: &'a Gradients,
    found: Vec<(String, Tensor<1>)>,
}

impl ModuleVisitor for NamedGradients<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = param.val().grad(self.from) {
            let count = grad.dims().iter().product::<usize>();
            self.found.push((torch_name(&self.path), grad.reshape([count])));
        }
    }
}

struct Collector {
    path: Vec<String>,
    weights: Weights,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().convert::<f32>().try_to_vec().expect("converted to f32");
        self.weights.insert(torch_name(&self.path), Array { shape, values });
    }
}

/// Walks a module and replaces the parameters for which `choose(name, shape)` gives values.
struct Replacer<F> {
    path: Vec<String>,
    choose: F,
}

impl<F: FnMut(&str, &[usize]) -> Option<Vec<f32>>> ModuleMapper for Replacer<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = torch_name(&self.path);
        let old = param.val();
        let shape = old.dims();
        let new = match (self.choose)(&name, &shape) {
            Some(values) => Tensor::from_data(TensorData::new(values, shape), &old.device()),
            None => old.detach(),
        };
        let new = if new.device().is_autodiff() { new.require_grad() } else { new };
        Param::initialized(stable_id(&name), new)
    }
}

/// Sets the weights that `weights` holds. Arrays of a wrong shape are an error that names the key
/// and both shapes; absent and unknown names are reported. `num_batches_tracked` is ignored.
pub fn assign<M: Module>(module: M, mut weights: Weights) -> anyhow::Result<(M, Mismatch)> {
    weights.retain(|name, _| !name.ends_with(".num_batches_tracked"));
    let mut missing = vec![];
    let mut wrong = vec![];
    let mut used = BTreeSet::new();
    let choose = |name: &str, shape: &[usize]| match weights.get_mut(name) {
        None => {
            missing.push(name.to_string());
            None
        }
        Some(array) => {
            used.insert(name.to_string());
            if array.shape == shape {
                // Not a second time beside it: a network may fill much of the memory.
                return Some(std::mem::take(&mut array.values));
            }
            wrong.push(format!("{name} has shape {:?}, expected {shape:?}", array.shape));
            None
        }
    };
    let module = module.map(&mut Replacer { path: vec![], choose });
    anyhow::ensure!(wrong.is_empty(), "weights do not fit the architecture: {}", name_list(&wrong));
    let unexpected = weights.into_keys().filter(|name| !used.contains(name)).collect();
    Ok((module, Mismatch { missing, unexpected }))
}

/// Fresh weights as torchvision draws them: convolutions from a normal distribution of variance
/// 2 / fan_out (He et al. 2015), linear layers uniform in ±1/sqrt(fan_in), batch norm at 1 and 0.
/// Each array has a random stream of its own, made of the seed and its name.
pub(super) fn initialize<M: Module>(module: M, seed: u64) -> M {
    let mut fan_in = 1;
    let choose = |name: &str, shape: &[usize]| {
        let mut rng = Pcg64::new(stable_id(name).val().into(), seed.into());
        let count = shape.iter().product();
        match *shape {
            [output, _, height, width] => {
                let std = (2.0 / (output * height * width) as f32).sqrt();
                Some(draw(Normal::new(0.0, std).expect("positive deviation"), count, &mut rng))
            }
            [_, input] => {
                fan_in = input;
                Some(draw(linear_distribution(fan_in), count, &mut rng))
            }
            _ if is_linear_bias(name) => Some(draw(linear_distribution(fan_in), count, &mut rng)),
            _ => None,
        }
    };
    module.map(&mut Replacer { path: vec![], choose })
}

/// A ResNet whose residual blocks begin as their shortcuts: the last normalisation of each has scale 0
/// (Goyal et al. 2017, section 5.1), as torchvision's `zero_init_residual` and VICReg's code have it.
pub fn with_zero_residuals<M: Module>(module: M) -> M {
    let names = collect(&module);
    // A bottleneck has a third normalisation.
    let is_last = |name: &str| {
        let block = name.strip_suffix(".bn2.weight").map(|block| format!("{block}.bn3.weight"));
        name.ends_with(".bn3.weight") || block.is_some_and(|third| !names.contains_key(&third))
    };
    let choose = |name: &str, shape: &[usize]| is_last(name).then(|| vec![0.0; shape[0]]);
    module.map(&mut Replacer { path: vec![], choose })
}

fn linear_distribution(fan_in: usize) -> Uniform<f32> {
    let bound = 1.0 / (fan_in as f32).sqrt();
    Uniform::new_inclusive(-bound, bound).expect("a finite range")
}

fn draw(distribution: impl Distribution<f32>, count: usize, rng: &mut Pcg64) -> Vec<f32> {
    (0..count).map(|_| distribution.sample(rng)).collect()
}

/// Whether `name` is the bias of a linear layer of the projector or predictor (and not of a batch norm).
fn is_linear_bias(name: &str) -> bool {
    let mlp = name.strip_prefix("projector.").or(name.strip_prefix("predictor."));
    let place = mlp.and_then(|rest| rest.strip_suffix(".bias"));
    place.and_then(|digits| digits.parse::<usize>().ok()).is_some_and(|place| place % 3 == 0)
}
