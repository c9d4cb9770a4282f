"""Prepares what the foreign clients need, once: Python environments, builds of Maven, npm and Go. Redone when their sources change."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness.paths import CLIENTS, TARGET

VENV = TARGET / "venv"
REQUIREMENTS = CLIENTS / "confluent" / "requirements.txt"
# For a Go of 1.21 or later that is older than a client asks for.
GO_TOOLCHAIN = "go1.27.3"


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


def build_go(project, version=None):
    """Compiles a project; the program. `version` is another folder, whose go.mod says which version of the client the same sources are
    compiled with; they tell it by a build tag of that folder's name."""
    module = version or project
    program = TARGET / f"{module.name}-program"
    sources = [*project.glob("*.go"), module / "go.mod", module / "go.sum"]
    other = ["-modfile", str(module / "go.mod"), "-tags", module.name] if version else []

    def build():
        subprocess.run(["go", "build", *other, "-o", str(program), "."], cwd=project, env=go_environment(module), check=True, stdout=sys.stderr)

    once(TARGET / f"{module.name}.stamp", sources, build)
    return program


def go_environment(module):
    """A Go that is older than go.mod asks for takes the compiler from the module proxy; distributions turn that off in their settings."""
    wanted = re.search(r"^go (\d+)\.(\d+)", (module / "go.mod").read_text(), re.MULTILINE)
    told = subprocess.run(["go", "env", "GOVERSION"], cwd=TARGET, check=True, capture_output=True, text=True).stdout
    here = re.match(r"go(\d+)\.(\d+)", told)
    older = here and tuple(map(int, here.groups())) < tuple(map(int, wanted.groups()))
    return {**os.environ, **({"GOTOOLCHAIN": GO_TOOLCHAIN} if older else {})}
