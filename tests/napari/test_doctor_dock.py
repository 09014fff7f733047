import pytest

pytest.importorskip("napari")
from napari.components import ViewerModel

from friedel.doctor import Finding
from napari_friedel.docks import doctor

pytestmark = pytest.mark.gui


def test_the_doctor_dock_lists_findings_with_their_hints(qtbot, monkeypatch):
    found = (Finding("GPU", "none <here>", "Check the driver."), Finding("torch", "2.0"))
    monkeypatch.setattr(doctor, "examine", lambda: found)
    dock = doctor.DoctorDock(ViewerModel())
    qtbot.addWidget(dock)
    qtbot.waitUntil(dock.button.isEnabled)
    text = dock.findings.text()
    assert "none &lt;here&gt;<br>→ Check the driver." in text and "torch" in text
