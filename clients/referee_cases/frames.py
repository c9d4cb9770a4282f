"""Frames that are no requests: an answer or a close, and nothing else."""

from harness.referee.play import scenario


def short(number):
    return f"{number & 0xFFFF:04x}"


def whole(number):
    return f"{number & 0xFFFFFFFF:08x}"


def request(key, version, body="", client=f"{short(1)}61", correlation=1):
    content = short(key) + short(version) + whole(correlation) + client + body
    return whole(len(content) // 2) + content


@scenario(core=True)
def keys_and_versions_that_do_not_exist_are_not_answered(play):
    for case, key, version in [("unknown key", 999, 0), ("negative key", -1, 0), ("removed key", 4, 0), ("Metadata 99", 3, 99), ("Metadata -1", 3, -1),
                               ("Produce 2", 0, 2), ("Fetch 3", 1, 3), ("Fetch 99", 1, 99), ("OffsetFetch 0", 9, 0), ("CreateTopics 1", 19, 1),
                               ("ListOffsets 0", 2, 0)]:
        play.raw(case, request(key, version, "00000000"))
    play.raw("ApiVersions -1", request(18, -1), "ApiVersions")
    play.raw("ApiVersions 99", request(18, 99, "00"), "ApiVersions")


@scenario(core=True)
def lengths_that_lie_are_not_answered(play):
    play.raw("length 0", whole(0))
    play.raw("length 3", whole(3) + "000000")
    play.raw("length -1", whole(-1))
    play.raw("largest length", whole(2_147_483_647) + "0003")
    play.raw("just more than is allowed", whole(104_857_601) + "0003")
    play.raw("only key and version", whole(4) + short(3) + short(1))
    play.raw("client id too long", request(3, 1, client=short(500)))
    play.raw("client id null", request(3, 1, whole(0), client=short(-1)), "Metadata", 1)
    play.raw("client id of length -2", request(3, 1, whole(0), client=short(-2)), "Metadata", 1)
    play.raw("client id that is no text", request(3, 1, whole(0), client=short(2) + "fffe"), "Metadata", 1)


@scenario(core=True)
def bodies_that_do_not_fit_are_not_answered(play):
    play.raw("Metadata 1 without a body", request(3, 1), "Metadata", 1)
    play.raw("Metadata 1 of -2 topics", request(3, 1, whole(-2)), "Metadata", 1)
    play.raw("Metadata 1 of two thousand million topics", request(3, 1, whole(2_000_000_000)), "Metadata", 1)
    play.raw("Metadata 1 with a name that is too long", request(3, 1, whole(1) + short(100) + "61"), "Metadata", 1)
    play.raw("Metadata 1 with a null name", request(3, 1, whole(1) + short(-1)), "Metadata", 1)
    play.raw("FindCoordinator 0 with more behind", request(10, 0, "00" * 10), "FindCoordinator")
    topic = play.topic()
    good = {"topics": [{"name": topic}], "allowAutoTopicCreation": False}
    for cut in (1, 2, 3):
        play.call(f"cut by {cut}", "Metadata", 12, good, connection=f"cut {cut}", cut=cut)
    play.call("more behind", "Metadata", 12, good, connection="more", append="00")
    play.call("more behind an old one", "Metadata", 8, good, connection="more", append="010203")
    play.call("the connection goes on", "Metadata", 12, good, connection="more")
    play.call("tags behind", "Metadata", 12, good, connection="tags", cut=1, append="01630161")
    play.call("a body of another version", "Metadata", 12, good, connection="other", bodyVersion=9)
    play.call("a list with no end", "Fetch", 12, {"topics": []}, connection="list", cut=3, append="ffffffff0f0100")
