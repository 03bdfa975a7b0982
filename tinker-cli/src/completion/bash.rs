//! Completion in bash, which splits words at the colons of run ids.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::env::{Bash as Plain, EnvCompleter};

/// Joins the parts of a word again, and cuts from the answers what bash would repeat.
const SCRIPT: &str = r#"_tinker() {
    local IFS=$'\013' rest=$COMP_LINE words=() at part start=
    for ((at = 0; at <= COMP_CWORD; at++)); do
        part=${COMP_WORDS[at]}
        if ((at > 0)) && [[ $rest != [[:space:]]* ]]; then
            words[${#words[@]}-1]+=$part
        else
            words+=("$part")
        fi
        rest=${rest#"${rest%%[![:space:]]*}"}
        rest=${rest#"$part"}
    done
    part=${COMP_WORDS[COMP_CWORD]}
    [[ $part == *[!:=]* ]] || part=
    at=$((${#words[@]} - 1))
    start=${words[at]%"$part"}
    words[at]=$start$2
    COMPREPLY=( $(_CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$at" VARIABLE=bash tinker -- "${words[@]}" 2>/dev/null) ) || COMPREPLY=()
    COMPREPLY=("${COMPREPLY[@]#"$start"}")
    if [[ ${COMPREPLY-} == *[=/:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -F _tinker tinker"#;

/// Bash.
#[derive(Debug)]
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        Plain.name()
    }

    fn is(&self, name: &str) -> bool {
        Plain.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        _: &str,
        _: &str,
        _: &str,
        script: &mut dyn Write,
    ) -> io::Result<()> {
        writeln!(script, "{}", SCRIPT.replace("VARIABLE", variable))
    }

    fn write_complete(
        &self,
        line: &mut clap::Command,
        words: Vec<OsString>,
        current_dir: Option<&Path>,
        answers: &mut dyn Write,
    ) -> io::Result<()> {
        Plain.write_complete(line, words, current_dir, answers)
    }
}
