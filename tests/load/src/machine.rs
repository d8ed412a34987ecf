//! The machine on which the figures were measured.

use std::fs;

use serde::Serialize;

/// The properties of a machine that matter for the figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) congestion_control: String,
}

impl Machine {
    /// This machine; properties that can't be read are called unknown.
    pub(crate) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let known = |text: &str| {
            let text = text.trim();
            if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
        };
        Self {
            processor: known(processor_model(&read("/proc/cpuinfo"))),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: known(&read("/proc/sys/kernel/osrelease")),
            congestion_control: known(&read("/proc/sys/net/ipv4/tcp_congestion_control")),
        }
    }
}

fn processor_model(cpuinfo: &str) -> &str {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("", |(_, model)| model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_known_by_its_model_name() {
        for (cpuinfo, model) in [
            ("processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n", " AMD EPYC"),
            ("processor\t: 0\n", ""),
        ] {
            assert_eq!(processor_model(cpuinfo), model);
        }
    }
}
