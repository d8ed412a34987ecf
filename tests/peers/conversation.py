"""What every peer of this folder plays, whatever library carries it: come in as
NAME, say a word, hear the host's, quit. `receive` gives None at the end."""
import json


async def in_lines(name, send, receive):
    async def hear(expected):
        while (message := await receive()) != expected:
            assert message is not None, f"closed before {expected!r}"

    await hear("로그인ID:")
    await send(name)
    await hear(f"[{name}]님이 입장했습니다.")
    await send("안녕하세요")
    await hear(f"[{name}] 안녕하세요")
    await hear("[host] 어서 오세요")
    await send("/quit")
    while (message := await receive()) is not None:
        assert not message.startswith("["), message


async def in_json(name, send, receive):
    async def hear(kind, **fields):
        while True:
            message = await receive()
            assert message is not None, f"closed before {kind}"
            message = json.loads(message)
            if message["type"] == kind and fields.items() <= message.items():
                return message

    async def ask(**request):
        await send(json.dumps(request))

    assert (await hear("hello"))["protocol"] == 1
    await ask(type="login", name=name)
    assert (await hear("welcome"))["user"] == name
    await ask(type="say", text="안녕하세요", nonce="n1")
    ack = await hear("ack", nonce="n1")
    said = await hear("said", user=name, text="안녕하세요")
    assert said["id"] == ack["id"], (said, ack)
    await hear("said", user="host", text="어서 오세요")
    await ask(type="command", line="/quit")
    await hear("bye", reason="quit")
    assert await receive() is None
