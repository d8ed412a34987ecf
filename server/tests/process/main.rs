//! The real binary as a child process: flags, exit codes, signals, descriptors, the operator's
//! terminal, and (ignored where they are missing) the programs that people use. These tests live
//! in this package because cargo builds its binary for them and tells them its path. The wire is
//! tested in `tests/`.

mod incoming;
mod peer;
mod program;
mod server_process;
mod terminal;

mod console;
#[cfg(target_os = "linux")]
mod operator;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod steps;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod cluster_proxy;
#[cfg(target_os = "linux")]
mod cluster_partition;
#[cfg(target_os = "linux")]
mod cluster_archive;
#[cfg(target_os = "linux")]
mod cluster_tls;
mod tls_crowd;
mod foreign_programs;
mod journal;
mod lesson;
#[cfg(target_os = "linux")]
mod reach;
#[cfg(target_os = "linux")]
mod mutes;
mod story;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod disk_reading;
#[cfg(target_os = "linux")]
mod disk_metrics;
mod startup;
mod readme;
mod stopping;
mod usage;
