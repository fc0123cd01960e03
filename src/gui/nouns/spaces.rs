//! What the spaces are called, and what they are.

/// A space in words, with the paper's section.
pub fn explain_space(space: &str) -> &'static str {
    match space {
        "z" => {
            "Projection: the projector's raw output, the space that the training loss sees (Sec. 3 of the paper)."
        }
        "h" => {
            "Embedding: the backbone's output, the space that is used after training (Sec. 4.3 of the paper)."
        }
        "pixels" => {
            "Raw pixels: the normalised values of the patch itself, a baseline that knows no network."
        }
        _ if space.starts_with("stage") => {
            "Backbone stage: mean over positions of the feature map after it (h is that of stage 4)."
        }
        _ if space.starts_with("hidden") => "Hidden layer of the projector, after its ReLU.",
        _ => "The cosine in the first space less that in the second.",
    }
}

/// The long name of a space.
pub fn name_of_space(space: &str) -> &'static str {
    match space {
        "z" => "projection",
        "h" => "embedding",
        "pixels" => "baseline",
        _ if space.starts_with("stage") => "backbone",
        _ if space.starts_with("hidden") => "projector",
        _ => "",
    }
}
