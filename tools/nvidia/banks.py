"""Counts the conflicts of workgroup-memory accesses in the GEMM skeleton, in permutations and in sums over rows, without a GPU.

    python3 tools/nvidia/banks.py

Workgroup memory has 32 banks of 4 bytes. A warp's access takes as many turns as one bank has different words to give; accesses of
16 bytes are made by 8 lanes at a time, of 8 bytes by 16. Equal words are read once; whether also across those groups of lanes is
not documented: `merged` are the turns if so. The addresses are those of
shaders/gemm_tiled.wgsl, strided_transpose.wgsl and lib_row.wgsl.
"""

import collections

BANKS = 32
WARP = 32
# A vec3f takes the place of a vec4f; all 16 bytes are counted.
VECTOR = 16


def turns(addresses, size):
    """Turns of a warp's access at these byte addresses: at least by groups of lanes, with conflicts, and if all lanes are merged."""
    at_once = WARP * 4 // size
    total = least = 0
    for first in range(0, len(addresses), at_once):
        banks = collections.defaultdict(set)
        for address in addresses[first : first + at_once]:
            if address is not None:
                for word in range(address // 4, (address + size) // 4):
                    banks[word % BANKS].add(word)
        if banks:
            total += max(len(words) for words in banks.values())
            least += 1
    words = {word for address in addresses if address is not None for word in range(address // 4, (address + size) // 4)}
    merged = max(collections.Counter(word % BANKS for word in words).values(), default=0)
    return least, total, merged


def report(what, threads, size, address):
    """Prints the turns of all warps of a workgroup; `address(thread)` is in elements of `size` bytes, None where idle."""
    counted = [
        turns([None if (at := address(t)) is None else size * at for t in range(first, first + WARP)], size)
        for first in range(0, threads, WARP)
    ]
    least, total, merged = (sum(column) for column in zip(*counted))
    print(f'{what:58}{least:6}{total:6}{100 * (total - least) / least:8.0f} %{merged:8}')
    return total, merged


def gemm(height, width):
    """Accesses of a workgroup of height x width invocations."""
    threads, inner = height * width, height // 2
    row_vectors, column_vectors = 2 * height, 2 * width
    a_stride, b_stride = row_vectors + 8 // inner, column_vectors + 8 // inner
    name = f'gemm {height} x {width}:'

    def x(t):
        return t // 32 % (width // 8) * 8 + t % 8

    def y(t):
        return t // (4 * width) * 4 + t // 8 % 4

    def vector(t, vectors, stride, along):
        i, k = (t % vectors, t // vectors) if along else (t // inner, t % inner)
        return k * stride + i if k < inner and i < vectors else None

    a = report(f'{name} read a vector of A', threads, VECTOR, lambda t: a_stride + y(t))
    b = report(f'{name} read a vector of B', threads, VECTOR, lambda t: b_stride + x(t))
    for along in (True, False):
        how = 'along rows, columns' if along else 'along inner indices'
        report(f'{name} write A, {how}', threads, VECTOR, lambda t: vector(t, row_vectors, a_stride, along))
        report(f'{name} write B, {how}', threads, VECTOR, lambda t: vector(t, column_vectors, b_stride, along))
    report(f'{name} write sums of columns', threads, VECTOR, lambda t: y(t) * width + x(t))
    half = width // 2
    while half:
        report(f'{name} add sums {half} apart', threads, VECTOR, lambda t: y(t) * width + x(t) if x(t) < half else None)
        half //= 2
    # Two vectors of each at every inner index, and 16 products of each row of a vector; a quarter of them each cycle.
    reads, merged = (2 * (of_a + of_b) for of_a, of_b in zip(a, b))
    for rows in (3, 4):
        products = threads // WARP * 16 * rows // 4
        print(f'{name} {rows} rows, an inner index: {products} cycles of products, {reads} turns of reads, {merged} if merged')


def main():
    print(f"{'access of a workgroup':58}{'least':>6}{'turns':>6}{'conflicts':>10}{'merged':>8}")
    for height, width in ((16, 16), (8, 16), (8, 8)):
        gemm(height, width)
    report('transpose 32 x 32: write a row of 33', 256, 4, lambda t: t // 32 * 33 + t % 32)
    report('transpose 32 x 32: read a column', 256, 4, lambda t: t % 32 * 33 + t // 32)
    for lanes in (64, 256):
        report(f'row of {lanes} lanes: write a value', lanes, 4, lambda t: t)
        report(f'row of {lanes} lanes: write a pair', lanes, 8, lambda t: t)
        report(f'row of {lanes} lanes, subgroups of 32: read a value', lanes, 4, lambda t: t % 32 + 32)
        report(f'row of {lanes} lanes, subgroups of 32: read a pair', lanes, 8, lambda t: t % 32 + 32)


if __name__ == '__main__':
    main()
