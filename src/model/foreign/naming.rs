//! What libraries call the layers of a ResNet, and their torchvision names, which are ours.

/// How one library names the layers.
pub struct Naming {
    /// The library, for a person.
    pub title: &'static str,
    /// Names that every such network has; what stands before them is the network's prefix.
    pub marks: [&'static str; 2],
    /// The torchvision name of a layer's array; none for what is no part of the backbone.
    pub ours: fn(&str) -> Option<String>,
}

/// All of them; the first whose marks are there counts.
pub static NAMINGS: [Naming; 3] = [
    Naming {
        title: "torchvision",
        marks: ["conv1.weight", "layer1.0.conv1.weight"],
        ours: |name| {
            let (first, _) = name.split_once('.')?;
            let is_ours = ["conv1", "bn1"].contains(&first) || is_stage(first);
            // As in the copies of torchvision's file for CIFAR.
            is_ours.then(|| name.replace(".shortcut.", ".downsample."))
        },
    },
    Naming {
        title: "torchvision, its layers numbered",
        marks: ["0.weight", "4.0.conv1.weight"],
        ours: |name| {
            let (number, rest) = name.split_once('.')?;
            let layer = match number {
                "0" => "conv1",
                "1" => "bn1",
                "4" => "layer1",
                "5" => "layer2",
                "6" => "layer3",
                "7" => "layer4",
                _ => return None,
            };
            Some(format!("{layer}.{rest}"))
        },
    },
    Naming {
        title: "Hugging Face transformers",
        marks: [
            "embedder.embedder.convolution.weight",
            "encoder.stages.0.layers.0.layer.0.convolution.weight",
        ],
        ours: hugging_face,
    },
];

fn is_stage(name: &str) -> bool {
    name.strip_prefix("layer")
        .is_some_and(|digits| digits.len() == 1 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// `encoder.stages.0.layers.1.layer.2.convolution.weight` is `layer1.1.conv3.weight`.
fn hugging_face(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let kind = |kind: &str, number: usize| match kind {
        "convolution" => Some(format!("conv{number}")),
        "normalization" => Some(format!("bn{number}")),
        _ => None,
    };
    match parts.as_slice() {
        ["embedder", "embedder", of, field] => Some(format!("{}.{field}", kind(of, 1)?)),
        ["encoder", "stages", stage, "layers", block, rest @ ..] => {
            let stage = stage.parse::<usize>().ok()?.checked_add(1)?;
            match rest {
                ["layer", number, of, field] => {
                    let layer = kind(of, number.parse::<usize>().ok()?.checked_add(1)?)?;
                    Some(format!("layer{stage}.{block}.{layer}.{field}"))
                }
                ["shortcut", of, field] => {
                    let place = usize::from(*of == "normalization");
                    kind(of, 1)?;
                    Some(format!("layer{stage}.{block}.downsample.{place}.{field}"))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_torchvisions() {
        let of = |title: &str, name: &str| {
            NAMINGS.iter().find(|naming| naming.title == title).and_then(|naming| (naming.ours)(name))
        };
        for (title, theirs, ours) in [
            ("torchvision", "conv1.weight", Some("conv1.weight")),
            ("torchvision", "layer2.0.shortcut.1.bias", Some("layer2.0.downsample.1.bias")),
            ("torchvision", "fc.weight", None),
            ("torchvision, its layers numbered", "6.1.bn2.weight", Some("layer3.1.bn2.weight")),
            ("torchvision, its layers numbered", "8.weight", None),
            ("Hugging Face transformers", "embedder.embedder.normalization.bias", Some("bn1.bias")),
            (
                "Hugging Face transformers",
                "encoder.stages.3.layers.0.layer.2.normalization.running_var",
                Some("layer4.0.bn3.running_var"),
            ),
            (
                "Hugging Face transformers",
                "encoder.stages.1.layers.0.shortcut.convolution.weight",
                Some("layer2.0.downsample.0.weight"),
            ),
            ("Hugging Face transformers", "pooler.weight", None),
        ] {
            assert_eq!(of(title, theirs).as_deref(), ours, "{theirs}");
        }
    }
}
