"""Counts the instructions of a training step's matrix products as NVIDIA's assembler emits them, without a GPU.

    python3 tools/nvidia/count.py kernels [--arch sm_90] [--assembler FOLDER]

`kernels` is the output of tools/nvidia/kernels.ts. The SPIR-V goes through spirv-cross (to Metal's language), clang (to PTX)
and ptxas; the driver's own compiler is a similar but different one. Requires Debian's spirv-cross, clang-16 and, from non-free,
nvidia-cuda-toolkit. Its package may be unpacked anywhere: FOLDER holds its ptxas and nvdisasm.

Each quarter of a multiprocessor issues one instruction per cycle, and one instruction does 32 products. The share of useful
products among the instructions therefore bounds the share of the peak. Counted are: an invocation's loop (code after the last
backward jump runs where a segment ends and counts by how often it runs; code that half of the warps skip counts in full), the
code before and after the loop, and the multiprocessors that idle in the last round. Memory, its latency and bank conflicts are
not counted.
"""

import argparse
import collections
import json
import math
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# An H100 SXM: multiprocessors, f32 products per second, registers and bytes of workgroup memory per multiprocessor.
MULTIPROCESSORS = 132
PEAK_FLOPS = 67e12
REGISTERS = 65536
MOST_WARPS = 64
MOST_WORKGROUPS = 32
SHARED_BYTES = 227 * 1024
SHARED_RESERVED = 1024

BUILTINS = {
    'threadgroup_position_in_grid': 'workgroup()',
    'threadgroups_per_grid': 'workgroups()',
    'thread_index_in_threadgroup': 'invocation()',
    'thread_position_in_threadgroup': 'local()',
    'thread_index_in_simdgroup': 'lane()',
}
# What spirv-cross defines for itself and metal.h defines in one address space.
OWN = re.compile(
    r'^template<typename T, size_t Num>\nstruct spvUnsafeArray\n\{.*?^\};\n|^template<[^\n]*>\n(?:static )?inline [^\n]*\bspvSubgroup\w+\(.*?^\}\n',
    re.M | re.S,
)


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr[:2000]}")
    return done.stdout + done.stderr


def without_spaces(metal):
    """Removes Metal's address spaces, which clang infers by itself."""
    return re.sub(r'\b(threadgroup|device|constant|thread) ', lambda m: 'const ' if m[1] == 'constant' else '', metal)


def cuda_of(metal, threads):
    """A kernel in Metal's language as CUDA: uniforms in constant memory, storage buffers as pointers."""
    metal = re.sub(r'\.([xyzw]{2,4})\b', lambda m: f".swizzle<{', '.join(str('xyzw'.index(c)) for c in m[1])}>()", metal)
    metal = OWN.sub('', re.sub(r'#include <.*>|using namespace metal;', '', metal))
    kernel = re.search(r'kernel void \w+\((.*?)\)\n\{', metal, re.S)
    uniforms, pointers, locals_ = [], [], []
    for parameter in re.split(r',\s*(?![^\[]*\]\])', kernel[1]):
        declaration, attribute = re.match(r'(.*?)\s*\[\[(.*?)\]\]$', parameter.strip()).groups()
        if not attribute.startswith('buffer'):
            locals_.append(f'{declaration} = {BUILTINS[attribute]};')
            continue
        const, space, type_, name = re.match(r'(const )?(device|constant) (\w+)& (\w+)', declaration).groups()
        if space == 'constant':
            uniforms.append(f'__constant__ {type_} {name}_uniform;')
            locals_.append(f'const {type_}& {name} = {name}_uniform;')
        else:
            pointers.append(f"{const or ''}{type_}* __restrict__ {name}_pointer")
            locals_.append(f"{const or ''}{type_}& {name} = *{name}_pointer;")
    inline = 'static inline __attribute__((always_inline))'
    functions = without_spaces(metal[: kernel.start()]).replace(inline, f'__device__ {inline}')
    body = re.sub(r'^    threadgroup ', '    __shared__ ', metal[kernel.end() :], flags=re.M)
    head = f'extern "C" __global__ __attribute__((launch_bounds({threads}))) void kernel_({", ".join(pointers)})'
    return '\n'.join(
        ['#include "metal.h"', functions, *uniforms, head, '{', *locals_, without_spaces(body)]
    )


class Tile:
    """Sizes of shaders/gemm_tiled.wgsl's tile, from its constants."""

    def __init__(self, wgsl):
        def constant(name):
            return int(re.search(rf'const {name} = (\d+);', wgsl)[1])

        height, width = constant('HEIGHT'), constant('WIDTH')
        self.threads = height * width
        self.rows = 2 * height * (4 if 'const ROW_STEPS = vec4i' in wgsl else 3)
        self.columns = 8 * width
        self.inner = height // 2
        self.products = self.rows * self.columns * self.inner // self.threads
        self.flat = 'fn a_flat' in wgsl


