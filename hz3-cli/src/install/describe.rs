//! What other build systems are told of an installed variant: pkg-config files and a CMake package.
//!
//! A linker that is told `--as-needed` (Ubuntu's is, by default) drops a library that nothing seems to need, and a program whose
//! only calls of malloc are in the C++ library seems to need none. So all of these say that this one is needed whatever the
//! linker thinks.

use super::{Layout, VERSION, archive_name, file_name};
use hz3_config::Plan;
use hz3_config::soname::soname;

/// A text on one line, in which pkg-config finds no variable and no comment.
fn plain(text: &str) -> String {
    let text = text.replace(['$', '#', '\\'], "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The common beginning of both pkg-config files.
fn head(plan: &Plan, layout: &Layout, name: &str) -> String {
    format!(
        "prefix={prefix}\nlibdir=${{prefix}}/{libraries}\nincludedir=${{prefix}}/include\n\n\
         Name: {name}\nDescription: {description}\nVersion: {VERSION}\nCflags: -I${{includedir}}\n",
        prefix = layout.prefix.display(),
        libraries = layout.libraries.display(),
        description = plain(&plan.description),
    )
}

/// The pkg-config file for programs that are linked against the shared library.
pub fn shared(plan: &Plan, layout: &Layout) -> String {
    let name = format!("hz3_{}", plan.name);
    let head = head(plan, layout, &name);
    format!("{head}Libs: -L${{libdir}} -Wl,--push-state,--no-as-needed -l{name} -Wl,--pop-state\n")
}

/// The pkg-config file for programs that have the allocator in them.
pub fn archive(plan: &Plan, layout: &Layout) -> String {
    let head = head(plan, layout, &format!("hz3_{}-static", plan.name));
    let file = archive_name(&plan.name);
    format!("{head}Libs: -L${{libdir}} -Wl,--undefined=malloc -l:{file} -pthread\n")
}

/// The CMake package: `hz3::NAME` and `hz3::NAME-static`. It finds its files from where it lies itself.
pub fn cmake(plan: &Plan, layout: &Layout) -> String {
    // From `LIBRARIES/cmake/hz3_NAME` to the prefix.
    let up = "../".repeat(layout.libraries.components().count() + 2);
    include_str!("config.cmake")
        .replace("@UP@", up.trim_end_matches('/'))
        .replace("@LIBRARIES@", &layout.libraries.display().to_string())
        .replace("@FILE@", &file_name(&plan.name))
        .replace("@SONAME@", &soname(&plan.name))
        .replace("@ARCHIVE@", &archive_name(&plan.name))
        .replace("@NAME@", &plan.name)
}

/// What CMake asks before it takes the package: is this version enough? Until 1.0 a new minor version may break.
pub fn cmake_version() -> String {
    include_str!("version.cmake").replace("@VERSION@", VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_stay_one_plain_line() {
        assert_eq!(plain("one\n two\t# ${prefix} \\"), "one two {prefix}");
    }
}
