//! The kernels as operations on burn's tensors: for tensors of the Flex backend, with gradients
//! where the device has them. Maps are `[batch, height, width, channels]`.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, BackendTensor, DispatchAutodiffContext, DispatchTensorKind, Flex, TensorMetadata,
};
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Shape as Dims, Tensor, TensorData};

use super::panels::Panels;
use super::shape::{Finish, Shape};
use super::simd::Isa;
use super::{conv, norm, pool};

/// The CPU backend with gradients.
type Graph = Autodiff<Flex, NoCheckpointing>;

/// A tensor of [`Graph`].
type GraphTensor = FloatTensor<Graph>;

/// Whether the operations of this room take `x`, and whether `x` belongs to a device with gradients.
pub fn serves<const D: usize>(x: &Tensor<D>) -> Option<bool> {
    if x.dtype() != DType::F32 {
        return None;
    }
    let tensor = x.clone().into_dispatch();
    match (tensor.kind, tensor.autodiff) {
        (DispatchTensorKind::Flex(BackendTensor::Float(_)), DispatchAutodiffContext::Disabled) => Some(false),
        (
            DispatchTensorKind::Autodiff(inner),
            DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Disabled),
        ) => matches!(*inner, DispatchTensorKind::Flex(_)).then_some(true),
        _ => None,
    }
}

/// Whether tensors of `device` lie in main memory, where these operations are computed.
pub fn runs_on(device: &Device) -> bool {
    serves(&Tensor::<1>::zeros([1], device)).is_some()
}

/// A tensor as the kernels see it.
pub(super) enum Operand {
    Plain(FlexTensor),
    Tracked(GraphTensor),
}

impl Operand {
    /// # Panics
    /// On tensors that [`serves`] refuses.
    pub(super) fn new<const D: usize>(tensor: Tensor<D>) -> Self {
        match serves(&tensor).expect("a tensor of the CPU backend in f32") {
            false => Operand::Plain(contiguous(tensor.try_into_primitive::<Flex>().expect("checked"))),
            true => Operand::Tracked(tensor.try_into_primitive::<Graph>().expect("checked")),
        }
    }

    fn is_tracked(&self) -> bool {
        matches!(self, Operand::Tracked(_))
    }

    /// Its values without gradients, row-major.
    pub(super) fn value(&self) -> FlexTensor {
        match self {
            Operand::Plain(tensor) => tensor.clone(),
            Operand::Tracked(tensor) => contiguous(tensor.primitive().clone()),
        }
    }

    fn tracked(self) -> GraphTensor {
        match self {
            Operand::Plain(tensor) => GraphTensor::new(tensor),
            Operand::Tracked(tensor) => tensor,
        }
    }
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The values of a tensor in one piece.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("contiguous f32")
}

/// A tensor of those values.
pub(super) fn tensor(values: Vec<f32>, dims: impl Into<Dims>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, dims))
}

/// A tensor for burn, without gradients.
pub(super) fn plain<const D: usize>(primitive: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(primitive)
}

fn tracked<const D: usize>(primitive: GraphTensor) -> Tensor<D> {
    Tensor::from_primitive::<Graph>(primitive)
}

/// How a convolution moves over its maps, and how it may be computed.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Pixels from one output's window to the next.
    pub stride: usize,
    /// Pixels of zeros around each map.
    pub padding: usize,
    /// See [`Shape::winograd`].
    pub winograd: bool,
}

/// Of maps and a weight of `[out, in, side, side]`.
fn shape(x: &FlexTensor, weight: &FlexTensor, window: Window) -> Shape {
    let Window { stride, padding, winograd } = window;
    let (x, weight) = (x.shape(), weight.shape());
    let (channels, side) = ([weight[1], weight[0]], weight[2]);
    assert_eq!(x[3], channels[0], "channels of the maps and of the weight");
    Shape { batch: x[0], size: [x[1], x[2]], channels, side, stride, padding, winograd }
}

fn output_dims(shape: &Shape) -> [usize; 4] {
    let [height, width] = shape.out_size();
    [shape.batch, height, width, shape.channels[1]]
}

