//! The momentum encoder: weights that follow another encoder's as a moving average.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// Moves every weight of `target` (a module without gradients) towards that of `online` (the same
/// module with gradients): `target = momentum target + (1 - momentum) online`.
/// Running statistics stay `target`'s own.
pub fn follow<M: Module>(target: M, online: &M, momentum: f64) -> M {
    let mut weights = WeightsById(BTreeMap::new());
    online.visit(&mut weights);
    target.map(&mut Blend { online: weights.0, momentum })
}

/// Flat values of all weights that are trained.
struct WeightsById(BTreeMap<ParamId, Tensor<1>>);

impl ModuleVisitor for WeightsById {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            let count = value.dims().iter().product::<usize>();
            self.0.insert(param.id, value.inner().reshape([count]));
        }
    }
}

struct Blend {
    online: BTreeMap<ParamId, Tensor<1>>,
    momentum: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(online) = self.online.remove(&id) else { return param };
        let old = param.val();
        let online = online.reshape(old.dims());
        Param::initialized(id, old.mul_scalar(self.momentum) + online.mul_scalar(1.0 - self.momentum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mode;
    use crate::model::predictor::Predictor;
    use crate::model::weights::collect;
    use burn::tensor::Device;

    #[test]
    fn weights_follow_and_running_statistics_do_not() {
        let device = Device::flex().autodiff();
        let online = Predictor::new(4, 6, 1, &device).train();
        let target = Predictor::new(4, 6, 2, &device).train().valid();
        // The online module's running statistics move away from the target's.
        online.forward(Tensor::ones([3, 4], &device), Mode::Train);
        let before = (collect(&online), collect(&target));
        let after = collect(&follow(target, &online, 0.75));
        assert_ne!(before.0["predictor.1.running_mean"], before.1["predictor.1.running_mean"]);
        for (name, array) in &after {
            let expected = before.0[name].values.iter().zip(&before.1[name].values);
            let share = if name.contains("running") { 0.0 } else { 0.25 };
            for (got, (online, target)) in array.values.iter().zip(expected) {
                assert!((got - (share * online + (1.0 - share) * target)).abs() < 1e-6, "{name}");
            }
        }
    }
}
