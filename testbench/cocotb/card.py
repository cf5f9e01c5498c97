"""One card against cocotbext-axi: registers, products, error responses, all with random back-pressure.

Run by run.py on a folder that testbench/tests/cocotb writes. Products are compared with NumPy and SciPy.
"""

import json
import os
import random

import cocotb
import numpy as np
import scipy.sparse as sp
from bench import DECERR, SLVERR, Bench

JOB = json.load(open(os.environ["MATTOCK_JOB"]))
AT, CODES = JOB["at"], JOB["codes"]
ENGINES = [name for name in ("gemm", "spgemm") if JOB[name]]


def count(text):
    print(f"COUNTS {text}", flush=True)


# ---------------------------------------------------------------- registers


@cocotb.test()
async def registers(dut):
    bench = Bench(dut, JOB)
    await bench.start()
    rng = random.Random(3)
    accesses = 0
    for at, value in JOB["constants"].items():
        assert await bench.read(int(at)) == value, at
        accesses += 1
    # Registers keep what is written, by bytes; whatever else is in the word does not move.
    kept = {}
    writable = [r for r in JOB["registers"] if r["access"] == "rw" and r["at"] not in AT["acts"]]
    for reg in writable:
        at, mask = reg["at"], reg["mask"]
        value = await bench.read(at)
        for _ in range(2):
            first = rng.randrange(4)
            data = rng.randbytes(rng.randint(1, 4 - first))
            await bench.write_bytes(at + first, data)
            word = bytearray(value.to_bytes(4, "little"))
            word[first : first + len(data)] = data
            value = int.from_bytes(word, "little") & mask
            assert await bench.read(at) == value, (reg["name"], hex(at))
            accesses += 3
        kept[at] = value
    # Read-only registers and holes take no write and harm nobody.
    silent = [r["at"] for r in JOB["registers"] if r["access"] == "ro"]
    holes = rng.sample(JOB["holes"], 24)
    for at in rng.sample(silent, min(12, len(silent))) + holes:
        await bench.write(at, rng.getrandbits(32))
        accesses += 1
    for at in holes:
        assert await bench.read(at) == 0, hex(at)
        accesses += 1
    # Reads and writes at once, many in flight.
    reads = [(at, bench.host.init_read(at, 4)) for at in rng.sample(list(kept), min(16, len(kept)))]
    writes = []
    for _ in range(16):
        value = rng.getrandbits(32)
        writes.append((value, bench.host.init_write(AT["scratch"], value.to_bytes(4, "little"))))
    for at, event in reads:
        await event.wait()
        value = int.from_bytes(event.data.data, "little")
        assert at == AT["scratch"] or value == kept[at], hex(at)
    for _, event in writes:
        await event.wait()
    assert await bench.read(AT["scratch"]) == writes[-1][0]
    for at, value in JOB["constants"].items():
        assert await bench.read(int(at)) == value, at
    assert bench.bursts() == 0, "an idle card moved data"
    count(f"{accesses + len(reads) + len(writes)} register accesses")


# ----------------------------------------------------------------- products


def words(values):
    return np.asarray(values, dtype="<u4").tobytes()


class Product:
    """Operands of an engine's command in memory, and what must come out."""

    def __init__(self, bench, engine, seed):
        self.bench, self.engine, self.job = bench, engine, JOB[engine]
        getattr(self, f"place_{engine}")(np.random.default_rng(seed))

    def place_gemm(self, rng):
        job = self.job
        m, n, k = job["m"], job["n"], job["k"]
        a, b = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((m, k), (k, n)))
        for (at, stride), matrix in ((job["a"], a), (job["b"], b)):
            for i, row in enumerate(matrix):
                self.bench.memory.put(at + stride * i, row.tobytes())
        at, stride = job["d"]
        for i in range(m):
            self.bench.memory.put(at + stride * i, b"\xa5" * (4 * n))
        self.expected = a.astype(np.int32) @ b.astype(np.int32)
        self.reads, self.write = [job["a"][0], job["b"][0]], at

    def place_spgemm(self, rng):
        job = self.job
        rows, inner, cols = job["shape"]
        matrices = []
        for name, shape in (("a", (rows, inner)), ("b", (inner, cols))):
            ptr, col, _ = job[name]
            val = rng.integers(1, 1000, len(col))
            for at, values in zip(job[f"{name}_at"], (ptr, col, val)):
                self.bench.memory.put(at, words(values))
            matrices.append(sp.csr_matrix((val, col, ptr), shape=shape))
        for at in job["c_at"]:
            self.bench.memory.put(at, b"\xa5" * 64)
        self.expected = (matrices[0] @ matrices[1]).tocsr()
        self.expected.sort_indices()
        self.reads, self.write = job["a_at"] + job["b_at"], job["c_at"][2]

    def check(self):
        getattr(self, f"check_{self.engine}")()

    def check_gemm(self):
        at, stride = self.job["d"]
        for i, row in enumerate(self.expected):
            got = np.frombuffer(self.bench.memory.get(at + stride * i, 4 * len(row)), "<i4")
            assert (got == row).all(), (i, got, row)

    def check_spgemm(self):
        want = (self.expected.indptr, self.expected.indices, self.expected.data)
        for at, values in zip(self.job["c_at"], want):
            got = np.frombuffer(self.bench.memory.get(at, 4 * len(values)), "<u4")
            assert (got == values).all(), (hex(at), got, values)

    async def run(self):
        """Starts the command as our command logic does and waits: its error code."""
        bench = self.bench
        await bench.write(AT["irq_status"], 3)
        await bench.write(AT["irq_enable"], 3)
        for at, value in self.job["writes"]:
            await bench.write(at, value)
        # The registers answer while the engine works.
        await bench.read(AT["scratch"])
        await bench.wait_irq()
        status = await bench.read(AT[self.engine]["status"])
        assert status & 3 == 2, f"STATUS {status:#x}"
        await bench.write(AT["irq_status"], 3)
        return status >> 8 & 0xFF


