"""Children of an event loop: pipes to and from them, their exit, signals."""

import asyncio
import os
import signal
import sys


async def cat(number):
    process = await asyncio.create_subprocess_exec(
        "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    message = b"%d " % number * 50_000
    out, _ = await process.communicate(message)
    assert out == message
    assert process.returncode == 0


async def child_with_a_loop_of_its_own():
    script = "import asyncio; asyncio.run(asyncio.sleep(0.05)); print('done'); exit(3)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out == b"done\n", out
    assert process.returncode == 3


async def killed():
    process = await asyncio.create_subprocess_exec("sleep", "60")
    process.kill()
    assert await process.wait() == -signal.SIGKILL


async def own_signal():
    loop = asyncio.get_running_loop()
    seen = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, seen.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(seen.wait(), 600)


async def main():
    await asyncio.gather(*(cat(n) for n in range(10)))
    await child_with_a_loop_of_its_own()
    await killed()
    await own_signal()


asyncio.run(asyncio.wait_for(main(), 600))
print("ok")
