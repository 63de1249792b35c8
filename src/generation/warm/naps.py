# Servers that look ten times a second whether they are to end, or have ended, do so at once. An app that
# is started anew in its place waits for the end of the one before.
#
# What is here lives on in the app, where the names of this module are gone: it has that to itself.

import time

SHORT_NAP_S = 0.002
# Afterwards something keeps it that takes its time.
HURRY_S = 2


class UvicornNaps:
    """asyncio, as uvicorn's server sees it: it naps until it is told to end, and then less than it asks for."""

    def __init__(self, server):
        self.whole = server.asyncio
        self.now, self.hurry, self.short = time.monotonic, HURRY_S, SHORT_NAP_S
        self.hurries_until = 0
        self.nap = None
        plain = server.Server.handle_exit

        def handle_exit(*told):
            plain(*told)
            self.told()

        server.Server.handle_exit = handle_exit
        server.asyncio = self

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def told(self):
        self.hurries_until = self.now() + self.hurry
        if self.nap is not None:
            loop, nap = self.nap
            loop.call_soon_threadsafe(self.over, nap)

    @staticmethod
    def over(nap):
        if not nap.done():
            nap.set_result(None)

    async def sleep(self, delay, *result):
        if self.now() < self.hurries_until:
            return await self.whole.sleep(min(delay, self.short), *result)
        loop = self.whole.get_running_loop()
        nap = loop.create_future()
        alarm = loop.call_later(delay, self.over, nap)
        self.nap = loop, nap
        try:
            await nap
        finally:
            self.nap = None
            alarm.cancel()
        return result[0] if result else None


class GunicornNaps:
    """time, as gunicorn's first process sees it, which sleeps only between two looks at its workers."""

    def __init__(self, whole):
        self.whole, self.short = whole, SHORT_NAP_S

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def sleep(self, seconds):
        self.whole.sleep(min(seconds, self.short))


def shorten_naps(modules):
    server, arbiter = modules.get("uvicorn.server"), modules.get("gunicorn.arbiter")
    if hasattr(server, "asyncio") and hasattr(getattr(server, "Server", None), "handle_exit"):
        UvicornNaps(server)
    if getattr(arbiter, "time", None) is time:
        arbiter.time = GunicornNaps(time)


