"""Who a certificate stands for, and what the API server is asked about them."""

from typing import Any

import pytest
from edgelab.node.authn import User, review, user_of, verb_of

NAME, GROUP = ("commonName", "kube-apiserver-kubelet-client"), ("organizationName", "edgelab:kubelet-clients")


@pytest.mark.parametrize(
    ("certificate", "user"),
    [
        (None, None),
        ({}, None),
        ({"subject": ((GROUP,),)}, None),
        ({"subject": ((NAME,),)}, User(NAME[1], ("system:authenticated",))),
        ({"subject": ((GROUP,), (NAME,))}, User(NAME[1], (GROUP[1], "system:authenticated"))),
        ({"subject": ((GROUP, NAME),)}, User(NAME[1], (GROUP[1], "system:authenticated"))),
    ],
)
def test_the_user_is_the_common_name_and_the_groups_are_the_organisations(certificate: Any, user: User | None) -> None:
    assert user_of(certificate) == user


@pytest.mark.parametrize(
    ("method", "verb"), [("GET", "get"), ("HEAD", "get"), ("POST", "create"), ("DELETE", "delete"), ("ODD", "delete")]
)
def test_verbs_are_those_of_kubelets(method: str, verb: str) -> None:
    assert verb_of(method) == verb


def test_the_review_asks_for_the_proxy_of_this_node_only() -> None:
    assert review(User("u", ("g",)), "get", "krustlet-wasi")["spec"] == {
        "user": "u",
        "groups": ["g"],
        "resourceAttributes": {
            "verb": "get",
            "version": "v1",
            "resource": "nodes",
            "subresource": "proxy",
            "name": "krustlet-wasi",
        },
    }
