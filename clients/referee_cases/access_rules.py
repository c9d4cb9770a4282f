"""Access rules where there is no authorizer: DescribeAcls, CreateAcls, DeleteAcls."""

from harness.referee.play import scenario

UNKNOWN, ANY, TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = 0, 1, 2, 3, 4, 5
LITERAL, PREFIXED = 3, 4
READ, ALLOW = 3, 3
ELEMENTS = ["resourceType", "resourcePatternType", "operation", "permissionType"]
FILTER_ELEMENTS = ["resourceTypeFilter", "patternTypeFilter", "operation", "permissionType"]


def rule(name="t", **other):
    return {"resourceType": TOPIC, "resourceName": name, "resourcePatternType": LITERAL, "principal": "User:a", "host": "*", "operation": READ,
            "permissionType": ALLOW, **other}


def fits(name=None, **other):
    """A filter that fits everything but for what is given."""
    return {"resourceTypeFilter": ANY, "resourceNameFilter": name, "patternTypeFilter": ANY, "principalFilter": None, "hostFilter": None,
            "operation": ANY, "permissionType": ANY, **other}


@scenario(core=True)
def access_rules_are_refused_without_an_authorizer(play):
    topic = play.topic()
    for version in play.versions("DescribeAcls"):
        play.call("all", "DescribeAcls", version, fits())
        play.call("of a topic", "DescribeAcls", version, fits(topic, resourceTypeFilter=TOPIC, patternTypeFilter=LITERAL))
        play.call("of somebody", "DescribeAcls", version, fits(principalFilter="User:a", hostFilter="127.0.0.1", operation=READ, permissionType=ALLOW))
    for version in play.versions("CreateAcls"):
        play.call("none", "CreateAcls", version, {"creations": []})
        play.call("one", "CreateAcls", version, {"creations": [rule(topic)]})
        play.call("some, one of them twice", "CreateAcls", version, {"creations": [
            rule(topic), rule(topic), rule("prefix", resourcePatternType=PREFIXED), rule("g", resourceType=GROUP), rule("kafka-cluster", resourceType=CLUSTER),
            rule("x", resourceType=TRANSACTIONAL_ID)]})
    for version in play.versions("DeleteAcls"):
        play.call("none", "DeleteAcls", version, {"filters": []})
        play.call("all", "DeleteAcls", version, {"filters": [fits()]})
        play.call("some", "DeleteAcls", version, {"filters": [fits(topic, resourceTypeFilter=TOPIC, patternTypeFilter=LITERAL), fits(topic), fits()]})


@scenario(core=True)
def wrong_access_rules_are_refused(play):
    """Without an authorizer nobody looks at them; but what calls itself unknown is no request."""
    wrong = [("no name", {"resourceName": ""}), ("no kind of principal", {"principal": "a"}), ("no principal", {"principal": ""}), ("no host", {"host": ""})]
    for case, other in wrong:
        play.call(case, "CreateAcls", 3, {"creations": [rule(**other)]})
    for code in (UNKNOWN, 99, -1):
        for element in ELEMENTS:
            play.call(f"{element} {code}", "CreateAcls", 3, {"creations": [rule(), rule(**{element: code})]})
        for element in FILTER_ELEMENTS:
            play.call(f"{element} {code}", "DescribeAcls", 3, fits(**{element: code}))
            play.call(f"{element} {code}", "DeleteAcls", 3, {"filters": [fits(), fits(**{element: code})]})
    # A rule may not leave open what a filter may.
    for element in ELEMENTS:
        play.call(f"{element} any", "CreateAcls", 3, {"creations": [rule(**{element: ANY})]})
