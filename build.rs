//! Link arguments of the shared library, and nothing else: no code is generated here.
//!
//! - A soname with the ABI's version, which rustc does not set: `0.minor` before 1.0, then the
//!   major number. cargo-c sets its own, and the last one wins, so its builds are left alone.
//! - `nodelete`: the library may have started threads and handed out deleters, so unloading it is
//!   never safe; `dlclose` becomes harmless instead.

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let (major, minor) = (variable("CARGO_PKG_VERSION_MAJOR"), variable("CARGO_PKG_VERSION_MINOR"));
    let abi = if major == "0" { format!("0.{minor}") } else { major };
    let packaged_by_cargo_c = std::env::var_os("CARGO_FEATURE_CAPI").is_some();
    match variable("CARGO_CFG_TARGET_OS").as_str() {
        "macos" if !packaged_by_cargo_c => {
            let name = format!("@rpath/libsimdetr.{abi}.dylib");
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,{name}");
        }
        "linux" | "android" | "freebsd" => {
            if !packaged_by_cargo_c {
                println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsimdetr.so.{abi}");
            }
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        _ => {}
    }
}
