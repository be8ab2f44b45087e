"""Stand-ins for what agent and controller make of cameras: their Instances, brokers' Pods and Services.

Cameras and brokers in these tests are real; a Service leads to its broker at once, without a proxy between.
"""

from edgelab.core import names
from standins.api_server import FakeApi, Json
from standins.http_lab import broker, instance

CONFIGURATION = "akri-video"


def camera(url: str) -> Json:
    """The Instance of a network camera."""
    return instance(url, configuration=CONFIGURATION)


def name(url: str) -> str:
    """Its name."""
    return str(camera(url)["metadata"]["name"])


def service(of: Json, port: int) -> Json:
    """The Service of an Instance whose broker listens on a port of this machine."""
    owner = of["metadata"]["name"]
    labels = {names.INSTANCE_LABEL: owner, names.CONTROLLER_LABEL: "akri.sh"}
    meta = {"name": names.service(owner), "namespace": "default", "uid": f"s-{owner}", "labels": labels}
    spec = {"clusterIP": "127.0.0.1", "ports": [{"name": "grpc", "port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def discover(api: FakeApi, url: str, port: int) -> None:
    """A camera is found, and its broker runs and listens on that port."""
    found = camera(url)
    api.put("instances", found)
    api.put("pods", broker(found))
    api.put("services", service(found, port))


def lose(api: FakeApi, url: str) -> None:
    """The camera is not found any more: what was made for it goes."""
    found = camera(url)
    api.remove("services", names.service(found["metadata"]["name"]))
    api.remove("pods", broker(found)["metadata"]["name"])
    api.remove("instances", found["metadata"]["name"])
