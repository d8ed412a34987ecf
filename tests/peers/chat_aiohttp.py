"""Chats through the library `aiohttp`: URL NAME lines|json."""
import asyncio
import sys

import aiohttp

import conversation

JSON = "madang.json.v1"


async def chat(url, name, form):
    protocols = [JSON] if form == "json" else []
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, protocols=protocols) as websocket:
            assert websocket.protocol == (protocols or [None])[0]

            async def receive():
                message = await websocket.receive()
                if message.type == aiohttp.WSMsgType.TEXT:
                    return message.data
                assert message.type == aiohttp.WSMsgType.CLOSE, message
                assert websocket.close_code == 1000, websocket.close_code
                return None

            talk = conversation.in_json if form == "json" else conversation.in_lines
            await talk(name, websocket.send_str, receive)

asyncio.run(chat(*sys.argv[1:]))
