"""Several programs on one machine, all warm, each working in turn while the others wait."""
import contextlib
import json
import pathlib
import subprocess
import sys

import peer_program


class Unavailable(Exception):
    """A candidate cannot take part; the reason is one line."""


class Runner:
    """One program with --on-request (peer_program.py); returns from the constructor when it is warm."""

    def __init__(self, candidate, options, folder):
        self.log = pathlib.Path(folder) / f"{candidate.name.replace(', ', '_').replace(' ', '_')}.log"
        with self.log.open("w") as log:
            try:
                self.process = subprocess.Popen([*candidate.command, *map(str, options), "--on-request"], stdin=subprocess.PIPE,
                                                stdout=subprocess.PIPE, stderr=log, text=True, env=candidate.environment)
            except OSError as error:
                raise Unavailable(f"{error.filename}: {error.strerror}") from None
        self.facts = self._answer("ready")

    def _answer(self, key):
        for line in self.process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                answer = json.loads(line)
                if isinstance(answer, dict) and key in answer:
                    return answer
        self.process.wait()
        lines = self.log.read_text().strip().splitlines()
        raise Unavailable(lines[-1] if lines else f"ended with status {self.process.returncode}")

    def turn(self):
        """Seconds of one repetition."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # _answer says why
        return self._answer("seconds")["seconds"]

    def finish(self):
        """What the program says about itself at its end."""
        peak = peer_program.peak_mib(self.process.pid) if self.process.poll() is None else 0
        self.process.stdin.close()
        result = self._answer("peak_rss_mib")
        self.process.wait()
        return {**result, "peak_rss_mib": peak}

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def busy_process():
    """A process that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Race:
    """The candidates of one row. `left_out` gives the reasons of those that cannot take part or gave up."""

    def __init__(self, candidates, options_of, folder, say):
        self.runners, self.left_out, self.say = {}, {}, say
        self.folder, self.options_of, self.candidates = folder, options_of, candidates

    def __enter__(self):
        for candidate in self.candidates:
            self._try(candidate.name, lambda: self.runners.update(
                {candidate.name: Runner(candidate, self.options_of(candidate), self.folder)}))
        return self

    def __exit__(self, *_):
        for runner in self.runners.values():
            runner.stop()

    def _try(self, name, action):
        try:
            return action()
        except Unavailable as reason:
            self.leave_out(name, str(reason))

    def leave_out(self, name, reason):
        self.left_out[name] = reason
        if runner := self.runners.pop(name, None):
            runner.stop()
        self.say(f"  without {name}: {reason}")

    def rounds(self, count):
        """{name: seconds of its turns}"""
        seconds = {name: [] for name in self.runners}
        for _ in range(count):
            for name in list(self.runners):
                seconds[name].append(self._try(name, lambda: self.runners[name].turn()))
        return {name: seconds[name] for name in self.runners}

    def finish(self):
        """{name: what it says about itself}"""
        results = {name: self._try(name, lambda: self.runners[name].finish()) for name in list(self.runners)}
        return {name: result for name, result in results.items() if result}
