//! Conventions of released training code as settings: what they change, and that what was there before stays as it was.

use std::fs;

use bagssl::engine::jobs::train::Start;
use bagssl::model::{BackboneConfig, Depth, Encoder, ModelInfo, Stem, store, weights};
use bagssl::progress::CancelToken;
use bagssl::train::{RunFolder, TrainConfig, recipes};
use burn::tensor::Device;

use crate::resume::halted;
use crate::run::{losses, run_on, tiny};

/// The settings that no earlier version wrote.
const NEW: [&str; 12] = [
    "batch_statistics",
    "normalization",
    "zero_init",
    "projector_bias",
    "[schedule]",
    "start",
    "cosine",
    "end",
    "every = \"step\"",
    "lr_scale",
    "nesterov",
    "decay_at_zero",
];

/// As an earlier version wrote it.
fn earlier(text: &str) -> String {
    let is_new = |line: &&str| NEW.iter().any(|key| line.starts_with(key)) || line.starts_with("whole");
    text.lines().filter(|line| !is_new(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_configuration_of_before_means_what_it_meant() {
    let mut config = tiny();
    config.set(&["optimizer.rule=lars"]).unwrap();
    let text = config.to_toml().unwrap();
    let old = earlier(&text);
    assert!(old.lines().count() + NEW.len() < text.lines().count() + 2, "{old}");
    assert_eq!(TrainConfig::from_toml(&old).unwrap(), config);
    // A run that began then goes on to the bit.
    let folder = tempfile::tempdir().unwrap();
    let (run, whole) = halted(folder.path());
    let file = run.join("config.toml");
    fs::write(&file, earlier(&fs::read_to_string(&file).unwrap())).unwrap();
    run_on("demo", &run, Start::Resume, &CancelToken::default(), |_| ()).unwrap();
    assert_eq!(losses(&RunFolder::at(&run).metrics().unwrap()), whole);
}

#[test]
fn a_run_in_released_conventions_trains_and_goes_on_to_the_bit() {
    let mut config = tiny();
    let changes = [
        "batch_statistics=joint",
        "schedule.start=zero",
        "schedule.end=0.001",
        "optimizer.rule=lars",
        "optimizer.rule.nesterov=true",
        "optimizer.rule.decay_at_zero=false",
        "optimizer.lr_scale=per-256",
        "model.normalization=half",
        "model.zero_init=true",
        "model.projector_bias=false",
        "views.0.blur.p=1",
        "views.0.blur.whole=true",
        "views.0.blur.sigma=[0.5, 2.0]",
    ];
    config.set(&changes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [whole, halved] = ["whole", "halved"].map(|name| folder.path().join(name));
    let cancel = CancelToken::default();
    let expected =
        losses(&run_on("demo", &whole, Start::New(Box::new(config.clone())), &cancel, |_| ()).unwrap());
    let token = cancel.clone();
    let stop = move |step: u64| {
        if step >= 3 {
            token.cancel()
        }
    };
    run_on("demo", &halved, Start::New(Box::new(config)), &cancel, stop).unwrap_err();
    run_on("demo", &halved, Start::Resume, &CancelToken::default(), |_| ()).unwrap();
    let run = RunFolder::at(&halved);
    let metrics = run.metrics().unwrap();
    assert_eq!(losses(&metrics), expected);
    // The warm-up of an epoch of 3 steps begins at 0; after it lr is 0.048 for 256 images, of which there are 8.
    let rates: Vec<f64> = metrics.iter().map(|line| line.lr).collect();
    let lr = tiny().optimizer.lr * 8.0 / 256.0;
    assert!(rates[0] == 0.0 && (rates[3] - lr).abs() < 1e-12, "{rates:?}");

    let first = fs::read(run.checkpoint(0).join("model.safetensors")).unwrap();
    let (info, shapes) = store::describe(&first).unwrap();
    assert_eq!((info.normalization.mean, info.normalization.std), ([0.5; 3], [0.5; 3]));
    assert!(
        shapes.contains_key("projector.0.bias") && !shapes.contains_key("projector.3.bias"),
        "{shapes:?}"
    );
    let weights = store::weights_from_bytes(&first).unwrap();
    let is_zero = |name: &str| weights[name].values.iter().all(|value| *value == 0.0);
    assert!(
        is_zero("layer1.0.bn2.weight") && is_zero("layer4.1.bn2.weight") && !is_zero("layer1.0.bn1.weight")
    );
}

/// The last normalisation of each block: two in a basic block, three in a bottleneck.
#[test]
fn zero_residuals_are_the_last_of_each_block() {
    for (depth, last, blocks) in [(Depth::ResNet18, "bn2", 8), (Depth::ResNet50, "bn3", 16)] {
        let info = ModelInfo {
            backbone: BackboneConfig::new(depth, Stem::Cifar { padding: 1 }, 1).into(),
            ..crate::model::info(depth, Stem::Cifar { padding: 1 })
        };
        let encoder = weights::with_zero_residuals(Encoder::new(&info, 0, &Device::flex()));
        let weights = weights::collect(&encoder);
        let zero = weights.iter().filter(|(name, array)| {
            name.ends_with(".weight") && array.values.iter().all(|value| *value == 0.0)
        });
        let names: Vec<&String> = zero.map(|(name, _)| name).collect();
        assert_eq!(names.len(), blocks, "{names:?}");
        assert!(names.iter().all(|name| name.ends_with(&format!(".{last}.weight"))), "{names:?}");
    }
}

#[test]
fn recipes_of_released_code_say_each_convention() {
    let text = |name: &str| recipes::find(name).unwrap().config.to_toml().unwrap();
    let nmce = text("nmce-cifar10");
    for said in [
        "batch_statistics = \"joint\"",
        "lr_scale = \"none\"",
        "decay_at_zero = false",
        "cosine = \"run\"",
        "every = \"epoch\"",
        "normalization = \"nmce\"",
        "eta = 0.02",
    ] {
        assert!(nmce.contains(said), "{said} is missing in:\n{nmce}");
    }
    let emp = text("emp-ssl-cifar10");
    for said in ["joint", "nesterov = true", "eta = 0.005", "normalization = \"half\"", "whole = true"] {
        assert!(emp.contains(said), "{said} is missing in:\n{emp}");
    }
    let vicreg = text("vicreg-imagenet");
    for said in
        ["\"each\"", "per-256", "zero_init = true", "projector_bias = false", "end = 0.001", "\"zero\""]
    {
        assert!(vicreg.contains(said), "{said} is missing in:\n{vicreg}");
    }
}
