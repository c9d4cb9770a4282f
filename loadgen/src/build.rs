//! How this program was built; the build script finds out what the compiler does not tell.

use crate::result::LoadgenBuild;

impl LoadgenBuild {
    /// The program that runs.
    pub fn of_this_program() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            build_profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
            git_sha: option_env!("LOADGEN_GIT_SHA").map(str::to_owned),
            rustc: option_env!("LOADGEN_RUSTC").map(str::to_owned),
            target_cpu: option_env!("LOADGEN_TARGET_CPU").map(str::to_owned),
            lto: option_env!("LOADGEN_LTO").map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_script_has_found_compiler_processor_and_linking() {
        let build = LoadgenBuild::of_this_program();
        assert!(build.rustc.is_some_and(|rustc| rustc.starts_with("rustc 1.")));
        assert!(build.target_cpu.is_some_and(|name| !name.is_empty()));
        assert!(build.lto.is_some_and(|lto| ["off", "thin", "fat"].contains(&lto.as_str())));
        // An archive of the sources has no history, and says nothing rather than something wrong.
        if let Some(commit) = build.git_sha {
            let name = commit.strip_suffix("-dirty").unwrap_or(&commit);
            assert!(name.len() >= 12 && name.chars().all(|digit| digit.is_ascii_hexdigit()), "{commit}");
        }
    }
}
