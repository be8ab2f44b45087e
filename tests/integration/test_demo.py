"""The demo: every name and line of its promise, seen through the real API server with plain kubectl."""

from labkit import Lab

INSTANCE = "akri-debug-echo-aae70c"
BROKER = f"krustlet-wasi-{INSTANCE}-pod"


def test_the_node_is_ready_and_looks_like_krustlets(lab: Lab) -> None:
    node = lab.get("node", "krustlet-wasi")
    labels = node["metadata"]["labels"]
    for key in ("kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/os"):
        assert labels[key] == "wasm32-wasi"
    assert (labels["kubernetes.io/hostname"], labels["type"]) == ("krustlet-wasi", "krustlet")
    taints = {(taint["key"], taint["value"], taint["effect"]) for taint in node["spec"]["taints"]}
    assert taints == {("kubernetes.io/arch", "wasm32-wasi", effect) for effect in ("NoSchedule", "NoExecute")}
    assert "podCIDR" not in node["spec"]
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"


def test_the_instance_has_upstreams_name_fields_and_managers(lab: Lab) -> None:
    instance = lab.get("instances.akri.sh", INSTANCE, "--show-managed-fields")
    spec = instance["spec"]
    assert spec["cdiName"] == "akri.sh/akri-debug-echo=aae70c"
    assert spec["brokerProperties"] == {"DEBUG_ECHO_DESCRIPTION": '"foo0"'}
    assert (spec["capacity"], spec["shared"], spec["nodes"]) == (2, True, ["krustlet-wasi"])
    assert list(spec["deviceUsage"].values()) == ["krustlet-wasi"]
    assert instance["metadata"]["finalizers"] == ["krustlet-wasi"]
    managers = {field["manager"] for field in instance["metadata"]["managedFields"]}
    assert managers == {"krustlet-wasi", "krustlet-wasi-fin", "dp-krustlet-wasi"}


def test_the_node_offers_the_device(lab: Lab) -> None:
    status = lab.get("node", "krustlet-wasi")["status"]
    for where in ("capacity", "allocatable"):
        assert status[where][f"akri.sh/{INSTANCE}"] == "2"


def test_the_broker_runs_and_says_its_line(lab: Lab) -> None:
    pod = lab.get("pod", BROKER)
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["startTime"]
    assert {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"] == "True"
    assert pod["metadata"]["ownerReferences"][0]["name"] == INSTANCE
    assert "@sha256:" in pod["status"]["containerStatuses"][0]["imageID"]
    assert lab.kubectl("logs", BROKER) == 'Pod is running and using debugEcho device named: "foo0"\n'
    assert lab.kubectl("logs", BROKER, "--tail", "1", "--timestamps").split(" ", 1)[0].endswith("Z")


def test_the_handlers_log_has_the_lines_of_the_original(lab: Lab) -> None:
    lines = lab.kubectl("logs", "wasi-debug-echo").splitlines()
    assert lines[0] == "Wasi Debug Echo is up and running :)"
    emitted = '{"devices":[{"id":"foo0","properties":{"DEBUG_ECHO_DESCRIPTION":"foo0"},"mounts":[],"device_specs":[]}]}'
    assert f"output: {emitted}" in lines


def test_both_services_select_the_broker(lab: Lab) -> None:
    for name, label in ((f"{INSTANCE}-svc", "akri.sh/instance"), ("akri-debug-echo-svc", "akri.sh/configuration")):
        service = lab.get("service", name)
        assert service["spec"]["selector"][label] == service["metadata"]["labels"][label]
        assert service["spec"]["selector"]["controller"] == "akri.sh"
        assert service["spec"]["ports"][0]["port"] == 6052


def test_exec_is_refused_in_words(lab: Lab) -> None:
    assert "WebAssembly" in lab.kubectl("exec", BROKER, "--", "ls", check=False)


def test_a_second_run_changes_nothing(lab: Lab) -> None:
    again = lab.playbook("site.yml")
    assert again.changed_tasks() == []
    assert again.recap()["changed"] == 0


def test_check_mode_on_the_running_lab_changes_nothing(lab: Lab) -> None:
    assert lab.playbook("site.yml", "--check", "--diff").changed_tasks() == []


def test_check_mode_on_an_empty_machine_says_what_the_real_run_does(empty_lab: Lab) -> None:
    promised = empty_lab.playbook("site.yml", "--check").changed_tasks()
    assert not empty_lab.layout.state.exists()
    assert not empty_lab.layout.run.exists()
    assert empty_lab.playbook("site.yml").changed_tasks() == promised
