// The plan: a table of dispatches, and one of them in full.

import { explain, type InspectedDispatch, type Inspection } from 'wavelight/inspect';
import { amount, counted, element, table } from '../html.ts';

/** The ops that a dispatch does the work of, by name, like `conv2d + relu`. */
export const worksOf = ({ operations }: Inspection, dispatch: InspectedDispatch): string =>
  dispatch.operations.map((index) => operations[index]?.name ?? '').join(' + ') || 'a copy';

export function showPlan(panel: HTMLElement, plan: Inspection): void {
  const detail = element('section', '', { className: 'detail' });
  detail.setAttribute('aria-live', 'polite');
  const buttons: HTMLButtonElement[] = [];
  const rows = plan.dispatches.map((dispatch, i) => {
    const button = element('button', dispatch.kernel, { type: 'button', className: 'kernel' });
    button.addEventListener('click', () => {
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      detail.replaceChildren(...describe(plan, dispatch, i));
    });
    button.setAttribute('aria-pressed', 'false');
    buttons.push(button);
    const { workgroups, flops, bytes } = dispatch;
    return [
      String(i + 1),
      button,
      worksOf(plan, dispatch),
      workgroups.join(' x '),
      amount(flops, 'FLOP'),
      amount(bytes, 'B'),
    ];
  });
  const { statistics, operations } = plan;
  panel.replaceChildren(
    element(
      'p',
      `${counted(operations.length, 'op')} in ${counted(statistics.dispatches, 'dispatch', 'dispatches')}, ` +
        `${counted(statistics.pipelines, 'pipeline')} to compile; ${amount(statistics.flops, 'FLOP')}, ` +
        `${amount(statistics.bytesMoved, 'B')} moved. Choose a kernel to see its WGSL.`,
    ),
    table('Dispatches in their order', ['#', 'Kernel', 'Ops', 'Workgroups', 'Arithmetic', 'Moved'], rows),
    detail,
  );
}

function describe(plan: Inspection, dispatch: InspectedDispatch, index: number): Node[] {
  const { kernel, shape, wgsl, bindings, reasons, reader, params, constants } = dispatch;
  const why = reasons.map((reason) => element('li', explain(reason)));
  const wanted = reader === null ? undefined : plan.operations[reader]?.name;
  if (wanted !== undefined) why.push(element('li', `The reader is ${wanted}.`));
  const values = Object.entries({ ...constants, ...params }).map(([name, value]) => `${name} = ${value}`);
  const code = element('pre', [element('code', wgsl)], { className: 'wgsl', tabIndex: 0 });
  code.setAttribute('role', 'region');
  code.setAttribute('aria-label', `WGSL of ${kernel}`);
  return [
    element('h3', `${index + 1}. ${kernel}${shape === '' ? '' : `, ${shape}`}`),
    element('p', `Does the work of ${worksOf(plan, dispatch)}.`),
    ...(why.length > 0 ? [element('ul', why)] : []),
    table(
      'Bindings',
      ['@binding', 'Access', 'Role', 'Buffer', 'Type', 'Size'],
      bindings.map(({ binding, access, role, buffer, dtype, length, bytes }) => [
        String(binding),
        access,
        role,
        buffer,
        `${dtype} x ${length}`,
        amount(bytes, 'B'),
      ]),
    ),
    ...(values.length > 0 ? [element('p', `Parameters: ${values.join(', ')}`, { className: 'quiet' })] : []),
    code,
  ];
}
