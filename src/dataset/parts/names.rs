//! The parts that scenes are made of. The order is that of the part maps.

macro_rules! parts {
    ($($part:ident $name:literal)*) => {
        /// What a pixel can belong to.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum ScenePart { $($part),* }

        /// Names of all parts, backgrounds first; a part map holds indices into this list.
        pub const PART_NAMES: &[&str] = &[$($name),*];
    };
}

parts! {
    // backgrounds, shared by the classes
    Sky "sky" Cloud "cloud" Sun "sun" Mountain "mountain" Hill "hill" Sea "sea" Wave "wave" Sand "sand"
    Grass "grass" Flower "flower" Road "road" Tree "tree" House "house" Fence "fence" Lamp "lamp post" Rock "rock"
    // vehicles, aircraft and ships
    Wheel "wheel" Bodywork "bodywork" Roof "roof" Door "door" Window "window" Light "light" Bumper "bumper"
    Cabin "cabin" Cargo "cargo" Fuselage "fuselage" Engine "engine" Propeller "propeller"
    Hull "hull" Mast "mast" Sail "sail" Flag "flag" Funnel "funnel"
    // shared by aircraft and animals, then animals
    Wing "wing" Tail "tail" Body "body" Leg "leg" Neck "neck" Head "head" Muzzle "muzzle" Ear "ear" Eye "eye"
    Mane "mane" Antler "antler" Beak "beak"
}

/// The first so many of [`PART_NAMES`] are backgrounds.
pub const BACKGROUNDS: usize = ScenePart::Wheel as usize;
