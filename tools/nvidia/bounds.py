"""Says for each kernel of a training step what bounds it on an H100, without a GPU and without a disassembler.

    python3 tools/nvidia/bounds.py kernels [--arch sm_90] [--assembler FOLDER]

`kernels` is the output of tools/nvidia/kernels.ts; of the requirements of tools/nvidia/count.py nvdisasm is not needed. A kernel's
time is at least that of its bytes, of its products, and of its instructions: those in its code, each counted once, so a loop
counts too little (count.py counts the loops of products). Its occupancy is the share of the 64 warps of a multiprocessor that
registers, workgroup memory and threads leave room for, and what of these is used up first.
"""

import argparse
import json
import math
import os
import struct

from count import MOST_WARPS, MOST_WORKGROUPS, MULTIPROCESSORS, PEAK_FLOPS, REGISTERS, SHARED_BYTES, SHARED_RESERVED
from count import Resources

BYTES_PER_SECOND = 3.35e12
# Four a cycle and multiprocessor, each for 32 invocations.
INSTRUCTIONS_PER_SECOND = MULTIPROCESSORS * 4 * 32 * 1.755e9
BYTES_PER_INSTRUCTION = 16


def threads_of(path):
    """Invocations of a workgroup, from a SPIR-V module's execution mode LocalSize."""
    with open(path, 'rb') as file:
        words = [word for (word,) in struct.iter_unpack('<I', file.read())]
    at = 5
    while at < len(words):
        length, opcode = words[at] >> 16, words[at] & 0xFFFF
        if opcode == 16 and words[at + 2] == 17:
            return math.prod(words[at + 3 : at + 6])
        at += length
    raise SystemExit(f'{path} has no LocalSize')


class Sized(Resources):
    """A kernel's resources and the number of its instructions."""

    def read(self, path, assembler):
        with open(f'{path}.cubin', 'rb') as file:
            cubin = file.read()
        (sections,) = struct.unpack_from('<Q', cubin, 40)
        size, count, names = struct.unpack_from('<HHH', cubin, 58)
        headers = [struct.unpack_from('<IIQQQQ', cubin, sections + i * size) for i in range(count)]
        name_at = headers[names][4]
        # The last instruction is a jump to itself, repeated to fill a cache line.
        self.instructions = sum(
            length // BYTES_PER_INSTRUCTION
            for name, _, _, _, _, length in headers
            if cubin[name_at + name :].startswith(b'.text.')
        )

    def limit(self, threads):
        """What leaves no room for another workgroup; 'full' where the most warps are resident."""
        if self.workgroups(threads) * threads == MOST_WARPS * 32:
            return 'full'
        rooms = {
            'registers': REGISTERS // (math.ceil(self.registers / 8) * 8 * threads),
            'memory': SHARED_BYTES // (self.shared + SHARED_RESERVED),
            'warps': MOST_WARPS * 32 // threads,
            'workgroups': MOST_WORKGROUPS,
        }
        return min(rooms, key=rooms.get)


def row_of(folder, kernel, arch, assembler):
    """A kernel's least time in ms, and its line of the table."""
    threads = threads_of(f"{folder}/{kernel['name']}.spv")
    made = Sized(folder, kernel['name'], threads, arch, assembler)
    runs = kernel['runs']
    with open(f"{folder}/{kernel['name']}.wgsl") as file:
        products = 'fn with_products' in file.read()
    workgroups = sum(math.prod(run['workgroups']) for run in runs)
    times = {
        'bytes': sum(run['bytes'] for run in runs) / BYTES_PER_SECOND,
        'products': sum(run['flops'] for run in runs) / PEAK_FLOPS if products else 0,
        'instructions': made.instructions * threads * workgroups / INSTRUCTIONS_PER_SECOND,
    }
    bound = max(times, key=times.get)
    held = made.workgroups(threads)
    # Fewer workgroups than the device has room for: memory's latency is not hidden.
    filled = sum(min(1, math.prod(run['workgroups']) / (held * MULTIPROCESSORS)) for run in runs) / len(runs)
    milliseconds = {name: 1e3 * time for name, time in times.items()}
    line = (
        f"{kernel['name']} {kernel['label'][:44]:45}{len(runs):4}{threads:5}{made.registers:5}{made.spilled:6}{made.shared:7}"
        f"{held * threads // 32:4} {made.limit(threads):11}{100 * filled:5.0f} %{made.instructions:7}"
        f"{milliseconds['bytes']:8.3f}{milliseconds['products']:9.3f}{milliseconds['instructions']:8.3f}  {bound}"
    )
    return max(milliseconds.values()), line


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('kernels')
    parser.add_argument('--arch', default='sm_90')
    parser.add_argument('--assembler', default='', help='folder of ptxas')
    options = parser.parse_args()
    assembler = os.path.join(options.assembler, '') if options.assembler else ''
    with open(f'{options.kernels}/index.json') as file:
        index = json.load(file)
    rows = [row_of(options.kernels, kernel, options.arch, assembler) for kernel in index]
    print(
        f"{'kernel':49}{'runs':>4}{'thr':>5}{'regs':>5}{'spill':>6}{'shared':>7}{'wps':>4} {'limit':11}{'filled':>7}{'code':>7}"
        f"{'bytes':>8}{'products':>9}{'issue':>8} ms"
    )
    for _, line in sorted(rows, reverse=True):
        print(line)


if __name__ == '__main__':
    main()
