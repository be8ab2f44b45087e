"""Which values a chart reads, and what people are told about those that it does not."""

from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._chart import GONE, Readings, problems

DEFAULTS: dict[str, Any] = {
    "imagePullSecrets": [],
    "agent": {
        "enabled": True,
        "image": {"repository": "example.org/agent", "tag": None},
        "host": {"kubeletPodResources": "/var/lib/kubelet/pod-resources", "udev": None},
        "nodeSelectors": {},
        "securityContext": {"capabilities": {"drop": ["ALL"]}},
    },
    "udev": {"configuration": {"enabled": False, "discoveryDetails": {"udevRules": None}}},
}
TEMPLATES = (
    "{{ .Values.agent.image.repository }}:{{ .Values.agent.image.tag }} {{ .Values.agent.enabled }}",
    "{{- toYaml .Values.agent.securityContext | nindent 8 }}{{ toYaml .Values.agent.nodeSelectors }}",
    "{{ .Values.udev.configuration.brokerPod.env }} {{- if .Values.nameOverride }}",
)
READINGS = Readings.of(DEFAULTS, TEMPLATES, subcharts=["kube-prometheus"])


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"agent": {"enabled": False, "image": {"tag": "v1"}}},
        {"imagePullSecrets": [{"name": "mine"}]},
        {"agent": {"nodeSelectors": {"kubernetes.io/hostname": "edge"}}},
        {"agent": {"securityContext": {"runAsUser": 0}}},
        {"agent": {"host": {"udev": "/run/udev"}}},
        {"agent": {"host": None}},
        {"udev": {"configuration": {"brokerPod": {"env": {"A": "b"}}}}},
        {"nameOverride": "mine"},
        {"global": {"anything": {"at": "all"}}},
        {"kube-prometheus": {"of": "the subchart"}},
    ],
    ids=str,
)
def test_what_a_template_reads_may_be_given(values: dict[str, Any]) -> None:
    assert problems(values, READINGS) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"agent": {"nodeSelector": {}}}, "agent.nodeSelector is not read; did you mean agent.nodeSelectors?"),
        ({"qqqqqqqq": 1}, "qqqqqqqq is not read"),
        ({"agent": {"host": {"crictl": "/usr/bin/crictl"}}}, "in its place: agent.host.kubeletPodResources"),
        ({"agent": {"host": {"dockerShimSock": "/x"}}}, "in its place: agent.host.kubeletPodResources"),
        ({"agent": {"host": {"containerRuntimeSocket": "/x"}}}, "in its place: agent.host.kubeletPodResources"),
        ({"kubernetesDistro": "k3s"}, "in its place: agent.host.kubeletDevicePlugins"),
        ({"udev": {"enabled": True}}, "in its place: udev.configuration.enabled"),
        ({"udev": {"udevRules": []}}, "in its place: udev.configuration.discoveryDetails.udevRules"),
        ({"udevVideo": {"enabled": True}}, "in its place: udev.configuration and udev.discovery"),
        ({"agent": False}, "agent is a group of enabled, host, image, nodeSelectors, securityContext, not False"),
        ({"agent": {"image": "example.org/agent:v1"}}, "agent.image is a group of repository, tag, not"),
    ],
    ids=str,
)
def test_what_no_template_reads_is_refused_with_what_to_do(values: dict[str, Any], told: str) -> None:
    (problem,) = problems(values, READINGS)
    assert told in problem


def test_all_problems_are_told_at_once() -> None:
    assert len(problems({"agent": {"host": {"crictl": "x"}, "imag": {}}, "kubernetesDistro": "k8s"}, READINGS)) == 3


def test_a_chart_that_still_reads_an_old_value_may_have_it() -> None:
    old = Readings.of({"kubernetesDistro": "", "agent": {"host": {"crictl": ""}}}, [])
    assert problems({"kubernetesDistro": "k3s", "agent": {"host": {"crictl": "/x"}}}, old) == []


def test_every_replacement_names_another_value_or_says_that_there_is_none() -> None:
    for gone, instead in GONE.items():
        replacement = instead.partition(":")[0]
        assert replacement != gone
        assert "." in replacement or replacement == "nothing"
