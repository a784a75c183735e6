"""Several Jenkins servers where there is one: each port passes its connections on to the sandbox's, until the last port falls
silent: it goes on taking connections, open and new, and passes nothing on any more, in either direction.

Usage: proxies.py TARGET_PORT COUNT READY_FILE. Writes the ports into the file, a JSON list, once all listen; SIGUSR1 silences
the last. Ends on SIGTERM.
"""

import asyncio
import json
import os
import pathlib
import signal
import sys

CHUNK = 2**16


class Proxies:
    """So many ports before one."""

    def __init__(self, target):
        self.target, self.silent, self.servers = target, asyncio.Event(), []

    async def listen(self, count):
        """Gives the ports."""
        ports = []
        for number in range(count):
            last = number == count - 1
            server = await asyncio.start_server(lambda reader, writer, last=last: self.serve(reader, writer, last), "127.0.0.1", 0)
            self.servers.append(server)
            ports.append(server.sockets[0].getsockname()[1])
        return ports

    async def serve(self, reader, writer, last):
        """One connection, from its beginning to its end."""
        if last and self.silent.is_set():
            await asyncio.Event().wait()
        try:
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.carry(reader, onward, last), self.carry(onward_reader, writer, last))

    async def carry(self, reader, writer, last):
        """Passes on what comes in, until there is no more."""
        try:
            while data := await reader.read(CHUNK):
                if last and self.silent.is_set():
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        if last and self.silent.is_set():
            await asyncio.Event().wait()
        writer.close()


async def main(target, count, ready):
    """Serves until it is told to end."""
    proxies, ended = Proxies(target), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, proxies.silent.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    part = pathlib.Path(f"{ready}.part")
    part.write_text(json.dumps(await proxies.listen(count)))
    os.replace(part, ready)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