/// A convolution without bias.
///
/// # Shapes
/// - x: `[batch, height, width, in]`
/// - weight: `[out, in, side, side]`
/// - output: `[batch, out height, out width, out]`
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    let (x, weight) = (Operand::new(x), Operand::new(weight));
    let (x_value, weight_value) = (x.value(), weight.value());
    let shape = shape(&x_value, &weight_value, window);
    let y = conv::forward(
        Isa::best(),
        &shape,
        values(&x_value),
        (values(&weight_value), None),
        Finish::default(),
    );
    let y = tensor(y, output_dims(&shape));
    if !x.is_tracked() && !weight.is_tracked() {
        return plain(y);
    }
    let nodes = [x.tracked(), weight.tracked()];
    tracked(
        match Conv.prepare::<NoCheckpointing>(nodes.each_ref().map(|t| t.node())).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x_value, weight_value, shape), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        },
    )
}

#[derive(Debug)]
struct Conv;

impl Backward<Flex, 2> for Conv {
    type State = (FlexTensor, FlexTensor, Shape);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let (x, weight, shape) = ops.state;
        let isa = Isa::best();
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = weight_node {
            let dw = conv::weight_gradient(isa, &shape, values(&x), values(&dy));
            grads.register::<Flex>(node.id, tensor(dw, weight.shape()));
        }
        if let Some(node) = x_node {
            let dx = conv::input_gradient(isa, &shape, values(&weight), values(&dy));
            grads.register::<Flex>(node.id, tensor(dx, x.shape()));
        }
    }
}

/// A convolution, a factor and a shift per output channel, a sum and ReLU in one pass; without gradients.
///
/// # Shapes
/// As [`conv2d`]; `scale`, `bias`: `[out]`, `residual`: that of the output.
pub fn conv2d_finished(
    x: Tensor<4>,
    (weight, panels): (Tensor<4>, Option<&Panels>),
    window: Window,
    [scale, bias]: [Tensor<1>; 2],
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let (x, weight) = (Operand::new(x).value(), Operand::new(weight).value());
    let (scale, bias) = (Operand::new(scale).value(), Operand::new(bias).value());
    let residual = residual.map(|residual| Operand::new(residual).value());
    let shape = shape(&x, &weight, window);
    if let Some(residual) = &residual {
        assert_eq!(residual.shape(), Dims::from(output_dims(&shape)), "shape of the residual");
    }
    let finish = Finish {
        scale: Some(values(&scale)),
        bias: Some(values(&bias)),
        residual: residual.as_ref().map(values),
        relu,
    };
    let y = conv::forward(Isa::best(), &shape, values(&x), (values(&weight), panels), finish);
    plain(tensor(y, output_dims(&shape)))
}

/// The largest of each 3x3 window, every other pixel, with a pixel of nothing around; without gradients.
///
/// # Shapes
/// - x: `[batch, height, width, channels]`
/// - output: `[batch, (height + 1) / 2, (width + 1) / 2, channels]`
pub fn max_pool(x: Tensor<4>) -> Tensor<4> {
    let dims = x.dims();
    let [batch, height, width, channels] = dims;
    let x = Operand::new(x).value();
    let y = pool::forward(Isa::best(), values(&x), dims);
    plain(tensor(y, [batch, height.div_ceil(2), width.div_ceil(2), channels]))
}

/// What batch normalisation gives: the output, and the batch's mean and biased variance without gradients.
pub struct Normalized {
    /// `[batch, height, width, channels]`
    pub output: Tensor<4>,
    /// `[channels]`
    pub mean: Tensor<1>,
    /// Biased, `[channels]`.
    pub variance: Tensor<1>,
}

