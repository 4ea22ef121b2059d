"""The deadline of every third connection cannot be set."""

import itertools

from rtcsig.websocket.ending import EndingProtocol

_set_alarm = EndingProtocol._set_alarm
_fails = itertools.cycle((False, False, True))


def set_alarm(self, *arguments, **options):
    """Fail in the last step of the set-up."""
    if self._stage == "timer" and next(_fails):
        raise KeyError("a bug")
    _set_alarm(self, *arguments, **options)


EndingProtocol._set_alarm = set_alarm
