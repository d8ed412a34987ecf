"""Chats through the library `websockets`: URL NAME lines|json [SECONDS CERTIFICATE].
With SECONDS, it is silent for so long before it begins."""
import asyncio
import ssl
import sys

import websockets

import conversation

JSON = "madang.json.v1"


async def chat(url, name, form, seconds="0", certificate=None):
    options = {"subprotocols": [JSON]} if form == "json" else {}
    if certificate:
        options["ssl"] = ssl.create_default_context(cafile=certificate)
        scheme, _, rest = url.partition("://")
        options["origin"] = scheme.replace("ws", "http") + "://" + rest.split("/")[0]
    async with websockets.connect(url, **options) as websocket:
        assert websocket.subprotocol == options.get("subprotocols", [None])[0]

        async def receive():
            try:
                return await websocket.recv()
            except websockets.ConnectionClosedOK as closed:
                assert closed.rcvd.code == 1000, closed
                return None

        if float(seconds):
            await asyncio.sleep(float(seconds))
        talk = conversation.in_json if form == "json" else conversation.in_lines
        await talk(name, websocket.send, receive)

asyncio.run(chat(*sys.argv[1:]))
