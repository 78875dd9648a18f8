"""Controllers: the next topic shares from held-out losses. A controller is any frozen dataclass with `next_shares`."""

from regraft.mixture.controllers.bounds import Bounds
from regraft.mixture.controllers.decision import Controller, Decision, TopicLoss, TopicTerm, settle
from regraft.mixture.controllers.excess_loss import ExcessLoss
from regraft.mixture.controllers.fixed import Fixed
from regraft.mixture.controllers.online_mixing import OnlineMixing
from regraft.mixture.controllers.topic_perplexity import TopicPerplexity, normalise
from regraft.mixture.controllers.velocity import Velocity

__all__ = [
    "Bounds",
    "Controller",
    "Decision",
    "ExcessLoss",
    "Fixed",
    "OnlineMixing",
    "TopicLoss",
    "TopicPerplexity",
    "TopicTerm",
    "Velocity",
    "normalise",
    "settle",
]