@cocotb.test()
async def products(dut):
    bench = Bench(dut, JOB, seed=2)
    await bench.start()
    done = 0
    for seed in range(2):
        for engine in ENGINES:
            product = Product(bench, engine, seed)
            assert await product.run() == 0
            product.check()
            done += 1
    if JOB["rings"]:
        done += await rings(bench)
    bursts = bench.bursts()
    assert bursts >= 4 * done
    count(f"{done} products right, {bursts} bursts")


# -------------------------------------------------------------------- rings


async def rings(bench):
    """The card's own processor runs the same commands out of rings in memory."""
    job, memory = JOB["rings"], bench.memory
    size = job["record_bytes"]
    await bench.write(AT["skip"], 1)
    await bench.until(AT["tested"], lambda word: word & 1)
    writes = [bench.host.init_write(at, value.to_bytes(4, "little")) for at, value in job["load"]]
    for write in writes:
        await write.wait()
    await bench.write(AT["run"], 1)
    await bench.until(AT["alive"], lambda word: word & 1)
    products = [Product(bench, engine, 9) for engine in ENGINES]

    async def play():
        memory.put(job["done"], bytes(size * 4))
        for i, entry in enumerate(job["entries"]):
            memory.put(job["ring"] + 64 * i, bytes(entry))
        for entry, engine in zip(job["entries"][1:], ENGINES):
            opcode = entry[0]
            memory.put(job["blocks"] + 0x200 * opcode, bytes(JOB[engine]["block"]))
        for at, value in job["open"]:
            await bench.write(at, value)
        await bench.write(AT["doorbell"], len(job["entries"]))

    await play()
    codes = {}
    for i in range(len(job["entries"])):
        for _ in range(2000):
            record = memory.get(job["done"] + size * i, size)
            if record[-1] & 1:
                break
            await bench.read(AT["scratch"])
        assert record[-1] & 1, f"no record {i}"
        assert record[0] == record[25] and record[26] == 1, record.hex()
        codes[record[0]] = record[24]
    assert codes == {entry[0]: 0 for entry in job["entries"]}, codes
    assert bench.dut.irq.value == 1
    for product in products:
        product.check()
    # An entry that cannot be read closes the rings with a code and the interrupt; a reset opens them again.
    await bench.write(AT["enable"], 0)
    await bench.until(AT["queue_status"], lambda word: word & 1 == 0)
    memory.faults["read"] = [(job["ring"], job["ring"] + 64, SLVERR)]
    await play()
    await bench.wait_irq()
    await bench.until(AT["queue_status"], lambda word: word == CODES["READ_SLVERR"] << 8)
    memory.faults["read"] = []
    await bench.write(AT["soft_reset"], 1)
    await bench.until(AT["card_status"], lambda word: word == 0)
    await bench.until(AT["alive"], lambda word: word & 1)
    await bench.write(AT["enable"], 0)
    await play()
    await bench.wait_irq()
    assert memory.get(job["done"] + 24, 1) == b"\0"
    # The engines obey the host again.
    await bench.write(AT["enable"], 0)
    await bench.until(AT["queue_status"], lambda word: word & 1 == 0)
    await bench.write(AT["run"], 0)
    return len(ENGINES)


# -------------------------------------------------------------------- errors


@cocotb.test()
async def errors(dut):
    bench = Bench(dut, JOB, chance=0.1, seed=3)
    await bench.start()
    seen = 0
    for engine in ENGINES:
        product = Product(bench, engine, 5)
        for response, name in ((SLVERR, "SLVERR"), (DECERR, "DECERR")):
            for kind, places in (("read", product.reads), ("write", [product.write])):
                place = places[seen % len(places)]
                bench.memory.faults[kind] = [(place, place + 1, response)]
                code = await product.run()
                assert code == CODES[f"{kind.upper()}_{name}"], (engine, kind, name, code)
                info = await bench.read(AT[engine]["info"])
                # The burst that holds the place.
                assert info >> 12 == place >> 12 and info <= place, (hex(info), hex(place))
                bench.memory.faults[kind] = []
                seen += 1
            await bench.write(AT["soft_reset"], 1)
            await bench.until(AT["card_status"], lambda word: word == 0)
            product = Product(bench, engine, 6 + seen)
            assert await product.run() == 0, "after a reset"
            product.check()
    assert sum(port.errors for port in bench.ports) >= seen
    count(f"{seen} error responses reported as faults, every product after a reset right")
