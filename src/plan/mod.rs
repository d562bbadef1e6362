// SPDX-License-Identifier: Apache-2.0
//! Spec → Plan: an ordered list of steps with nothing left to decide.
pub mod seccomp;
