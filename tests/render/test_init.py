from __future__ import annotations

import subprocess
import sys


class TestImport:
    def test_loads_neither_matplotlib_nor_mlflow_nor_tensorflow(self) -> None:
        code = "import sys, tracker.render; print(*{name.split('.')[0] for name in sys.modules})"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        assert "jinja2" in loaded
        assert not {"matplotlib", "mlflow", "tensorflow", "PIL"} & set(loaded)
