"""A home's demand as its owner lets it be seen, and to the owner what could be saved."""

from dataclasses import asdict

from devices.hub.privacy import Audience
from node.errors import InputRefusedError
from node.views.home_view import NO_PRICES, home_view, read_home, retail_by_hour
from node.web.settings_answers import AdviceAnswer, HomeUseAnswer, SeenDemand, WatchedCircuit
from node.web.watched_node import WatchedNode, moment


def home_use_of(node: WatchedNode, audience: Audience) -> HomeUseAnswer:
    """What the audience may see; nothing before the first quarter of an hour, or of a file that is damaged."""
    answer = HomeUseAnswer(audience=audience.value, rows=[], circuits=[], advice=[])
    try:
        use = read_home(node.config.directory)
    except InputRefusedError:
        use = None
    if use is None:
        return answer
    for row in use.released(node.config.site.privacy.policy(node.name), audience):
        start = moment(row.start_ns)
        answer.rows.append(
            SeenDemand(name=row.name, start=start, resolution_s=row.resolution_s, energy_wh=row.energy_wh)
        )
    if audience is Audience.OWNER:
        state, rule = node.state, node.rule
        prices = NO_PRICES
        if state is not None and rule is not None:
            prices = retail_by_hour(state, rule.branch, use.now_ns)
        view = home_view(use, prices)
        answer.circuits += [WatchedCircuit(**asdict(each)) for each in view.circuits]
        answer.advice += [AdviceAnswer(**asdict(each) | {"topic": each.topic.value}) for each in view.advice]
    return answer
