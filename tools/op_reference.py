"""Every op of the engine in PyTorch, by the engine's name and options: (inputs, attrs) -> outputs by name."""
import torch
import torch.nn.functional as F


def camel(attrs, **names):
    """Options under PyTorch's names; `names` maps PyTorch's names to the engine's."""
    return {theirs: attrs[ours] for theirs, ours in names.items() if ours in attrs}


def matmul(t, a):
    x, y = (v.transpose(-1, -2) if a.get(flag) else v for v, flag in zip(t, ('transposeA', 'transposeB')))
    return torch.matmul(x, y)


def conv2d(t, a):
    return F.conv2d(t[0], t[1], t[2] if len(t) > 2 else None, **a)


def batch_norm2d(t, a):
    """Inputs x, runningMean, runningVar, then weight and bias if affine. The running statistics are outputs too."""
    mean, var = t[1].detach().clone(), t[2].detach().clone()
    weight, bias = (t[3], t[4]) if len(t) > 3 else (None, None)
    out = F.batch_norm(t[0], mean, var, weight, bias, a['training'], a.get('momentum', 0.1), a.get('eps', 1e-5))
    return {'out': out, 'runningMean': mean, 'runningVar': var}


def max_pool2d(t, a):
    return F.max_pool2d(t[0], **camel(a, kernel_size='kernelSize', stride='stride', padding='padding',
                                      dilation='dilation', ceil_mode='ceilMode'))


def avg_pool2d(t, a):
    return F.avg_pool2d(t[0], **camel(a, kernel_size='kernelSize', stride='stride', padding='padding',
                                      ceil_mode='ceilMode', count_include_pad='countIncludePad'))


def reduction(fold):
    return lambda t, a: fold(t[0], a['dim'], a.get('keepDim', False)) if 'dim' in a else fold(t[0])


def maximum_along(x, dim=None, keepdim=False):
    return x.max() if dim is None else x.max(dim, keepdim).values


def minimum_along(x, dim=None, keepdim=False):
    return x.min() if dim is None else x.min(dim, keepdim).values


def argmax(t, a):
    return t[0].argmax(a['dim'], a.get('keepDim', False)).int()


def cross_entropy(t, a):
    target = t[1].long() if t[1].dtype == torch.int32 else t[1]
    return F.cross_entropy(t[0], target, reduction=a['reduction'])


def slicing(t, a):
    dim = a['dim'] % t[0].dim()
    return t[0][(slice(None),) * dim + (slice(a.get('start'), a.get('end'), a.get('step')),)]


def pad(t, a):
    flat = [size for pair in reversed(a['padding']) for size in pair]
    return F.pad(t[0], flat, value=a.get('value', 0.0))


def number(a, t):
    """The right operand of a binary op: the second tensor, or the number in the attributes."""
    return t[1] if len(t) > 1 else a['other']


OPS = {
    'matmul': matmul,
    'linear': lambda t, a: F.linear(*t),
    'conv2d': conv2d,
    'batchNorm2d': batch_norm2d,
    'maxPool2d': max_pool2d,
    'avgPool2d': avg_pool2d,
    'adaptiveAvgPool2d': lambda t, a: F.adaptive_avg_pool2d(t[0], a['size']),
    'adaptiveMaxPool2d': lambda t, a: F.adaptive_max_pool2d(t[0], a['size']),
    'relu': lambda t, a: F.relu(t[0]),
    'leakyRelu': lambda t, a: F.leaky_relu(t[0], a['negativeSlope']),
    'sigmoid': lambda t, a: torch.sigmoid(t[0]),
    'tanh': lambda t, a: torch.tanh(t[0]),
    'exp': lambda t, a: torch.exp(t[0]),
    'log': lambda t, a: torch.log(t[0]),
    'sqrt': lambda t, a: torch.sqrt(t[0]),
    'neg': lambda t, a: -t[0],
    'abs': lambda t, a: torch.abs(t[0]),
    'square': lambda t, a: torch.square(t[0]),
    'reciprocal': lambda t, a: torch.reciprocal(t[0]),
    'clamp': lambda t, a: torch.clamp(t[0], a.get('min'), a.get('max')),
    'pow': lambda t, a: torch.pow(t[0], a['exponent']),
    'add': lambda t, a: t[0] + number(a, t),
    'sub': lambda t, a: t[0] - number(a, t),
    'mul': lambda t, a: t[0] * number(a, t),
    'div': lambda t, a: t[0] / number(a, t),
    'maximum': lambda t, a: torch.maximum(t[0], t[1]),
    'minimum': lambda t, a: torch.minimum(t[0], t[1]),
    'eq': lambda t, a: (t[0] == t[1]).to(t[0].dtype),
    'ne': lambda t, a: (t[0] != t[1]).to(t[0].dtype),
    'lt': lambda t, a: (t[0] < t[1]).to(t[0].dtype),
    'le': lambda t, a: (t[0] <= t[1]).to(t[0].dtype),
    'gt': lambda t, a: (t[0] > t[1]).to(t[0].dtype),
    'ge': lambda t, a: (t[0] >= t[1]).to(t[0].dtype),
    'where': lambda t, a: torch.where(t[0] > 0.5, t[1], t[2]),
    'sum': reduction(torch.sum),
    'mean': reduction(torch.mean),
    'amax': reduction(torch.amax),
    'amin': reduction(torch.amin),
    'max': reduction(maximum_along),
    'min': reduction(minimum_along),
    'argmax': argmax,
    'softmax': lambda t, a: torch.softmax(t[0], a['dim']),
    'logSoftmax': lambda t, a: torch.log_softmax(t[0], a['dim']),
    'crossEntropy': cross_entropy,
    'concat': lambda t, a: torch.cat(t, a['dim']),
    'slice': slicing,
    'reshape': lambda t, a: t[0].reshape(a['shape']),
    'permute': lambda t, a: t[0].permute(a['dims']),
    'pad': pad,
    'expand': lambda t, a: t[0].expand(a['shape']),
    'indexSelect': lambda t, a: t[0].index_select(a['dim'], t[1]),
}


def evaluate(case, inputs, upstream, dtype):
    """Outputs, then `gradI` of `sum(out * upstream)` for every input that requires a gradient, as numpy arrays of the given dtype."""
    tensors = []
    for spec, values in zip(case['inputs'], inputs):
        tensor = torch.from_numpy(values)
        tensor = tensor.to(dtype) if tensor.is_floating_point() else tensor
        tensors.append(tensor.requires_grad_(bool(spec.get('grad'))))
    outputs = OPS[case['op']](tensors, case['attrs'])
    if not isinstance(outputs, dict):
        outputs = {'out': outputs}
    wanted = [i for i, tensor in enumerate(tensors) if tensor.requires_grad]
    if wanted:
        dy = torch.from_numpy(upstream(tuple(outputs['out'].shape))).to(dtype)
        gradients = torch.autograd.grad(outputs['out'], [tensors[i] for i in wanted], dy)
        outputs = {**outputs, **{f'grad{i}': g for i, g in zip(wanted, gradients)}}
    return {name: value.detach().numpy() for name, value in outputs.items()}
