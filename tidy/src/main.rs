//! Prints the ratchet that would excuse the tree as it is: `cargo run -p tidy > tidy/ratchet.toml`, and a look at the diff.

use std::path::Path;

use tidy::{ratchet, tree::Tree};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the tree");
    print!("{}", ratchet::render(&ratchet::measured(&Tree::of(root))));
}
