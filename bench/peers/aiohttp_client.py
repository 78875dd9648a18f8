"""aiohttp alone asks all prompts and keeps nothing: what no client on it can do with less."""

import asyncio
import json
from collections.abc import Iterator

import aiohttp
from asked import asked
from spent import Spent


async def ask(session: aiohttp.ClientSession, url: str, prompts: Iterator[str]) -> int:
    """Ask what is left of some prompts one after the other; return how many were answered."""
    answered = 0
    for prompt in prompts:
        body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "temperature": 0.7, "max_tokens": 800}
        async with session.post(url, data=json.dumps(body)) as response:
            answered += bool(json.loads(await response.read())["choices"][0]["message"]["content"])
    return answered


async def ask_all(server: str, prompts: Iterator[str], at_once: int) -> int:
    """Ask all prompts, so many at once; return how many were answered."""
    headers, connector = {"Content-Type": "application/json"}, aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        asking = (ask(session, f"{server}/v1/chat/completions", prompts) for _ in range(at_once))
        return sum(await asyncio.gather(*asking))


if __name__ == "__main__":
    given = asked(__doc__)
    spent = Spent()
    answered = asyncio.run(ask_all(given.server, iter(given.prompts), given.at_once))
    spent.write(given.out / "spent.json", rows=answered)
