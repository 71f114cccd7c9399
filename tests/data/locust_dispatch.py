"""What Locust's dispatcher does: configurations as JSON on standard input, its steps as JSON on standard output.

    [{"workers": ["h1_a", ...], "classes": [{"name": "A", "weight": 3.0, "fixed_count": 0}, ...],
      "ramps": [{"target": 10, "rate": 2.5, "classes": ["A"] or null, "steps_max": 2 or null}, ...]}, ...]

becomes

    [{"workers": [ids in the dispatcher's order],
      "ramps": [[{"users": [[of each class] of each worker], "wait": "0.8" or null}, ...], ...]}, ...]

Nothing sleeps: the clock stands still, and what would be slept after a step is noted, as text so that no digit is lost.
A ramp that is given up after `steps_max` steps has no wait after its last one.
"""

import json
import sys
from types import SimpleNamespace

from locust import User, dispatch
from locust.runners import WorkerNode

slept = []
dispatch.time = SimpleNamespace(perf_counter=lambda: 0.0)
dispatch.gevent = SimpleNamespace(sleep=slept.append)


def ramp(dispatcher, classes, target, rate, chosen, steps_max):
    by_name = {user_class.__name__: user_class for user_class in classes}
    dispatcher.new_dispatch(target, rate, None if chosen is None else [by_name[name] for name in chosen])
    steps = []
    while steps_max is None or len(steps) < steps_max:
        slept.clear()
        users = next(dispatcher, None)
        if steps:
            steps[-1]["wait"] = repr(float(sum(slept)))
        if users is None:
            break
        rows = [[users[worker.id][name] for name in by_name] for worker in dispatcher._worker_nodes]
        steps.append({"users": rows, "wait": None})
    return steps


def run(configuration):
    classes = [
        type(share["name"], (User,), {"weight": share["weight"], "fixed_count": share["fixed_count"]})
        for share in configuration["classes"]
    ]
    dispatcher = dispatch.UsersDispatcher([WorkerNode(name) for name in configuration["workers"]], classes)
    ramps = [
        ramp(dispatcher, classes, wanted["target"], wanted["rate"], wanted["classes"], wanted["steps_max"])
        for wanted in configuration["ramps"]
    ]
    return {"workers": [worker.id for worker in dispatcher._worker_nodes], "ramps": ramps}


json.dump([run(configuration) for configuration in json.load(sys.stdin)], sys.stdout)
