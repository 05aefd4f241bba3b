//! How the library is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A call of ours by a name that we interpose is a call of our function, also where the library came late and libc's
    // names come first.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic-functions");
    // Threads and fork handlers of the program lead into the library as long as the process lives.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
