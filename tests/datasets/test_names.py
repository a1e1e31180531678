"""What the name of a dataset says. Pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.names import OTHER, Physics, parse


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("mc09_7TeV.105001.pythia_minbias.evgen.EVNT.e479_tid012345",
         ("mc09_7TeV", "", "evgen", "EVNT")),
        ("mc08.105200.T1_McAtNlo.recon.ESD.e357_s462_r635/", ("mc08", "", "recon", "ESD")),
        ("mc09.105001.evgen.EVNT.tid000123", ("mc09", "", "evgen", "EVNT")),
        ("mc09.105001.simul.log.tid1", ("mc09", "", "simul", "log")),
        ("data09_900GeV.00140541.physics_MinBias.merge.AOD.f172",
         ("data09_900GeV", "physics_MinBias", "merge", "AOD")),
        ("data09_cos.00121733.physics_RPCwBeam.daq.RAW.o4",
         ("data09_cos", "physics_RPCwBeam", "daq", "RAW")),
        ("data09.00140541.physics_MinBias.AOD", ("data09", "physics_MinBias", "", "AOD")),
        ("mc09.evgen", ("mc09", "", "", "")),
        ("user.alice.test.EVNT", ("user", "", "", "")),
        ("USER.bob.x/", ("user", "", "", "")),
        ("group.higgs.stuff", ("group", "", "", "")),
        ("17.x.y", (OTHER, "", "", "")),
        ("noproject", (OTHER, "", "", "")),
        ("", (OTHER, "", "", "")),
        ("database.EVNT.x.y", ("database", "", "", "")),
    ],
)  # fmt: skip
def test_a_name_says_project_stream_step_and_type(
    name: str, fields: tuple[str, str, str, str]
) -> None:
    found = parse(name)
    assert (found.project, found.stream, found.step, found.data_type) == fields


@given(st.text(max_size=255))
def test_every_name_has_fields_that_fit(name: str) -> None:
    found = parse(name)
    assert isinstance(found, Physics)
    assert 0 < len(found.project) <= 64
    assert all(len(text) <= 64 for text in vars(found).values())
