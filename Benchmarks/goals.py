"""The line of a goal: what was measured, the release bar (must) and what we are after (aim)."""


def judged(goal: str, what: str, value: float, must: float, aim: float, at_least: bool = False) -> dict:
    """The verdict on one figure, which is to stay at or below its bars, or at or above them."""

    def met(bar: float) -> bool:
        return value >= bar if at_least else value <= bar

    return {"goal": goal, "what": what, "value": value, "must": must, "aim": aim, "at_least": at_least,
            "must_met": met(must), "aim_met": met(aim)}


def print_goals(verdicts: list[dict]) -> None:
    print("goals")
    for verdict in verdicts:
        sign = ">=" if verdict["at_least"] else "<="
        must = f"{sign} {verdict['must']:g} {'met' if verdict['must_met'] else 'MISSED'}"
        aim = f"{sign} {verdict['aim']:g} {'met' if verdict['aim_met'] else 'missed'}"
        print(f"  {verdict['goal']:4}{verdict['what']:<50}{verdict['value']:>8.3f}   must {must:<16} aim {aim}")
