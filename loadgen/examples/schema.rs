//! Prints the JSON Schema of the result file: `cargo run -p loadgen --example schema > results/schema/run-v1.json`.

fn main() -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(&loadgen::result::json_schema())?);
    Ok(())
}
