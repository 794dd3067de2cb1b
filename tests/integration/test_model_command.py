"""`greenlight model` as a process."""

import asyncio
import socket
import sys

import openai


async def test_command_serves_the_demo_brain_until_it_is_stopped() -> None:
    process = await asyncio.create_subprocess_exec(
        *_command("--port", "0", "--tokens-per-second", "0"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        base_url = first.split(" at ")[1].split(". ")[0]
        async with openai.AsyncOpenAI(base_url=base_url, api_key="any") as client:
            answer = await client.chat.completions.create(model="any", messages=[{"role": "user", "content": "hello"}])
        assert "scripted model" in str(answer.choices[0].message.content)
    finally:
        process.terminate()
        code = await process.wait()
    assert code == 0


async def test_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await asyncio.create_subprocess_exec(
            *_command("--port", str(taken.getsockname()[1])), stderr=asyncio.subprocess.PIPE
        )
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"Cannot listen on port" in errors


def _command(*options: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "from infra.cli.main import main; main()", "model", *options)
