// SPDX-License-Identifier: Apache-2.0
//! Variables of a process's environment, in its JSON.

use serde_json::{Value, json};

/// Sets `NAME=VALUE` variables of a `process` object. One whose env is no list is left to the library, which
/// says so better.
pub fn set(process: &mut Value, variables: &[String]) {
    if !process.is_object() || process.get("env").is_some_and(|env| !env.is_array()) {
        return;
    }
    for variable in variables {
        set_variable(list(process, "/env"), variable);
    }
}

/// The list at a place, made if it is not there. The library has checked what is.
pub fn list<'a>(process: &'a mut Value, place: &str) -> &'a mut Vec<Value> {
    let value = place.split('/').skip(1).fold(process, |value, key| &mut value[key]);
    if !value.is_array() {
        *value = json!([]);
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!("it was just made"),
    }
}

/// Removes a variable of a `process` object.
pub fn remove(process: &mut Value, name: &str) {
    if let Some(Value::Array(env)) = process.get_mut("env") {
        forget(env, name);
    }
}

/// Takes the place of one with the same name: of two, which counts is up to the program.
fn set_variable(env: &mut Vec<Value>, variable: &str) {
    forget(env, name(variable));
    env.push(json!(variable));
}

fn forget(env: &mut Vec<Value>, variable: &str) {
    env.retain(|known| known.as_str().is_none_or(|known| name(known) != variable));
}

fn name(variable: &str) -> &str {
    variable.split('=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_replaces_one_of_its_name() {
        let mut process = json!({ "env": ["A=1", "AB=2", "C=3"] });
        set(&mut process, &["A=x=y".to_owned(), "B".to_owned()]);
        assert_eq!(process, json!({ "env": ["AB=2", "C=3", "A=x=y", "B"] }));
        remove(&mut process, "A");
        remove(&mut process, "B");
        assert_eq!(process, json!({ "env": ["AB=2", "C=3"] }));
    }

    #[test]
    fn what_is_wrong_stays_so() {
        for wrong in [json!(7), json!("x"), json!(null), json!({ "env": 1 }), json!({ "env": "A=1" })] {
            let mut process = wrong.clone();
            set(&mut process, &["A=1".to_owned()]);
            remove(&mut process, "A");
            assert_eq!(process, wrong);
        }
    }

    #[test]
    fn lists_are_made_where_there_is_none() {
        let mut process = json!({ "user": { "uid": 1 } });
        list(&mut process, "/user/additionalGids").push(json!(7));
        list(&mut process, "/capabilities/bounding").push(json!("CAP_KILL"));
        let expected =
            json!({ "user": { "uid": 1, "additionalGids": [7] }, "capabilities": { "bounding": ["CAP_KILL"] } });
        assert_eq!(process, expected);
    }
}
