//! A checkpoint is held against the run that goes on from it: what is of another run, edited or damaged is named, and
//! whole checkpoints are offered.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bagssl::engine::jobs::train::Start;
use bagssl::files;
use bagssl::progress::CancelToken;
use bagssl::train::RunFolder;
use safetensors::tensor::{Dtype, TensorView};

use crate::run::{losses, run_on, tiny};

/// Buffers of an optimiser, by name.
type Buffers = BTreeMap<String, Vec<f32>>;

fn run(out: &Path, start: Start) -> Vec<(u64, f64)> {
    losses(&run_on("demo", out, start, &CancelToken::default(), |_| ()).unwrap())
}

fn fails(out: &Path, start: Start) -> String {
    format!("{:#}", run_on("demo", out, start, &CancelToken::default(), |_| ()).unwrap_err())
}

/// A run of 6 steps that stands at step 4, and the losses of the whole of it.
pub fn halted(folder: &Path) -> (PathBuf, Vec<(u64, f64)>) {
    let out = folder.join("run");
    let whole = run(&out, Start::New(Box::new(tiny())));
    fs::remove_dir_all(out.join("step-000006")).unwrap();
    fs::write(out.join("latest"), "step-000004").unwrap();
    (out, whole)
}

/// As earlier versions wrote it: nothing of the configuration, and no sums.
fn unseal(checkpoint: &Path) {
    let path = checkpoint.join("state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(state.as_object_mut().unwrap().remove("seal").is_some());
    fs::write(&path, state.to_string()).unwrap();
}

/// Changes the optimiser's buffers, by name; the file is whole again, with sums of its own.
fn change_buffers(checkpoint: &Path, change: impl Fn(&mut Buffers)) {
    let path = checkpoint.join("optimizer.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = files::tensors_from_bytes(&bytes).unwrap().file;
    let values = |view: TensorView<'_>| {
        view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let mut buffers: Buffers = file.iter().map(|(name, view)| (name.to_owned(), values(view))).collect();
    change(&mut buffers);
    let views = buffers.iter().map(|(name, values)| {
        (
            name.as_str(),
            TensorView::new(Dtype::F32, vec![values.len()], bytemuck::cast_slice(values)).unwrap(),
        )
    });
    fs::write(&path, files::tensors_to_bytes(views, BTreeMap::new()).unwrap()).unwrap();
}

#[test]
fn an_edited_configuration_is_told_key_by_key_and_one_of_what_is_kept_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = halted(folder.path());
    let file = out.join("config.toml");
    let config = fs::read_to_string(&file).unwrap();
    for (from, to, words) in [
        ("width = 2\n", "width = 3\n", "says model.backbone.width 3, the checkpoint was written with 2"),
        ("seed = 0\n", "seed = 7\n", "says seed 7, the checkpoint was written with 0"),
        ("size = 32\n", "size = 24\n", "says views.0.crop.fixed.size 24, the checkpoint was written with 32"),
        ("warmup_epochs = 1.0\n", "warmup_epochs = 0.5\n", "says warmup_epochs 0.5, "),
    ] {
        assert!(config.contains(from), "{from}: {config}");
        fs::write(&file, config.replacen(from, to, 1)).unwrap();
        let error = fails(&out, Start::Resume);
        assert!(error.contains(words) && error.contains("Set it back"), "{error}");
    }
    fs::write(&file, config.replacen("checkpoint_every = 2\n", "checkpoint_every = 1\n", 1)).unwrap();
    assert_eq!(run(&out, Start::Resume), whole);
    assert!(out.join("step-000005").is_dir());
}

#[test]
fn another_networks_weights_are_named_and_an_older_checkpoint_is_taken_instead() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = halted(folder.path());
    let other = folder.path().join("other");
    let mut config = tiny();
    config.set(&["model.backbone.width=4"]).unwrap();
    run(&other, Start::New(Box::new(config)));
    fs::copy(other.join("step-000004/model.safetensors"), out.join("step-000004/model.safetensors")).unwrap();

    let error = fails(&out, Start::Resume);
    let words = "config.toml says model.backbone.width 2, model.safetensors has 4";
    assert!(error.contains(words) && error.contains("step-000004"), "{error}");
    assert!(error.contains("whole are those of step 2, 0") && error.contains("--from-step 2"), "{error}");
    unseal(&out.join("step-000004"));
    assert!(fails(&out, Start::Resume).contains(words));

    assert_eq!(run(&out, Start::ResumeFrom(2)), whole);
    assert!(out.join("step-000004").is_dir() && out.join("step-000004.aside-1/model.safetensors").is_file());
    let told = RunFolder::open(&out).unwrap().0.notices().unwrap();
    assert!(told.iter().any(|notice| notice.message.contains("step-000004.aside-1")), "{told:?}");
    assert!(fails(&out, Start::ResumeFrom(3)).contains("step-000003"));
}

