//! Every shipped config as a variant, all in one binary.

/// Calls a macro with all of them: `Name = "configs/name.toml", …`.
macro_rules! all {
    ($with:ident) => {
        $with! {
            Compact = "configs/compact.toml",
            Default = "configs/default.toml",
            Flat = "configs/flat.toml",
            Hz3Fast = "configs/hz3-fast.toml",
            Hz3Scale = "configs/hz3-scale.toml",
            S22Round4k = "configs/s22-round4k.toml",
            S23Sub4k = "configs/s23-sub4k.toml",
        }
    };
}
pub(crate) use all;

macro_rules! variants {
    ($($name:ident = $file:literal),+ $(,)?) => { $( hz3::variant!(pub $name = $file); )+ };
}
all!(variants);
