//! Builds again when a migration is added, which `sqlx::migrate!` does not notice by itself.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
