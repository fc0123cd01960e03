//! What the spaces are called, and what they are.

/// What the names of spaces of places begin with.
pub const PLACE: &str = "token-";

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
        _ if space.starts_with("block") => {
            "Class token after that block of the transformer, of the patch alone (the mean of the patch tokens where \
             there is no class token)."
        }
        "token-last" => {
            "The last feature map at the patch's place: the whole image went through the network at once, so that the \
             vector knows its surroundings."
        }
        _ if space.starts_with(PLACE) => {
            "That layer's feature map at the patch's place, of the whole image at once."
        }
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
        _ if space.starts_with("block") => "class token",
        _ if space.starts_with(PLACE) => "place in the image",
        _ => "",
    }
}