class Resources:
    """What a kernel takes of a multiprocessor: registers, spilled bytes, bytes of workgroup memory."""

    def __init__(self, folder, name, threads, arch, assembler):
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, 'kernel')
            metal = output_of('spirv-cross', '--msl', '--msl-version', '20300', f'{folder}/{name}.spv')
            with open(f'{path}.cu', 'w') as file:
                file.write(cuda_of(metal, threads))
            cuda = ['-x', 'cuda', '--cuda-device-only', f'--cuda-gpu-arch={arch}', '-nocudainc', '-nocudalib']
            output_of('clang-16', *cuda, '-std=c++17', '-O3', '-w', f'-I{HERE}', '-S', '-o', f'{path}.ptx', f'{path}.cu')
            log = output_of(f'{assembler}ptxas', f'-arch={arch}', '-v', '-o', f'{path}.cubin', f'{path}.ptx')
            self.registers = int(re.search(r'Used (\d+) registers', log)[1])
            self.spilled = int(re.search(r'(\d+) bytes spill stores', log)[1])
            shared = re.search(r'(\d+) bytes smem', log)
            self.shared = int(shared[1]) if shared else 0
            self.read(path, assembler)

    def read(self, path, assembler):
        """Reads what else is wanted of the files."""

    def workgroups(self, threads):
        """Number of workgroups that are resident on a multiprocessor."""
        by_registers = REGISTERS // (math.ceil(self.registers / 8) * 8 * threads)
        return min(by_registers, SHARED_BYTES // (self.shared + SHARED_RESERVED), MOST_WARPS * 32 // threads, MOST_WORKGROUPS)


class Assembled(Resources):
    """The same and a kernel's instructions."""

    def read(self, path, assembler):
        self.parse(output_of(f'{assembler}nvdisasm', '-c', f'{path}.cubin'))

    def parse(self, text):
        self.instructions, labels = [], {}
        for line in text.split('\n'):
            if 'slowpath:' in line:
                break  # Divisions of denormals; never run.
            label = re.match(r'\s*(\.L_x_\d+):', line)
            if label:
                labels[label[1]] = len(self.instructions)
            found = re.match(r'\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*)', line)
            if found:
                self.instructions.append((found[1], found[2]))
        # Backward jumps: (target, position).
        self.jumps = []
        for place, (name, operands) in enumerate(self.instructions):
            label = re.search(r'\.L_x_\d+', operands)
            if name == 'BRA' and label and labels.get(label[0], place + 1) <= place:
                self.jumps.append((labels[label[0]], place))

    def count(self, first, last, prefix=''):
        return sum(name.startswith(prefix) for name, _ in self.instructions[first : last + 1])

    def loop(self, products, tiles_a_segment):
        """Instructions of one iteration of the main loop, which does `products` products, and those outside of the loop."""
        ends = collections.defaultdict(int)
        for target, place in self.jumps:
            ends[target] = max(ends[target], place)
        main = max(
            ((a, b) for a, b in ends.items() if self.count(a, b, 'FFMA') >= 8 and self.count(a, b, 'LDG')),
            key=lambda span: (self.count(*span, 'FFMA'), span[1] - span[0]),
        )
        total = self.count(*main)
        inside = [
            (a, b)
            for a, b in ends.items()
            if main[0] < a and b < main[1] and self.count(a, b, 'FFMA') >= 8 and not self.count(a, b, 'LDG')
        ]
        for a, b in inside:
            total += self.count(a, b) * (round(products / self.count(a, b, 'FFMA')) - 1)
        again = [place for target, place in self.jumps if target == main[0] and place < main[1]]
        if again:
            total -= (main[1] - max(again)) * (1 - 1 / tiles_a_segment)
        return total, len(self.instructions) - self.count(*main)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('kernels')
    parser.add_argument('--arch', default='sm_90')
    parser.add_argument('--assembler', default='', help='folder of ptxas and nvdisasm')
    options = parser.parse_args()
    assembler = os.path.join(options.assembler, '') if options.assembler else ''
    rows, totals = [], collections.Counter()
    with open(f'{options.kernels}/index.json') as file:
        index = json.load(file)
    for kernel in index:
        with open(f"{options.kernels}/{kernel['name']}.wgsl") as file:
            wgsl = file.read()
        if 'fn with_products' not in wgsl:
            continue
        tile = Tile(wgsl)
        made = Assembled(options.kernels, kernel['name'], tile.threads, options.arch, assembler)
        looped, outside = made.loop(tile.products, 1 if tile.flat else max(1, 32 // tile.inner))
        floor = issued = with_tail = 0
        for run in kernel['runs']:
            c_rows, inner, c_columns = (int(size) for size in run['shape'].split(' x ')[-3:])
            tiles = math.ceil(c_rows / tile.rows) * math.ceil(c_columns / tile.columns)
            groups = math.prod(run['workgroups'])
            turns = inner * tiles / groups / tile.inner
            wanted = c_rows * c_columns * inner / groups / tile.threads
            milliseconds = run['flops'] / PEAK_FLOPS * 1e3
            floor += milliseconds
            issued += milliseconds * (turns * looped + outside) / wanted
            rounds = groups / MULTIPROCESSORS
            with_tail += milliseconds * (turns * looped + outside) / wanted * math.ceil(rounds) / rounds
        totals.update(floor=floor, issued=issued, with_tail=with_tail)
        held = made.workgroups(tile.threads)
        shapes = kernel['runs'][0]['shape'] + (f" and {len(kernel['runs']) - 1} more" if len(kernel['runs']) > 1 else '')
        rows.append(
            (floor, f"{kernel['name']} {kernel['label']:28} {tile.rows:3} x {tile.columns:<4}{shapes:32}"
             f'{made.registers:5}{made.spilled:5}{held * tile.threads // 32:6}{100 * tile.products / looped:6.0f} %'
             f'{floor:8.2f}{issued:8.2f}{with_tail:8.2f}')
        )
    print(f"{'kernel':32} {'tile':10}{'shape':32}{'regs':>6}{'spill':>6}{'warps':>6}{'loop':>7}{'floor':>8}{'issued':>8}{'tail':>8} ms")
    for _, line in sorted(rows, reverse=True):
        print(line)
    print(f"sum: floor {totals['floor']:.1f} ms, issued {totals['issued']:.1f} ms, with idle multiprocessors {totals['with_tail']:.1f} ms")


if __name__ == '__main__':
    main()