/// `relu?(batch_norm(x) + residual)` with the statistics of the batch.
///
/// # Shapes
/// - x, residual, output: `[batch, height, width, channels]`
/// - weight, bias, mean, variance: `[channels]`
pub fn batch_norm_train(
    x: Tensor<4>,
    [weight, bias]: [Tensor<1>; 2],
    residual: Option<Tensor<4>>,
    relu: bool,
    epsilon: f64,
) -> Normalized {
    let isa = Isa::best();
    let (x, weight, bias) = (Operand::new(x), Operand::new(weight), Operand::new(bias));
    let residual = residual.map(Operand::new);
    let (x_value, weight_value, bias_value) = (x.value(), weight.value(), bias.value());
    let residual_value = residual.as_ref().map(Operand::value);
    let channels = x_value.shape()[3];
    let statistics = norm::statistics(isa, values(&x_value), channels);
    let scale = |variance: &f32| (1.0 / (f64::from(*variance) + epsilon).sqrt()) as f32;
    let scale: Vec<f32> = statistics.variance.iter().map(scale).collect();
    let factor: Vec<f32> = scale.iter().zip(values(&weight_value)).map(|(a, b)| a * b).collect();
    let affine: [&[f32]; 3] = [&statistics.mean, &factor, values(&bias_value)];
    let y = norm::apply(isa, values(&x_value), affine, residual_value.as_ref().map(values), relu);
    let y = tensor(y, x_value.shape());
    let (mean, variance) =
        (tensor(statistics.mean.clone(), [channels]), tensor(statistics.variance, [channels]));
    let operands = [Some(&x), Some(&weight), Some(&bias), residual.as_ref()];
    if !operands.into_iter().flatten().any(Operand::is_tracked) {
        return Normalized { output: plain(y), mean: plain(mean), variance: plain(variance) };
    }
    let state = NormState {
        x: x_value,
        y: relu.then(|| y.clone()),
        weight: weight_value,
        mean: statistics.mean,
        scale,
    };
    let (x, weight, bias) = (x.tracked(), weight.tracked(), bias.tracked());
    macro_rules! record {
        ($op:expr, $nodes:expr) => {
            match $op.prepare::<NoCheckpointing>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(state, y),
                OpsKind::UnTracked(prep) => prep.finish(y),
            }
        };
    }
    let output = match residual.map(Operand::tracked) {
        Some(residual) => record!(NormSum, [x.node(), weight.node(), bias.node(), residual.node()]),
        None => record!(Norm, [x.node(), weight.node(), bias.node()]),
    };
    let leaf = |value| tracked(GraphTensor::new(value));
    Normalized { output: tracked(output), mean: leaf(mean), variance: leaf(variance) }
}

/// What the backward pass of batch normalisation needs.
#[derive(Clone, Debug)]
struct NormState {
    x: FlexTensor,
    y: Option<FlexTensor>,
    weight: FlexTensor,
    mean: Vec<f32>,
    scale: Vec<f32>,
}

impl NormState {
    fn backward(&self, dy: FlexTensor, has_residual: bool) -> norm::Gradients {
        let forward = norm::Forward {
            x: values(&self.x),
            y: self.y.as_ref().map(values),
            weight: values(&self.weight),
            mean: &self.mean,
            scale: &self.scale,
        };
        norm::backward(Isa::best(), forward, values(&contiguous(dy)), has_residual)
    }
}

#[derive(Debug)]
struct Norm;

#[derive(Debug)]
struct NormSum;

macro_rules! norm_backward {
    ($op:ty, $parents:literal, $has_residual:literal) => {
        impl Backward<Flex, $parents> for $op {
            type State = NormState;

            fn backward(
                self,
                ops: Ops<NormState, $parents>,
                grads: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let dy = grads.consume::<Flex>(&ops.node);
                let made = ops.state.backward(dy, $has_residual);
                let maps = ops.state.x.shape();
                let channels = [maps[3]];
                let made = [
                    Some(tensor(made.x, maps.clone())),
                    Some(tensor(made.weight, channels)),
                    Some(tensor(made.bias, channels)),
                    made.residual.map(|values| tensor(values, maps)),
                ];
                for (node, gradient) in ops.parents.into_iter().zip(made) {
                    if let (Some(node), Some(gradient)) = (node, gradient) {
                        grads.register::<Flex>(node.id, gradient);
                    }
                }
            }
        }
    };
}

norm_backward!(Norm, 3, false);
norm_backward!(NormSum, 4, true);
