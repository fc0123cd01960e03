//! Checkpoints of other programs in the layouts and folders in which people have them: the weights of a fixture under
//! other names give the same vectors.

use std::fs;
use std::path::Path;

use bagssl::model::formats::is_likely_model;
use bagssl::model::store::Model;
use bagssl::model::{
    BackboneConfig, Depth, Encoder, Mode, ModelInfo, ModelSpec, Overrides, Space, Stem, store, weights,
};
use burn::tensor::{Device, Tensor};
use safetensors::tensor::{Dtype, TensorView};

use crate::checkpoints::{checkpoint, open, spec};
use crate::counting::allocated;

/// An array of a file: name, kind, shape, bytes.
type Held = (String, Dtype, Vec<usize>, Vec<u8>);

/// The weights of a model by our names: of the network as torchvision has them, of the projector `projector.0.weight`.
fn held(model: &Model) -> Vec<Held> {
    let all = weights::collect(&model.encoder).into_iter();
    all.map(|(name, array)| (name, Dtype::F32, array.shape, bytemuck::cast_slice(&array.values).to_vec()))
        .collect()
}

/// The same under other names, by what our names begin with; what begins otherwise is left out.
fn renamed(held: &[Held], rules: &[(&str, &str)]) -> Vec<Held> {
    let name = |name: &str| {
        let rest = rules.iter().find_map(|(ours, theirs)| Some((theirs, name.strip_prefix(ours)?)));
        rest.map(|(theirs, rest)| format!("{theirs}{rest}"))
    };
    let all = held
        .iter()
        .filter_map(|(ours, kind, shape, bytes)| Some((name(ours)?, *kind, shape.clone(), bytes.clone())));
    all.collect()
}

