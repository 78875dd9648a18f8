"""A loopback HTTP server that stands for an endpoint in tests."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from regraft.lm.client.endpoint import Endpoint

Handler = Callable[[dict[str, Any], int], Awaitable[web.StreamResponse]]


class Server:
    """A loopback endpoint; `seen` counts how often each prompt came."""

    def __init__(self, handler: Handler) -> None:
        self.handler, self.seen, self.headers = handler, dict[str, int](), list[str]()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        prompt = body["messages"][0]["content"]
        self.seen[prompt] = self.seen.get(prompt, 0) + 1
        self.headers.append(request.headers.get("Authorization", ""))
        return await self.handler(body, self.seen[prompt])


@contextmanager
def serving(handler: Handler) -> Generator[tuple[Endpoint, Server]]:
    server, loop = Server(handler), asyncio.new_event_loop()
    app = web.Application(client_max_size=10**7)
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Endpoint(base_urls=(f"http://127.0.0.1:{runner.addresses[0][1]}/v1",)), server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def completion(text: str, prompt_tokens: int = 10, completion_tokens: int = 20) -> web.Response:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return web.json_response({"choices": [choice], "usage": usage})


async def echo(body: dict[str, Any], time: int) -> web.StreamResponse:
    return completion(f"answer to {body['messages'][0]['content']}")
