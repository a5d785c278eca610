"""What of ASP.NET's route templates is read, and what is refused; matching itself is in the recorded cases."""

import pytest

from local_cloud.functions_host.errors import HostError
from local_cloud.functions_host.indexing import HTTP, Function
from local_cloud.functions_host.routes import ReservedRouteError, RouteTable, make_route


def function(name: str, route: str | None, methods: list[str] | None = None) -> Function:
    trigger = {"route": route, "methods": methods}
    return Function(id=name, name=name, kind=HTTP, trigger=trigger, called_as=name, client_parameters=())


@pytest.mark.parametrize("route", ["{a}-{b}", "files/{name:regex(^x)}", "{id:range(1,2)}", "{id"])
def test_a_template_that_is_not_emulated_is_refused_with_the_name_of_its_function(route: str) -> None:
    with pytest.raises(HostError, match="function 'files'"):
        make_route(function("files", route), "api")


@pytest.mark.parametrize("route", ["admin", "/Admin/x", "administration", "runtime/webhooks", "RUNTIMES"])
def test_a_declared_route_of_the_hosts_own_is_refused(route: str) -> None:
    with pytest.raises(ReservedRouteError):
        make_route(function("mine", route), "api")


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        pytest.param(None, "/api/Hello", {}, id="without a route the function's name is one"),
        pytest.param("x/{id:long}", "/api/x/99999999999", {"id": "99999999999"}, id="a long"),
        pytest.param("x/{id:bool}", "/api/x/True", {"id": "True"}, id="a bool"),
        pytest.param("x/{id:bool}", "/api/x/1", None, id="not a bool"),
        pytest.param("x/{id:alpha}", "/api/x/a1", None, id="not letters"),
        pytest.param("x/{id:guid}", "/api/x/0f8fad5b-d9cb-469f-a165-70867728950e", {"id": "0f8fad5b-d9cb-469f-a165-70867728950e"}, id="a guid"),
        pytest.param("x/{id:int?}", "/api/x", {}, id="an optional int that is absent"),
        pytest.param("x/{id:int?}", "/api/x/y", None, id="an optional int that is none"),
        pytest.param("x/{**rest}", "/api/x/a/b", {"rest": "a/b"}, id="a catch-all with two stars"),
    ],
)  # fmt: skip
def test_a_route_takes_the_paths_that_its_template_says(
    route: str | None, path: str, parameters: dict[str, str] | None
) -> None:
    found = RouteTable([make_route(function("Hello", route), "api")]).find("GET", path)

    assert (None if found is None else found[1]) == parameters


def test_the_order_is_that_of_names_without_regard_to_case() -> None:
    routes = [make_route(function(name, "same"), "api") for name in ("B", "a_", "ab")]
    found = RouteTable(routes).find("GET", "/api/same")

    assert found is not None
    # `_` comes after the upper-case letters, in which names are compared.
    assert found[0].function.name == "ab"