#[test]
fn later_checkpoints_are_aside_before_an_earlier_one_is_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    for step in [0, 2, 4] {
        fs::create_dir(run.checkpoint(step)).unwrap();
    }
    // `latest` cannot be written, as if a kill came just before it.
    fs::create_dir_all(folder.path().join("latest/full")).unwrap();
    run.fall_back(2).unwrap_err();
    assert!(folder.path().join("step-000004.aside-1").is_dir() && !run.checkpoint(4).exists());
    assert!(run.checkpoint(2).is_dir());
}

#[test]
fn buffers_of_another_length_that_are_gone_or_swapped_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = halted(folder.path());
    let latest = out.join("step-000004");
    let (optimizer, state) = (latest.join("optimizer.safetensors"), latest.join("state.json"));
    let (kept, sealed) = (fs::read(&optimizer).unwrap(), fs::read(&state).unwrap());
    let after = |change: &dyn Fn(&mut Buffers)| {
        fs::write(&optimizer, &kept).unwrap();
        change_buffers(&latest, change);
        fails(&out, Start::Resume)
    };
    let first = |buffers: &Buffers| buffers.keys().next().unwrap().clone();
    // What names and lengths tell, those of earlier versions too.
    for has_seal in [true, false] {
        if !has_seal {
            unseal(&latest);
        }
        let longer = after(&|buffers| buffers.values_mut().next().unwrap().push(0.0));
        assert!(longer.contains("has shape [") && longer.contains("for weights of shape ["), "{longer}");
        let gone = after(&|buffers| {
            let id = first(buffers).split_once('.').unwrap().1.to_owned();
            buffers.retain(|name, _| !name.ends_with(&id));
        });
        assert!(gone.contains("it has no buffer for ") && gone.contains("expected 2 of shape ["), "{gone}");
        let one = after(&|buffers| {
            buffers.remove(&first(buffers));
        });
        assert!(
            one.contains(".weight, buffer 1 is there, buffer 0 is not") || one.contains(".bias, buffer 1 is"),
            "{one}"
        );
        let more = after(&|buffers| {
            buffers.insert("buffer0.5".into(), vec![1.0]);
        });
        assert!(more.contains("buffers for 1 parameters that the network does not have"), "{more}");
    }
    fs::write(&optimizer, &kept).unwrap();
    fs::write(&state, &sealed).unwrap();
    let swapped = after(&|buffers| {
        let mut lengths = BTreeMap::<usize, String>::new();
        let twins = buffers.iter().find_map(|(name, values)| {
            lengths.insert(values.len(), name.clone()).map(|earlier| (earlier, name.clone()))
        });
        let (one, other) = twins.unwrap();
        let values = buffers[&one].clone();
        let values = std::mem::replace(buffers.get_mut(&other).unwrap(), values);
        buffers.insert(one, values);
    });
    assert!(
        swapped.contains("optimizer.safetensors is not the one that the checkpoint was written with"),
        "{swapped}"
    );
    fs::remove_file(&optimizer).unwrap();
    assert!(fails(&out, Start::Resume).contains("optimizer.safetensors"));
    fs::write(&optimizer, &kept).unwrap();
    let later = String::from_utf8(sealed.clone()).unwrap().replacen("\"step\": 4", "\"step\": 2", 1);
    fs::write(&state, later).unwrap();
    assert!(fails(&out, Start::Resume).contains("state.json is not as the checkpoint was written"));

    // The checkpoint as it was, and as an earlier version would have written it.
    fs::write(&state, &sealed).unwrap();
    unseal(&latest);
    assert_eq!(run(&out, Start::Resume), whole);
}

#[test]
fn lines_that_cannot_be_read_are_kept_beside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = halted(folder.path());
    let file = out.join("metrics.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let second = text.lines().nth(1).unwrap();
    fs::write(&file, text.replacen(second, &second.replacen("loss", "lo\u{1}", 1), 1)).unwrap();
    let resumed = run(&out, Start::Resume);
    assert_eq!(resumed, [&whole[..1], &whole[2..]].concat());
    let kept = fs::read_to_string(out.join("metrics.jsonl.unreadable")).unwrap();
    assert!(kept.contains("lo\u{1}") && kept.lines().count() == 1, "{kept}");
    let told: Vec<String> =
        RunFolder::open(&out).unwrap().0.notices().unwrap().into_iter().map(|n| n.message).collect();
    assert!(
        told.iter().any(|words| words.starts_with("1 line of metrics.jsonl could not be read")),
        "{told:?}"
    );
    assert!(told.iter().any(|words| words.starts_with("metrics.jsonl is not as it was")), "{told:?}");
    assert!(!told.iter().any(|words| words.contains("probes.jsonl")), "{told:?}");
}
