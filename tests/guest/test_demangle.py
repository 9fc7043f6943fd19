"""C++ names as people write them; what is not one stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.demangle import demangle


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("main", "main"),
        ("dispatch.isra.0", "dispatch"),
        ("loop.part.0.constprop.1.cold", "loop"),
        ("_ZN7Doubler8dispatchEmRN5L4lab3Ipc8IostreamE", "Doubler::dispatch"),
        ("_ZL22notify_my_other_serverv", "notify_my_other_server"),
        ("_ZN5L4lab3Ipc7Istream3getImEEbRT_", "L4lab::Ipc::Istream::get"),
        ("_ZN5L4lab6ServerINS_18Default_loop_hooksEE4loopEv", "L4lab::Server::loop"),
        ("_ZN5L4lab3IpcrsIiEERNS0_7IstreamES3_RT_", "L4lab::Ipc::operator>>"),
        ("_ZN12Istream_copyC2Ev", "Istream_copy::Istream_copy"),
        ("_ZN3FooD0Ev", "Foo::~Foo"),
        ("_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo"),
        ("_ZNK3Foo3barEv", "Foo::bar"),
        ("_ZSt3minIiET_S0_S0_", "std::min"),
        ("_ZTV3Foo", "_ZTV3Foo"),
        ("_Z", "_Z"),
        ("_ZN99999999999999999999fooEv", "_ZN99999999999999999999fooEv"),
        ("_ZN3Foo" + "I" * 200, "_ZN3Foo" + "I" * 200),
        ("_ZNK", "_ZNK"),
        ("_Z" + "Z" * 5000, "_Z" + "Z" * 5000),
        ("_Z" + "N1aI" * 5000, "_Z" + "N1aI" * 5000),
    ],
)
def test_names(symbol: str, name: str) -> None:
    assert demangle(symbol) == name


@given(st.text(alphabet="_ZNKLISTE0123456789abcx.", max_size=40))
def test_any_symbol_has_a_name(tail: str) -> None:
    assert isinstance(demangle("_Z" + tail), str)
