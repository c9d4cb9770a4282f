"""Prepares what the foreign clients need, once: a Python environment, Maven builds. Redone when their sources change."""

import hashlib
import subprocess
import sys

from harness.paths import CLIENTS, TARGET

VENV = TARGET / "venv"
REQUIREMENTS = CLIENTS / "confluent" / "requirements.txt"


def digest(paths):
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(str(path).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


def once(stamp, sources, build):
    """Runs `build` unless it ran before with the same sources."""
    wanted = digest(sources)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    build()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)


def build_venv():
    """The interpreter of an environment that has confluent-kafka."""
    python = VENV / "bin" / "python"

    def build():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "-r", str(REQUIREMENTS)], check=True)

    once(TARGET / "venv.stamp", [REQUIREMENTS], build)
    return python


def build_maven(project, jars):
    """Compiles the project, if it has sources, and copies its dependencies to `jars`."""
    pom = project / "pom.xml"
    sources = [pom, *project.glob("src/**/*.java")]
    goals = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    if len(sources) > 1:
        goals.insert(0, "package")

    def build():
        subprocess.run(["mvn", "-B", "-q", "-ntp", "-Dstyle.color=never", "-f", str(pom), *goals], check=True, stdin=subprocess.DEVNULL,
                       stdout=sys.stderr)

    once(TARGET / f"{project.name}.stamp", sources, build)
