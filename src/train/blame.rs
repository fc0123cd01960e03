//! Where a value that is not finite comes from, in words.

use burn::tensor::{Gradients, Tensor};

use super::gradients::Student;
use super::optimizer::OptimizerState;
use crate::model::watch::is_finite;
use crate::model::weights::{self, Array, Weights};

/// Of a loss, given the weights that it was computed with and the first layer that gave such a value, if one did.
pub fn of_loss(weights: &Weights, layer: Option<String>) -> String {
    let bad = not_finite(weights);
    match (bad.first(), layer) {
        (Some(first), _) => {
            format!(
                "the step before made {} of {} weights not finite, first {first}",
                bad.len(),
                weights.len()
            )
        }
        (None, Some(layer)) => format!("the network's values are not finite first in {layer}"),
        (None, None) => "the network's values are finite, the loss of them is not".to_owned(),
    }
}

/// Of gradients whose joint norm is not finite.
pub fn of_gradients(student: &Student, from: &Gradients) -> String {
    let mut named = weights::gradients(&student.encoder, from);
    if let Some(predictor) = &student.predictor {
        named.extend(weights::gradients(predictor, from));
    }
    let bad: Vec<&String> = named.iter().filter(|(_, grad)| !is_finite(grad)).map(|(name, _)| name).collect();
    // They come from the loss, through the last layer to the first.
    match bad.last() {
        Some(last) => format!(
            "those of {} of {} parameters are not finite, the nearest to the loss being that of {last}",
            bad.len(),
            named.len()
        ),
        None => {
            let largest = |(_, grad): &(String, _)| f64::from(largest_of(grad));
            let most = named.iter().max_by(|a, b| largest(a).total_cmp(&largest(b)));
            most.map_or_else(String::new, |found| {
                format!(
                    "their squares overflow, the largest value being {:e}, of {}",
                    largest(found),
                    found.0
                )
            })
        }
    }
}

/// Of what is about to be written: which values are not finite, by the name of the parameter; `None` where all are.
pub fn of_checkpoint(encoder: &Weights, method: &Weights, optimizer: &OptimizerState) -> Option<String> {
    for (what, weights) in [("weights", encoder), ("weights of the method", method)] {
        let bad = not_finite(weights);
        if let Some(first) = bad.first() {
            return Some(format!(
                "{what} are not finite ({} of {} arrays, first {first})",
                bad.len(),
                weights.len()
            ));
        }
    }
    let is_bad = |buffers: &[Vec<f32>]| !buffers.iter().flatten().all(|value| value.is_finite());
    let (id, _) = optimizer.iter().find(|(_, buffers)| is_bad(buffers))?;
    let mut names = encoder.keys().chain(method.keys());
    let name = names.find(|name| weights::id_of(name) == *id).map_or("an unknown parameter", String::as_str);
    Some(format!("the optimizer's buffers are not finite (first that of {name})"))
}

fn not_finite(weights: &Weights) -> Vec<&String> {
    let is_bad = |array: &Array| !array.values.iter().all(|value| value.is_finite());
    weights.iter().filter(|(_, array)| is_bad(array)).map(|(name, _)| name).collect()
}

fn largest_of(grad: &Tensor<1>) -> f32 {
    grad.clone().abs().max().into_scalar::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_and_weights_that_are_not_finite_are_named_by_their_parameter() {
        let array = |value| Array { shape: vec![2], values: vec![1.0, value] };
        let weights = |value| Weights::from([("conv1.weight".into(), array(value))]);
        let state = |value| OptimizerState::from([(weights::id_of("conv1.weight"), vec![vec![0.0, value]])]);
        let none = Weights::new();
        assert_eq!(of_checkpoint(&weights(2.0), &none, &state(3.0)), None);
        let said = |weights: &Weights, method: &Weights, value| {
            of_checkpoint(weights, method, &state(value)).unwrap()
        };
        assert!(
            said(&weights(f32::NAN), &none, 0.0)
                .contains("weights are not finite (1 of 1 arrays, first conv1")
        );
        assert!(said(&none, &weights(f32::INFINITY), 0.0).contains("weights of the method"));
        assert!(
            said(&weights(1.0), &none, f32::INFINITY)
                .contains("buffers are not finite (first that of conv1.weight")
        );
        assert!(of_loss(&weights(f32::NAN), Some("bn1".into())).contains("first conv1.weight"));
        assert!(of_loss(&weights(1.0), Some("bn1".into())).contains("first in bn1"));
    }
}
