//! `completions`: what a shell needs to complete the command line.

use clap_complete::Shell;
use hz3_project::Outcome;

/// Arguments of `completions`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo hz3 completions bash > ~/.local/share/bash-completion/completions/cargo-hz3
  cargo hz3 completions zsh > ~/.zfunc/_cargo-hz3
  cargo hz3 completions fish > ~/.config/fish/completions/cargo-hz3.fish

Bash loads that file when `cargo-hz3` is first completed. For `cargo hz3`, say in ~/.bashrc:
  source ~/.local/share/bash-completion/completions/cargo-hz3")]
pub struct Arguments {
    /// The shell that reads it
    shell: Shell,
}

/// The generator knows commands of one word, and for bash without a hyphen. This completes `cargo-hz3` by what it made, and
/// `cargo hz3` as well; everything else of cargo is left to what was there before.
const BASH: &str = r#"
complete -F _cargo_hz3 -o bashdefault -o default cargo-hz3
if declare -F _comp_load >/dev/null; then
    _comp_load cargo
elif declare -F _completion_loader >/dev/null; then
    _completion_loader cargo
fi
_cargo_other=$(complete -p cargo 2>/dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p' | grep -vx _cargo_or_hz3 || echo "${_cargo_other-}")
_cargo_or_hz3() {
    if [[ ${COMP_WORDS[1]} == hz3 && $COMP_CWORD -ge 2 ]]; then
        COMP_WORDS=(cargo-hz3 "${COMP_WORDS[@]:2}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _cargo_hz3 cargo-hz3 "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    elif [[ -n $_cargo_other ]]; then
        "$_cargo_other" "$@"
    fi
}
complete -F _cargo_or_hz3 -o bashdefault -o default cargo
"#;

/// The same for fish. (The completion of cargo that comes with zsh asks `_cargo-hz3` by itself.)
const FISH: &str = r#"
complete -c cargo -n '__fish_seen_subcommand_from hz3' -f -a '(complete -C (string replace -r "^\s*cargo\s+hz3" cargo-hz3 -- (commandline -cp)))'
"#;

/// Runs `completions`.
pub fn run(arguments: Arguments) -> Outcome {
    let (name, more) = match arguments.shell {
        Shell::Bash => ("cargo_hz3", BASH),
        Shell::Fish => ("cargo-hz3", FISH),
        _ => ("cargo-hz3", ""),
    };
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::as_one_word(), name, &mut script);
    print!("{}{more}", String::from_utf8_lossy(&script));
    Ok(())
}
