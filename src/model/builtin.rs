//! The models that are in the program: trained by it, with the recipes that the README names.

/// A model in the program.
pub struct BuiltIn {
    /// What opens it in place of a path.
    pub name: &'static str,
    /// What it was trained on, in a sentence.
    pub about: &'static str,
    pub(super) file: &'static [u8],
}

/// All of them; the first is the one that the window opens with.
pub static ALL: [BuiltIn; 2] = [
    BuiltIn {
        name: "demo",
        about: "ResNet-18 of a quarter of the width, trained on 20x20 patches of the built-in images.",
        file: include_bytes!("../../assets/demo.safetensors"),
    },
    BuiltIn {
        name: "demo-cifar10",
        about: "ResNet-18 of a quarter of the width, trained on 16x16 patches of CIFAR-10.",
        file: include_bytes!("../../assets/demo-cifar10.safetensors"),
    },
];

/// The one called `name`. A file or folder of that name is reached as `./name`.
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|model| model.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{self, DeviceChoice};
    use crate::model::store;

    #[test]
    fn every_one_opens_with_h_and_z() {
        let device = device::open(DeviceChoice::Cpu).unwrap().device;
        for BuiltIn { name, .. } in &ALL {
            let model = store::open(&(*name).into(), &device).unwrap();
            let spaces: Vec<String> =
                model.info.spaces().into_iter().map(|(space, _)| space.to_string()).collect();
            assert_eq!((model.name.as_str(), spaces.contains(&"h".into())), (*name, true));
            assert!(spaces.contains(&"z".into()), "{spaces:?}");
        }
        assert!(find("nothing").is_none());
    }
}
