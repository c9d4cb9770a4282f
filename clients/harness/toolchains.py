"""Prepares what the foreign clients need, once: Python environments, builds of Maven, npm and Go. Redone when their sources change."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

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
    return build_python(VENV, REQUIREMENTS)


def build_maven(project, jars, kafka_version=None):
    """Compiles the project, if it has sources, and copies its dependencies to `jars`; the version is the project's own unless given."""
    pom = project / "pom.xml"
    sources = [pom, *(one for one in project.glob("src/**/*") if one.is_file())]
    goals = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    if kafka_version:
        goals.append(f"-Dkafka.version={kafka_version}")
    if len(sources) > 1:
        goals.insert(0, "package")

    def build():
        subprocess.run(["mvn", "-B", "-q", "-ntp", "-Dstyle.color=never", "-f", str(pom), *goals], check=True, stdin=subprocess.DEVNULL,
                       stdout=sys.stderr)

    once(TARGET / f"{project.name}{kafka_version or ''}.stamp", sources, build)


def build_python(directory, requirements):
    """The interpreter of an environment with these packages."""
    python = directory / "bin" / "python"

    def build():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)], check=True)

    once(TARGET / f"{directory.name}.stamp", [requirements], build)
    return python


def build_node(project, **environment):
    """Installs a project's packages beside a copy of its programs, compiling with these variables what is native; the copy's folder."""
    copy = TARGET / project.name
    manifests = list(project.glob("*.json"))

    def build():
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir(parents=True)
        for manifest in manifests:
            shutil.copy(manifest, copy)
        # The headers beside the installed Node.js, where they are, are those of its version; npm would download its own.
        prefix = Path(shutil.which("node")).resolve().parent.parent
        if (prefix / "include/node/node.h").exists():
            environment["npm_config_nodedir"] = prefix
        variables = [f"{name}={value}" for name, value in environment.items()]
        subprocess.run(["env", *variables, "npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=copy, check=True, stdout=sys.stderr)

    once(TARGET / f"{project.name}.stamp", manifests, build)
    for program in project.glob("*.js"):
        shutil.copy(program, copy)
    return copy


def build_go(project):
    """Compiles a project; the program."""
    program = TARGET / f"{project.name}-program"
    sources = [one for one in project.iterdir() if one.suffix == ".go" or one.name in ("go.mod", "go.sum")]

    def build():
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=project, check=True, stdout=sys.stderr)

    once(TARGET / f"{project.name}.stamp", sources, build)
    return program