fn write(path: &Path, held: &[Held]) {
    let views = held.iter().map(|(name, kind, shape, bytes)| {
        (name.as_str(), TensorView::new(*kind, shape.clone(), bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn error_of(path: &Path, weights: Option<&str>) -> String {
    let opened = store::open(&spec(path, weights), &Device::flex());
    format!("{:#}", opened.err().unwrap_or_else(|| panic!("{} opened", path.display())))
}

fn vectors(model: &Model, space: Space) -> Vec<f32> {
    let images = Tensor::<4>::ones([1, 3, 64, 64], &Device::flex());
    model.encoder.embed(images, &[space], Mode::Eval).remove(0).into_data().try_to_vec().unwrap()
}

/// Our names of a network and its projector.
const NETWORK: [&str; 6] = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"];

/// Rules that put a network behind `network` and its projector behind `projector`.
fn behind<'a>(network: &'a [String; 6], projector: &'a str) -> Vec<(&'a str, &'a str)> {
    let names = NETWORK.into_iter().zip(network.iter().map(String::as_str));
    names.chain([("projector.", projector)]).collect()
}

#[test]
fn a_projector_is_found_wherever_programs_keep_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let lightly = open("lightly.ckpt", None);
    let (all, z) = (held(&lightly), vectors(&lightly, Space::Z));
    for (network, projector, found) in [
        ("encoder_q.0.", "encoder_q.1.mlp.", "z: encoder_q.1"),
        ("backbone.", "dino_head.", "z: dino_head"),
        ("teacher_backbone.", "teacher_head.layers.", "z: teacher_head"),
        ("online_encoder.net.", "online_encoder.projector.", "z: online_encoder.projector"),
    ] {
        let mut file = renamed(&all, &behind(&NETWORK.map(|name| format!("{network}{name}")), projector));
        // BYOL keeps the network twice.
        if network.starts_with("online") {
            file.extend(renamed(&all, &NETWORK.map(|name| (name, &*format!("net.{name}").leak()))));
        }
        write(&path, &file);
        let model = store::open(&spec(&path, None), &Device::flex()).unwrap();
        assert_eq!(model.info.origin.as_ref().unwrap().head, found);
        assert_eq!(vectors(&model, Space::Z), z, "{network}");
    }
    // EMP-SSL keeps it in two parts.
    let mut rules = NETWORK.map(|name| (name, &*format!("backbone.{name}").leak())).to_vec();
    rules.extend([("projector.3", "projection.0"), ("projector.", "pre_feature.")]);
    write(&path, &renamed(&all, &rules));
    let model = store::open(&spec(&path, None), &Device::flex()).unwrap();
    assert_eq!(model.info.origin.as_ref().unwrap().head, "z: pre_feature, projection");
    assert_eq!(vectors(&model, Space::Z), z);
    // A layer after the network that is one alone is a classifier.
    let mut file = renamed(&all, &NETWORK.map(|name| (name, &*format!("0.{name}").leak())));
    file.push(("1.weight".into(), Dtype::F32, vec![10, 16], vec![0; 640]));
    write(&path, &file);
    let model = store::open(&spec(&path, None), &Device::flex()).unwrap();
    assert!(model.info.origin.unwrap().head.contains("no projector"));
}

#[test]
fn layers_in_a_sequential_without_max_pool_are_counted_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let solo = open("solo.ckpt", None);
    let numbers = ["0", "1", "3", "4", "5", "6"].map(|number| format!("f.{number}"));
    write(&path, &renamed(&held(&solo), &behind(&numbers, "g.")));
    let overrides = Overrides { stem_padding: Some(2), ..Overrides::default() };
    let model = store::open(&ModelSpec { path, overrides }, &Device::flex()).unwrap();
    assert_eq!(vectors(&model, Space::Z), vectors(&solo, Space::Z));
}

#[test]
fn a_network_is_taken_by_a_part_of_its_name_that_no_other_has() {
    let whole = |weights| open("dino.pth", Some(weights)).info.origin.unwrap().network;
    assert_eq!(whole("student"), "student.module.backbone");
    assert_eq!(whole("module.backbone"), "student.module.backbone");
    let error = error_of(&checkpoint("dino.pth"), Some("backbone"));
    assert!(error.contains("more than one network is \"backbone\": say the whole name"), "{error}");
    assert!(error_of(&checkpoint("dino.pth"), Some("stud")).contains("there is no network \"stud\""));
}

#[test]
fn counters_may_be_of_any_numbers_and_weights_of_floating_point_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let lightly = open("lightly.ckpt", None);
    let mut all = held(&lightly);
    all.push(("bn1.num_batches_tracked".into(), Dtype::F16, vec![], vec![0; 2]));
    write(&path, &all);
    let model = store::open(&spec(&path, None), &Device::flex()).unwrap();
    assert_eq!(vectors(&model, Space::H), vectors(&lightly, Space::H));
    let place = all.iter().position(|(name, ..)| name == "layer1.0.conv1.weight").unwrap();
    let count: usize = all[place].2.iter().product();
    (all[place].1, all[place].3) = (Dtype::F8_E4M3, vec![0; count]);
    write(&path, &all);
    let error = error_of(&path, None);
    assert!(
        error.contains("layer1.0.conv1.weight is no floating-point array of 16, 32 or 64 bits"),
        "{error}"
    );
}

#[test]
fn networks_that_step_otherwise_are_told_by_their_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, &held(&open("lightly.ckpt", None)));
    for (config, words) in [
        ("{\"architecture\": \"resnetblur18\"}", "resnetblur18: it blurs"),
        (
            "{\"model_type\": \"resnet\", \"downsample_in_bottleneck\": true}",
            "downsample_in_bottleneck is true",
        ),
    ] {
        fs::write(folder.path().join("config.json"), config).unwrap();
        for place in [&path, folder.path()] {
            let error = error_of(place, None);
            assert!(error.contains(words), "{error}");
        }
    }
}

#[test]
fn containers_of_any_protocol_open_and_a_list_of_networks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.pt");
    let whole = fs::read(checkpoint("legacy.th")).unwrap();
    let h = vectors(&open("legacy.th", None), Space::H);
    let opened = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        assert!(is_likely_model(&path));
        let model = store::open(&spec(&path, None), &Device::flex()).unwrap();
        assert_eq!(vectors(&model, Space::H), h);
        model.info.origin.unwrap().network
    };
    for start in [&b"\x80\x03"[..], b"\x80\x04\x95\x0d\0\0\0\0\0\0\0", b"\x80\x05\x95\x0d\0\0\0\0\0\0\0"] {
        assert_eq!(opened(&[start, &whole[2..]].concat()), "net");
    }
    // The objects are the third pickle; the list of storages follows.
    let find = |from: usize, what: &[u8]| {
        from + whole[from..].windows(what.len()).position(|at| at == what).unwrap()
    };
    let objects = find(20, b"}q\0(X\x03\0\0\0net");
    let end = find(objects, b".\x80\x02]");
    let list = [&whole[..objects], b"]", &whole[objects..end], b"a", &whole[end..]].concat();
    assert_eq!(opened(&list), "0.net");
}

