"""A loopback HTTP server that stands for the batch API of a provider in tests."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from regraft.lm.client.endpoint import Endpoint

Answer = Callable[[dict[str, Any], int], tuple[int, Any] | None]


def completed(prompt: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"answer to {prompt}"}
    usage = {"prompt_tokens": 10, "completion_tokens": 20}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


class FakeProvider:
    """Serves each batch when it is looked at for the second time; `seen` counts how often each prompt came."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.seen = answer, dict[str, int]()
        self.files, self.batches = dict[str, bytes](), list[dict[str, Any]]()
        self.troubles = self.bad_starts = self.hidden = self.failing = 0
        """Lists that are answered by 503 first, batches whose start is answered by 502, lists that do not show what
        there is, batches that fail as a whole."""
        self.success = 200
        """Status of what was made."""
        self.says: tuple[int, str] | None = None
        """Answer to every upload."""
        self.cuts: list[str] = []
        """Ends of paths whose next answer breaks off in the middle."""
        self.deleted: list[str] = []

    @web.middleware
    async def cut(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        whole = await handler(request)
        if (end := next((end for end in self.cuts if request.path.endswith(end)), None)) is None:
            return whole
        self.cuts.remove(end)
        part = web.StreamResponse(headers={"Content-Length": str(len(whole.body))})
        await part.prepare(request)
        await part.write(whole.body[: len(whole.body) // 2])
        assert request.transport is not None
        request.transport.abort()
        return part

    async def upload(self, request: web.Request) -> web.Response:
        if self.says:
            return web.Response(status=self.says[0], text=self.says[1])
        form = await request.post()
        assert form["purpose"] == "batch"
        self.files[name := f"file-{len(self.files)}"] = form["file"].file.read()  # type: ignore[union-attr]
        return web.json_response({"id": name}, status=self.success)

    async def create(self, request: web.Request) -> web.Response:
        batch = {"id": f"batch-{len(self.batches)}", "status": "validating", **await request.json()}
        self.batches.insert(0, batch)
        if self.failing:
            self.failing -= 1
            batch.update(status="failed", errors={"data": [{"code": "token_limit_exceeded"}]})
        if self.bad_starts:
            self.bad_starts -= 1
            return web.Response(status=502)
        return web.json_response(batch, status=self.success)

    async def all(self, request: web.Request) -> web.Response:
        if self.troubles:
            self.troubles -= 1
            return web.Response(status=503)
        if self.hidden:
            self.hidden -= 1
            return web.json_response({"data": [], "has_more": False})
        after = request.query.get("after")
        start = next((n + 1 for n, batch in enumerate(self.batches) if batch["id"] == after), 0)
        page = self.batches[start : start + 2]
        return web.json_response({"data": page, "has_more": start + 2 < len(self.batches)})

    async def look(self, request: web.Request) -> web.Response:
        batch = next(batch for batch in self.batches if batch["id"] == request.match_info["id"])
        if batch["status"] == "validating":
            self.serve(batch)
        return web.json_response(batch)

    def serve(self, batch: dict[str, Any]) -> None:
        lines: list[dict[str, Any]] = []
        for line in self.files[batch["input_file_id"]].splitlines():
            asked = json.loads(line)
            prompt = asked["body"]["messages"][0]["content"]
            self.seen[prompt] = self.seen.get(prompt, 0) + 1
            if found := self.answer(asked["body"], self.seen[prompt]):
                response = {"status_code": found[0], "body": found[1]}
                lines.append({"custom_id": asked["custom_id"], "response": response, "error": None})
        self.files[name := f"file-{len(self.files)}"] = "\n".join(map(json.dumps, reversed(lines))).encode()
        batch.update(status="completed", output_file_id=name)

    async def delete(self, request: web.Request) -> web.Response:
        self.deleted.append(request.match_info["id"])
        return web.json_response({"deleted": True})

    async def content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]])


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[Endpoint, FakeProvider]]:
    fake, loop = FakeProvider(answer), asyncio.new_event_loop()
    app = web.Application(middlewares=[fake.cut])
    app.router.add_post("/v1/files", fake.upload)
    app.router.add_get("/v1/files/{id}/content", fake.content)
    app.router.add_delete("/v1/files/{id}", fake.delete)
    app.router.add_post("/v1/batches", fake.create)
    app.router.add_get("/v1/batches", fake.all)
    app.router.add_get("/v1/batches/{id}", fake.look)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Endpoint(base_urls=(f"http://127.0.0.1:{runner.addresses[0][1]}/v1",)), fake
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
