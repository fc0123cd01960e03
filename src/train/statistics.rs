//! The running statistics of batch normalisation, which move with every forward pass: kept before a step, so that one
//! that is left changes nothing.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// What no gradient moves of a module, as it was. Copies of a module share it.
pub struct RunningStatistics(BTreeMap<ParamId, Tensor<1>>);

impl RunningStatistics {
    /// Those of `module` now; nothing is copied.
    pub fn of<M: Module>(module: &M) -> Self {
        let mut statistics = Self(BTreeMap::new());
        module.visit(&mut statistics);
        statistics
    }

    /// Puts them back.
    pub fn restore<M: Module>(mut self, module: M) -> M {
        module.map(&mut self)
    }
}

impl ModuleVisitor for RunningStatistics {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            let count = value.dims().iter().product::<usize>();
            self.0.insert(param.id, value.reshape([count]));
        }
    }
}

impl ModuleMapper for RunningStatistics {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(kept) = self.0.remove(&param.id) else { return param };
        let dims = param.val().dims();
        Param::initialized(param.id, kept.reshape(dims))
    }
}
