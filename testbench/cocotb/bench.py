"""The surroundings of a card: cocotbext-axi's master at its registers, its slaves at the card's masters, one memory."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.types import LogicArray
from cocotbext.axi import (
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiReadBus,
    AxiResp,
    AxiSlaveRead,
    AxiSlaveWrite,
    AxiWriteBus,
)

OKAY, SLVERR, DECERR = AxiResp.OKAY, AxiResp.SLVERR, AxiResp.DECERR


class BusError(Exception):
    """An access that is answered with an error."""


class Memory:
    """Bytes at bus addresses. `faults`: (first, end, response) for reads and for writes. Outside is DECERR."""

    def __init__(self, base, size):
        self.base = base
        self.bytes = bytearray(size)
        self.faults = {"read": [], "write": []}

    def at(self, address, length):
        start = address - self.base
        if start < 0 or start + length > len(self.bytes):
            return None
        return slice(start, start + length)

    def get(self, address, length):
        return bytes(self.bytes[self.at(address, length)])

    def put(self, address, data):
        self.bytes[self.at(address, len(data))] = data

    def answer(self, kind, address, length):
        for first, end, response in self.faults[kind]:
            if address < end and first < address + length:
                return response
        return OKAY if self.at(address, length) else DECERR


class Faults:
    """Gives the response of an error its kind: cocotbext-axi itself knows only SLVERR."""

    def arm(self, memory, channel):
        self.memory, self.error, self.errors, self.bursts = memory, None, 0, 0
        send = channel.send

        async def with_response(beat):
            field = "bresp" if hasattr(beat, "bresp") else "rresp"
            if getattr(beat, field) != OKAY:
                setattr(beat, field, self.error)
                self.errors += 1
            self.bursts += 1 if field == "bresp" else beat.rlast
            await send(beat)

        channel.send = with_response

    def check(self, kind, address, length):
        response = self.memory.answer(kind, address, length)
        if response != OKAY:
            self.error = response
            raise BusError


class ReadPort(Faults, AxiSlaveRead):
    async def _read(self, address, length):
        self.check("read", address, length)
        return self.memory.get(address, length)


class WritePort(Faults, AxiSlaveWrite):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        receive = self.w_channel.recv

        async def without_unused_lanes():
            # Lanes without a strobe may be anything, also unknown; those with one may not.
            beat = await receive()
            if not beat.wdata.is_resolvable:
                text = str(beat.wdata)
                lanes = (text[8 * i : 8 * i + 8] if s == "1" else "0" * 8 for i, s in enumerate(str(beat.wstrb)))
                beat.wdata = LogicArray("".join(lanes))
            return beat

        self.w_channel.recv = without_unused_lanes

    async def _write(self, address, data):
        self.check("write", address, len(data))
        self.memory.put(address, data)


def pauses(seed, chance):
    """Random back-pressure: a channel waits in a cycle with probability `chance`, in stretches now and then."""
    rng = random.Random(seed)
    while True:
        for _ in range(rng.choice([1, 1, 1, 9]) if rng.random() < chance else 0):
            yield True
        yield False


class Bench:
    def __init__(self, dut, job, chance=0.3, seed=1):
        self.dut, self.job = dut, job
        self.memory = Memory(*job["memory"])
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        self.ports = []
        for prefix in job["masters"]:
            if hasattr(dut, f"{prefix}_arvalid"):
                port = ReadPort(AxiReadBus.from_prefix(dut, prefix), dut.clk, dut.rst)
                port.arm(self.memory, port.r_channel)
                self.ports.append(port)
            if hasattr(dut, f"{prefix}_awvalid"):
                port = WritePort(AxiWriteBus.from_prefix(dut, prefix), dut.clk, dut.rst)
                port.arm(self.memory, port.b_channel)
                self.ports.append(port)
        channels = ["ar_channel", "r_channel", "aw_channel", "w_channel", "b_channel"]
        sides = [self.host.read_if, self.host.write_if, *self.ports]
        for i, (side, name) in enumerate((s, n) for s in sides for n in channels if hasattr(s, n)):
            getattr(side, name).set_pause_generator(pauses(100 * seed + i, chance))

    async def start(self):
        cocotb.start_soon(Clock(self.dut.clk, 10, unit="ns").start())
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 5)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 5)

    async def read(self, at):
        answer = await self.host.read(at, 4)
        assert answer.resp == OKAY, f"{at:#x} answered {answer.resp}"
        return int.from_bytes(answer.data, "little")

    async def write(self, at, value):
        await self.write_bytes(at, value.to_bytes(4, "little"))

    async def write_bytes(self, at, data):
        """Writes only these bytes: the strobes are those of a part of a word."""
        answer = await self.host.write(at, data)
        assert answer.resp == OKAY, f"{at:#x} answered {answer.resp}"

    async def wait_irq(self, cycles=20000):
        for _ in range(cycles):
            if self.dut.irq.value == 1:
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError(f"no interrupt within {cycles} cycles")

    async def until(self, at, wished, polls=3000):
        for _ in range(polls):
            word = await self.read(at)
            if wished(word):
                return word
        raise AssertionError(f"{at:#x} stays {word:#x}")

    def bursts(self):
        return sum(port.bursts for port in self.ports)
