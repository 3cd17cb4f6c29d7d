//! Tests that hold the product's written contracts against what it does.
//!
//! `openapi.yaml`, the bus event schemas, the sample events and the pages are read by people and by
//! other people's tools. Each is written by hand, so each is checked here against the source it speaks of:
//! routes and authorizers against `template.yaml`, roles and problem codes against the handlers'
//! source, limits against the constants, examples against the schemas and against the product's own
//! readers. What cannot be seen in the source (that an answer really looks so) is the stack tests' part.
//!
//! # Layout
//!
//! | module | holds |
//! |---|---|
//! | `files` | reading the repository's files |
//! | `document` | `openapi.yaml` as operations, and its schemas as validators |
//! | `template` | `template.yaml` as functions, routes and schedules |
//! | `handlers`, `rust` | what the handlers' source says: routes, permissions, problem codes |
//! | `routes`, `problems`, `schemas`, `samples`, `pages`, `alarms`, `erasure`, `times` | the tests |

#[cfg(test)]
mod alarms;
#[cfg(test)]
mod document;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod files;
#[cfg(test)]
mod handlers;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod rust;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod template;
#[cfg(test)]
mod times;
