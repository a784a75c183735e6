"""Runs one invocation of a Lambda function as Lambda's Python runtime would.

Called with a folder that holds code.zip and job.json; leaves result.json there. It is the sandbox's own file:
the function's code is what was deployed, unchanged.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
import zipfile


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, job):
        self.function_name = job["function"]
        self.function_version = "$LATEST"
        self.invoked_function_arn = job["arn"]
        self.memory_limit_in_mb = str(job["memory"])
        self.aws_request_id = job["id"]
        self.log_group_name = "/aws/lambda/" + job["function"]
        self.log_stream_name = "sandbox"
        self._end = time.monotonic() + job["timeout"]

    def get_remaining_time_in_millis(self):
        return max(0, int((self._end - time.monotonic()) * 1000))


class TimedOut(BaseException):
    """The handler took longer than the function's time-out."""


def error(kind, message, stack=()):
    return {"error": {"errorType": kind, "errorMessage": message, "stackTrace": list(stack)}}


def load(handler):
    module, _, name = handler.rpartition(".")
    try:
        return getattr(importlib.import_module(module.replace("/", ".")), name), None
    except ImportError as missing:
        message = f"Unable to import module '{module}': {missing}"
        if missing.name in ("boto3", "botocore"):
            message += ". Lambda's own runtime has it; here python3 must find it: pip install boto3"
        return None, error("Runtime.ImportModuleError", message)
    except AttributeError:
        return None, error("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'")
    except Exception as broken:
        return None, error(type(broken).__name__, str(broken), traceback.format_exc().splitlines())


def run(job):
    handler, failure = load(job["handler"])
    if failure:
        return failure

    def stop(*_):
        raise TimedOut

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, job["timeout"])
    try:
        result = handler(job["event"], Context(job))
    except TimedOut:
        return error("Sandbox.Timedout", f"RequestId: {job['id']} Error: Task timed out after {job['timeout']:.2f} seconds")
    except SystemExit as left:
        return error("Runtime.ExitError", f"RequestId: {job['id']} Error: Runtime exited: {left}")
    except BaseException as broken:
        return error(type(broken).__name__, str(broken), traceback.format_exc().splitlines())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        return {"result": json.loads(json.dumps(result))}
    except (TypeError, ValueError) as broken:
        return error("Runtime.MarshalError", f"Unable to marshal response: {broken}")


def main():
    folder = sys.argv[1]
    code = os.path.join(folder, "code")
    with zipfile.ZipFile(os.path.join(folder, "code.zip")) as archive:
        archive.extractall(code)
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    os.chdir(code)
    sys.path.insert(0, code)
    outcome = run(job)
    with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as file:
        json.dump(outcome, file)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that the function left behind do not keep the process.
    os._exit(0)


main()
