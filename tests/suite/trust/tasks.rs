//! Every command that writes, on the small world.

use std::path::Path;
use std::sync::LazyLock;

use md5::{Digest, Md5};

use super::program::{Ended, Tree, start, timeless, tree, typed};
use super::world::{World, packed, small_cifar};
use crate::support::text;

/// A command that writes into a folder.
pub struct Task {
    pub name: &'static str,
    /// The arguments, given that folder.
    args: fn(&World, &str) -> Vec<String>,
    /// Whether its result is one that grows and is continued; others are there as a whole or not at all.
    pub grows: bool,
}

/// All of them.
pub const TASKS: [Task; 16] = [
    Task {
        name: "synth",
        args: |_, out| typed(format!("data synth --images 10 --size 32 --out {out}/set")),
        grows: true,
    },
    Task { name: "get", args: |_, out| get(out), grows: true },
    Task {
        name: "embed",
        args: |world, out| {
            let (data, model) = (world.text("parts"), world.text("model.safetensors"));
            let how = "--split train --patch 16 --stride 4 --codes";
            typed(format!("embed --data {data} --model {model} {how} --out {out}/bank"))
        },
        grows: true,
    },
    Task { name: "train", args: |world, out| train(world, out, false), grows: true },
    Task {
        name: "eval",
        args: |world, out| {
            let (data, model) = (world.text("parts"), world.text("model.safetensors"));
            let how = "--patches central,2 --patch 16 --k 3 --probe-epochs 2 --json";
            typed(format!("eval --data {data} --model {model} {how} --cache {out}/cache"))
        },
        grows: true,
    },
    Task {
        name: "heatmap",
        args: |world, out| {
            let (image, model) = (world.text("picture.png"), world.text("model.safetensors"));
            let files = format!("--out {out}/map.svg --values {out}/map.npy --caption {out}/map.tex");
            typed(format!("heatmap --image {image} --model {model} --patch 16 --stride 8 --at 8,8 {files}"))
        },
        grows: false,
    },
    Task {
        name: "gallery",
        args: |world, out| {
            typed(format!("gallery --bank {} --query 0:0:0 --k 5 --out {out}/near.pdf", world.text("bank")))
        },
        grows: false,
    },
    Task {
        name: "figure",
        args: |world, out| typed(format!("figure {} --out {out}/again.png", world.text("map.svg.json"))),
        grows: false,
    },
    Task {
        name: "curve",
        args: |world, out| typed(format!("figure {} --out {out}/curve.svg", world.text("run"))),
        grows: false,
    },
    Task {
        name: "page",
        args: |world, out| typed(format!("results {} --out {out}/page.md", world.text("run"))),
        grows: false,
    },
    Task {
        name: "measure",
        args: |_, out| {
            let how = "--images 3 --patches 8 --dim 3 --steps 40";
            typed(format!("cooccurrence {how} --out {out}/world.svg --csv {out}/world.csv"))
        },
        grows: false,
    },
    Task {
        name: "export",
        args: |world, out| export(world, &format!("{out}/h.npy --index {out}/h.csv")),
        grows: false,
    },
    Task {
        name: "parquet",
        args: |world, out| export(world, &format!("{out}/h.parquet --index {out}/i.parquet")),
        grows: false,
    },
    Task {
        name: "import",
        args: |world, out| {
            let (rows, data) = (world.text("h.parquet"), world.text("parts"));
            typed(format!("bank import {rows} --data {data} --out {out}/bank"))
        },
        grows: true,
    },
    Task {
        name: "merge",
        args: |world, out| {
            typed(format!("bank merge {} {} --out {out}/bank", world.text("part-2"), world.text("part-1")))
        },
        grows: true,
    },
    Task {
        name: "convert",
        args: |world, out| {
            typed(format!("model convert {} {out}/m.safetensors", world.text("model.safetensors")))
        },
        grows: false,
    },
];

/// The task called so.
pub fn task(name: &str) -> &'static Task {
    TASKS.iter().find(|task| task.name == name).expect("a task")
}

fn train(world: &World, out: &str, resume: bool) -> Vec<String> {
    let start = if resume { "--resume".into() } else { format!("--config {}", world.text("config.toml")) };
    let data = world.text("parts");
    typed(format!("train --data {data} --split train --log-every 1 --out {out}/run {start}"))
}

fn export(world: &World, files: &str) -> Vec<String> {
    typed(format!("bank export {} --space h --out {files}", world.text("bank")))
}

/// From a server of this process, which serves one archive for as long as the tests run.
fn get(out: &str) -> Vec<String> {
    static SERVED: LazyLock<(String, String)> = LazyLock::new(|| {
        let archive = packed(&small_cifar());
        let md5 = bagssl::files::hex(&Md5::digest(&archive));
        let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
        let url = format!("http://{}/cifar.tar.gz", server.server_addr().to_ip().unwrap());
        std::thread::spawn(move || {
            for call in server.incoming_requests() {
                // Whoever asked may be dead by now.
                let _ = call.respond(tiny_http::Response::from_data(archive.clone()));
            }
        });
        (url, md5)
    });
    let (url, md5) = &*SERVED;
    typed(format!("data get cifar10 --url {url} --md5 {md5} --out {out}/cifar"))
}

impl Task {
    /// Starts it; a run that has begun is continued, one that came to no checkpoint begins anew.
    pub fn args(&self, world: &World, out: &Path) -> Vec<String> {
        if self.name == "train" && out.join("run/latest").exists() {
            return train(world, text(out), true);
        }
        (self.args)(world, text(out))
    }

    /// Runs it to its end in `out`.
    pub fn run(&self, world: &World, out: &Path) -> Ended {
        start(&self.args(world, out), |_| ()).end()
    }

    /// What it leaves in `out` and, where it prints its result, what it says.
    pub fn result(&self, out: &Path, ended: &Ended) -> Tree {
        let mut result = tree(out);
        if self.name == "eval" {
            let report = serde_json::from_str(&ended.stdout).map_or_else(|_| ended.stdout.clone(), timeless);
            result.insert("stdout".into(), report.into_bytes());
        }
        result
    }

    /// What it gives undisturbed.
    pub fn undisturbed(&self, world: &World, out: &Path) -> Tree {
        let ended = self.run(world, out).expect_well(self.name);
        self.result(out, &ended)
    }

    /// What is wrong with files that lie in `out` after a disturbance: half ones, where a file is whole or not there.
    pub fn halves(&self, out: &Path, undisturbed: &Tree) -> Option<String> {
        let whole = |(name, bytes): (&String, &Vec<u8>)| {
            let is_visible = !name.split('/').any(|part| part.starts_with('.'));
            (is_visible && !self.grows && undisturbed.get(name) != Some(bytes)).then(|| name.clone())
        };
        let halves: Vec<String> = tree(out).iter().filter_map(whole).collect();
        (!halves.is_empty()).then(|| format!("half a file or one too many: {}", halves.join(", ")))
    }
}
