"""Programs that run beside a scenario and end with the block that they stand in."""

import signal
import subprocess

from harness.brokers import die_with_parent

STOP_SECONDS_MAX = 60


class Child:
    """A process that was started in `self.process`."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Process(Child):
    """A JVM with a log, which the next one may go on with."""

    def __init__(self, log_path, command):
        self.log_path = log_path
        self.log_begin = log_path.stat().st_size if log_path.exists() else 0
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS_MAX)
        assert status == 143, f"ended with {status} after SIGTERM:\n{self.log()}"

    def end(self, how):
        self.stop() if how == "sigterm" else self.kill()

    def log(self, size=4_000):
        return self.log_path.read_bytes()[self.log_begin:].decode(errors="replace")[-size:]

    def is_alive(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
        return True


class Sender(Child):
    """Sends for as long as it is let, so that whatever happens meanwhile happens in the middle of work."""

    def __init__(self, command, stop_seconds_max):
        self.stop_seconds_max = stop_seconds_max
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=die_with_parent)

    def stop(self):
        """The number of records, all of them acknowledged."""
        said, complained = self.process.communicate(timeout=self.stop_seconds_max)
        assert self.process.returncode == 0, f"the sender ended with {self.process.returncode}:\n{complained[-4_000:]}"
        return int(said)
