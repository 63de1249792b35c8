//! The migrations are compiled in: a new file among them has to cause a build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
