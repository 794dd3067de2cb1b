"""`greenlight model` as a process."""

import asyncio
import sys

import openai


async def test_command_serves_the_demo_scripts_until_it_is_stopped() -> None:
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


def _command(*options: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "from infra.cli.main import main; main()", "model", *options)
