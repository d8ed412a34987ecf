"""Reads the server's numbers as Prometheus does: URL, then what samples are to be."""
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

url, *expected = sys.argv[1:]
with urllib.request.urlopen(url) as answer:
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.read().decode()))

samples = {}
for family in families:
    assert family.type in ("counter", "gauge", "histogram"), family
    assert family.documentation, family
    assert family.samples or family.type == "counter", family
    for sample in family.samples:
        labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
        key = sample.name + (f"{{{labels}}}" if labels else "")
        assert key not in samples, f"{key} comes twice"
        samples[key] = sample.value
    if family.type == "histogram":
        buckets = [sample.value for sample in family.samples if sample.name.endswith("_bucket")]
        assert buckets == sorted(buckets), family
        assert buckets[-1] == samples[family.name + "_count"], family

for line in expected:
    key, value = line.rsplit(" ", 1)
    assert samples[key] == float(value), f"{key} is {samples[key]}, not {value}"
