"""Who coordinates what: FindCoordinator."""

from harness.referee.play import scenario

GROUP, TRANSACTION, SHARE = 0, 1, 2


@scenario(core=True)
def coordinators_are_found_in_every_version(play):
    for version in play.versions("FindCoordinator", last=3):
        play.call("group", "FindCoordinator", version, {"key": "g"})
        play.call("empty group", "FindCoordinator", version, {"key": ""})
    for version in play.versions("FindCoordinator", first=1, last=3):
        for kind in (GROUP, TRANSACTION, SHARE, 9, -1):
            play.call(f"kind {kind}", "FindCoordinator", version, {"key": "x", "keyType": kind})
        play.call("empty transaction", "FindCoordinator", version, {"key": "", "keyType": TRANSACTION})
    for version in play.versions("FindCoordinator", first=4):
        for kind in (GROUP, TRANSACTION, 9, -1):
            play.call(f"kind {kind}", "FindCoordinator", version, {"keyType": kind, "coordinatorKeys": ["x"]})
        play.call("several", "FindCoordinator", version, {"keyType": GROUP, "coordinatorKeys": ["x", "", "y", "x"]})
        play.call("several transactions", "FindCoordinator", version, {"keyType": TRANSACTION, "coordinatorKeys": ["x", "", "y"]})
        play.call("none", "FindCoordinator", version, {"keyType": GROUP, "coordinatorKeys": []})
    play.call("a share group", "FindCoordinator", 5, {"keyType": SHARE, "coordinatorKeys": ["g:3mVzTq6uQ8iJ0d0w4lT0Zw:0"]})
