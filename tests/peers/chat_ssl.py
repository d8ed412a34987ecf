"""Chats over TLS with Python's own `ssl`: HOST PORT NAME lines|json CERTIFICATE."""
import asyncio
import ssl
import sys

import conversation

PROMPT = "로그인ID:".encode()


async def chat(host, port, name, form, certificate):
    context = ssl.create_default_context(cafile=certificate)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    waiting = b""

    async def receive():
        nonlocal waiting
        while True:
            if waiting.startswith(PROMPT):
                waiting = waiting[len(PROMPT):]
                return PROMPT.decode()
            line, end, rest = waiting.partition(b"\n")
            if end:
                waiting = rest
                return line.decode()
            more = await reader.read(65536)
            if not more:
                return None
            waiting += more

    async def send(line):
        writer.write(line.encode() + b"\n")
        await writer.drain()

    if form == "json":
        while await receive() != PROMPT.decode():
            pass
        await send("/json")
        # The line end after the prompt.
        assert await receive() == ""
        await conversation.in_json(name, send, receive)
    else:
        await conversation.in_lines(name, send, receive)
    print(writer.get_extra_info("ssl_object").version())
    writer.close()

asyncio.run(chat(*sys.argv[1:]))
