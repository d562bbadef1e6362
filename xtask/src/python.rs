// SPDX-License-Identifier: Apache-2.0
//! `bindings/python/brig/_abi.py`: the header for

use std::error::Error;

use crate::declarations::{Constant, Declarations, Function, Member};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HEAD: &str = r#"# SPDX-License-Identifier: Apache-2.0
# Generated from include/brig.h by `make header`; do not edit.
"""The declarations of brig.h, for  The rest of the package is made of these."""
from __future__ import annotations

import enum
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, List, Tuple

# Where something is stored: an object or a string, or a number.
PLACE = POINTER(c_void_p)
NUMBER = POINTER(c_int)

"#;

/// The module.
pub fn module(found: &Declarations) -> Result<String> {
    let mut text = HEAD.to_owned();
    text += &format!(
        "VERSION = \"{}\"\nSONAME = \"libbrig.so.{}\"\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_VERSION_MAJOR")
    );
    for it in &found.enums {
        text += &format!("\n\nclass {}(enum.IntEnum):\n    \"\"\"{}\"\"\"\n\n", class(&it.name), summary(&it.comment));
        let short = |name: &str| name.trim_start_matches("BRIG_").trim_start_matches("ERR_").to_owned();
        for Constant { comment, name, value } in &it.values {
            text += &format!("    {} = {value}\n    \"\"\"{}\"\"\"\n", short(name), summary(comment));
        }
    }
    text += "\n\n";
    for Constant { name, value, .. } in &found.constants {
        text += &format!("{name} = {value}\n");
    }
    for it in &found.structs {
        text +=
            &format!("\n\nclass {}(Structure):\n    \"\"\"{}\"\"\"\n\n    _fields_ = [\n", class(&it.name), it.name);
        for Member { kind, name, .. } in &it.members {
            text += &format!("        (\"{name}\", {}),\n", c_type(kind, found)?);
        }
        text += "    ]\n";
    }
    text += "\n\n";
    for Function { name, kind, parameters, .. } in &found.callbacks {
        let types = std::iter::once(c_type(kind, found))
            .chain(parameters.iter().map(|it| c_type(&it.kind, found)))
            .collect::<Result<Vec<_>>>()?;
        text += &format!("{} = CFUNCTYPE({})\n", class(name), types.join(", "));
    }
    text += "# Of each function what it returns and takes.\nFUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {\n";
    for Function { name, kind, parameters, .. } in &found.functions {
        let types = parameters.iter().map(|it| c_type(&it.kind, found)).collect::<Result<Vec<_>>>()?;
        let line = format!("    \"{name}\": ({}, [{}]),\n", c_type(kind, found)?, types.join(", "));
        match line.len() > 120 {
            true => {
                text += &format!("    \"{name}\": (\n        {},\n        [\n", c_type(kind, found)?);
                text += &types.iter().map(|it| format!("            {it},\n")).collect::<String>();
                text += "        ],\n    ),\n";
            }
            false => text += &line,
        }
    }
    Ok(text + "}\n")
}

/// `brig_create_options` is `CreateOptions`.
fn class(name: &str) -> String {
    let words = name.trim_start_matches("brig_").split('_');
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The first sentence, on one line.
fn summary(comment: &str) -> String {
    let line = comment.replace('\n', " ").replace('\\', "");
    let end = line.find(". ").map_or(line.len(), |at| at + 1);
    line[..end].to_owned()
}

fn c_type(kind: &str, found: &Declarations) -> Result<String> {
    let plain = match kind {
        "void" => "None",
        "int" | "pid_t" => "c_int",
        "int32_t" => "c_int32",
        "int64_t" => "c_int64",
        "uint32_t" => "c_uint32",
        "uint64_t" => "c_uint64",
        "size_t" => "c_size_t",
        "const char *" => "c_char_p",
        // To be freed: not a c_char_p, which ctypes would turn into bytes and forget.
        "char *" | "void *" | "const void *" => "c_void_p",
        _ => "",
    };
    if !plain.is_empty() {
        return Ok(plain.to_owned());
    }
    if kind.contains("(*)") {
        return Ok("c_void_p".to_owned());
    }
    if found.enums.iter().any(|it| it.name == kind) {
        return Ok("c_int".to_owned());
    }
    if found.callbacks.iter().any(|it| it.name == kind) {
        return Ok(class(kind));
    }
    let Some(target) = kind.strip_suffix('*') else { return Err(format!("no ctypes type for {kind}").into()) };
    let target = target.trim_end().trim_end_matches("const").trim_end();
    let bare = target.trim_start_matches("const ");
    if found.objects.iter().any(|it| it == bare) {
        return Ok("c_void_p".to_owned());
    }
    if found.structs.iter().any(|it| it.name == bare) {
        return Ok(format!("POINTER({})", class(bare)));
    }
    let target = if bare.ends_with("char *") { target } else { bare };
    Ok(match c_type(target, found)?.as_str() {
        "c_void_p" => "PLACE".to_owned(),
        "c_int" => "NUMBER".to_owned(),
        other => format!("POINTER({other})"),
    })
}
