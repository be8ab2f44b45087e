"""The policy that a container gets with its specification."""

from pathlib import Path
from typing import Any, cast

from edgelab.node.outbound.policy import ALLOWED_DOMAINS, Socket
from edgelab.node.outbound.urls import Endpoint
from edgelab.node.pods.preparation import Preparation, Prepared
from edgelab.node.seams import Allocation
from edgelab.node.volumes.environment import Surroundings
from edgelab.node.volumes.fields import NodeFacts
from edgelab.node.volumes.materials import Materials
from lightkube.models.core_v1 import Container, Pod, Service

NODE = NodeFacts("krustlet-wasi", ("127.0.0.1",), 1, (Socket("127.0.0.1", 3000),))


class FakeApi:
    """It knows the Service of the API server."""

    async def get(self, *_: object, **__: object) -> Service:
        spec = {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]}
        made = Service.from_dict({"spec": spec})
        assert isinstance(made, Service)
        return made


async def test_devices_annotations_and_what_the_node_refuses_make_the_policy() -> None:
    environment = [{"name": "OTHER", "value": "http://127.0.0.1:9002/"}]
    container = Container.from_dict({"name": "main", "env": environment})
    assert isinstance(container, Container)
    metadata = {"name": "p", "annotations": {ALLOWED_DOMAINS: '["https://api.example.com"]'}}
    pod = Pod.from_dict({"metadata": metadata, "spec": {"containers": [{"name": "main"}]}})
    preparation = Preparation(cast(Any, FakeApi()), cast(Any, None), NODE)
    prepared = Prepared(Surroundings(pod, NODE, Materials({}, {})), {})
    given = Allocation({"AKRI_HTTP_DEVICE_ENDPOINT": "http://127.0.0.1:9001/", "AKRI_HTTP": "http"})

    found = (await preparation.specify(container, prepared, given, Path("/module"))).outbound

    assert found.hosts == ("api.example.com",)
    # A variable of the Pod's own gives nothing: only devices do.
    assert found.endpoints == (Endpoint("http", "127.0.0.1", 9001),)
    assert found.refused == (Socket("127.0.0.1", 3000), Socket("10.96.0.1", 443))
