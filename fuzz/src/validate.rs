// SPDX-License-Identifier: Apache-2.0
//! brig_spec_validate() on whatever comes: it answers with a list of mistakes, each with a place and one line of text.

#![no_main]

use std::ffi::{CStr, CString};
use std::ptr::null_mut;

use brig::{brig_error, brig_spec_validate, brig_status, brig_string_free};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

fuzz_target!(|text: &[u8]| -> Corpus {
    let Ok(text) = CString::new(text) else { return Corpus::Reject };
    let (mut mistakes, mut error) = (null_mut(), null_mut::<brig_error>());
    // SAFETY: a string and two places for a pointer.
    let status = unsafe { brig_spec_validate(text.as_ptr(), &mut mistakes, &mut error) };
    assert_eq!(status, brig_status::BRIG_OK);
    // SAFETY: the call succeeded, so this is a string that is ours.
    let list: Vec<Value> = serde_json::from_slice(unsafe { CStr::from_ptr(mistakes) }.to_bytes()).expect("JSON");
    // SAFETY: as above, and not used any more.
    unsafe { brig_string_free(mistakes) };
    for mistake in &list {
        let pointer = mistake["pointer"].as_str().expect("a pointer");
        let message = mistake["message"].as_str().expect("a message");
        assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer:?}");
        assert!(!message.contains('\n') && message.contains(": "), "{message:?}");
        assert!(matches!(mistake["status"].as_i64(), Some(-10 | -6)), "{mistake}");
    }
    Corpus::Keep
});
