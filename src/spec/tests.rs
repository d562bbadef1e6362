// SPDX-License-Identifier: Apache-2.0
use super::*;

#[test]
fn the_defaults_load() {
    for rootless in [false, true] {
        let text = default_spec(rootless).unwrap();
        load(text.as_bytes()).unwrap();
    }
}