#[test]
fn folders_with_weights_open_as_the_weights_do() {
    let cache = tempfile::tempdir().unwrap();
    let at = |name: &str| cache.path().join(name);
    let lay = |folder: &str, names: &[&str]| {
        fs::create_dir_all(at(folder)).unwrap();
        for name in names {
            fs::copy(checkpoint("transformers").join(name), at(folder).join(name)).unwrap();
        }
    };
    let opens = |place: &Path, hash: &str| {
        assert!(is_likely_model(place), "{}", place.display());
        let model = store::open(&spec(place, None), &Device::flex()).unwrap();
        assert_eq!(model.hash, hash, "{}", place.display());
    };
    let hash = open("transformers", None).hash;
    lay("models--a--b/snapshots/0123", &["config.json", "model.safetensors"]);
    // Of another version only the configuration was fetched, and later.
    lay("models--a--b/snapshots/4567", &["config.json"]);
    opens(&at("models--a--b"), &hash);
    opens(&at("models--a--b/snapshots"), &hash);
    // Shards by their index, or by one of them.
    lay("shards", &["config.json"]);
    let file = fs::read(checkpoint("transformers/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let mut index = vec![];
    for (number, half) in file.names().chunks(file.len().div_ceil(2)).enumerate() {
        let name = format!("model-0000{}-of-00002.safetensors", number + 1);
        let views = half.iter().map(|name| (*name, file.tensor(name).unwrap()));
        fs::write(at("shards").join(&name), safetensors::serialize(views, None).unwrap()).unwrap();
        index.extend(half.iter().map(|array| format!("\"{array}\": \"{name}\"")));
    }
    let words = format!("{{\"weight_map\": {{{}}}}}", index.join(", "));
    fs::write(at("shards/model.safetensors.index.json"), words).unwrap();
    let shards = open_path(&at("shards"));
    opens(&at("shards/model.safetensors.index.json"), &shards);
    assert_eq!(open_path(&at("shards/model-00002-of-00002.safetensors")), shards);
    // One file of weights, whatever its name; of several one is to be named.
    fs::create_dir(at("run")).unwrap();
    fs::copy(checkpoint("solo.ckpt"), at("run/epoch=3.ckpt")).unwrap();
    fs::write(at("run/args.json"), "{}").unwrap();
    fs::copy(checkpoint("double.pt"), at("run/optimizer.pt")).unwrap();
    opens(&at("run"), &open("solo.ckpt", None).hash);
    fs::copy(checkpoint("solo.ckpt"), at("run/last.ckpt")).unwrap();
    assert!(error_of(&at("run"), None).contains("name one of epoch=3.ckpt, last.ckpt"));
    fs::create_dir(at("shards-of-fsdp")).unwrap();
    fs::write(at("shards-of-fsdp/.metadata"), "x").unwrap();
    assert!(error_of(&at("shards-of-fsdp"), None).contains("consolidate"));
    // Pictures with a file of weights among them are data.
    fs::create_dir(at("pictures")).unwrap();
    (0..20).for_each(|number| fs::write(at("pictures").join(format!("{number}.png")), "").unwrap());
    fs::copy(checkpoint("solo.ckpt"), at("pictures/last.ckpt")).unwrap();
    assert!(!is_likely_model(&at("pictures")));
}

fn open_path(path: &Path) -> String {
    store::open(&spec(path, None), &Device::flex()).unwrap().hash
}

/// So a file of 100 MB is opened in twice as much: its bytes, and the weights that they become.
#[test]
fn weights_move_into_the_network_and_are_not_held_twice() {
    let backbone = BackboneConfig::new(Depth::ResNet18, Stem::ImageNet, 16).into();
    let info =
        ModelInfo { backbone, projector: vec![], ..crate::model::info(Depth::ResNet18, Stem::ImageNet) };
    let encoder = Encoder::new(&info, 0, &Device::flex());
    let weights = weights::collect(&encoder);
    let size: usize = weights.values().map(|array| 4 * array.values.len()).sum();
    let taken = allocated(|| drop(weights::assign(encoder, weights).unwrap()));
    assert!(taken < size / 2, "{taken} bytes beside weights of {size}");
}

#[test]
fn what_lies_in_a_files_place_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let header = [&(9_u64 << 20).to_le_bytes()[..], &vec![b' '; (9 << 20) + 1]].concat();
    for (bytes, words) in [
        (&b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"[..], "a pointer of Git LFS"),
        (b"<!doctype html><html></html>", "it is a web page"),
        (&header, "its header has 9437184 bytes; expected at most"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = error_of(&path, None);
        assert!(error.contains(words), "{error}");
    }
    // A file of weights is told by what is in it, whatever its name.
    let path = folder.path().join("weights.xyz");
    fs::copy(checkpoint("compiled_bf16.safetensors"), &path).unwrap();
    assert!(is_likely_model(&path));
}
