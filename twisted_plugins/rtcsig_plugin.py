"""The line that puts ``rtcsig`` into ``twistd --help``.

It names the tap module and imports nothing of rtcsig, so that a broken
installation of rtcsig cannot break ``twistd`` for others.
"""

from twisted.application.service import ServiceMaker

rtcsig = ServiceMaker(
    "rtcsig",
    "rtcsig.tap",
    "A WebRTC signalling server that one bad connection cannot stop.",
    "rtcsig",
)
